"""Files of JSON, an object a line: logs and curves of a fit. A line that a crash cut short ends them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from detector.core.errors import FileFailed
from detector.core.files import write_whole


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Every whole line, up to the first that is none; nothing where there is no file."""
    lines: list[dict[str, Any]] = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []:
        try:
            line = json.loads(text)
        except ValueError:
            break
        if not isinstance(line, dict):
            break
        lines.append(line)
    return lines


def write_lines(path: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Whole. Raises ``FileFailed``."""
    write_whole(path, "".join(json.dumps(line) + "\n" for line in lines).encode())


def read_points(path: Path) -> list[dict[str, float]]:
    """As ``read_lines``; every value of a line is a number."""
    points: list[dict[str, float]] = []
    for line in read_lines(path):
        try:
            points.append({k: float(v) for k, v in line.items()})
        except (ValueError, TypeError):
            break
    return points


class Log:
    """Lines that are added to a file one by one, each handed to the system at once. What a crash cut short is
    dropped first. Raises ``FileFailed`` where that cannot be read or written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self.lines = read_lines(path)
            write_lines(path, self.lines)
            self._file = path.open("a", encoding="utf-8")
        except OSError as e:
            raise FileFailed(f"{path} cannot be used: {e.strerror}") from e

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    def add(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Raises ``FileFailed``."""
        more = [dict(line) for line in lines]
        try:
            self._file.write("".join(json.dumps(line) + "\n" for line in more))
            self._file.flush()
        except OSError as e:
            raise FileFailed(f"{self._path} cannot be written: {e.strerror}") from e
        self.lines += more


class Curve:
    """Points of a fit against its ``steps``, kept in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.points = read_points(path)

    def due(self, part: float, wanted: int) -> bool:
        """Whether one of so many points, spread evenly over a fit, is missing at this part of it."""
        return part * wanted >= len(self.points) + 1

    def add(self, point: dict[str, float]) -> None:
        """Written whole: points after the checkpoint that a killed run went back to are left out."""
        self.points = [*(p for p in self.points if p["steps"] < point["steps"]), point]
        write_lines(self._path, self.points)
