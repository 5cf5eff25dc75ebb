"""A certificate in a spelling that pyca can read, for those that were issued in another one.

Certificate authorities write names with an underscore or an ampersand into a PrintableString, Latin-1 into an
older kind of string, times without seconds, defaults that DER leaves out, and numbers with a zero too many.
Nothing of that changes what a certificate says, but a strict reader refuses the whole. A transcript says the
same in DER. It is for reading only: its bytes are not those that were signed
(``signer.proof.certificates.Transcribed``).
"""

from __future__ import annotations

import re

from signer.proof.der import INTEGER, OID, SEQUENCE, DerError, Element, elements, encoded, single

MAX_DEPTH = 32  # a certificate has about twelve levels
_BOOLEAN, _OCTETS = 0x01, 0x04
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_UTF8, _PRINTABLE, _TELETEX, _IA5, _VISIBLE = 0x0C, 0x13, 0x14, 0x16, 0x1A
_STRINGS = (_UTF8, _PRINTABLE, _TELETEX, _IA5, _VISIBLE)
_PRINTABLE_TEXT = re.compile(rb"[A-Za-z0-9 '()+,\-./:=?]*")  # X.680 section 41.4
_BASIC_CONSTRAINTS = bytes.fromhex("551d13")
# Whatever narrows what a certificate may do: basic constraints, key usage, extended key usage, and the
# constraints on names and policies.
_NARROWING = frozenset({_BASIC_CONSTRAINTS, *(b"\x55\x1d" + bytes([n]) for n in (15, 30, 36, 37, 54))})


def transcript(der: bytes, *, bare: bool = False) -> bytes:
    """The same certificate or revocation list in DER that pyca reads. Raises ``DerError``.

    ``bare``: without the extensions that are neither critical nor narrow anything; whoever cannot read one of
    them may pass over it (RFC 5280 section 4.2).
    """
    return _rewritten(single(der, SEQUENCE), bare, 0)


def _rewritten(element: Element, bare: bool, depth: int) -> bytes:
    if depth > MAX_DEPTH:
        raise DerError("elements are nested too deeply")
    if element.tag & 0x20:
        parts = elements(element.body)
        _check_once(parts)
        if (extension := _extension(parts)) is not None and element.tag == SEQUENCE:
            return _rewritten_extension(*extension, bare, depth)
        return encoded(element.tag, b"".join(_rewritten(part, bare, depth + 1) for part in parts))
    if element.tag in _STRINGS:
        return _string(element)
    if element.tag in (_UTC_TIME, _GENERALIZED_TIME):
        return _time(element)
    return encoded(INTEGER, _minimal(element.body)) if element.tag == INTEGER else element.raw


def _check_once(parts: tuple[Element, ...]) -> None:
    """Two extensions of one name could say two things (RFC 5280 section 4.2). Raises ``DerError``."""
    found = [_extension(elements(p.body)) for p in parts if p.tag == SEQUENCE]
    names = [extension[0].body for extension in found if extension is not None]
    if len(set(names)) != len(names):
        raise DerError("two extensions have one name")


def _string(element: Element) -> bytes:
    """Labelled as UTF-8 where its own label does not fit; what is no UTF-8 is read as Latin-1."""
    try:
        element.body.decode("utf-8")
    except UnicodeDecodeError:
        return encoded(_UTF8, element.body.decode("latin-1").encode())
    fits = element.tag != _PRINTABLE or _PRINTABLE_TEXT.fullmatch(element.body)
    return element.raw if fits else encoded(_UTF8, element.body)


def _time(element: Element) -> bytes:
    """With seconds and Z, as RFC 5280, 4.1.2.5, has it; older authorities left the seconds out or wrote the
    zone of UTC as a difference of nothing."""
    text = re.sub(rb"[+-]0000\Z", b"Z", element.body)
    digits = 10 if element.tag == _UTC_TIME else 12
    if re.fullmatch(rb"\d{%d}Z" % digits, text):
        text = text[:-1] + b"00Z"
    return encoded(element.tag, text)


def _minimal(number: bytes) -> bytes:
    while len(number) > 1 and (number[0], number[1] >> 7) in ((0, 0), (0xFF, 1)):
        number = number[1:]
    return number


def _extension(parts: tuple[Element, ...]) -> tuple[Element, bool, Element] | None:
    """Name, whether it is critical, and value, if these are the parts of an extension."""
    tags = [part.tag for part in parts]
    if tags == [OID, _OCTETS]:
        return parts[0], False, parts[1]
    if tags == [OID, _BOOLEAN, _OCTETS]:
        return parts[0], any(parts[1].body), parts[2]
    return None


def _rewritten_extension(name: Element, critical: bool, value: Element, bare: bool, depth: int) -> bytes:
    if bare and not critical and name.body not in _NARROWING:
        return b""
    try:
        inner = single(value.body, value.body[0] if value.body else SEQUENCE)
        if name.body == _BASIC_CONSTRAINTS:
            inner = _without_default(inner)
        body = _rewritten(inner, False, depth + 1)
    except DerError:
        body = value.body
    flag = encoded(_BOOLEAN, b"\xff") if critical else b""
    return encoded(SEQUENCE, name.raw + flag + encoded(_OCTETS, body))


def _without_default(constraints: Element) -> Element:
    """Basic constraints with cA FALSE left out and cA TRUE in its one spelling."""
    parts = elements(constraints.body)
    if not parts or parts[0].tag != _BOOLEAN:
        return constraints
    flag = encoded(_BOOLEAN, b"\xff") if any(parts[0].body) else b""
    return single(encoded(constraints.tag, flag + b"".join(p.raw for p in parts[1:])), constraints.tag)
