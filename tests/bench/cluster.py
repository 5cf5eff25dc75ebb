"""An audit on a real Ray cluster of two nodes, one of which is killed in the middle; beside one machine.

Usage: python -m tests.bench.cluster [FILES]        (needs assay[ray]; a minute or two, so it is run by hand)

Starts a head and a second node with one CPU each on this machine, audits the same signed photos with workers
of this machine and with the cluster, kills every process of the second node when a third of the rows is
there, and compares what both say.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.audit import PROGRAM
from tests.bench.sign_verify import photo
from tests.conftest import ROOT
from tests.doubles.pki import TestPki
from tests.doubles.signed import signed_photo

RAY = [
    sys.executable,
    "-m",
    "ray.scripts.scripts",
    "start",
    "--block",
    "--num-cpus=1",
    "--disable-usage-stats",
]
OPTIONS = ("--no-heuristics", "--no-html", "--as-of", "2026-11-30T12:00:00Z")


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@contextmanager
def node(environ: dict[str, str], *options: str) -> Iterator[subprocess.Popen[bytes]]:
    memory = "--object-store-memory=100000000"
    process = subprocess.Popen(
        [*RAY, memory, *options], env=environ, stdout=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """The node with all that it started, as a machine that loses its power."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def audit(folder: Path, environ: dict[str, str], out: str, *options: str) -> subprocess.Popen[bytes]:
    command = [*PROGRAM, str(folder / "in"), "--out", str(folder / out), *OPTIONS, *options]
    return subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.DEVNULL)


def content(folder: Path, out: str) -> str:
    return str(json.loads((folder / out / "summary.json").read_text())["content_sha256"])


def rows(folder: Path, out: str) -> int:
    path = folder / out / "results.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def compare(folder: Path, count: int) -> None:
    port = free_port()
    environ = {k: v for k, v in os.environ.items() if not k.startswith("ASSAY_")}
    environ |= {
        "ASSAY_HOME": str(folder / "home"),
        "PYTHONPATH": os.pathsep.join([str(ROOT), environ.get("PYTHONPATH", "")]),
        "RAY_ADDRESS": f"127.0.0.1:{port}",
        "RAY_worker_niceness": "0",  # Ray's own 15 starves its workers beside anything else
    }
    started_s = time.monotonic()
    assert audit(folder, environ, "local", "--jobs", "2").wait() in (0, 3)
    print(f"this machine, 2 workers: {time.monotonic() - started_s:.0f} s")
    with (
        node(environ, "--head", f"--port={port}", "--include-dashboard=false"),
        node(environ, f"--address=127.0.0.1:{port}") as second,
    ):
        time.sleep(20)
        started_s = time.monotonic()
        process = audit(folder, environ, "cluster", "--engine", "ray")
        while rows(folder, "cluster") < count // 3 and process.poll() is None:
            time.sleep(0.05)
        there = rows(folder, "cluster")
        end(second)
        code = process.wait()
        print(
            f"cluster of 2, one killed after {there} rows: {time.monotonic() - started_s:.0f} s, ends {code}"
        )
    same = content(folder, "local") == content(folder, "cluster")
    print(f"{rows(folder, 'cluster')} rows; the same content: {same}")


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 1500
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "in").mkdir()
        leaf, picture = TestPki().leaf(), photo(640, 480)
        for i in range(wanted):
            (Path(name) / "in" / f"{i:06}.jpg").write_bytes(signed_photo(leaf, data=picture))
        compare(Path(name), wanted)
