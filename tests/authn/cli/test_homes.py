"""What commands do in the wrong home: a true sentence, and nothing left behind that changes later reports."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from authn.core.config import load_settings
from authn.core.errors import Unavailable
from authn.examine.trust import open_roots
from authn.pki.authority import open_authority, renew_issuing
from signer.device import save_identity
from signer.keys import create_key
from signer.keys.software import file_key_uri
from tests.doubles.commands import Shell
from tests.doubles.media import tiny_jpeg
from tests.doubles.photos import photo
from tests.doubles.pki import TestPki, pem_of

# Commands about a service's home, with the code and words where there is none.
OF_A_SERVICE = [
    (("device", "show", "x"), 4, "no registry"),
    (("device", "revoke", "x", "--reason", "lost"), 4, "no registry"),
    (("access", "key", "list"), 4, "no registry"),
    (("access", "key", "revoke", "x"), 4, "no registry"),
    (("access", "log"), 4, "no registry"),
    (("pki", "renew"), 4, "neither authorities nor a log"),
    (("log", "show"), 4, "neither authorities nor a log"),
    (("log", "check"), 4, "neither authorities nor a log"),
    (("log", "receipt", "0"), 4, "neither authorities nor a log"),
    (("log", "gather", "--policy", "policy"), 4, "neither authorities nor a log"),
]
# Commands that make what they need on the first use, which is wrong among devices of another service only.
MAKING = [("pki", "crl", "--out", "new.crl"), ("access", "key", "create", "ci", "--scope", "devices:read")]
# Refused wherever they are typed; (arguments, code, words).
WRONG_KINDS = [
    (("verify", "folder"), 3, "folder is a folder; assay audit"),
    (("verify", "."), 3, "is a folder; assay audit"),
    (("bundle", "folder"), 3, "folder is a folder; assay audit"),
    (("verify", "note.txt"), 3, "not a kind of media"),
    (("verify", "pipe"), 3, "not a regular file"),
    (("verify", "link.jpg"), 3, "symbolic link"),
    (("verify", "none.jpg"), 3, "No such file"),
    (("verify", "--bundle", "a.jpg"), 3, "no evidence bundle"),
    (("verify", "a.jpg", "--signer-roots", "note.txt"), 4, "note.txt"),
    (("verify", "a.jpg", "--signer-roots", "folder"), 4, "Is a directory"),
    (("verify", "a.jpg", "--crl", "note.txt"), 4, "no X.509 revocation list"),
    (("verify", "a.jpg", "--log-policy", "folder"), 4, "folder"),
    (("verify", "a.jpg", "--html", "none/page.html"), 2, "cannot be written"),
    (("bundle", "a.jpg", "--out", "none/a.zip"), 2, "cannot be written"),
    (("audit", "a.jpg"), 4, "for one file use assay verify"),
    (("audit", "none"), 4, "No such file"),
    (("audit", "folder", "--out", "a.jpg"), 2, "is a file"),
    (("receipt", "show", "a.jpg"), 3, "cannot be read as a receipt"),
    (("receipt", "show", "folder"), 3, "Is a directory"),
    (("receipt", "verify", "none.tlog-proof", "a.jpg"), (2, 3), ""),
    (("pki", "show", "note.txt"), 4, "no X.509 revocation list"),
    (("pki", "show", "folder"), 4, "Is a directory"),
    (("log", "monitor", "http://127.0.0.1:9/", "--state", "state", "--log-key", "x"), 4, "key of a log"),
    (("log", "monitor", "http://127.0.0.1:9/", "--state", "state"), 2, "name the key"),
    (("witness", "evidence", "--home", "folder"), 4, "assay witness init"),
    (("witness", "evidence", "--home", "nowhere"), 4, "assay witness init"),
    (("witness", "serve", "--home", "folder", "--log", "x"), 4, "key of a log"),
    (("witness", "init", "--home", "new", "--name", "a b"), 2, "no spaces"),
    (("device", "enrol", "x", "--service", "http://127.0.0.1:9"), 2, "--token"),
    (("device", "enrol", "x", "--service", "http://127.0.0.1:9", "--token", "t" * 20), 4, "not be reached"),
    (("device", "enrol", "x", "--service", "ftp://127.0.0.1", "--token", "t" * 20), 2, "http or https"),
    (("device", "renew", "x"), 3, "no device named x"),
    (("demo", "--photo", "note.txt", "--dir", "demo"), 3, "not a kind of media"),
    (("demo", "--photo", "c.heic", "--dir", "demo"), 3, "JPEG, PNG, WebP, TIFF"),
    (("demo", "--photo", "none.jpg", "--dir", "demo"), 3, "No such file"),
    (("serve", "--port", "99999"), 2, "between 0 and 65535"),
]
# Where a service may begin; a home of devices is refused before anything else is looked at.
OF_A_BEGINNING = [
    (("serve", "--host", "999.1.1.1", "--port", "0"), 4, "cannot be listened on"),
    (("device", "enrol", "a/b"), 2, "a device name has"),
    (("device", "enrol", "x", "--key", "nonsense"), 4, "known are file"),
]
# Where a device is enrolled.
OF_A_DEVICE = [
    (("sign", "folder"), 3, "folder is a folder; name its photos, or let assay watch"),
    (("sign", "note.txt"), 3, "none of the kinds that are signed"),
    (("stamp", "folder"), 3, "folder is a folder"),
    (("upload", "folder"), 3, "folder is a folder"),
    (("sign", "a.jpg", "--device", "nobody"), 4, "enrolled: cam"),
    (("sign", "a.jpg", "--out", "note.txt"), 2, "is a file"),
    (("watch", "a.jpg"), 2, "is a file"),
    (("watch", "none"), 2, "does not exist"),
]


@pytest.fixture
def there(shell: Shell, suites: Path) -> Shell:
    """A folder with things of the wrong kind."""
    here = shell.cwd
    (here / "a.jpg").write_bytes(photo())
    (here / "note.txt").write_text("no photo\n")
    (here / "folder").mkdir()
    (here / "folder" / "b.jpg").write_bytes(tiny_jpeg())
    (here / "link.jpg").symlink_to("a.jpg")
    (here / "policy").write_text("quorum none\n")
    (here / "c.heic").write_bytes((suites / "found/heic-iloc/iloc_v1_bo4_single.heic").read_bytes())
    os.mkfifo(here / "pipe")
    return shell


def device_home(home: Path, service: str = "https://assay.example.org") -> None:
    """As it is after enrolling at a service that is elsewhere."""
    folder, pki = home / "devices" / "cam", TestPki()
    folder.mkdir(parents=True)
    uri = file_key_uri(folder / "key.pem", folder / "key.pin")
    leaf = pki.leaf("cam", public_key=create_key(uri).public_key())
    save_identity(
        folder, device_id="d-1", name="cam", key_uri=uri, chain_pem=leaf.chain_pem,
        service_url=service, signer_roots_pem=pem_of(*pki.device_roots), tsa_roots_pem=pem_of(*pki.tsa_roots),
    )  # fmt: skip


def tree(folder: Path) -> dict[str, bytes | None]:
    """Everything in a folder and, of files, what is in them; without the lock files that a look takes."""
    found = {str(p.relative_to(folder)): p for p in folder.rglob("*") if "lock" not in p.name}
    return {n: p.read_bytes() if stat.S_ISREG(p.lstat().st_mode) else None for n, p in found.items()}


def state(shell: Shell) -> tuple[dict[str, bytes | None], dict[str, bytes | None]]:
    return tree(shell.home), tree(shell.cwd)


@pytest.mark.parametrize("home", ["empty", "device"])
def test_a_service_s_command_in_another_home_says_so_and_leaves_nothing(there: Shell, home: str) -> None:
    if home == "device":
        device_home(there.home)
    before = state(there)
    whose = "home of a device (cam) and of no service" if home == "device" else "no service's home"
    for arguments, code, words in OF_A_SERVICE:
        ended = there(*arguments)
        assert (ended.code, ended.out) == (code, ""), (arguments, ended)
        assert whose in ended.err, (arguments, ended)
        assert words in ended.err, (arguments, ended)
        assert state(there) == before, arguments


@pytest.mark.parametrize("arguments", MAKING, ids=lambda a: a[0])
def test_what_makes_a_service_s_home_does_not_make_one_among_devices(
    there: Shell, arguments: tuple[str, ...]
) -> None:
    assert there(*arguments, home=there.home / "other").code == 0
    device_home(there.home / "of-a-device")
    before = tree(there.home / "of-a-device")
    refused = there(*arguments, home=there.home / "of-a-device")
    assert (refused.code, "home of a device" in refused.err) == (4, True)
    assert tree(there.home / "of-a-device") == before


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("serve", "--port", "0"), "ASSAY_HOME names another"),
        (("device", "enrol", "near"), "name its service with --service"),
        (("device", "enrol", "cam"), "name its service with --service"),
    ],
    ids=["serve", "enrol", "enrol-again"],
)
def test_no_service_begins_in_a_home_of_devices(there: Shell, arguments: tuple[str, ...], hint: str) -> None:
    """Its registry would know none of them, and each of their photos would be no registered device's."""
    device_home(there.home)
    before = state(there)
    refused = there(*arguments)
    assert (refused.code, refused.out) == (4, "")
    assert "is the home of a device (cam) and of no service" in refused.err
    assert hint in refused.err
    assert state(there) == before
    assert "cam" in there("device", "list").out


