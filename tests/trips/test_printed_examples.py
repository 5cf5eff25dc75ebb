"""Every command that a page prints for its reader runs as it is printed, in the order of the page.

A page has one shell, one home and one folder with the photos that it speaks of. ``assay serve`` and other
commands that run until Ctrl-C go on in the background until the page ends. Two things differ from a reader's
machine: the service takes a free port in place of 8318, and heuristics are off, so that no model is loaded.
"""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.doubles.photos import photo
from tests.programs import require_program

pytestmark = pytest.mark.slow

PAGES = (
    "README.md",
    "docs/quickstart.md",
    "docs/cli.md",
    "docs/operating.md",
    "docs/http-api.md",
    "docs/audit.md",
    "docs/recovery.md",
)
GENERATED = "<!-- From here on generated"
BLOCK = re.compile(r"^```(sh|console)\n(.*?)^```", re.DOTALL | re.MULTILINE)
UNTIL_CTRL_C = {"serve", "watch", "monitor"}

# What no test may do here, by how the line begins; (page, beginning of the line) -> why.
NOT_RUN = {
    ("README.md", "make demo"): "tests/trips/test_make.py and test_demo.py run it",
    ("README.md", "make test"): "it would run this test",
    ("docs/quickstart.md", "make demo"): "as above",
    ("docs/quickstart.md", "make test"): "as above",
    ("docs/quickstart.md", "make test-later"): "as above",
    ("docs/quickstart.md", "python3 -m venv"): "installs 1 GB; tests/trips/test_wheel.py installs",
    ("docs/quickstart.md", ".venv/bin/"): "needs what the line above installs",
    (
        "docs/quickstart.md",
        "assay device enrol my-camera --service https",
    ): "no such service",
    ("docs/audit.md", "ray start"): "needs Ray: tests/bench/cluster.py starts two nodes",
    ("docs/audit.md", "RAY_ADDRESS"): "as above",
    ("docs/audit.md", "assay audit log"): "needs a service's home: tests/authn/audit/test_logged.py has one",
    ("docs/audit.md", "assay audit verify runs/archive --logged"): "as above",
    ("docs/audit.md", "assay audit s3"): "needs a bucket: tests/authn/audit/test_sources.py has one",
    ("docs/audit.md", "assay audit gs"): "needs a bucket",
    ("docs/audit.md", "assay audit az"): "needs a bucket",
    ("docs/audit.md", "assay audit --files-from https"): "no such server: test_sources.py has one",
    ("docs/operating.md", "apt-get install"): "changes the machine",
    ("docs/operating.md", "usermod"): "changes the machine",
    ("docs/operating.md", "useradd"): "changes the machine",
    ("docs/operating.md", "install -m"): "changes the machine",
    ("docs/operating.md", "install -d"): "changes the machine",
    ("docs/operating.md", "systemctl"): "changes the machine",
    ("docs/operating.md", "sudo -u postgres"): "needs a server: tests/databases.py has one",
    ("docs/operating.md", "podman"): "needs podman: followed by nobody yet, and the page says so",
    (
        "docs/http-api.md",
        'curl -H "Authorization: Bearer $KEY" --json \'{"url"',
    ): "needs a public name: tests/authn/web/test_webhooks.py stands in for one",
    (
        "docs/operating.md",
        'assay device enrol front-desk --key "tpm2',
    ): "needs a TPM: test_tpm2.py",
}
# What the reader of the page has, or has done, when the line is reached.
BEFORE = {
    ("docs/quickstart.md", "assay verify photo.jpg --signer-roots"): (
        "cp ~/.local/share/assay/pki/device-root.pem camera-roots.pem; "
        "cp ~/.local/share/assay/pki/tsa-root.pem time-roots.pem"
    ),
    ("docs/operating.md", "assay pki renew"): "assay device enrol front-desk; sleep 1",
    ("docs/http-api.md", "KEY=$("): "assay serve",
    ("docs/http-api.md", "curl -F original=@signed.jpg"): "cp photo.jpg signed.jpg; cp photo.jpg changed.jpg",
    ("docs/http-api.md", "curl -F file=@one.jpg"): (
        "cp photo.jpg one.jpg; cp photo.jpg two.jpg; cp photo.jpg three.png; "
        "python -m zipfile -c photos.zip one.jpg two.jpg"
    ),
    ("docs/http-api.md", "assay device enrol front-desk --service"): (
        "export TOKEN=$(cat ~/.local/share/assay/enrolment-token); export ASSAY_ENROLMENT_TOKEN=$TOKEN"
    ),
}


@dataclass(frozen=True)
class Example:
    """``prints`` are the lines that the page shows below the command."""

    command: str
    prints: tuple[str, ...] = ()

    @property
    def goes_on(self) -> bool:
        words = shlex.split(self.command, comments=True)
        return (
            words[:1] == ["assay"]
            and any(word in UNTIL_CTRL_C for word in words[1:3])
            and "--once" not in words
        )


