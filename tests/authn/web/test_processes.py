"""Stopping and failing while workers start: real processes, held at a known place."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.doubles.held_boot import held
from tests.waiting import PATIENCE_S, until

pytestmark = [pytest.mark.slow, pytest.mark.timeless]
# What a service says of itself while all is well.
EXPECTED = ("note: ", "Stop it with Ctrl-C.")


def start(tmp_path: Path, where: str, passing: int) -> subprocess.Popen[str]:
    """A service of two workers, of which so many pass and the others are held."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("ASSAY_")}
    environ |= {"ASSAY_HOME": str(tmp_path / "home"), "ASSAY_HEURISTICS": "false"}
    program = [sys.executable, "-m", "tests.doubles.held_boot", str(tmp_path), where, str(passing)]
    return subprocess.Popen(
        [*program, "serve", "--port", "0", "--workers", "2"],
        cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip


def address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().split()[-1].rstrip("/")


def wait_until_held(folder: Path, workers: int) -> None:
    until(lambda: len(held(folder)) >= workers, "no worker is held")


def ended(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """Its exit code and what it said out of turn, once no process of it is left."""
    _, error = process.communicate(timeout=PATIENCE_S)
    until(lambda: not lives(process.pid), "a process is left")
    return process.returncode, [line for line in error.splitlines() if not line.startswith(EXPECTED)]


def lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("send", [os.killpg, os.kill], ids=["group", "master"])
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name)
def test_a_stop_while_one_worker_serves_and_another_still_starts_is_exit_0(tmp_path, how, send) -> None:
    with start(tmp_path, "open", passing=1) as process:
        url = address(process)
        wait_until_held(tmp_path, 1)
        urllib.request.urlopen(f"{url}/healthz", timeout=PATIENCE_S).close()
        send(process.pid, how)
        assert ended(process) == (0, [])


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name)
def test_a_stop_that_comes_right_after_the_fork_is_not_lost(tmp_path, how) -> None:
    with start(tmp_path, "fork", passing=0) as process:
        address(process)
        wait_until_held(tmp_path, 1)
        os.killpg(process.pid, how)
        (tmp_path / "go").touch()
        assert ended(process) == (0, [])


def test_a_second_stop_changes_nothing(tmp_path) -> None:
    with start(tmp_path, "open", passing=2) as process:
        urllib.request.urlopen(f"{address(process)}/healthz", timeout=PATIENCE_S).close()
        while process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.02)
        assert ended(process) == (0, [])


def test_workers_that_cannot_start_say_why_in_a_sentence_and_end_the_service_with_4(tmp_path) -> None:
    with start(tmp_path, "open", passing=0) as process:
        address(process)
        wait_until_held(tmp_path, 2)
        (tmp_path / "home" / "pki" / "log.key.pem").write_text("no key")
        (tmp_path / "go").touch()
        code, said = ended(process)
    assert code == 4
    # Two workers may say it at once, so that their sentences share a line.
    assert set(re.findall(r"log\.key\.pem ([^]]*\])", "\n".join(said))) == {"is no key [assay.log.halted]"}
    assert "Traceback" not in "\n".join(said)
