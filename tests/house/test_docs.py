"""What the documents say about commands, codes, settings and each other is what the program does."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from authn.core.setting_rows import SETTINGS
from tests.conftest import ROOT
from tests.house.cli_doc import commands
from tests.house.source import modules

PAGES = (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")))
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(#[^)\s]*)?\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"""["'](assay\.[a-z][A-Za-z]*(?:\.[a-z][A-Za-z]*)+)["']""")
SHELLS = {"sh", "bash", "console", "shell"}
MAKE_TARGETS = re.compile(r"^([a-z-]+):", re.MULTILINE)


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def examples(text: str) -> list[str]:
    """Command lines of shell blocks, prompts and comments taken off, continuation lines joined."""
    lines: list[str] = []
    for language, block in FENCE.findall(text):
        if language in SHELLS:
            lines += block.replace("\\\n", " ").splitlines()
    return [line.strip().removeprefix("$ ").partition("  #")[0] for line in lines]


def test_the_command_reference_is_the_programs_own_help() -> None:
    """In a process of its own: click keeps the first help option that a command was asked with."""
    check = [sys.executable, "-m", "tests.house.cli_doc", "--check"]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), "run: python -m tests.house.cli_doc"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_between_documents_lead_somewhere(page: Path) -> None:
    targets = [m.group(1) for m in LINK.finditer(page.read_text(encoding="utf-8"))]
    local = [t for t in targets if not re.match(r"[a-z]+:", t)]
    assert [t for t in local if not (page.parent / t).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_examples_use_commands_and_options_that_exist(page: Path) -> None:
    known = dict(commands())
    targets = set(MAKE_TARGETS.findall((ROOT / "Makefile").read_text()))
    for line in examples(page.read_text(encoding="utf-8")):
        words = [w for w in shlex.split(line, comments=True) if not re.match(r"^[A-Z_]+=", w)]
        if words and Path(words[0]).name == "assay":
            _check_assay(words, known, line)
        elif words and words[0] == "make":
            assert set(words[1:]) <= targets, line


def _check_assay(words: list[str], known: dict[tuple[str, ...], click.Command], line: str) -> None:
    path: tuple[str, ...] = ("assay",)
    rest = words[1:]
    while rest and (*path, rest[0]) in known:
        path, rest = (*path, rest[0]), rest[1:]
    if rest and rest[0] not in ("-h", "--help") and (default := getattr(known[path], "default", None)):
        path = (*path, default)
    assert not isinstance(known[path], click.Group) or not rest or rest[0].startswith("-"), line
    options = {o for p in known[path].params for o in (*p.opts, *p.secondary_opts)} | {"--help", "-h"}
    used = {w.partition("=")[0] for w in rest if w.startswith("--")}
    assert used <= options, line


NOWHERE = {"authn/provenance/cose.py"}  # decision 0001 says that it must not be there


@pytest.mark.parametrize(
    "page", [*PAGES, *sorted((ROOT / "authn" / "report" / "templates").glob("*.js"))], ids=name
)
def test_files_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"(?<![\w./-])(?:authn|detector|signer|tests)/[\w/]+\.\w+", text))
    assert {n for n in named - NOWHERE if not (ROOT / n).exists()} == set()


def test_every_setting_is_documented() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert [s.name for s in SETTINGS if f"`{s.name}`" not in page] == []


def test_every_code_of_ours_is_documented() -> None:
    page = (ROOT / "docs" / "codes.md").read_text(encoding="utf-8")
    codes = {c for p in modules() for c in CODE.findall(p.read_text(encoding="utf-8"))}
    assert len(codes) > 40
    assert sorted(c for c in codes if f"`{c}`" not in page) == []


def test_every_documented_code_of_ours_exists() -> None:
    page = (ROOT / "docs" / "codes.md").read_text(encoding="utf-8")
    policies = (ROOT / "authn" / "policies" / "shipped").glob("*.toml")
    source = "".join(p.read_text(encoding="utf-8") for p in (*modules(), *policies))
    documented = set(re.findall(r"`(assay\.[a-z][A-Za-z]*(?:\.[a-z][A-Za-z]*)+)`", page))
    assert sorted(c for c in documented if c not in source) == []
