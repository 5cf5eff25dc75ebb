"""The other side of a function under test: ``python -m detector.lab.benchmark.callee MODULE:FUNCTION``.

A line with a path comes in, JSON; a line with what the function returned goes out. What the function prints
goes to the error output. Whatever it raises ends this process, and its last line tells the caller why.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from pathlib import Path


def main(target: str) -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # before what ends it is said
    sys.path.insert(0, str(Path.cwd()))
    module, _, name = target.partition(":")
    function = getattr(import_module(module), name)
    for line in sys.stdin:
        value = function(json.loads(line))
        answers.write(json.dumps(value, default=float) + "\n")
        answers.flush()


if __name__ == "__main__":
    main(sys.argv[1])
