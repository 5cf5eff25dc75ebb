"""The numbered steps on really signed photos: one thing is wrong at a time, and its axis says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from cryptography.x509 import Certificate
from cryptography.x509.oid import ExtendedKeyUsageOID

from authn.core.evidence import Axis, Outcome
from authn.core.report import Report, report_json
from authn.devices import ASSURANCE_LEVELS, ASSURANCE_LIMITS
from authn.pki.roots import TrustRoots
from authn.report.cards import common_name, moment
from authn.report.html import render_report
from authn.report.text import render_text
from tests.doubles.identities import OTHER_USAGE, photo_with_identity
from tests.doubles.photos import photo
from tests.doubles.pki import Issued, TestPki, issue, new_key, now
from tests.doubles.signed import Registered, examiner_for, media, signed_photo, stamped_photo

E, R, A, N = Outcome.ESTABLISHED, Outcome.REFUTED, Outcome.ABSENT, Outcome.NOT_EXAMINED
OUT = Outcome.OUTSIDE_LISTS


def outcome(report: Report, axis: Axis) -> Outcome:
    return report.cryptographic.axis(axis).outcome


def codes(report: Report, axis: Axis) -> list[str]:
    return [f.code for f in report.cryptographic.axis(axis).findings]


def test_a_signed_and_stamped_photo_of_a_registered_device_is_established_on_every_axis(pki: TestPki) -> None:
    leaf = pki.leaf()
    data = stamped_photo(signed_photo(leaf), pki.tsa_leaf())
    report = examiner_for(pki, registry=Registered(leaf)).examine(media(data))
    got = {a.axis: a.outcome for a in report.cryptographic.axes}
    assert got == dict.fromkeys(Axis, E) | {Axis.LOG: A}
    assert [c.role for c in report.cryptographic.chain] == ["signer", "intermediate", "root"]
    assert report.cryptographic.not_after is not None


def test_an_unsigned_photo_is_absent_on_every_axis(pki: TestPki) -> None:
    report = examiner_for(pki).examine(media(photo()))
    assert {a.outcome for a in report.cryptographic.axes} == {A}


def test_without_signer_roots_the_signer_is_not_examined(pki: TestPki) -> None:
    examiner = examiner_for(pki, roots=TrustRoots(signer=(), tsa=pki.tsa_roots))
    report = examiner.examine(media(signed_photo(pki.leaf())))
    assert outcome(report, Axis.SIGNER) is N
    assert outcome(report, Axis.INTEGRITY) is E


def test_without_time_stamping_roots_a_time_stamp_is_not_examined(pki: TestPki) -> None:
    examiner = examiner_for(pki, roots=TrustRoots(signer=pki.device_roots))
    report = examiner.examine(media(stamped_photo(signed_photo(pki.leaf()), pki.tsa_leaf())))
    assert outcome(report, Axis.TIME) is N
    assert report.cryptographic.not_after is None


def test_a_stranger_s_signature_is_intact_and_its_signer_is_in_no_list(pki: TestPki) -> None:
    report = examiner_for(pki).examine(media(signed_photo(TestPki("Stranger").leaf())))
    assert outcome(report, Axis.INTEGRITY) is E
    assert codes(report, Axis.SIGNER)[0] == "signingCredential.untrusted"
    assert {f.outcome for f in report.cryptographic.axis(Axis.SIGNER).findings} == {OUT}
    assert R not in {a.outcome for a in report.cryptographic.axes}


def test_what_a_registered_leaf_issued_leads_to_the_list_and_does_not_hold(pki: TestPki) -> None:
    camera = pki.leaf()
    forged = pki.leaf("impostor", issuer=camera)
    report = examiner_for(pki).examine(media(signed_photo(forged)))
    assert outcome(report, Axis.SIGNER) is R
    assert codes(report, Axis.SIGNER)[0] == "signingCredential.invalid"


def test_a_certificate_that_ran_out_beside_a_time_stamp_that_nobody_judged_is_not_refuted(
    pki: TestPki,
) -> None:
    leaf = pki.leaf(not_after=now() + timedelta(days=2))
    later = datetime.now(UTC) + timedelta(days=3)
    rogue, stranger = TestPki("Rogue"), TestPki("Stranger").leaf(not_after=now() + timedelta(days=2))
    for authority, roots in ((pki, TrustRoots(signer=pki.device_roots)), (rogue, None)):
        data = stamped_photo(signed_photo(leaf), authority.tsa_leaf())
        report = examiner_for(pki, **({"roots": roots} if roots else {})).examine(media(data), as_of=later)
        assert outcome(report, Axis.SIGNER) is N
        assert codes(report, Axis.SIGNER)[0] == "signingCredential.expired"
    data = stamped_photo(signed_photo(stranger), rogue.tsa_leaf())
    assert outcome(examiner_for(pki).examine(media(data), as_of=later), Axis.SIGNER) is OUT


def test_a_root_of_the_same_name_with_another_key_is_not_in_the_list(pki: TestPki) -> None:
    twin = TestPki()  # same names, other keys
    report = examiner_for(pki).examine(media(signed_photo(twin.leaf())))
    assert outcome(report, Axis.SIGNER) is OUT


def test_an_expired_certificate_is_refuted_without_a_proven_time(pki: TestPki) -> None:
    leaf = pki.leaf(not_after=now() + timedelta(days=2))
    later = datetime.now(UTC) + timedelta(days=3)
    report = examiner_for(pki).examine(media(signed_photo(leaf)), as_of=later)
    assert codes(report, Axis.SIGNER)[0] == "signingCredential.expired"


def test_an_expired_certificate_stays_good_with_a_time_proven_before_its_end(pki: TestPki) -> None:
    leaf = pki.leaf(not_after=now() + timedelta(days=2))
    data = stamped_photo(signed_photo(leaf), pki.tsa_leaf())
    report = examiner_for(pki).examine(media(data), as_of=datetime.now(UTC) + timedelta(days=3))
    assert outcome(report, Axis.SIGNER) is E


def test_a_time_stamp_later_than_the_as_of_time_proves_nothing_yet(pki: TestPki) -> None:
    data = stamped_photo(signed_photo(pki.leaf()), pki.tsa_leaf())
    report = examiner_for(pki).examine(media(data), as_of=datetime.now(UTC) - timedelta(hours=1))
    assert outcome(report, Axis.TIME) is N


def test_a_time_stamp_of_an_authority_in_no_list_is_outside_the_lists(pki: TestPki) -> None:
    data = stamped_photo(signed_photo(pki.leaf()), TestPki("Rogue").tsa_leaf())
    report = examiner_for(pki).examine(media(data))
    assert codes(report, Axis.TIME)[0] == "timeStamp.untrusted"
    assert outcome(report, Axis.TIME) is OUT
    assert outcome(report, Axis.SIGNER) is E


def _broken_paths(pki: TestPki) -> dict[str, Issued]:
    """Authorities whose signatures lead to the root, each with one rule broken on the way."""
    ended = {"not_after": now() - timedelta(days=10)}
    return {
        "a leaf that issues": pki.tsa_leaf(issuer=pki.tsa_leaf("another")),
        "an issuer that may not issue": pki.tsa_leaf(issuer=pki.tsa_authority(usages=("digital_signature",))),
        "an issuer that had run out": pki.tsa_leaf(issuer=pki.tsa_authority(**ended)),
        "one issuer too many": pki.tsa_leaf(issuer=pki.tsa_authority(pki.tsa_authority(path_length=0))),
        "a certificate for mail": pki.tsa_leaf(ekus=(ExtendedKeyUsageOID.EMAIL_PROTECTION,)),
        "a certificate for nothing": pki.tsa_leaf(ekus=()),
        "an authority that stamps": pki.tsa_leaf(ca=True),
    }


BROKEN_PATHS = tuple(_broken_paths(TestPki()))


@pytest.mark.parametrize("which", BROKEN_PATHS)
def test_a_time_stamp_whose_path_to_a_listed_root_breaks_a_rule_is_refuted(pki: TestPki, which: str) -> None:
    data = stamped_photo(signed_photo(pki.leaf()), _broken_paths(pki)[which])
    report = examiner_for(pki).examine(media(data))
    assert codes(report, Axis.TIME)[0] == "timeStamp.credentialInvalid"
    assert outcome(report, Axis.TIME) is R
    assert outcome(report, Axis.SIGNER) is not R
    roots = TrustRoots(signer=pki.device_roots, tsa=TestPki("Rogue").tsa_roots)
    elsewhere = examiner_for(pki, roots=roots).examine(media(data))
    assert codes(elsewhere, Axis.TIME)[0] == "timeStamp.untrusted"
    assert outcome(elsewhere, Axis.TIME) is OUT


@pytest.mark.parametrize("knobs", [{"not_before": 1}, {"not_after": -1}], ids=["not yet", "no more"])
def test_a_listed_root_that_was_not_valid_then_is_about_the_list(pki: TestPki, knobs: dict[str, int]) -> None:
    """A maker's public photo of 2022 carries a token under a root whose listed certificate is younger."""
    limits = {which: now() + timedelta(hours=hours) for which, hours in knobs.items()}
    roots = TrustRoots(signer=pki.device_roots, tsa=(reissued(pki.tsa_root, **limits),))
    data = stamped_photo(signed_photo(pki.leaf()), pki.tsa_leaf())
    report = examiner_for(pki, roots=roots).examine(media(data))
    assert outcome(report, Axis.TIME) is not R
    assert "timeStamp.credentialInvalid" not in codes(report, Axis.TIME)
    of_signers = TrustRoots(signer=(reissued(pki.root, **limits),), tsa=pki.tsa_roots)
    report = examiner_for(pki, roots=of_signers).examine(media(data))
    assert outcome(report, Axis.SIGNER) is not R


