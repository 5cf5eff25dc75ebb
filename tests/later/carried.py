"""A plugin for `make test` and `make test-later`: programs that a test starts with an environment of its own
get what is loaded before them too: the shifted clock, and files that wait for no disk."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

CARRIED = ("LD_PRELOAD", "LATER_S")


def pytest_configure() -> None:
    carried = {name: os.environ[name] for name in CARRIED if name in os.environ}
    started = subprocess.Popen.__init__

    def carrying(self: Any, *given: Any, env: Mapping[str, str] | None = None, **named: Any) -> None:
        started(self, *given, env=None if env is None else {**carried, **env}, **named)

    subprocess.Popen.__init__ = carrying  # type: ignore[method-assign]


def pytest_report_header() -> str:
    return f"the clock of these tests: {datetime.now(UTC):%Y-%m-%d}"
