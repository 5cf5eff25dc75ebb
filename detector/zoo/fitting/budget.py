"""When a fit ends. Loads no torch."""

from __future__ import annotations

from dataclasses import dataclass

from detector.core.errors import OptionRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """When a fit ends: after so many steps, CPU seconds or seconds by the clock, whichever comes first. Only
    a budget of steps gives the same weights twice."""

    steps: int | None = None
    cpu_seconds: float | None = None
    wall_seconds: float | None = None

    def __post_init__(self) -> None:
        limits = [v for v in (self.steps, self.cpu_seconds, self.wall_seconds) if v is not None]
        if not limits:
            raise OptionRefused("a budget needs a number of steps or of CPU seconds")
        if not all(v > 0 for v in limits):
            raise OptionRefused("a budget is more than nothing")


def budget_of(steps: int | None, seconds: float | None, device: str) -> Budget:
    """Seconds are CPU seconds on a CPU, which do not depend on what else runs, and by the clock elsewhere."""
    if device == "cpu":
        return Budget(steps=steps, cpu_seconds=seconds)
    return Budget(steps=steps, wall_seconds=seconds)