def reissued(root: Issued, **limits: datetime) -> Certificate:
    """The same name and key as a root has, for another time."""
    subject, key = root.certificate.subject, root.key
    return issue(subject, key.public_key(), issuer=None, issuer_key=key, ca=True, **limits)


def test_a_time_stamp_through_an_authority_below_the_root_is_established(pki: TestPki) -> None:
    data = stamped_photo(signed_photo(pki.leaf()), pki.tsa_leaf(issuer=pki.tsa_authority()))
    assert outcome(examiner_for(pki).examine(media(data)), Axis.TIME) is E


def test_a_path_that_the_engines_trust_and_only_we_refuse_is_not_examined(pki: TestPki) -> None:
    """That an issuer's own usage narrows what it issues is a rule of the web, not of RFC 5280."""
    mail = pki.tsa_authority(ekus=(ExtendedKeyUsageOID.EMAIL_PROTECTION,))
    data = stamped_photo(signed_photo(pki.leaf()), pki.tsa_leaf(issuer=mail))
    report = examiner_for(pki).examine(media(data))
    assert outcome(report, Axis.TIME) is N
    assert "breaks a rule" in report.cryptographic.axis(Axis.TIME).findings[0].detail


def test_a_time_stamp_of_another_photo_is_refuted(pki: TestPki) -> None:
    from signer.proof.container import read_manifest
    from signer.proof.cose import parse_claim_signature
    from signer.proof.jumbf import active_manifest
    from signer.staple import staple

    leaf, authority = pki.leaf(), pki.tsa_leaf()
    store = read_manifest(stamped_photo(signed_photo(leaf), authority), "image/jpeg")
    assert store is not None
    token = parse_claim_signature(active_manifest(store).signature.of(store)).tokens_v2[0]
    report = examiner_for(pki).examine(media(staple(signed_photo(leaf), "image/jpeg", token)))
    assert codes(report, Axis.TIME)[0] == "timeStamp.mismatch"


