"""What the recipe asks of its pictures. Two materials answer: ``corpus.material`` and ``folder.material``."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from detector.core.metrics import Array
from detector.core.progress import Report
from detector.data.corpus import Item
from detector.lab.steps.calibrate import Calibrated
from detector.lab.steps.evaluation import Raw
from detector.lab.steps.training_set import TrainingSet
from detector.models.card import SetUse


class Material(Protocol):
    """The pictures of one detector. ``recipe`` is that of ``ModelCard``; ``seed`` decides all chance."""

    @property
    def recipe(self) -> str: ...
    @property
    def seed(self) -> int: ...
    @property
    def report(self) -> Report: ...
    @property
    def root(self) -> Path:
        """Where the files of ``items`` lie."""
        ...

    @property
    def items(self) -> tuple[Item, ...]:
        """Files and what each is used for: of calibration and test every one, as it is. No unit lies in two
        splits."""
        ...

    def training(self) -> TrainingSet:
        """What is trained on, of training photos alone. Raises ``LabError`` and ``FitFailed``."""
        ...

    def aligned(self, raw: Raw) -> tuple[Array, Array]:
        """Scores of regions of real test photos, and of fakes of the same content and history."""
        ...

    def settled(self, found: Calibrated) -> Calibrated:
        """A calibration as far as these pictures carry it."""
        ...

    def sets(self, trained: TrainingSet, /) -> tuple[SetUse, ...]:
        """Every set that an item belongs to, and what it was used for."""
        ...

    def digest(self) -> str:
        """Over the files and their splits."""
        ...
