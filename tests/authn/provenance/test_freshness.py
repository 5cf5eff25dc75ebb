"""Two-sided time: a capture commits to what bounds it from below, as far as witnesses in your list say so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from authn.core.evidence import Axis, Outcome
from authn.core.report import Report
from authn.examine.examiner import Examiner
from authn.pki.roots import TrustRoots
from authn.policies.shelf import default_policy
from authn.provenance.engines import open_engines
from authn.provenance.logs import LogTrust
from authn.tlog.format.checkpoint import Checkpoint
from authn.tlog.format.cosignature import Cosigner
from authn.tlog.format.note import SigningKey, sign
from authn.tlog.format.policy import parse_policy
from signer.claim import CaptureClaim, DeviceAssertion
from signer.credential import sign_media
from signer.freshness import nonce_of
from tests.doubles.photos import photo
from tests.doubles.pki import Issued, TestPki
from tests.doubles.signed import media, stamped_photo

NOW = datetime.now(UTC).replace(microsecond=0)
LOG = SigningKey.generate("log.example/1")


def witness(name: str, seen: datetime, *, post_quantum: bool = False) -> Cosigner:
    key = MLDSA44PrivateKey.generate() if post_quantum else Ed25519PrivateKey.generate()
    return Cosigner(name=name, key=key, clock=lambda: int(seen.timestamp()))


def note(*witnesses: Cosigner, log: SigningKey = LOG) -> str:
    return sign(Checkpoint(log.name, 7, bytes(32)).text(), (log, *witnesses))


def capture(leaf: Issued, checkpoint: str, nonce: bytes | None = None) -> bytes:
    device = DeviceAssertion(
        device_id="d", counter=1, nonce=nonce or nonce_of(checkpoint), checkpoint=checkpoint
    )
    claim = CaptureClaim(title="a", captured_at=NOW, device=device)
    return sign_media(photo(), "image/jpeg", claim, leaf.ec_key, leaf.chain_pem)


def report(pki: TestPki, data: bytes, *witnesses: Cosigner, quorum: int = 1, logs: bool = True) -> Report:
    trust = LogTrust(
        logs=(LOG.verifier,) if logs else (),
        witnesses=tuple(w.verifier for w in witnesses),
        quorum=quorum,
    )
    return report_under(pki, data, trust)


def report_under(pki: TestPki, data: bytes, trust: LogTrust) -> Report:
    roots = TrustRoots(signer=pki.device_roots, tsa=pki.tsa_roots)
    engines = open_engines(roots)
    return Examiner(roots=roots, engines=engines, policy=default_policy(), logs=trust).examine(media(data))


def codes(report: Report) -> list[str]:
    return [f.code for f in report.cryptographic.axis(Axis.TIME).findings]


def test_checkpoint_and_time_stamp_bound_a_capture_from_both_sides(pki: TestPki) -> None:
    seen = NOW - timedelta(minutes=3)
    w = witness("w.example", seen)
    found = report(pki, stamped_photo(capture(pki.leaf(), note(w)), pki.tsa_leaf()), w)
    assert found.cryptographic.not_before == seen
    assert found.cryptographic.not_after is not None
    assert found.cryptographic.not_after > seen
    assert found.cryptographic.axis(Axis.TIME).outcome is Outcome.ESTABLISHED
    assert codes(found) == ["timeStamp.trusted", "assay.time.checkpoint"]


def test_a_post_quantum_witness_counts_as_well(pki: TestPki) -> None:
    w = witness("pq.example", NOW - timedelta(minutes=1), post_quantum=True)
    assert report(pki, capture(pki.leaf(), note(w)), w).cryptographic.not_before == NOW - timedelta(minutes=1)


@pytest.mark.parametrize(("quorum", "minutes"), [(1, 1), (2, 5), (3, 9)])
def test_with_a_quorum_of_k_the_bound_is_the_kth_latest_time(pki: TestPki, quorum: int, minutes: int) -> None:
    ws = [witness(f"w{i}.example", NOW - timedelta(minutes=m)) for i, m in enumerate((9, 1, 5))]
    found = report(pki, capture(pki.leaf(), note(*ws)), *ws, quorum=quorum)
    assert found.cryptographic.not_before == NOW - timedelta(minutes=minutes)


@pytest.mark.parametrize(
    ("quorum", "minutes"),
    [("group g 2 a b c\nquorum g", 5), ("quorum a", 9), ("group g any b c\ngroup h all a g\nquorum h", 9)],
    ids=["two-of-three", "the-earliest", "groups"],
)
def test_with_a_policy_the_bound_is_the_latest_time_since_which_enough_signed(
    pki: TestPki, quorum: str, minutes: int
) -> None:
    ws = [witness(f"w{i}.example", NOW - timedelta(minutes=m)) for i, m in enumerate((9, 1, 5))]
    lines = [f"log {LOG.verifier}", *(f"witness {n} {w.verifier}" for n, w in zip("abc", ws, strict=True))]
    trust = LogTrust.of_policy(parse_policy("\n".join((*lines, quorum, ""))))
    found = report_under(pki, capture(pki.leaf(), note(*ws)), trust)
    assert found.cryptographic.not_before == NOW - timedelta(minutes=minutes)


@pytest.mark.parametrize("quorum", ["quorum b", "quorum none"], ids=["not-signed", "asks-for-nobody"])
def test_without_enough_for_the_policy_nothing_is_bounded(pki: TestPki, quorum: str) -> None:
    a, b = witness("a.example", NOW), witness("b.example", NOW)
    lines = [f"log {LOG.verifier}", f"witness a {a.verifier}", f"witness b {b.verifier}", quorum]
    trust = LogTrust.of_policy(parse_policy("\n".join(lines)))
    found = report_under(pki, capture(pki.leaf(), note(a)), trust)
    assert found.cryptographic.not_before is None
    assert codes(found)[-1] == "assay.time.checkpointUnwitnessed"


def test_too_few_witnesses_bound_nothing(pki: TestPki) -> None:
    w, other = witness("w.example", NOW), witness("other.example", NOW)
    found = report(pki, capture(pki.leaf(), note(w)), w, other, quorum=2)
    assert found.cryptographic.not_before is None
    assert codes(found)[-1] == "assay.time.checkpointUnwitnessed"


def test_a_witness_outside_the_list_counts_for_nothing(pki: TestPki) -> None:
    found = report(pki, capture(pki.leaf(), note(witness("w.example", NOW))), witness("mine.example", NOW))
    assert found.cryptographic.not_before is None


def test_a_checkpoint_of_a_log_outside_the_list_is_not_examined(pki: TestPki) -> None:
    w = witness("w.example", NOW)
    foreign = note(w, log=SigningKey.generate("elsewhere.example/1"))
    found = report(pki, capture(pki.leaf(), foreign), w)
    assert found.cryptographic.not_before is None
    assert codes(found)[-1] == "assay.time.checkpointNotExamined"


def test_a_nonce_that_does_not_commit_to_the_checkpoint_is_named(pki: TestPki) -> None:
    w = witness("w.example", NOW)
    found = report(pki, capture(pki.leaf(), note(w), nonce=bytes(32)), w)
    assert found.cryptographic.not_before is None
    assert codes(found)[-1] == "assay.time.nonceMismatch"


def test_a_checkpoint_with_a_forged_cosignature_is_refused(pki: TestPki) -> None:
    w = witness("w.example", NOW)
    forged = Cosigner(name=w.name, key=Ed25519PrivateKey.generate(), clock=lambda: int(NOW.timestamp()))
    text = Checkpoint(LOG.name, 7, bytes(32)).text()

    class Impostor:
        """Signs with another key under the witness's key id."""

        name, key_id = w.name, w.key_id

        def signature(self, text: str) -> bytes:
            return forged.signature(text)

    found = report(pki, capture(pki.leaf(), sign(text, (LOG, Impostor()))), w)
    assert found.cryptographic.not_before is None
    assert codes(found)[-1] == "assay.time.checkpointRefused"


def test_an_empty_interval_is_refuted_and_neither_end_is_relied_on(pki: TestPki) -> None:
    w = witness("w.example", NOW + timedelta(hours=1))
    found = report(pki, stamped_photo(capture(pki.leaf(), note(w)), pki.tsa_leaf()), w)
    assert found.cryptographic.axis(Axis.TIME).outcome is Outcome.REFUTED
    assert found.cryptographic.not_before is None
    assert codes(found)[-1] == "assay.time.intervalEmpty"


def test_changed_bytes_have_no_lower_bound(pki: TestPki) -> None:
    w = witness("w.example", NOW)
    data = capture(pki.leaf(), note(w))
    changed = data[:-30] + bytes([data[-30] ^ 1]) + data[-29:]
    assert report(pki, changed, w).cryptographic.not_before is None


@pytest.mark.parametrize(
    "text", ["x", "\n\n\u2014 a b\n", "log.example/1\n7\nAA==\n\n\u2014 log.example/1 AA==\n"]
)
def test_what_is_no_note_is_a_finding_and_no_error(pki: TestPki, text: str) -> None:
    found = report(pki, capture(pki.leaf(), text), witness("w.example", NOW))
    assert codes(found)[-1] == "assay.time.checkpointRefused"
