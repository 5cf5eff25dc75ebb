"""What makes ``verify`` and ``audit`` exit 1: a choice of the caller's, never a judgement of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from authn.core.evidence import Outcome

if TYPE_CHECKING:
    from authn.audit.counts import Tally
    from authn.core.report import Report

NEVER, CONTRADICTION = "never", "contradiction"
_CODES = "assay.contradiction."
_FAILS = (Outcome.REFUTED.value, Outcome.OUTSIDE_LISTS.value, CONTRADICTION)


class FailOn(click.ParamType[frozenset[str]]):
    """A list of findings. A refuted axis is always among them: who minds less minds that."""

    name = "FINDINGS"
    HELP = (
        "Exit 1 when an axis is refuted; with outside_lists also when one leads outside your lists, with "
        "contradiction also when evidence contradicts, with the code of a contradiction on that one alone. "
        "Several with commas; or never. A policy can add to it."
    )

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> frozenset[str]:
        if isinstance(value, frozenset):
            return value
        asked = [word.strip() for word in str(value).split(",")]
        if asked == [NEVER]:
            return frozenset()
        unknown = [word for word in asked if word not in _FAILS and not _is_code(word)]
        if unknown:
            known = f"{NEVER}, or some of {', '.join(_FAILS)}, or codes of contradictions (docs/codes.md)"
            self.fail(f"{unknown[0]!r} is none of them: {known}", param, ctx)
        return frozenset({Outcome.REFUTED.value, *asked})


def _is_code(word: str) -> bool:
    if not word.startswith(_CODES):
        return False
    from authn.core.contradiction_codes import ContradictionCode

    return word in list(ContradictionCode)


def exit_code(report: Report, fail_on: frozenset[str]) -> int:
    """1 for a finding of ``fail_on``, or the highest that a statement of the policy asks for; a policy can
    add to what fails, and take nothing away. 0 where nothing is to fail."""
    if not fail_on:
        return 0
    found: set[str] = {a.outcome.value for a in report.cryptographic.axes}
    found |= {CONTRADICTION} if report.contradictions else set()
    failing = fail_on & (found | {c.code for c in report.contradictions})
    by_policy = (s.exit_code for s in report.policy_statements)
    by_rubric = (label.exit_code for label in report.run.rubrics or ())
    return max((1 if failing else 0, *by_policy, *by_rubric))


def found_in(counted: Tally) -> frozenset[str]:
    """What an audit has found among all its files that could fail it."""
    found = {
        **dict(counted.contradictions),
        Outcome.REFUTED.value: counted.refuted,
        Outcome.OUTSIDE_LISTS.value: counted.outside_lists,
        CONTRADICTION: counted.contradictory,
    }
    return frozenset(name for name, count in found.items() if count)
