"""The option ``--policy``, and settings under what it names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click

from authn.core.config import Settings


def policy_option(command: Callable[..., None]) -> Callable[..., None]:
    """``policy``: see ``with_policy``."""
    return click.option(
        "--policy",
        metavar="FILE|NAME",
        help="What the report says in sentences, and what follows from it: a policy that ships, or a "
        "file, which may be an Asset Rubric of C2PA (docs/policies.md).",
    )(command)


def calibration_option(command: Callable[..., None]) -> Callable[..., None]:
    """``calibration``: a file of ``assay calibrate``."""
    return click.option(
        "--calibration",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Learned detectors answer by this calibration on your own pictures (assay calibrate).",
    )(command)


def with_policy(settings: Settings, named: str | None) -> Settings:
    """These settings under that policy, or under their own. Raises ``PolicyError`` before anything runs."""
    from authn.policies.shelf import open_policy

    if named is None:
        return settings
    open_policy(named)
    file = Path(named).expanduser()
    return replace(settings, policy=str(file.absolute()) if file.is_file() else named)
