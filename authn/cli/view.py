"""``assay view``: a view of a picture beside that of an ordinary photo, without a service. No evidence."""

from __future__ import annotations

from pathlib import Path

import click

from authn.cli.given import Given
from authn.cli.out import say
from authn.cli.target import refuse_taken
from authn.core.config import load_settings
from authn.core.errors import BadRequest, MediaError
from authn.core.media import MediaLimits, unparsed_file
from authn.core.views import NAMES, DrawnView, ViewsAsked
from authn.report.language import ENGLISH, LANGUAGES, speaking, t, told

ALL = "all"


@click.command()
@click.argument("name", type=click.Choice((*NAMES, ALL)))
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", required=True, type=click.Path(path_type=Path), metavar="OUT",
    help="The PNG to write, or with `all` the folder. Nothing that is there already is overwritten.",
)  # fmt: skip
@click.option(
    "--lang", "language", type=click.Choice(tuple(LANGUAGES)), default=ENGLISH, show_default=True,
    help="Language of the words beside the picture.",
)  # fmt: skip
@click.pass_context
def view(ctx: click.Context, /, name: str, file: Path, out: Path, language: str) -> None:
    """Draw the view NAME of FILE beside the same view of an ordinary photo, by a scale that never changes.

    A view shows what is in the pixels, and answers no question. Exits 0; 3 where FILE cannot be read, or
    nothing can be drawn of it; 4 where nothing can run.
    """
    settings = load_settings(ctx.obj)
    names = NAMES if name == ALL else (name,)
    targets = {n: out / f"{n}.png" if name == ALL else out for n in names}
    for target in targets.values():
        refuse_taken(target)
    media = unparsed_file(file, MediaLimits(max_bytes=settings.max_media_bytes))
    with Given(no_heuristics=True).confined(settings, None) as examiner:
        asked = (ViewsAsked(names=(n,), language=language) for n in names)
        drawn = [d for a in asked for d in examiner.examine(media, views=a).views]
    with speaking(language):
        written = [_written(d, targets[d.name]) for d in drawn]
        say(t("view.label.is"))
    if not any(written):
        raise MediaError(f"{file.name}: {drawn[0].why}")


def _written(drawn: DrawnView, target: Path) -> bool:
    from signer.core.durable import write_durably

    if drawn.picture is None:
        say(f"{drawn.name}: {t('view.not', reason=told(drawn.why))}")
        return False
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_durably(target, drawn.picture, mode=0o644)
    except OSError as e:
        raise BadRequest(f"{target} cannot be written: {e.strerror}") from e
    title, shown, normal = (t(f"view.{drawn.name}.{part}") for part in ("title", "is", "normal"))
    say(f"{target}: {title}. {t('view.label')}. {shown} {normal}")
    return True
