"""``assay policy``: the policies that ship, one of your own checked, and one tried on a photo."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from authn.cli.fail_on import exit_code
from authn.cli.given import Given, trust_options
from authn.cli.out import hand_over, say, say_block, say_json
from authn.cli.under_policy import with_policy
from authn.core.config import load_settings
from authn.core.errors import PolicyError
from authn.core.evidence import Outcome
from authn.core.media import MediaLimits, unparsed_file
from authn.core.report import PolicyStatement, RubricLabel, report_json
from authn.core.visible import wrapped

if TYPE_CHECKING:
    from authn.policies.policy import Policy

WIDTH = 92
VALUES = {True: "true", False: "false", None: "not evaluated"}


@click.group()
def policy() -> None:
    """Policies: what reports say in sentences, and what follows from it."""


@policy.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def list_(as_json: bool) -> None:
    """List the policies that ship."""
    from authn.policies.shelf import open_policy, shipped

    for name in shipped():
        found = open_policy(name)
        if as_json:
            say_json({"name": name, **_fields(found)})
        else:
            say(f"{name:10} {found!s:20} {len(found.rules):2} statements  {' '.join(found.languages)}")
            say(f"           {found.description}")


@policy.command()
@click.argument("named", metavar="NAME")
def show(named: str) -> None:
    """Print a policy as it stands, to begin one of your own with."""
    from authn.policies.shelf import open_policy

    hand_over(open_policy(named).toml.decode())


@policy.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@click.pass_context
def check(ctx: click.Context, files: tuple[str, ...], as_json: bool) -> None:
    """Read policies and Asset Rubrics without applying them; a bad one is told with line and statement.

    Exits 0 where all are policies, 2 where one is not.
    """
    from authn.policies.shelf import open_policy

    code = 0
    for file in files:
        try:
            found = open_policy(file)
        except PolicyError as e:
            code = e.exit_code
            say_json({"file": file, "error": e.detail}) if as_json else say(f"{e.detail} [{e.code}]")
        else:
            said = found.rules if found.rubric is None else found.rubric.statements
            kind = "" if found.rubric is None else "an Asset Rubric, "
            told = f"{file}: {found}, {kind}{len(said)} statements, SHA-256 {found.sha256}"
            say_json({"file": file, **_fields(found)}) if as_json else say(told)
    ctx.exit(code)


@policy.command(name="try")
@click.argument("named", metavar="FILE|NAME")
@click.argument("photo", type=click.Path(path_type=Path))
@click.option("--language", default="en", show_default=True, help="Language of the sentences.")
@click.option("--json", "as_json", is_flag=True, help="The statements as one JSON list.")
@trust_options
@click.pass_context
def try_(
    ctx: click.Context, /, named: str, photo: Path, language: str, as_json: bool, **options: Any
) -> None:
    """Say what a policy makes of PHOTO, statement by statement.

    Exits as `assay verify --policy` would.
    """
    from authn.examine.pooling import registry_when_asked
    from authn.policies.shelf import open_policy

    settings, given = with_policy(load_settings(ctx.obj), named), Given(**options)
    if language not in (spoken := open_policy(settings.policy).languages):
        raise click.UsageError(f"this policy speaks {', '.join(spoken)}")
    media = unparsed_file(photo, MediaLimits(max_bytes=settings.max_media_bytes))
    with given.confined(settings, registry_when_asked(settings)) as examiner:
        report = examiner.examine(media, as_of=given.as_of).report
    if as_json:
        say_json(report_json(report)["policy_statements"])
    else:
        for statement in report.policy_statements:
            _print(statement, language)
        for label in report.run.rubrics or ():
            _print_label(label)
    ctx.exit(exit_code(report, frozenset({Outcome.REFUTED.value})))


def _print(statement: PolicyStatement, language: str) -> None:
    follows = [statement.level.value] if statement.level.value != "none" else []
    follows += [f"exit {statement.exit_code}"] if statement.exit_code else []
    shown = f" ({', '.join(follows)})" if follows else ""
    say(f"{VALUES[statement.value]:14} {statement.id} [{statement.kind.value}]{shown}")
    text = dict(statement.texts).get(language, statement.text)
    say_block("\n".join(f"               {line}" for line in wrapped(text, WIDTH - 15)))


def _print_label(label: RubricLabel) -> None:
    code = f", exit {label.exit_code}" if label.exit_code else ""
    shown = "" if label.level.value == "none" else f" ({label.level.value}{code})"
    say(f"{VALUES[label.value]:14} {label.id} [rubric]{shown}")
    say_block("\n".join(f"               {line}" for line in wrapped(label.text, WIDTH - 15)))


def _fields(found: Policy) -> dict[str, object]:
    return {
        "policy": found.name,
        "version": found.version,
        "issuer": found.issuer,
        "description": found.description,
        "languages": found.languages,
        "sha256": found.sha256,
        "statements": [rule.id for rule in found.rules],
        **({} if found.rubric is None else {"rubric": [s.id for s in found.rubric.statements]}),
    }
