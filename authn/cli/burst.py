"""``assay burst``: whether photos were signed as one set, and whether they move as a scene does."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from authn.cli.out import say
from authn.confinement.confined import Confined
from authn.core.config import Settings, load_settings
from authn.core.evidence import HeuristicOutcome
from authn.core.extras import need
from authn.core.media import MediaLimits, unparsed_file
from authn.examine.burst import BurstAsked, BurstSeen, open_burst
from signer.claim import MOST_IN_BURST

_ANSWERS = {
    HeuristicOutcome.SUPPORTS: "points to a photo of a screen or print",
    HeuristicOutcome.INCONCLUSIVE: "undecided",
    HeuristicOutcome.ABSTAIN: "no answer",
}


@click.command()
@click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.pass_context
def burst(ctx: click.Context, /, photos: tuple[Path, ...]) -> None:
    """Whether PHOTOS were signed as one set, and whether they move against each other as a flat thing does.

    A whole set is as it was signed, by one key; whose key that is, and whether it is trusted, `assay verify`
    says of each. Exits 0; 1 where they are no whole set; 2 for more photos than a set has; 3 where one cannot
    be read; 4 where nothing can run.
    """
    if len(photos) > MOST_IN_BURST:
        raise click.UsageError(f"{len(photos)} photos are named; a set has at most {MOST_IN_BURST}")
    settings = load_settings(ctx.obj)
    seen = look_at(photos, settings)
    say(f"no whole set: {seen.trouble}" if seen.trouble else f"{seen.count} photos, signed as one set")
    say_motion(seen)
    if seen.trouble:
        ctx.exit(1)


def look_at(photos: tuple[Path, ...], settings: Settings) -> BurstSeen:
    """In a held process. Raises ``MediaError`` for what cannot be read, ``SystemLacking`` for no decoders."""
    need("detect")
    limits = MediaLimits(max_bytes=settings.max_media_bytes, max_pixels=settings.max_pixels)
    asked = BurstAsked(media=tuple(unparsed_file(photo, limits) for photo in photos))
    with Confined(
        partial(open_burst, limits),
        question=BurstAsked,
        answer=BurstSeen,
        timeout_s=settings.max_request_seconds,
        memory_bytes=settings.worker_memory_bytes,
    ) as confined:
        return confined.ask(asked)


def say_motion(seen: BurstSeen) -> None:
    """The guess, apart from what is known of the set."""
    say(f"{_ANSWERS[seen.evidence.outcome]}: {seen.evidence.reason}")
