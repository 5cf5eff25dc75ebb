"""``assay`` as a shell sees it, in this process: its exit code and what it wrote."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from authn.cli import main


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err


@dataclass(frozen=True)
class Shell:
    """One home and one current folder; settings of the developer's own shell do not count."""

    home: Path
    cwd: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *arguments: object, home: Path | None = None, **environ: str) -> Ended:
        with self.monkeypatch.context() as m:
            for name in [n for n in os.environ if n.startswith("ASSAY_")]:
                m.delenv(name)
            for name, value in {"ASSAY_HOME": str(home or self.home), **environ}.items():
                m.setenv(name, value)
            m.chdir(self.cwd)
            m.setattr(sys, "argv", ["assay", *map(str, arguments)])
            self.capsys.readouterr()
            with pytest.raises(SystemExit) as ended:
                main()
        out, err = self.capsys.readouterr()
        return Ended(ended.value.code if isinstance(ended.value.code, int) else 1, out, err)
