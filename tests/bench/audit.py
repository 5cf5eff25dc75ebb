"""What an audit takes: memory for a million listed files, and files a second of both tiers.

Usage: python -m tests.bench.audit memory [FILES]
       python -m tests.bench.audit speed [FILES] [--heuristics]

``memory`` makes a folder of hard links to a few files that are no media, plans and finishes an audit of it in
a process of its own, and prints the peak of that process. ``speed`` audits signed photos with one worker and
with two. Both work in a folder that goes at the end.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.conftest import ROOT

LINKS_PER_FILE = 30_000  # ext4 allows 65,000
FILES_PER_FOLDER = 10_000
PROGRAM = [sys.executable, "-c", "from authn.cli import main; main()", "audit"]


def links(folder: Path, count: int) -> None:
    """Names without media behind them: what is measured is the audit, not the examiner."""
    source = folder
    for i in range(count):
        here = folder / f"d{i // FILES_PER_FOLDER:04}"
        if i % FILES_PER_FOLDER == 0:
            here.mkdir(parents=True)
        path = here / f"a-name-of-usual-length-{i:08}.txt"
        if i % LINKS_PER_FILE == 0:
            source = path
            path.write_text(f"no photo {i}")
        else:
            os.link(source, path)


def audit(folder: Path, *options: str) -> tuple[float, dict[str, object]]:
    """Seconds and what the summary says."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("ASSAY_")}
    environ |= {"ASSAY_HOME": str(folder / "home"), "PYTHONPATH": str(ROOT)}
    started_s = time.monotonic()
    done = subprocess.run(
        [*PROGRAM, str(folder / "in"), "--json", *options],
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        check=False,
    )
    return time.monotonic() - started_s, json.loads(done.stdout)


def memory(count: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        links(folder / "in", count)
        for what, options in (("audited", ("--no-html",)), ("once more, with pages", ())):
            elapsed_s, summary = audit(folder, "--no-heuristics", "--out", str(folder / "run"), *options)
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            print(
                f"{summary['inputs']} inputs {what}: {elapsed_s:.0f} s, peak so far {peak:.0f} MB", flush=True
            )


def speed(count: int, heuristics: bool) -> None:
    from tests.bench.sign_verify import photo
    from tests.doubles.pki import TestPki
    from tests.doubles.signed import signed_photo

    tier = () if heuristics else ("--no-heuristics",)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        leaf, picture = TestPki().leaf(), photo(1152, 864)
        for i in range(count):
            (folder / "in" / f"{i:06}.jpg").write_bytes(signed_photo(leaf, data=picture))
        for jobs in (1, 2):
            for pages in ((), ("--no-html",)):
                out = str(folder / f"run{jobs}{len(pages)}")
                few, _ = audit(folder, *tier, "--jobs", str(jobs), "--out", f"{out}few", "--limit", "1")
                elapsed_s, _ = audit(folder, *tier, "--jobs", str(jobs), "--out", out, *pages)
                rate = (count - 1) / (elapsed_s - few)
                print(f"{jobs} workers {' '.join(pages):9} {rate:7.1f} files/s, start {few:.1f} s")


if __name__ == "__main__":
    what = sys.argv[1] if len(sys.argv) > 1 else ""
    if what == "memory":
        memory(int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000)
    elif what == "speed":
        speed(int(sys.argv[2]) if len(sys.argv) > 2 else 600, "--heuristics" in sys.argv)
    else:
        sys.exit(__doc__)
