"""Detectors of any kind behind one face: given a file, they say something, and never take the run down."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from detector.core.errors import FileFailed, OptionRefused
from detector.lab.benchmark.processes import Program, Silence
from detector.lab.benchmark.said import Said, Unit, failed, heard
from detector.lab.benchmark.views import Shown

PLACE = "{path}"
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


class Detector(Protocol):
    """``what`` says how it is asked, for people and for ``numbers``; ``identity`` changes when what it says
    may change."""

    @property
    def name(self) -> str: ...
    @property
    def what(self) -> str: ...
    @property
    def unit(self) -> Unit: ...
    @property
    def identity(self) -> str: ...
    def ask(self, shown: Shown, path: Path) -> Said: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program that is started for every picture; ``template`` is a command line with ``{path}`` in it."""

    name: str
    template: str
    unit: Unit
    seconds: float

    def __post_init__(self) -> None:
        if not any(PLACE in word for word in self._words()):
            raise OptionRefused(f"the command of {self.name} has no {PLACE}, where the picture's path goes")

    def _words(self) -> list[str]:
        try:
            return shlex.split(self.template)
        except ValueError as e:
            raise OptionRefused(f"the command of {self.name} cannot be read: {e}") from e

    @property
    def what(self) -> str:
        return f"command: {self.template}"

    @property
    def identity(self) -> str:
        """Files that the command line names are part of it."""
        return _digest(self.what, self.unit, *(_file_digest(word) for word in self._words()))

    def ask(self, shown: Shown, path: Path) -> Said:
        program = Program([word.replace(PLACE, str(path)) for word in self._words()], talking=False)
        try:
            return _said(program.until_end(self.seconds), self.unit)
        finally:
            program.close()

    def close(self) -> None:
        pass


@dataclass(slots=True, kw_only=True)
class Function:
    """A Python function ``module:name`` of one path, in a process of its own that is started anew after a
    crash; modules of the working folder can be imported."""

    name: str
    target: str
    unit: Unit
    seconds: float
    _program: Program | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not _TARGET.fullmatch(self.target):
            raise OptionRefused(f"{self.target[:60]!r} is no module:function")

    @property
    def what(self) -> str:
        return f"function: {self.target}"

    @property
    def identity(self) -> str:
        module = Path(*self.target.partition(":")[0].split("."))
        return _digest(self.what, self.unit, _file_digest(str(module.with_suffix(".py"))))

    def ask(self, shown: Shown, path: Path) -> Said:
        if self._program is None:
            callee = "detector.lab.benchmark.callee"
            self._program = Program([sys.executable, "-m", callee, self.target], talking=True)
        self._program.tell(json.dumps(str(path)))
        answer = self._program.in_a_line(self.seconds)
        if isinstance(answer, Silence):
            self.close()
        return _said(answer, self.unit)

    def close(self) -> None:
        if self._program is not None:
            self._program.close()
            self._program = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Scores from a table that somebody made before."""

    name: str
    table: str
    unit: Unit
    sha256: str
    scores: Mapping[tuple[str, str], Said]

    @property
    def what(self) -> str:
        return f"table: {self.table}"

    @property
    def identity(self) -> str:
        return _digest(self.what, self.unit, self.sha256)

    def ask(self, shown: Shown, path: Path) -> Said:
        return self.scores.get((shown.picture, shown.view)) or failed("the table holds no score of it")

    def close(self) -> None:
        pass


def _said(answer: bytes | Silence, unit: Unit) -> Said:
    return (
        failed(answer.reason) if isinstance(answer, Silence) else heard(answer.decode(errors="replace"), unit)
    )


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _file_digest(word: str) -> str:
    path = Path(word)
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    except OSError as e:
        raise FileFailed(f"{path} cannot be read: {e.strerror}") from e
