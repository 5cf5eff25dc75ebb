"""The group ``assay lab``: what the laboratory cannot do for want of a right, a disk or memory is one
sentence here too, for every command."""

from __future__ import annotations

import errno
from typing import Any

import click

from authn.cli.lab.benchmark import benchmark
from authn.cli.lab.corpus import corpus
from authn.cli.lab.detectors import DETECTORS
from authn.cli.lab.forensics import FORENSICS
from authn.cli.lab.generators import GENERATORS
from authn.cli.lab.recipes import RECIPES
from authn.core.errors import FileUnusable, SystemLacking


class LabGroup(click.Group):
    """Commands that read what people give them and write long runs: an operating system may refuse both at
    any moment."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except OSError as e:
            if e.errno == errno.EPIPE:  # whoever read the output left; click answers that
                raise
            what = e.filename if isinstance(e.filename, str) else "a file"
            raise FileUnusable(f"{what} cannot be used: {e.strerror or e}") from e
        except (MemoryError, RuntimeError) as e:
            if isinstance(e, RuntimeError) and "allocate memory" not in str(e):  # how torch says it
                raise
            raise SystemLacking(
                "there is not enough memory for this; ask for fewer or smaller pictures"
            ) from e


@click.group(cls=LabGroup)
def lab() -> None:
    """Gather pictures; fit generators; train, evaluate and document detectors."""


for _command in (*GENERATORS, *RECIPES, *DETECTORS, *FORENSICS, corpus, benchmark):
    lab.add_command(_command)