@pytest.mark.parametrize("home", ["empty", "device", "service"])
def test_the_wrong_kind_of_thing_is_refused_in_every_home(there: Shell, home: str) -> None:
    if home == "device":
        device_home(there.home)
    elif home == "service":
        assert there("log", "show").code == 4
        assert there("pki", "crl", "--out", "../first.crl").code == 0
        assert there("log", "show").code == 0
    before = state(there)
    for arguments, code, words in WRONG_KINDS + (OF_A_BEGINNING if home != "device" else []):
        ended = there(*arguments)
        assert ended.code in (code if isinstance(code, tuple) else (code,)), (arguments, ended)
        assert words in ended.err, (arguments, ended)
        assert "object at 0x" not in ended.err
        assert state(there) == before, arguments


def test_photos_of_the_wrong_kind_are_refused_where_a_device_is(there: Shell) -> None:
    device_home(there.home, "http://127.0.0.1:9")
    assert there("stamp").code == 0  # makes the spool
    before = state(there)
    for arguments, code, words in OF_A_DEVICE:
        ended = there(*arguments)
        assert ended.code == code, (arguments, ended)
        assert words in ended.err, (arguments, ended)
        assert state(there) == before, arguments


def test_a_home_of_devices_lists_and_shows_them(there: Shell) -> None:
    nobody = there("device", "list")
    assert (nobody.code, nobody.out) == (0, "")
    assert "no device is enrolled here" in nobody.err
    device_home(there.home)
    before = state(there)
    listed = there("device", "list")
    assert listed.out.split() == ["cam", "d-1", "enrolled", "at", "https://assay.example.org"]
    assert '"device_id": "d-1"' in there("device", "list", "--json").out
    assert "https://assay.example.org" in there("device", "show", "cam").out
    assert state(there) == before


