"""No file name, name in a certificate or sentence of a server reaches the terminal as an instruction."""

from __future__ import annotations

import os
import shutil
import unicodedata
import zipfile
from pathlib import Path

import pytest

from tests.doubles.commands import Ended, Shell
from tests.doubles.photos import photo
from tests.doubles.pki import TestPki, pem_of
from tests.doubles.signed import signed_photo, stamped_photo

HOSTILE = {
    "title": "\x1b]0;owned\x07.jpg",
    "link": "\x1b]8;;https:\\\\evil.example\x1b\\click\x1b]8;;\x1b\\.jpg",
    "colours": "\x1b[2J\x1b[32mEstablished.jpg",
    "right to left": "\u202egpj.exe\u2066.jpg",
    "line": "a\nassay: all is established\r.jpg",
    "c1": "\x9b31mred\x85\x90.jpg",
    "invisible": "a\u200b\u2060\ufeff\U000e0041.jpg",
    "no text": os.fsdecode(b"\xff\xfe\x9b.jpg"),
    "rubout": "a\x7f\x08\x08b.jpg",
}


def harmless(ended: Ended) -> Ended:
    """Nothing but letters, spaces and the ends of lines."""
    sent = {c for c in ended.said if unicodedata.category(c)[0] == "C" or c in "\u2028\u2029"} - {"\n"}
    assert sent == set(), ended.said
    assert "Traceback" not in ended.said
    assert "assay: all is established" not in ended.said.splitlines()
    return ended


# One of each kind that a terminal takes differently, for commands that take their time.
SOME = ("link", "right to left", "line", "no text")


@pytest.fixture(params=HOSTILE.values(), ids=HOSTILE.keys())
def named(request: pytest.FixtureRequest, shell: Shell) -> Path:
    """A photo with such a name, in a folder that has it too."""
    return photo_named(str(request.param), shell)


@pytest.fixture(params=[HOSTILE[kind] for kind in SOME], ids=SOME)
def some_named(request: pytest.FixtureRequest, shell: Shell) -> Path:
    return photo_named(str(request.param), shell)


def photo_named(name: str, shell: Shell) -> Path:
    folder = shell.cwd / Path(name).stem.replace("/", "_")
    folder.mkdir()
    file = folder / name.replace("/", "_")
    file.write_bytes(photo())
    return file


def test_commands_about_photos(shell: Shell, some_named: Path) -> None:
    named = some_named
    assert harmless(shell("device", "enrol", "cam")).code == 0
    assert harmless(shell("sign", named.with_name("missing\x1b[1m"), named)).code == 3
    assert harmless(shell("sign", named)).code == 0  # is signed already, by this very device
    assert harmless(shell("stamp", named)).code == 0
    moved = shutil.copy(named, named.with_name("copy " + named.name))
    assert harmless(shell("stamp", moved)).code == 0
    assert harmless(shell("verify", "--no-heuristics", named)).code == 0
    assert harmless(shell("verify", "--no-heuristics", "--json", named, shell.cwd / "none" / named.name)).code
    assert harmless(shell("upload", "--service", "http://127.0.0.1:9", named)).code == 4
    (other := named.with_name("2" + named.name)).write_bytes(photo(seed=2))
    watched = harmless(shell("watch", "--once", "--settle", "0.05", "--interval", "0.05", named.parent))
    assert (watched.code, other.read_bytes() != photo(seed=2)) == (0, True)


def test_commands_that_write_beside_a_photo(shell: Shell, some_named: Path) -> None:
    named = some_named
    page = named.with_suffix(".html")
    assert harmless(shell("verify", "--no-heuristics", "--html", page, named)).code == 0
    assert harmless(shell("bundle", "--no-heuristics", named)).code == 0
    assert harmless(shell("bundle", "--no-heuristics", named)).code == 2  # exists already
    bundle = named.with_name(named.name + ".assay.zip")
    assert harmless(shell("verify", "--bundle", bundle)).code == 0
    for refused in (named, named.with_name("none" + named.name)):
        assert harmless(shell("verify", "--bundle", refused)).code == 3
    assert harmless(shell("verify", "--html", named / "x", named)).code == 2
    assert harmless(shell("audit", named)).code == 4


