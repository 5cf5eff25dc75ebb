"""A path walk of our own (RFC 5280 section 6.1) for what WebPKI verifiers refuse: algorithms, by their
policy, and certificates in another spelling than DER's (``signer.proof.transcript``).

It is narrower than the standard on purpose: what it does not evaluate (name constraints, policy constraints,
unknown critical extensions) it refuses. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID

from signer.proof.certificates import Certificate, issued_by
from signer.proof.path import MAX_INTERMEDIATES, PathRefused, check_key, may_issue_for, verify_path

MAX_SIGNATURE_CHECKS = 256
_EVALUATED = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    }
)
# Wrongly marked as not critical they would still narrow what an issuer may issue.
_CONSTRAINTS = frozenset(
    {ExtensionOID.NAME_CONSTRAINTS, ExtensionOID.POLICY_CONSTRAINTS, ExtensionOID.INHIBIT_ANY_POLICY}
)
_NEVER_CRITICAL = frozenset({ExtensionOID.SUBJECT_KEY_IDENTIFIER, ExtensionOID.AUTHORITY_KEY_IDENTIFIER})
MAX_SERIAL_BYTES = 20  # RFC 5280, 4.1.2.2
_MOST_KNOWN = 256
_USUAL_BYTES = 32 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """``roots`` is kept so that nothing else can be at its address."""

    path: tuple[Certificate, ...]
    roots: tuple[Certificate, ...]
    since: datetime
    until: datetime


_Key = tuple[tuple[bytes, ...], int, frozenset[x509.ObjectIdentifier], bool]
_known: dict[_Key, _Known] = {}


def find_path(
    leaf: Certificate,
    intermediates: Sequence[Certificate],
    roots: Sequence[Certificate],
    *,
    at: datetime,
    usages: frozenset[x509.ObjectIdentifier],
    nested: bool = True,
) -> tuple[Certificate, ...]:
    """By pyca where it can read what the path needs, by our own walk where it cannot. Raises ``PathRefused``.
    ``nested``: see ``signer.proof.path.may_issue_for``.

    A path that was found is found again at any time at which all its certificates are valid, so it is
    remembered with the list that it leads to: the devices of one service, and every time-stamp authority,
    sign again and again."""
    ders = [c.public_bytes(Encoding.DER) for c in (leaf, *intermediates)]
    if not isinstance(roots, tuple) or sum(map(len, ders)) > _USUAL_BYTES:
        return _find_path(leaf, intermediates, roots, at=at, usages=usages, nested=nested)
    key = (tuple(sha256(der).digest() for der in ders), id(roots), usages, nested)
    known = _known.get(key)
    if known is None or known.roots is not roots or not known.since <= at <= known.until:
        path = _find_path(leaf, intermediates, roots, at=at, usages=usages, nested=nested)
        known = _Known(
            path=path,
            roots=roots,
            since=max(c.not_valid_before_utc for c in path),
            until=min(c.not_valid_after_utc for c in path),
        )
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[key] = known
    return known.path


def _find_path(
    leaf: Certificate,
    intermediates: Sequence[Certificate],
    roots: Sequence[Certificate],
    *,
    at: datetime,
    usages: frozenset[x509.ObjectIdentifier],
    nested: bool,
) -> tuple[Certificate, ...]:
    readable = [c for c in intermediates if isinstance(c, x509.Certificate)]
    known = [c for c in roots if isinstance(c, x509.Certificate)]
    needs_walk = len(readable) + len(known) < len(intermediates) + len(roots)
    needs_walk |= any(c.serial_number < 0 for c in (leaf, *intermediates, *roots))  # pyca refuses the path
    if isinstance(leaf, x509.Certificate):
        try:
            return verify_path(leaf, readable, known, at=at, usages=usages, nested=nested)
        except PathRefused:
            if not needs_walk:
                raise
    return walk_path(leaf, intermediates, roots, at=at, usages=usages, nested=nested)


def walk_path(
    leaf: Certificate,
    intermediates: Sequence[Certificate],
    roots: Sequence[Certificate],
    *,
    at: datetime,
    usages: frozenset[x509.ObjectIdentifier],
    nested: bool = True,
) -> tuple[Certificate, ...]:
    """The path, leaf first, root last. Raises ``PathRefused``."""
    if not roots:
        raise PathRefused("no roots were given for this purpose")
    try:
        _check_common(leaf, at)
        _check_leaf(leaf, usages)
        for path in _Search(intermediates, roots, at, usages, nested=nested).paths((leaf,)):
            return path
    except (ValueError, x509.DuplicateExtension, UnsupportedAlgorithm) as e:
        raise PathRefused(f"a certificate cannot be read: {e}") from e
    raise PathRefused("no issuer leads to a root")


class _Search:
    """Depth first, under a budget: certificates that all carry one name can make a maze of issuers that would
    take years to walk."""

    def __init__(
        self,
        intermediates: Sequence[Certificate],
        roots: Sequence[Certificate],
        at: datetime,
        usages: frozenset[x509.ObjectIdentifier],
        *,
        nested: bool,
    ) -> None:
        self._intermediates = intermediates
        self._roots = roots
        self._at = at
        self._usages = usages
        self._nested = nested
        self._checks_left = MAX_SIGNATURE_CHECKS

    def paths(self, path: tuple[Certificate, ...]) -> Iterator[tuple[Certificate, ...]]:
        for root in self._roots:
            if self._leads(path, root):
                yield (*path, root)
        if len(path) > MAX_INTERMEDIATES:
            return
        for issuer in self._intermediates:
            if issuer not in path and self._leads(path, issuer):
                yield from self.paths((*path, issuer))

    def _leads(self, path: tuple[Certificate, ...], issuer: Certificate) -> bool:
        """The cheap questions first. Raises ``PathRefused`` when the budget is spent."""
        if path[-1].issuer != issuer.subject:
            return False
        self._checks_left -= 1
        if self._checks_left < 0:
            raise PathRefused("there are too many ways to try")
        below = sum(c.issuer != c.subject for c in path[1:])  # self-issued ones do not count (6.1.4, l)
        return (
            _may_issue(issuer, below, self._at)
            and may_issue_for(_extended_usage(issuer), self._usages, nested=self._nested)
            and _issued(path[-1], issuer)
        )


def _issued(certificate: Certificate, issuer: Certificate) -> bool:
    if isinstance(certificate.signature_hash_algorithm, hashes.SHA1 | hashes.MD5):
        return False
    return issued_by(certificate, issuer)


def _may_issue(issuer: Certificate, below: int, at: datetime) -> bool:
    """``below``: how many intermediates stand between this issuer and the leaf."""
    try:
        _check_common(issuer, at)
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = issuer.extensions.get_extension_for_class(x509.KeyUsage).value
    except (PathRefused, x509.ExtensionNotFound):
        return False
    if not constraints.ca or not usage.key_cert_sign or not issuer.subject.rdns:
        return False
    return constraints.path_length is None or below <= constraints.path_length


def _check_common(certificate: Certificate, at: datetime) -> None:
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        raise PathRefused("a certificate of the path is not valid at that time")
    check_key(certificate)
    if certificate.serial_number.bit_length() >= 8 * MAX_SERIAL_BYTES:
        raise PathRefused("a certificate has a serial number of more than 20 bytes")
    for extension in certificate.extensions:
        if extension.oid in _CONSTRAINTS or (extension.critical and extension.oid not in _EVALUATED):
            raise PathRefused("a certificate has a constraint or critical extension that is not evaluated")
        if extension.critical and extension.oid in _NEVER_CRITICAL:
            raise PathRefused("a key identifier is marked critical, against RFC 5280, 4.2.1.1 and 4.2.1.2")


def _check_leaf(leaf: Certificate, usages: frozenset[x509.ObjectIdentifier]) -> None:
    try:
        usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound as e:
        raise PathRefused("the signer's certificate names no key usage") from e
    if not (usage.digital_signature or usage.content_commitment) or usage.key_cert_sign:
        raise PathRefused("the key usage is not that of a signer")
    if not usages & (_extended_usage(leaf) or frozenset()):
        raise PathRefused("the extended key usage is for something else")
    constraints = [e.value for e in leaf.extensions if isinstance(e.value, x509.BasicConstraints)]
    if constraints and constraints[0].ca:
        raise PathRefused("a certificate authority is no signer")


def _extended_usage(certificate: Certificate) -> frozenset[x509.ObjectIdentifier] | None:
    found = [e.value for e in certificate.extensions if isinstance(e.value, x509.ExtendedKeyUsage)]
    return frozenset(found[0]) if found else None
