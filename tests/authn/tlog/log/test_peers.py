"""Other people's code verifies what the log issues: the Go team's sumdb packages, and tlog-scales."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from authn.store.engine import open_engine
from authn.tlog.log.reader import LogReader
from tests.doubles.logs import KEY, entry, open_log
from tests.programs import require_program

SOURCE = Path(__file__).parent / "goverify"
SIZES = (1, 2, 5, 300, 700)


@pytest.fixture(scope="module")
def go_verify(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_program("go", package="golang-go")
    require_program("/usr/share/gocode/src/golang.org/x/mod/sumdb", package="golang-golang-x-mod-dev")
    folder = tmp_path_factory.mktemp("go")
    shutil.copy(SOURCE / "main.go", folder)
    where = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": str(folder / "cache")}
    built = subprocess.run(
        ["go", "build", "-o", "goverify", "main.go"],
        cwd=folder,
        env={**os.environ, **where},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return folder / "goverify"


def run(program: Path, *arguments: object) -> tuple[int, str]:
    done = subprocess.run(
        [program, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout.strip()


@pytest.mark.slow
def test_go_accepts_our_receipts_and_refuses_another_leaf(go_verify: Path, tmp_path: Path) -> None:
    log = open_log(open_engine(f"sqlite:///{tmp_path / 'assay.db'}"))
    for size in SIZES:
        entries = [entry(i) for i in range(size)]
        for i in {0, size // 2, size - 1}:
            receipt = log.append(entries)[i]
            (tmp_path / "receipt").write_text(receipt.text(), encoding="utf-8")
            (tmp_path / "leaf").write_bytes(entries[i].leaf)
            code, said = run(go_verify, KEY.verifier, tmp_path / "receipt", tmp_path / "leaf")
            assert (code, said.split()[:2]) == (0, ["included", str(receipt.index)])
            (tmp_path / "leaf").write_bytes(entries[i].leaf + b" ")
            code, said = run(go_verify, KEY.verifier, tmp_path / "receipt", tmp_path / "leaf")
            assert (code, said) == (1, "refused: invalid transparency proof")


@pytest.mark.slow
def test_go_finds_every_two_of_our_checkpoints_consistent(go_verify: Path, tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'assay.db'}")
    log, reader = open_log(engine), LogReader(engine)
    heads = []
    for size in SIZES:
        log.append([entry(i) for i in range(size)])
        heads.append(reader.head())
    for i, old in enumerate(heads):
        for new in heads[i + 1 :]:
            (tmp_path / "old").write_text(old.note, encoding="utf-8")
            (tmp_path / "new").write_text(new.note, encoding="utf-8")
            proof = reader.consistency(old.size, new.size)
            (tmp_path / "proof").write_text("\n".join(base64.b64encode(h).decode() for h in proof))
            said = run(go_verify, "-c", KEY.verifier, *(tmp_path / n for n in ("old", "new", "proof")))
            assert said == (0, f"consistent {old.size} {new.size}")
