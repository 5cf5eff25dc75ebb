"""How engines' codes become outcomes, and what happens where engines differ."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from authn.evidence import Axis, Outcome
from authn.provenance.axes import integrity_axis
from authn.provenance.engines import EngineAnswer, EngineCode, EngineState, Scope
from authn.provenance.reading import Abstention, disagreement, engine_outcome

GOOD = ("assertion.dataHash.match", "claimSignature.validated", "signingCredential.trusted")
E, R, N = Outcome.ESTABLISHED, Outcome.REFUTED, Outcome.NOT_EXAMINED


def answer(
    engine: str = "one",
    success: Sequence[str] = GOOD,
    failure: Sequence[str] = (),
    state: EngineState = EngineState.READ,
) -> EngineAnswer:
    codes = [(c, "success") for c in success] + [(c, "failure") for c in failure]
    return EngineAnswer(
        engine=engine,
        version="1",
        state=state,
        codes=tuple(EngineCode(code=c, kind=k, scope=Scope.ACTIVE, detail="") for c, k in codes),
    )


def integrity(*answers: EngineAnswer, holds: bool | None = True) -> Outcome:
    return integrity_axis(holds, "", answers, ()).outcome


def test_both_engines_and_our_own_check_together_establish_integrity() -> None:
    assert integrity(answer("one"), answer("two")) is E


@pytest.mark.parametrize(
    "code", ["assertion.dataHash.mismatch", "assertion.hashedURI.mismatch", "claimSignature.mismatch"]
)
def test_a_computed_mismatch_of_one_engine_is_enough_to_refute(code: str) -> None:
    assert integrity(answer("one"), answer("two", failure=[code])) is R


def test_an_opinion_about_structure_that_only_one_engine_has_leaves_integrity_open() -> None:
    assert integrity(answer("one"), answer("two", failure=["claim.malformed"])) is N


def test_an_opinion_about_structure_that_both_have_refutes() -> None:
    bad = ["claim.malformed"]
    assert integrity(answer("one", failure=bad), answer("two", failure=bad)) is R


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


def test_an_untrusted_time_stamp_refutes_time_even_beside_a_validated_one() -> None:
    mixed = answer(success=("timeStamp.validated",), failure=("timeStamp.untrusted",))
    assert engine_outcome(mixed, Axis.TIME) is R
