"""What a held process starts with. What answers is loaded there alone: its caller, which names these two
functions only, starts in a fraction of the time."""

from __future__ import annotations

from collections.abc import Callable

from authn.core.media import MediaLimits
from authn.devices import RegistryView
from authn.examine.request import Examined, Opens, Request


def open_examination(
    build: Opens, limits: MediaLimits, registry: RegistryView | None
) -> Callable[[Request], Examined]:
    """In the held process."""
    from authn.examine.examination import Examination

    return Examination(build(registry), limits)


def warm(examination: Callable[[Request], Examined]) -> None:
    """In the held process."""
    from authn.examine.examination import Examination, warm_up

    if isinstance(examination, Examination):
        warm_up(examination.examiner)