def test_a_device_revoked_after_the_proven_time_stays_good(pki: TestPki) -> None:
    leaf = pki.leaf()
    data = stamped_photo(signed_photo(leaf), pki.tsa_leaf())
    later = datetime.now(UTC) + timedelta(minutes=10)
    registry = Registered(leaf, revoked_at=later, revocation_reason="lost")
    report = examiner_for(pki, registry=registry).examine(media(data), as_of=later + timedelta(days=1))
    assert outcome(report, Axis.DEVICE) is E
    assert outcome(report, Axis.REVOCATION) is E


def test_a_device_invalid_since_before_the_proven_time_is_refuted(pki: TestPki) -> None:
    leaf = pki.leaf()
    data = stamped_photo(signed_photo(leaf), pki.tsa_leaf())
    registry = Registered(
        leaf,
        revoked_at=datetime.now(UTC) + timedelta(days=1),
        invalid_since=datetime.now(UTC) - timedelta(days=1),
    )
    report = examiner_for(pki, registry=registry).examine(media(data))
    assert outcome(report, Axis.DEVICE) is R
    assert codes(report, Axis.REVOCATION) == ["signingCredential.revoked"]


def test_a_revoked_device_without_a_proven_time_is_judged_at_the_as_of_time(pki: TestPki) -> None:
    leaf = pki.leaf()
    registry = Registered(leaf, revoked_at=datetime.now(UTC) - timedelta(minutes=1))
    report = examiner_for(pki, registry=registry).examine(media(signed_photo(leaf)))
    assert outcome(report, Axis.REVOCATION) is R


@pytest.mark.parametrize("wrong", ["another usage", "for time-stamps", "ran out"])
@pytest.mark.parametrize("listed", [True, False])
def test_whatever_is_wrong_with_the_signer_says_nothing_of_changed_bytes(
    pki: TestPki, wrong: str, listed: bool
) -> None:
    knobs: dict[str, object] = {
        "another usage": {"ekus": (OTHER_USAGE,)},
        "for time-stamps": {"ekus": (ExtendedKeyUsageOID.TIME_STAMPING,)},
        "ran out": {"not_after": now() + timedelta(days=2)},
    }[wrong]
    leaf = (pki if listed else TestPki("Stranger")).leaf(**knobs)  # type: ignore[arg-type]
    later = datetime.now(UTC) + timedelta(days=3 if wrong == "ran out" else 0)
    report = examiner_for(pki).examine(media(photo_with_identity(leaf)), as_of=later)
    assert outcome(report, Axis.SIGNER) is R
    assert outcome(report, Axis.INTEGRITY) is not R
    changed = next(s for s in report.statements if s.id == "assay.statement.changedSinceSigned")
    assert changed.value is not True
    assert report.statements[0].id == "assay.statement.refuted.signer"