def examples(page: str) -> list[Example]:
    text = (ROOT / page).read_text(encoding="utf-8").partition(GENERATED)[0]
    return [e for kind, block in BLOCK.findall(text) for e in _of_block(block, console=kind == "console")]


def _of_block(block: str, *, console: bool) -> list[Example]:
    found: list[Example] = []
    for line in re.sub(r"\\\n\s*", " ", block).splitlines():
        if not console and line.strip():
            found.append(Example(line))
        elif line.startswith("$ "):
            found.append(Example(line[2:]))
        elif line.strip():
            found[-1] = Example(found[-1].command, (*found[-1].prints, line.strip()))
    return found


def _found(table: dict[tuple[str, str], str], page: str, command: str) -> str | None:
    return next((why for (p, begins), why in table.items() if p == page and command.startswith(begins)), None)


def shell_script(page: str, listed: list[Example], log: Path) -> str:
    """Each command in the same shell, its output in files, its exit code in ``codes``."""
    lines = ["set -m", f"exec 3>{shlex.quote(str(log / 'codes'))}"]
    for n, example in enumerate(listed):
        if before := _found(BEFORE, page, example.command):
            lines += _started(before) if Example(before).goes_on else [f"{before} >&2 || exit 9"]
        if example.goes_on:
            lines += [*_started(example.command, log / str(n)), f'echo "{n} 0" >&3']
        else:
            out = shlex.quote(str(log / str(n)))
            lines += ["{ " + example.command, "} >" + out + f' 2>{out}.err </dev/null; echo "{n} $?" >&3']
    return "\n".join([*lines, "for job in $(jobs -p); do kill -INT -- -$job; done", "wait", ""])


def _started(command: str, out: Path = Path("/dev/null")) -> list[str]:
    """In the background; a service is waited for until it can examine."""
    ask = "curl -sfo /dev/null http://127.0.0.1:$ASSAY_PORT/readyz"
    ready = f'timeout 120 bash -c "until {ask}; do sleep 0.1; done"'
    words = command.split("#")[0]
    where = shlex.quote(str(out))
    return [f"{words} >{where} 2>&1 </dev/null &", f"{ready} || exit 8" if " serve" in command else "sleep 1"]


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of_a_page_run_as_they_are_printed(page: str, tmp_path: Path) -> None:
    for program in ("curl", "openssl"):
        require_program(program)
    listed = [e for e in examples(page) if _found(NOT_RUN, page, e.command) is None]
    home, here, log = (tmp_path / name for name in ("home", "here", "log"))
    for folder in (here, log, home / "Tethered", home / "Archive", home / "Pictures"):
        folder.mkdir(parents=True)
    for n, file in enumerate((here / "photo.jpg", home / "Archive" / "a.jpg", home / "Pictures" / "b.jpg")):
        file.write_bytes(photo(seed=n))
    port = str(free_port())
    script = shell_script(page, listed, log).replace("8318", port)
    environ = {
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "LANG": "C.UTF-8",
        "ASSAY_PORT": port,
        "ASSAY_HEURISTICS": "false",
    }
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=here,
        env=environ,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode in (0, 130), done.stderr
    codes = dict(line.split() for line in (log / "codes").read_text().splitlines())
    for n, example in enumerate(listed):
        said = "".join(p.read_text(errors="replace") for p in sorted(log.glob(f"{n}*")) if p.stem == str(n))
        assert codes.get(str(n)) == "0", (example.command, said)
        assert "urn:assay:problem" not in said, (example.command, said)
        for line in example.prints:
            assert line in said, (example.command, said)


def test_no_exception_is_kept_that_no_page_needs() -> None:
    commands = {(page, e.command) for page in PAGES for e in examples(page)}
    for page, begins in (*NOT_RUN, *BEFORE):
        assert any(p == page and c.startswith(begins) for p, c in commands), (page, begins)


def test_the_runner_finds_what_does_not_run(tmp_path: Path) -> None:
    block = "$ echo one \\\n    two\none two\n$ false\n$ KEY=$(echo 3)\n$ echo $KEY   # a comment\n"
    listed = _of_block(block, console=True)
    assert [e.prints for e in listed] == [("one two",), (), (), ()]
    subprocess.run(["bash", "-c", shell_script("no page", listed, tmp_path)], check=False)
    assert (tmp_path / "codes").read_text().split() == ["0", "0", "1", "1", "2", "0", "3", "0"]
    assert (tmp_path / "0").read_text() == "one two\n"
    assert (tmp_path / "3").read_text() == "3\n"
    assert Example("assay watch ~/Tethered   # a comment").goes_on
    assert not Example("assay device list").goes_on
