"""How engines' codes become outcomes, and what happens where engines differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from authn.core.evidence import Axis, AxisEvidence, Outcome
from authn.core.plain import Json
from authn.provenance.answers import EngineAnswer, EngineCode, EngineState, EngineTraits, Scope
from authn.provenance.axes import integrity_axis
from authn.provenance.history import asserted_claims, history_axis
from authn.provenance.own import OwnReading
from authn.provenance.reading import Abstention, disagreement, engine_outcome
from authn.provenance.said import with_structure

GOOD = ("assertion.dataHash.match", "claimSignature.validated", "signingCredential.trusted")
E, R, N = Outcome.ESTABLISHED, Outcome.REFUTED, Outcome.NOT_EXAMINED

PRESENT = AxisEvidence(axis=Axis.CREDENTIAL, outcome=E, findings=())


def answer(
    engine: str = "one",
    success: Sequence[str] = GOOD,
    failure: Sequence[str] = (),
    state: EngineState = EngineState.READ,
) -> EngineAnswer:
    codes = [(c, "success") for c in success] + [(c, "failure") for c in failure]
    return EngineAnswer(
        by=EngineTraits(name=engine, version="1", shows_claims=True),
        state=state,
        codes=tuple(EngineCode(code=c, kind=k, scope=Scope.ACTIVE, detail="") for c, k in codes),
    )


def integrity(*answers: EngineAnswer, holds: bool | None = True) -> Outcome:
    return integrity_axis(OwnReading(store_found=True, signature_holds=holds), answers, ()).outcome


def test_both_engines_and_our_own_check_together_establish_integrity() -> None:
    assert integrity(answer("one"), answer("two")) is E


@pytest.mark.parametrize(
    "code", ["assertion.dataHash.mismatch", "assertion.hashedURI.mismatch", "claimSignature.mismatch"]
)
def test_a_computed_mismatch_of_one_engine_is_enough_to_refute(code: str) -> None:
    assert integrity(answer("one"), answer("two", failure=[code])) is R


def test_an_opinion_about_structure_that_only_one_engine_has_leaves_integrity_open() -> None:
    assert integrity(answer("one"), answer("two", failure=["claim.malformed"])) is N


def test_an_opinion_about_structure_that_both_have_compares_no_bytes_and_refutes_the_credential() -> None:
    both = answer("one", failure=["claim.malformed"]), answer("two", failure=["assertion.missing"])
    assert integrity(*both) is N
    found = with_structure(PRESENT, both)
    assert (found.outcome, found.findings[0].code) == (R, "assay.credential.malformed")
    assert with_structure(PRESENT, (both[0], answer("two"))) is PRESENT


@pytest.mark.parametrize(
    "code", ["com.encypher.conformance.specVersionNonConformant", "com.adobe.prerelease", "org.vendor.odd"]
)
@pytest.mark.parametrize("both", [False, True])
def test_a_code_that_c2pa_does_not_list_is_shown_and_counts_on_no_axis(code: str, both: bool) -> None:
    answers = (answer("one", failure=[code] if both else ()), answer("two", failure=[code]))
    axis = integrity_axis(OwnReading(store_found=True, signature_holds=True), answers, ())
    assert axis.outcome is E
    shown = [f for f in axis.findings if dict(f.facts).get("code") == code]
    assert [(f.code, f.outcome) for f in shown] == [("assay.engines.ownCode", N)]
    assert {engine_outcome(answers[1], a) for a in (Axis.INTEGRITY, Axis.SIGNER)} == {E}
    assert history_axis(answers).outcome is E
    assert with_structure(PRESENT, answers) is PRESENT


def test_a_history_whose_claim_signature_is_refuted_is_nobody_s() -> None:
    answers = (answer("one"), answer("two"))
    found = {h: history_axis(answers, h) for h in (True, None, False)}
    assert {h: axis.outcome for h, axis in found.items()} == {True: E, None: E, False: N}
    assert found[False].findings[0].code == "assay.history.notExamined"


def test_a_code_of_its_own_in_place_of_an_answer_establishes_nothing() -> None:
    silent = answer("two", success=(), failure=["com.adobe.prerelease"])
    assert integrity(answer("one"), silent) is N
    assert integrity(silent, silent) is N


@pytest.mark.parametrize("given_up", ["signingCredential.invalid", "signingCredential.expired"])
@pytest.mark.parametrize("holds", [True, None])
def test_a_signature_that_a_reader_did_not_compute_is_no_mismatch(given_up: str, holds: bool | None) -> None:
    gave_up = answer("two", success=(), failure=[given_up, "claimSignature.mismatch"])
    assert integrity(gave_up, gave_up, holds=holds) is N
    assert integrity(gave_up, answer("two", failure=["claimSignature.mismatch"]), holds=holds) is R
    assert integrity(gave_up, gave_up, holds=False) is R


@pytest.mark.parametrize(
    "why",
    [
        "data hash exclusion does not match the manifest location in the asset",
        "data-hash exclusion length 7520 does not equal the 7717-byte total of the C2PA APP11 segments",
        "asset hash error: BMFF inithash must not be present for non-fragmented media",
    ],
)
def test_a_binding_that_leaves_out_too_much_was_not_compared_with_anything(why: str) -> None:
    code = EngineCode(code="assertion.dataHash.mismatch", kind="failure", scope=Scope.ACTIVE, detail=why)
    refusing = replace(answer("one", success=()), codes=(code,))
    assert integrity(refusing, answer("two")) is N
    assert integrity(refusing, refusing) is N
    assert integrity(refusing, refusing, holds=None) is R
    assert with_structure(PRESENT, (refusing, refusing)).outcome is R
    computed = replace(refusing, codes=(replace(code, detail="Hashes do not match"),))
    assert integrity(refusing, computed) is R


def test_a_match_that_is_a_failure_is_a_mismatch() -> None:
    assert integrity(answer("one", failure=["assertion.dataHash.match"]), answer("two")) is R


@pytest.mark.parametrize("code", ["general.error", "algorithm.unsupported"])
def test_a_reader_that_could_not_look_accuses_nobody(code: str) -> None:
    both = answer("one", failure=[code], success=()), answer("two", failure=[code], success=())
    assert integrity(*both) is N
    assert with_structure(PRESENT, both) is PRESENT


def test_a_success_code_beside_a_failure_counts_for_nothing() -> None:
    both = answer(success=GOOD, failure=["assertion.dataHash.mismatch"])
    assert engine_outcome(both, Axis.INTEGRITY) is R


def test_an_engine_that_could_not_read_is_no_witness() -> None:
    silent = answer("two", success=(), state=EngineState.UNREADABLE)
    assert engine_outcome(silent, Axis.INTEGRITY) is N
    assert integrity(answer("one"), silent) is N


def test_without_our_own_signature_check_two_engines_do_not_establish() -> None:
    assert integrity(answer("one"), answer("two"), holds=None) is N


def test_our_own_refusal_refutes_whatever_two_engines_say() -> None:
    assert integrity(answer("one"), answer("two"), holds=False) is R


def test_a_disagreement_names_who_says_what() -> None:
    (finding,) = disagreement(Axis.SIGNER, {"one": E, "two": R}, ())
    assert finding.code == "assay.engines.disagreement"
    assert dict(finding.facts) == {"axis": "signer", "one": "established", "two": "refuted"}


def test_an_excused_engine_is_named_and_makes_no_disagreement() -> None:
    excuse = Abstention(engine="two", axis=Axis.SIGNER, reason="it does not do this")
    findings = disagreement(Axis.SIGNER, {"one": E, "two": R}, (excuse,))
    assert [f.code for f in findings] == ["assay.engines.abstention"]


def test_an_untrusted_time_stamp_is_outside_the_lists_even_beside_a_validated_one() -> None:
    mixed = answer(success=("timeStamp.validated",), failure=("timeStamp.untrusted",))
    assert engine_outcome(mixed, Axis.TIME) is Outcome.OUTSIDE_LISTS
    worse = answer(success=("timeStamp.validated",), failure=("timeStamp.untrusted", "timeStamp.mismatch"))
    assert engine_outcome(worse, Axis.TIME) is R


def test_an_untrusted_signer_is_outside_the_lists_and_one_that_may_not_sign_is_refuted() -> None:
    assert engine_outcome(answer(failure=["signingCredential.untrusted"]), Axis.SIGNER) is (
        Outcome.OUTSIDE_LISTS
    )
    both = ["signingCredential.untrusted", "signingCredential.invalid"]
    assert engine_outcome(answer(failure=both), Axis.SIGNER) is R


def test_the_order_in_which_an_engine_lists_manifests_changes_no_report() -> None:
    """c2pa-rs lists them in another order at each reading."""
    acted: Json = {"label": "c2pa.actions.v2", "data": {"actions": [{"action": "c2pa.opened"}]}}
    ingredient: Json = {"title": "below.jpg", "relationship": "parentOf"}
    manifests: dict[str, Json] = {
        name: {"assertions": [acted], "ingredients": [ingredient]}
        for name in ("urn:c", "urn:a", "urn:d", "urn:b")
    }
    backwards = dict(reversed(manifests.items()))
    own = OwnReading(store_found=True)
    first, second = (
        asserted_claims([replace(answer(), active="urn:c", store={"manifests": listed})], own)
        for listed in (manifests, backwards)
    )
    assert first == second
    said = ("c2pa.opened", "parentOf below.jpg")
    assert [(c.manifest, c.statement) for c in first] == [
        (name, text) for name in ("urn:c", "urn:a", "urn:b", "urn:d") for text in said
    ]
