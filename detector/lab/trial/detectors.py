"""Which detectors a trial can ask on this machine, and why not the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from detector.core.errors import ModelUnavailable, OptionRefused
from detector.lab.trial.scoring import Scores
from detector.models.encoder_file import INSTALL
from detector.models.inference import open_detector
from detector.models.registry import DEFAULT_MODEL, SEMANTIC_MODEL
from detector.models.semantic import open_semantic


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """A detector that this machine does not run, and why."""

    model_id: str
    why: str


def open_installed(
    wanted: Sequence[str], encoder: Path | None
) -> tuple[tuple[Scores, ...], tuple[Absent, ...]]:
    """Those of ``wanted`` that can be opened; of none named, all that ship. Raises ``OptionRefused`` for an
    unknown name, and ``ModelUnavailable`` when none can be opened."""
    known: dict[str, Callable[[], Scores]] = {
        DEFAULT_MODEL: open_detector,
        SEMANTIC_MODEL: lambda: _semantic(encoder),
    }
    for name in wanted:
        if name not in known:
            raise OptionRefused(f"no detector is called {name[:60]!r}; known: {', '.join(known)}")
    opened: list[Scores] = []
    absent: list[Absent] = []
    for name in wanted or known:
        try:
            opened.append(known[name]())
        except ModelUnavailable as e:
            absent.append(Absent(model_id=name, why=e.detail))
    if not opened:
        raise ModelUnavailable("; ".join(f"{a.model_id}: {a.why}" for a in absent))
    return tuple(opened), tuple(absent)


def _semantic(encoder: Path | None) -> Scores:
    if encoder is None:
        raise ModelUnavailable(f"its image encoder is not installed here ({INSTALL})")
    return open_semantic(SEMANTIC_MODEL, encoder)
