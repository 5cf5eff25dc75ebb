"""Policies and evidence that tests make up, hostile ones among them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from hypothesis import strategies as st

from authn.core.evidence import (
    Axis,
    AxisEvidence,
    CryptographicEvidence,
    Finding,
    HeuristicEvidence,
    HeuristicOutcome,
    Outcome,
    Question,
)
from authn.core.plain import Json

AS_OF = datetime(2026, 11, 24, tzinfo=UTC)
SHOUTS = "All of it is well, and nothing speaks against it."
CODE = "assay.test"


def evidence(
    outcomes: dict[Axis, Outcome], *, partly: frozenset[Axis] = frozenset()
) -> CryptographicEvidence:
    """``partly``: axes with one refuted finding more."""

    def axis(a: Axis) -> AxisEvidence:
        outcome = outcomes.get(a, Outcome.ABSENT)
        more = (Finding(code=CODE, outcome=Outcome.REFUTED, detail="no"),) if a in partly else ()
        return AxisEvidence.of(
            a, Finding(code=CODE, outcome=outcome, detail="a test"), *more, outcome=outcome
        )

    return CryptographicEvidence(axes=tuple(axis(a) for a in Axis))


def guess(question: Question, outcome: HeuristicOutcome, kind: str = "learned") -> HeuristicEvidence:
    return HeuristicEvidence(
        detector="test", version="1", kind=kind, question=question, outcome=outcome, reason="a test"
    )


RUBRIC: dict[str, Json] = {"name": "desk", "issuer": "A desk", "date": "2026-11-30", "version": "1.0.0"}


def rubric_file(*statements: Json, **information: Json) -> bytes:
    return json.dumps(
        {"information_block": {"rubric_metadata": RUBRIC, **information}, "sections": [list(statements)]}
    ).encode()


def policy_file(*statements: str, languages: str = "['en']") -> bytes:
    return "\n".join(["name = 'made'", "version = '1'", f"languages = {languages}", *statements]).encode()


def statement(**keys: object) -> str:
    """A table of a policy; values as JSON, which TOML reads too where no table is nested in a list."""
    lines = [f"{key} = {_toml(value)}" for key, value in keys.items()]
    return "\n".join(["[[statement]]", *lines])


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {_toml(v)}" for k, v in value.items()) + " }"
    return json.dumps(value)


EFFECTS = st.fixed_dictionaries(
    {},
    optional={
        "level": st.dictionaries(
            st.sampled_from(["true", "false", "null"]), st.sampled_from(["none", "note", "warning", "error"])
        ),
        "exit": st.dictionaries(st.sampled_from(["true", "false", "null"]), st.sampled_from([0, 1, 10, 99])),
    },
)
PROOF = st.fixed_dictionaries(
    {
        "requires": st.dictionaries(
            st.sampled_from([a.value for a in Axis]),
            st.lists(st.sampled_from([o.value for o in Outcome]), min_size=1, max_size=5, unique=True),
            min_size=1,
            max_size=3,
        ),
        "unless": st.lists(st.just(CODE), max_size=1),
    },
    optional={"expression": st.sampled_from(["`true`", "`null`", "axes.signer.outcome != `null`", "@ + 1"])},
)
HINT = st.fixed_dictionaries(
    {"warns_of": st.lists(st.sampled_from([q.value for q in Question]), min_size=1, max_size=4, unique=True)},
    optional={"by": st.lists(st.sampled_from(["learned", "signal", "metadata"]), min_size=1, unique=True)},
)
TEXTS = {"en": SHOUTS, "de": SHOUTS, "fr": SHOUTS}


@st.composite
def hostile_policies(draw: st.DrawFn) -> bytes:
    """Whatever a policy can ask for, in three languages, with sentences that wish everything well."""
    proofs = draw(st.lists(st.tuples(PROOF, EFFECTS), min_size=1, max_size=4))
    hints = draw(st.lists(st.tuples(HINT, EFFECTS), min_size=1, max_size=3))
    both = draw(st.lists(st.tuples(st.sampled_from(["all_of", "any_of"]), EFFECTS), max_size=3))
    said = {"true": TEXTS, "false": TEXTS, "null": TEXTS}
    tables = [statement(id=f"made.p{i}", **p, **said, **e) for i, (p, e) in enumerate(proofs)]
    tables += [
        statement(id=f"made.h{i}", kind="heuristic", true=TEXTS, **h, **e) for i, (h, e) in enumerate(hints)
    ]
    for i, (join, effects) in enumerate(both):
        parts = [f"made.p{i % len(proofs)}", f"made.h{i % len(hints)}"]
        tables.append(statement(id=f"made.b{i}", kind="both", **{join: parts}, **effects))
    return policy_file(*tables, languages="['en', 'de', 'fr']")


AXES = st.dictionaries(st.sampled_from(list(Axis)), st.sampled_from(list(Outcome)))
GUESSES = st.lists(
    st.builds(
        guess,
        st.sampled_from(list(Question)),
        st.sampled_from(list(HeuristicOutcome)),
        st.sampled_from(["learned", "signal", "metadata"]),
    ),
    max_size=5,
)