def test_a_registry_without_devices_says_so(there: Shell) -> None:
    assert there("pki", "crl", "--out", "new.crl").code == 0
    listed = there("device", "list")
    assert (listed.code, listed.out) == (0, "")
    assert "no device is in the registry" in listed.err


def test_an_authority_that_was_just_made_has_nothing_to_renew(tmp_path: Path) -> None:
    settings, now = load_settings(environ={}, home=tmp_path), datetime.now(UTC)
    made = open_authority(settings, now).issuing
    with pytest.raises(Unavailable, match="nothing to renew"):
        renew_issuing(settings, now)
    assert renew_issuing(settings, now + timedelta(days=1)).not_valid_after_utc > made.not_valid_after_utc


def test_a_device_judges_by_what_its_service_gave_it(there: Shell) -> None:
    device_home(there.home)
    settings = load_settings(environ={}, home=there.home)
    roots = open_roots(settings)
    assert (len(roots.signer), len(roots.tsa)) == (1, 1)
    given = there.home / "devices" / "cam" / "tsa-roots.pem"
    assert open_roots(settings, signer_roots=(given,)).signer == roots.tsa


USES_OF_A_HOME = [
    ("pki", "crl", "--out", "new.crl"), ("log", "show"), ("access", "key", "list"), ("device", "list"),
    ("sign", "a.jpg"), ("device", "enrol", "new"), ("upload", "a.jpg"), ("stamp",),
    ("verify", "--no-heuristics", "plain.jpg"),
]  # fmt: skip


@contextlib.contextmanager
def as_anybody() -> Iterator[None]:
    """Permissions do not bind root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize(
    "home", ["may not be written", "may not be read", "file", "below a file", "device may not be read"]
)
def test_a_home_that_cannot_be_used_is_one_sentence(there: Shell, home: str) -> None:
    """Each command runs in a good home first, so that nothing is left to import when permissions are few."""
    device_home(there.home, "http://127.0.0.1:9")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        for name in ("a.jpg", "plain.jpg"):
            (Path(folder) / name).write_bytes(photo())
        there = replace(there, cwd=Path(folder))
        used = Path(folder) / "home"
        if "file" in home:
            used.write_text("no folder")
        else:
            device_home(used, "http://127.0.0.1:9")
        if home == "below a file":
            used = used / "home"
        elif home == "device may not be read":
            (used / "devices" / "cam").chmod(0o000)
        elif home != "file":
            used.chmod(0o555 if "written" in home else 0o000)
        for arguments in USES_OF_A_HOME:
            there(*arguments)
            with as_anybody():
                ended = there(*arguments, home=used)
            assert ended.code in (0, 2, 3, 4), (arguments, ended)
            assert "Traceback" not in ended.err
            assert ended.code == 0 or len(ended.err.splitlines()) <= 4, (arguments, ended)
        if used.is_dir():
            used.chmod(0o755)
            (used / "devices" / "cam").chmod(0o755)
