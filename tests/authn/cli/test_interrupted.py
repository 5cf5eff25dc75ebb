"""Ctrl-C while a command is being loaded: one sentence and 130, and it is never lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from authn.core.interrupts import EXIT_INTERRUPTED, SENTENCE
from tests.conftest import ROOT
from tests.doubles.photos import photo

# A finder that finds nothing, and presses Ctrl-C when a module is looked for.
PRESSED = """
import signal, sys, weakref
from authn.__main__ import main

class Thing: ...

def press(*_):
    signal.raise_signal(signal.SIGINT)

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            sys.meta_path.remove(self)
            {how}

sys.meta_path.insert(0, Finder())
main()
"""
HOW = {
    "as it is loaded": "press()",
    "in a callback": "thing = Thing(); kept = weakref.ref(thing, press); del thing",
}
LOST = """
import signal, time, weakref
from authn.core.interrupts import answer_from_now_on, begun

class Thing: ...

answer_from_now_on()
begun()
try:
    thing = Thing()
    kept = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
    del thing  # what its callback raises, Python drops
    while True:
        time.sleep(60)
except KeyboardInterrupt:
    print("raised again")
"""


def run(program: str, *arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        env={"ASSAY_HOME": str(home), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("how", HOW.values(), ids=HOW)
@pytest.mark.parametrize("module", ["authn.cli", "click", "authn.core.errors", "authn.cli.verify"])
def test_ctrl_c_while_a_command_is_loaded_is_one_sentence(module: str, how: str, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(photo())
    program = PRESSED.format(module=module, how=how)
    done = run(program, "verify", "--no-heuristics", str(tmp_path / "a.jpg"), home=tmp_path / "home")
    assert (done.returncode, done.stdout, done.stderr) == (EXIT_INTERRUPTED, "", f"\n{SENTENCE}\n")


def test_so_it_is_while_a_command_that_has_begun_loads_the_rest(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(photo())
    program = PRESSED.format(module="authn.examine.pooling", how="press()")
    done = run(program, "verify", "--no-heuristics", str(tmp_path / "a.jpg"), home=tmp_path / "home")
    assert (done.returncode, done.stdout, done.stderr) == (EXIT_INTERRUPTED, "", f"\n{SENTENCE}\n")


def test_an_interrupt_that_python_drops_in_a_callback_comes_again(tmp_path: Path) -> None:
    done = run(LOST, home=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "raised again\n", "")


def test_who_is_told_to_ignore_interrupts_goes_on_ignoring_them(tmp_path: Path) -> None:
    """As a shell tells what it starts in the background."""
    ignoring = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    program = ignoring + PRESSED.format(module="click", how="press()")
    done = run(program, "config", "show", home=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
