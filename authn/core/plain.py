"""Plain data, as JSON holds it, and the reading of such data that a stranger wrote."""

from __future__ import annotations

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None


def map_of(value: object) -> dict[str, Json]:
    """The map that should stand there; an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def list_of(value: object) -> list[Json]:
    """As ``map_of``."""
    return value if isinstance(value, list) else []
