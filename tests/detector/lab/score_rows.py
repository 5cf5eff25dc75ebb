"""Tables of scores drawn by chance, for tests alone: no picture and no detector stands behind a number."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from detector.lab.steps.scores import ScoreRow
from detector.models.kinds import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Sources of real pictures per kind, generators, and how far their scores lie apart. Scores of one
    source, and of one generator, are shifted together by ``alike``."""

    sources: dict[Kind, int]
    generators: int = 20
    per_source: int = 30
    per_generator: int = 30
    apart: float = 3.0
    alike: float = 0.3
    by_size: float = 0.0  # how much every score moves with a doubling of the shorter side
    real_side: int = 700
    fake_side: int = 700
    kinds: bool = True

    def rows(self, seed: int = 0) -> tuple[ScoreRow, ...]:
        rng = np.random.default_rng(seed)
        out: list[ScoreRow] = []
        for kind, count in self.sources.items():
            for s in range(count):
                shift = rng.normal(0, self.alike)
                for n in range(self.per_source):
                    out += self._views(rng, f"{kind} {s} {n}", kind, "", f"{kind.value}s of {s}", shift)
        names = list(self.sources)
        for g in range(self.generators):
            shift = self.apart + rng.normal(0, self.alike)
            for n in range(self.per_generator):
                kind = names[int(rng.integers(len(names)))]
                out += self._views(rng, f"made {g} {n}", kind, f"generator {g}", f"gallery {g}", shift)
        return tuple(out)

    def _views(
        self, rng: np.random.Generator, name: str, kind: Kind, generator: str, source: str, mean: float
    ) -> list[ScoreRow]:
        fake = bool(generator)
        side = int((self.fake_side if fake else self.real_side) * 2 ** rng.uniform(-1, 1))
        views = [("stored", side, int(rng.integers(60, 98))), ("small", 256, 90)]
        return [
            ScoreRow(
                sha256=sha256(name.encode()).hexdigest(), fake=fake, kind=None if fake else kind,
                generator=generator, source=source, view=view, side=size, quality=quality,
                media_type="image/jpeg",
                logit=float(rng.normal(mean + self.by_size * np.log2(size / 512), 1.0)),
                predicted=kind if self.kinds else None, kind_probability=0.9 if self.kinds else None,
                distance=1.0,
            )
            for view, size, quality in views
        ]  # fmt: skip
