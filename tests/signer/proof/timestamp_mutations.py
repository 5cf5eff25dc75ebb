"""Named changes to a time-stamp answer, re-signed where that makes it an attack, and what must come of each.

``python -m tests.signer.proof.timestamp_mutations`` prints the table beside what rfc3161-client says by
itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric import rsa
from rfc3161_client import VerifierBuilder, decode_timestamp_response

from signer.core.errors import (
    TimestampError,
    TimestampInvalid,
    TimestampMalformed,
    TimestampMismatch,
    TimestampNotStrict,
    TimestampOutsideValidity,
    TimestampUnfit,
    TimestampUnsupported,
    TimestampUntrusted,
)
from signer.proof.timestamp import parse_response, verify_token
from tests.doubles.pki import Issued, TestPki, issue, name, new_key, now
from tests.doubles.stamps import ESS_V1, Stamp, attribute, ess_v1, generalized, octets, oid, seq, tlv

MESSAGE, NONCE = b"the bytes under the stamp", 2**63 + 5
MALFORMED, MISMATCH, UNTRUSTED = TimestampMalformed, TimestampMismatch, TimestampUntrusted
INVALID, OUTSIDE, NOT_STRICT = TimestampInvalid, TimestampOutsideValidity, TimestampNotStrict
UNSUPPORTED, UNFIT = TimestampUnsupported, TimestampUnfit
LEGAL = None  # must be accepted
Change = Callable[["Lab", Stamp], None]


@dataclass(frozen=True)
class Mutation:
    """``stricter``: the standards allow it, and we refuse it on purpose, for the reason given."""

    name: str
    expected: type[TimestampError] | None
    change: Change
    authority: Callable[[Lab], Issued] | None = None
    stricter: str = ""


class Lab:
    """Keys and certificates of the table, made once."""

    def __init__(self) -> None:
        self.pki = TestPki()
        self.authority = self.pki.tsa_leaf()
        self.other = self.pki.tsa_leaf("time-0002")
        self.rogue = TestPki("Rogue")
        self.now = now()

    @cached_property
    def rsa_key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(65537, 2048)

    @cached_property
    def small_rsa_key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(65537, 1024)

    def leaf(self, **knobs: object) -> Issued:
        return self.pki.tsa_leaf(**knobs)  # type: ignore[arg-type]

    def below(self, **knobs: object) -> Issued:
        """An intermediate authority under the time-stamping root."""
        key = new_key()
        knobs = {"ca": True, "path_length": 0, **knobs}
        if not knobs["ca"]:
            knobs["path_length"] = None
        certificate = issue(name("Time CA"), key.public_key(), issuer=self.pki.tsa_root, **knobs)  # type: ignore[arg-type]
        return Issued(certificate=certificate, key=key)

    def rogue_leaf(self, *, with_root: bool) -> Issued:
        leaf = self.rogue.tsa_leaf("time-0001")
        above = (self.rogue.tsa_root.certificate,) if with_root else ()
        return Issued(certificate=leaf.certificate, key=leaf.key, intermediates=above)

    def response(self, mutation: Mutation) -> bytes:
        authority = mutation.authority(self) if mutation.authority else self.authority
        stamp = Stamp(authority=authority, message=MESSAGE, at=self.now, nonce=NONCE)
        mutation.change(self, stamp)
        return stamp.response()

    def ours(self, response: bytes) -> type[TimestampError] | None:
        """The error that we answer with; None where the token is accepted."""
        try:
            verify_token(parse_response(response), MESSAGE, self.pki.tsa_roots, nonce=NONCE)
        except TimestampError as e:
            return type(e)
        return None

    def theirs(self, response: bytes) -> bool:
        """Whether rfc3161-client accepts it."""
        verifier = VerifierBuilder().add_root_certificate(self.pki.tsa_root.certificate).nonce(NONCE).build()
        try:
            return bool(verifier.verify_message(decode_timestamp_response(response), MESSAGE))
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:  # a panic in Rust is no Exception
            return False


def put(field: str, value: object) -> Change:
    def change(_: Lab, stamp: Stamp) -> None:
        setattr(stamp, field, value)

    return change


def tst(field: str, value: bytes | Callable[[Lab], bytes]) -> Change:
    def change(lab: Lab, stamp: Stamp) -> None:
        assert field in stamp.tst
        stamp.tst[field] = value if isinstance(value, bytes) else value(lab)

    return change


def attr(field: str, value: bytes | Callable[[Lab], bytes]) -> Change:
    def change(lab: Lab, stamp: Stamp) -> None:
        stamp.attributes[field] = value if isinstance(value, bytes) else value(lab)

    return change


def names_v1(field: str, who: str) -> Change:
    """ESSCertID, version 1, of a certificate of the laboratory."""
    return attr(field, lambda lab: attribute(ESS_V1, ess_v1(getattr(lab, who).certificate)))


def both(*changes: Change) -> Change:
    def change(lab: Lab, stamp: Stamp) -> None:
        for one in changes:
            one(lab, stamp)

    return change


def nothing(_lab: Lab, _stamp: Stamp) -> None:
    pass


def moved(**by: float) -> Change:
    def change(lab: Lab, stamp: Stamp) -> None:
        stamp.tst["time"] = generalized(lab.now + timedelta(**by))

    return change


def raw_time(text: str) -> Change:
    return tst("time", tlv(0x18, text.encode()))


def digest(kind: str) -> Change:
    return put("digest", kind)


def extension(critical: bool, dotted: str = "1.3.6.1.5.5.7.1.3", tag: int = 0xA1, times: int = 1) -> Change:
    one = seq(oid(dotted), b"\x01\x01\xff" if critical else b"", octets(seq()))
    return tst("extensions", tlv(tag, one * times))


def without(field: str) -> Change:
    def change(_: Lab, stamp: Stamp) -> None:
        stamp.attributes[field] = b"-"

    return change


def flipped(at: int) -> Callable[[bytes], bytes]:
    return lambda raw: raw[:at] + bytes([raw[at] ^ 1]) + raw[at:][1:]


def key_of(make: Callable[[Lab], object]) -> Change:
    def change(lab: Lab, stamp: Stamp) -> None:
        stamp.key = make(lab)  # type: ignore[assignment]

    return change


def leaf(**knobs: object) -> Callable[[Lab], Issued]:
    return lambda lab: lab.leaf(**knobs)


def ago(**by: float) -> datetime:
    return now() - timedelta(**by)


def main() -> None:
    """Print the table."""
    from tests.signer.proof.timestamp_table import TABLE

    lab, accepted = Lab(), 0
    print("| change | legal | rfc3161-client alone | Assay |\n|---|---|---|---|")
    for row in TABLE:
        response = lab.response(row)
        ours, theirs = lab.ours(response), lab.theirs(response)
        legal = "yes" if row.expected is LEGAL else f"yes: {row.stricter}" if row.stricter else "no"
        accepted += legal == "no" and theirs
        said = "accepts" if theirs else "refuses"
        print(f"| {row.name} | {legal} | {said} | {ours.code if ours else 'accepts'} |")
    print(f"\n{len(TABLE)} rows; rfc3161-client alone accepts {accepted} of the illegal ones.")


if __name__ == "__main__":
    main()
