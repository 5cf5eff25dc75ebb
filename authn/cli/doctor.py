"""``assay doctor``: what this machine lacks, and how to mend it."""

from __future__ import annotations

import sys

import click

from authn.cli.out import say, say_json
from authn.core.config import load_settings
from authn.core.instants import utc_now
from authn.doctor.check import Check, State
from authn.doctor.checks import examine_machine

WORDS = {State.OK: "good", State.NOTE: "note", State.PROBLEM: "PROBLEM"}
CANNOT_RUN = 4


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Say what this machine lacks and how to mend it. Exit code 4 when there is a problem."""
    checks = (*examine_machine(load_settings(ctx.obj), now=utc_now()), *_confinement())
    if as_json:
        say_json([_json(c) for c in checks])
    else:
        for check in checks:
            _show(check)
    if any(c.state is State.PROBLEM for c in checks):
        sys.exit(CANNOT_RUN)


def _confinement() -> tuple[Check, ...]:
    """What is missing for trying it is named by the checks before."""
    try:
        from authn.doctor.confinement import check_confinement
    except ImportError as e:
        return (Check(subject="confinement", state=State.NOTE, says=f"it cannot be tried: {e}"),)
    return tuple(check_confinement())


def _show(check: Check) -> None:
    say(f"{WORDS[check.state]:8} {check.subject}: {check.says}")
    if check.mend:
        say(f"{'':8}   mend it: {check.mend}")


def _json(check: Check) -> dict[str, str]:
    return {
        "subject": check.subject,
        "state": check.state.value,
        "says": check.says,
        "mend": check.mend,
    }