def test_commands_that_refuse_what_was_typed(shell: Shell, named: Path) -> None:
    text = str(named)
    refusals = [
        shell(text),
        shell("verify", "--" + text, text),
        shell("verify", "--as-of", text, text),
        shell("verify", "--fail-on", text, text),
        shell("verify", "--quorum", text, text),
        shell("verify", "--signer-roots", text, text),
        shell("verify", "--crl", text, text),
        shell("verify", "--log-key", text, text),
        shell("verify", "--witness-key", text, text),
        shell("verify", "--log-policy", text, text),
        shell("--config", text, "config", "show"),
        shell("config", "show", ASSAY_PUBLIC_URL="http://\x1b[1m/", ASSAY_HOME=str(shell.home)),
        shell("device", "enrol", text),
        shell("device", "show", text),
        shell("device", "revoke", text, "--reason", text),
        shell("device", "enrol", "cam", "--key", f"file:{text}"),
        shell("device", "enrol", "cam", "--key", text),
        shell("device", "enrol", "cam", "--service", "http://127.0.0.1:9/\x1b[1m", "--token", "x" * 20),
        shell("sign", "--device", text, text),
        shell("receipt", "show", text),
        shell("receipt", "verify", text, text, "--log-key", text),
        shell("receipt", "refresh", text, "--log", "http://127.0.0.1:9/", "--log-key", text),
        shell("pki", "show", text),
        shell("pki", "crl", "--out", f"{text}/x"),
        shell("log", "gather", "--policy", text),
        shell("log", "receipt", "0", "--out", f"{text}/x"),
        shell("log", "monitor", "http://127.0.0.1:9/", "--state", f"{text}.state", "--log-key", text),
        shell("log", "monitor", "http://127.0.0.1:9/", "--state", text, "--policy", text),
        shell("witness", "init", "--home", f"{text}.witness", "--name", text),
        shell("witness", "evidence", "--home", f"{text}.witness"),
        shell("witness", "serve", "--home", text, "--log", text),
        shell("access", "key", "revoke", text),
        shell("access", "key", "create", "ci", "--scope", text),
        shell("access", "log", "--holds", text),
        shell("demo", "--photo", text + "?", "--dir", shell.cwd / "demo"),
        shell("lab", "card", text),
        shell("lab", "auto", "--data", text, "--out", shell.cwd / "lab"),
        shell("lab", "heatmap", text, "--out", f"{text}/x.png"),
        shell("serve", "--host", text),
    ]
    for n, refusal in enumerate(refusals):
        assert harmless(refusal).code in range(5), (n, refusal)


def test_settings_with_such_values_are_shown(shell: Shell, named: Path) -> None:
    home = named.parent / "home"
    assert harmless(shell("config", "show", home=home)).code in (0, 2)
    assert harmless(shell("doctor", home=home)).code in (0, 2, 4)


def test_an_access_key_has_a_name_that_is_shown(shell: Shell) -> None:
    made = shell("access", "key", "create", HOSTILE["colours"], "--scope", "devices:read")
    assert harmless(made).code in (0, 2)
    assert harmless(shell("access", "key", "list")).code == 0


def test_names_in_a_certificate_are_shown(shell: Shell) -> None:
    pki = TestPki()
    names = [v for k, v in HOSTILE.items() if k != "no text"]
    (shell.cwd / "roots.pem").write_bytes(pem_of(*pki.device_roots))
    for i, name in enumerate(names):
        signed = stamped_photo(signed_photo(pki.leaf(name[:60])), pki.tsa_leaf())
        (shell.cwd / f"{i}.jpg").write_bytes(signed)
    files = [f"{i}.jpg" for i in range(len(names))]
    assert harmless(shell("verify", "--no-heuristics", "--signer-roots", "roots.pem", *files)).code in (0, 1)


def test_an_audit_of_such_files_in_such_a_folder(shell: Shell) -> None:
    (folder := shell.cwd / HOSTILE["line"]).mkdir()
    for name in HOSTILE.values():
        (folder / name.replace("/", "_")).write_bytes(b"no photo")
    out = shell.cwd / ("out" + folder.name)
    assert harmless(shell("audit", "--no-heuristics", "--out", out, folder)).code == 3
    assert harmless(shell("audit", "--no-heuristics", "--limit", 1, "--out", out, folder)).code == 4


def test_members_of_an_archive_are_shown(shell: Shell) -> None:
    with zipfile.ZipFile(shell.cwd / "a.zip", "w") as archive:
        for name in HOSTILE.values():
            archive.writestr(name.encode("utf-8", "replace").decode(), b"no photo")
    assert harmless(shell("audit", "--no-heuristics", "a.zip")).code == 3
