"""How a detector scores known pictures: counts kept beside its weights, to draw a score among them.

Written by ``assay lab histogram`` from a score table, in which each picture was scored by a model that had
seen neither its source nor its generator. The counts decide nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from detector.core.errors import ModelUnavailable
from detector.models.registry import MODELS

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Bin i holds the scores from ``low + i * step``; the first and the last hold what lies beyond, too.
    ``real``: counts by kind, "" where the kind is not known. ``table_sha256`` is that of the score table."""

    model_id: str
    weights_sha256: str
    table_sha256: str
    view: str
    low: float
    step: float
    real: Mapping[str, tuple[int, ...]]
    generated: tuple[int, ...]

    def all_real(self) -> tuple[int, ...]:
        """Pictures of every kind that no generator made."""
        return tuple(map(sum, zip(*self.real.values(), strict=True)))


def dump_scores(scores: Scores) -> str:
    """Stable text: the same counts give the same bytes."""
    return json.dumps({"histogram_version": VERSION, **_plain(scores)}, indent=None) + "\n"


def _plain(scores: Scores) -> dict[str, Any]:
    names = ("model_id", "weights_sha256", "table_sha256", "view", "low", "step")
    return {
        **{n: getattr(scores, n) for n in names},
        "real": {k: list(v) for k, v in sorted(scores.real.items())},
        "generated": list(scores.generated),
    }


def parse_scores(text: str) -> Scores:
    """Raises ``ModelUnavailable`` for anything that is not what ``dump_scores`` writes."""
    try:
        raw = json.loads(text)
        if raw.pop("histogram_version") != VERSION:
            raise ModelUnavailable("the counts of scores have another version")
        real = {str(k): _counts(v) for k, v in raw.pop("real").items()}
        made = Scores(real=real, generated=_counts(raw.pop("generated")), **raw)
        if not made.step > 0 or {len(c) for c in (*real.values(), made.generated)} != {len(made.generated)}:
            raise ModelUnavailable("the counts of scores do not fit together")
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise ModelUnavailable(f"the counts of scores are malformed: {e}") from e
    return made


def _counts(values: list[int]) -> tuple[int, ...]:
    if not values or any(type(n) is not int or n < 0 for n in values):
        raise ValueError("not counts")
    return tuple(values)


@cache
def open_scores(model_id: str) -> Scores:
    """The counts that came with a model. Raises ``ModelUnavailable`` where none came."""
    if model_id not in MODELS:
        raise ModelUnavailable(f"no detector is called {model_id[:60]!r}")
    path = files("detector.models") / "weights_files" / f"{MODELS[model_id]}.scores.json"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise ModelUnavailable(f"no counts of scores came with {model_id}") from e
    return parse_scores(text)
