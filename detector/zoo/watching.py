"""What a fit looks like while it goes on: cheap measures of what the weights of the moment draw."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch

from detector.core.errors import NotApplicable
from detector.core.lines import Curve
from detector.core.progress import Report
from detector.generators.family import Family
from detector.generators.pictures import as_bytes
from detector.generators.source import ImageSource
from detector.zoo.fitting.fit import Progress
from detector.zoo.judging.features import pixel_extractor
from detector.zoo.judging.quality import kid
from detector.zoo.judging.spectrum import ring_powers, spectrum_distance

SPECTRUM_PICTURES = 512
WATCH_SHARE = 0.05  # of the CPU time of the fit; it is spent beside the fit's budget, not out of it
_WATCHED = 128  # pictures
_TRIED = 8
_POINTS = 12


class Watch:
    """Reports progress, and now and then measures what the weights of the moment draw. What that will cost is
    tried on a few pictures first, so that a family that draws slowly is watched late or never. What is drawn
    here has a chance of its own, so that watching changes no weight."""

    def __init__(self, family: Family, source: ImageSource, run: Path, report: Report) -> None:
        self._family, self._report = family, report
        rng = np.random.default_rng(0)
        some = source.images[rng.permutation(len(source.images))[:SPECTRUM_PICTURES]]
        self._extract = pixel_extractor().of
        self._powers = ring_powers(some) if source.images.shape[1] >= 8 else None
        self._pixels = self._extract(some, lambda _d, _t: None)
        self._curve = Curve(run / "watch.jsonl")
        self._tried: list[tuple[int, float]] = []  # pictures drawn, and CPU seconds that it took
        self.spent = 0.0

    def __call__(self, progress: Progress) -> None:
        losses = " ".join(f"{k} {v:.3g}" for k, v in list(progress.losses.items())[:3])
        self._report(f"{self._family.spec.family} {losses}", round(1000 * progress.part), 1000)
        due = self._curve.due(progress.part, _POINTS)
        if due and self._powers is not None and self._affordable(WATCH_SHARE * progress.cpu_seconds):
            began = time.process_time()
            self._measure(progress)
            self.spent += time.process_time() - began

    def _affordable(self, allowed: float) -> bool:
        """Whether a measurement fits into what is left; tries to find out while trying is affordable."""
        for count in (1, _TRIED, _WATCHED)[len(self._tried) :]:
            if self.spent + self._predicted(count) > allowed:
                return False
            if count == _WATCHED:
                return True
            began = time.process_time()
            if self._drawn(count) is None:
                return False
            cost = time.process_time() - began
            self._tried.append((count, cost))
            self.spent += cost
        return self.spent + self._predicted(_WATCHED) <= allowed

    def _predicted(self, count: int) -> float:
        """CPU seconds of drawing so many: as the last time, and for more pictures in proportion to what more
        of them cost; nothing is known before the first try."""
        if not self._tried:
            return 0.0
        drawn, cost = self._tried[-1]
        if count <= drawn:
            return cost
        less, before = self._tried[-2] if len(self._tried) > 1 else (0, 0.0)
        return cost + max(0.0, cost - before) / (drawn - less) * (count - drawn)

    @torch.no_grad()
    def _drawn(self, count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]] | None:
        self._family.eval()
        try:
            return as_bytes(self._family.draw(count, torch.Generator().manual_seed(0), None))
        except NotApplicable:
            self._powers = None  # it draws nothing of its own: there is nothing to watch
            return None
        finally:
            self._family.train()

    def _measure(self, progress: Progress) -> None:
        began = time.process_time()
        drawn = self._drawn(_WATCHED)
        if drawn is None or self._powers is None:
            return
        spectrum = spectrum_distance(self._powers, ring_powers(drawn), rounds=2)
        distance = kid(self._pixels, self._extract(drawn, lambda _d, _t: None), rounds=2)
        point = {
            "steps": float(progress.steps),
            "cpu_seconds": progress.cpu_seconds,
            "spectrum_db": round(spectrum.rms_db.value, 4),
            "high_db": round(spectrum.high_db.value, 4),
            "kid_pixels": round(distance.value, 6),
        }
        self._curve.add(point)
        self._tried = [*self._tried[:2], (_WATCHED, time.process_time() - began)]