def test_the_registry_is_asked_by_key_and_not_by_name(pki: TestPki) -> None:
    registered = pki.leaf("camera")
    impostor = pki.leaf("camera", key=new_key())
    report = examiner_for(pki, registry=Registered(registered)).examine(media(signed_photo(impostor)))
    assert codes(report, Axis.DEVICE) == ["assay.device.unknown"]
    assert outcome(report, Axis.DEVICE) is A


@pytest.mark.parametrize("level", ASSURANCE_LEVELS)
def test_every_form_of_a_report_shows_the_level_of_the_key_and_what_it_leaves_open(
    pki: TestPki, level: int
) -> None:
    leaf, attested = pki.leaf(), datetime(2026, 11, 24, 8, tzinfo=UTC)
    said = {"assurance_level": level} | (
        {"attestation_fmt": "android-key", "attested_at": attested} if level else {}
    )
    report = examiner_for(pki, registry=Registered(leaf, **said)).examine(media(signed_photo(leaf)))
    (finding,) = report_json(report)["cryptographic"]["axes"]["device"]["findings"]
    facts = finding["facts"]
    assert (facts["assurance_level"], facts["assurance"]) == (level, ASSURANCE_LEVELS[level])
    assert facts["assurance_limit"] == ASSURANCE_LIMITS[level]
    assert facts["attestation_fmt"] == ("android-key" if level else None)
    assert facts["attested_at"] == ("2026-11-24T08:00:00Z" if level else None)
    forms = (render_text(report), unescape(render_report(report_json(report))))
    for form in (" ".join(f.split()) for f in forms):
        assert f"{level} of 4: {ASSURANCE_LEVELS[level]}" in form
        assert ASSURANCE_LIMITS[level] in form
        by = f"android-key, examined on {moment(facts['attested_at'])}" if level else "none: nobody but the"
        assert by in form


def test_two_manifest_stores_in_one_file_are_refuted(pki: TestPki) -> None:
    from signer.proof.container import manifest_spans

    data = signed_photo(pki.leaf())
    span = manifest_spans(data, "image/jpeg")[0]
    segment = data[span.start - 12 : span.end]  # marker, length, "JP", instance, sequence
    other = segment[:6] + b"\x7f\x7f" + segment[8:]
    doubled = data[:2] + other + data[2:]
    report = examiner_for(pki).examine(media(doubled))
    assert outcome(report, Axis.INTEGRITY) is R
    assert outcome(report, Axis.CREDENTIAL) is R


def test_the_same_question_gets_the_same_answer_but_for_the_run(pki: TestPki) -> None:

    data, as_of = stamped_photo(signed_photo(pki.leaf()), pki.tsa_leaf()), datetime.now(UTC)
    first, second = (report_json(examiner_for(pki).examine(media(data), as_of=as_of)) for _ in range(2))
    assert first.pop("run") != second.pop("run")
    assert first == second


def test_a_name_stands_beside_a_claim_only_where_its_key_signed_it(pki: TestPki) -> None:
    leaf = pki.leaf(common_name="Known Desk")
    signed = signed_photo(leaf)
    (by,) = {c.asserted_by for c in examiner_for(pki).examine(media(signed)).cryptographic.claims}
    assert by == "Known Desk"
    forged = signed.replace(b"ephoto", b"eproof")
    assert forged != signed
    report = examiner_for(pki).examine(media(forged))
    assert outcome(report, Axis.SIGNER) is not E
    said = {c.asserted_by for c in report.cryptographic.claims}
    assert said == {"nobody: the claim signature does not verify"}, "anybody can bring a certificate"


def test_a_name_is_shown_as_it_is_and_not_taken_apart(pki: TestPki) -> None:
    leaf = pki.leaf(common_name="Somebody,CN=Known Desk", organisation="Other,CN=Known Desk")
    report = report_json(examiner_for(pki).examine(media(signed_photo(leaf))))
    page = unescape(render_report(report))
    assert "Somebody,CN=Known Desk" in page
    subject = report["cryptographic"]["chain"][0]["subject"]
    assert common_name(subject) == "Somebody\\,CN=Known Desk"
    assert common_name("O=Other\\,CN=Known Desk,CN=Somebody") == "Somebody"
    assert common_name("O=only") == "O=only"
