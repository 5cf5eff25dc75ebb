"""A home that is lost comes back as it was, all of it or nothing, and from nothing that was changed."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from authn.audit.complete import home_key
from authn.backup import archive
from authn.backup.restoring import check_backup, restore
from authn.backup.sealing import KeyFile, parse_passphrase, seal, unseal
from authn.backup.writing import target_of, write_backup
from authn.core.config import Settings, load_settings
from authn.core.errors import (
    AuthnError,
    BackupRefused,
    BadRequest,
    DatabaseUnusable,
    FileUnusable,
    HomeUnfit,
    LogInconsistent,
    SystemLacking,
)
from authn.pki.authority import open_authority
from authn.service.wiring import open_transparency_log
from authn.store.engine import open_engine
from authn.store.verifications import Verifications
from tests.authn.backup.conftest import PASSPHRASE, Place
from tests.authn.store.older import database_of
from tests.conftest import ROOT
from tests.doubles.interrupts import every_line
from tests.doubles.logs import entry

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
REPORT = {"id_": "r" * 32, "subject_sha256": "0" * 64, "report": "{}", "preview_jpeg": b"\xff\xd8"}


def files(settings: Settings) -> dict[str, bytes]:
    """Of a home, but its database and locks."""
    home = settings.home
    found = {p.relative_to(home).as_posix(): p for p in home.rglob("*") if p.is_file()}
    return {n: p.read_bytes() for n, p in found.items() if "assay.db" not in n and not n.endswith(".lock")}


def test_a_home_comes_back_with_keys_certificates_registry_reports_and_log(place: Place) -> None:
    old = place.service()
    kept = Verifications(open_engine(old.database), 30).save(**REPORT, now=NOW)
    target = target_of(place.folder, NOW)
    assert target.name == "assay-20261130T120000Z.tar"
    write_backup(old, target, PASSPHRASE, NOW)
    assert target.stat().st_mode & 0o777 == 0o600
    new = place.home()
    restored = restore(target, new, PASSPHRASE, NOW)
    assert restored.log is not None
    assert restored.log.size == restored.contents.log_size
    before, after = files(old), files(new)
    assert after.keys() - before.keys() == {"settings-of-backup.toml", "pki/log.halted"}
    assert {name: after[name] for name in before} == before
    assert all((new.home / n).stat().st_mode & 0o77 == 0 for n in before if n.endswith((".key.pem", ".pin")))
    assert Verifications(open_engine(new.database), 30).get(kept.id, NOW) == kept
    assert open_authority(new).issuing == open_authority(old).issuing
    checked = check_backup(target, PASSPHRASE)
    assert (checked.log is None) == (checked.contents.database == "postgresql")


def test_a_backup_of_a_log_that_grows_meanwhile_is_one_moment_of_it(place: Place) -> None:
    old, stop = place.service(1), threading.Event()

    def grow() -> None:
        with closing(open_transparency_log(old)) as log:
            number = 100
            while not stop.is_set():
                log.append((entry(number),))
                number += 1

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        for number in range(3):
            write_backup(old, place.folder / f"{number}.tar", None, NOW)
    finally:
        stop.set()
        writer.join()
    for number in range(3):
        restored = restore(place.folder / f"{number}.tar", place.home(), None, NOW)
        assert restored.log is not None
        assert restored.log.size >= restored.contents.log_size


@pytest.mark.parametrize("elsewhere", [False, True], ids=["at home", "elsewhere"])
def test_ctrl_c_at_any_line_of_moving_a_home_to_its_place_leaves_all_of_it_or_nothing(
    sqlite_place: Place, elsewhere: bool
) -> None:
    target = sqlite_place.folder / "b.tar"
    write_backup(sqlite_place.service(1), target, None, NOW)
    within = ("backup/restoring.py:restore", "backup/restoring.py:_made", "backup/restoring.py:_move")
    within += ("backup/restoring.py:_moved_elsewhere", "core/durable.py:rename_durably")

    def settings(line: int) -> Settings:
        folder = sqlite_place.folder / f"{line}-{elsewhere}"
        url = f"sqlite:///{folder / 'db' / 'elsewhere.db'}" if elsewhere else ""
        return load_settings(environ={}, home=folder / "home", database_url=url, heuristics=False)

    left: list[list[str]] = []
    for line, _ in every_line(lambda line: restore(target, settings(line), None, NOW), *within):
        home = settings(line).home
        left.append(sorted(p.name for p in home.parent.rglob("*") if p.is_file()))
        assert home.exists() is bool(left[-1]), f"line {line}"
    assert left.count([]) > 20
    assert all(found in ([], left[-1]) for found in left)
    assert restore(target, settings(1), None, NOW).log is not None, "and the next run goes on"


def test_a_home_of_which_nothing_could_be_given_back_is_refused_while_it_is_there(
    sqlite_place: Place,
) -> None:
    old, target = sqlite_place.service(), sqlite_place.folder / "b.tar"
    with (old.home / "notes.pem").open("wb") as file:
        file.truncate(archive.MAX_SMALL_BYTES + 1)
    with pytest.raises(FileUnusable, match="more beside its database"):
        write_backup(old, target, PASSPHRASE, NOW)
    assert not target.exists()


def test_keys_are_encrypted_or_left_out_and_either_is_said(sqlite_place: Place) -> None:
    old = sqlite_place.service()
    token = old.home / "enrolment-token"
    token.write_text("secret-of-enrolment-1234\n")
    home_key(old.home)
    with_keys, without = sqlite_place.folder / "with.tar", sqlite_place.folder / "without.tar"
    write_backup(old, with_keys, PASSPHRASE, NOW)
    contents = write_backup(old, without, None, NOW)
    for file in (with_keys, without):
        content = file.read_bytes()
        assert b"PRIVATE KEY" not in content
        assert b"secret-of-enrolment" not in content
    assert {"pki/log.key.pem", "audit.pem"} <= set(contents.left_out)
    assert "enrolment-token" in contents.left_out
    new = sqlite_place.home()
    restore(without, new, None, NOW)
    assert not (new.home / "pki" / "log.key.pem").exists()
    with pytest.raises(HomeUnfit, match=r"device-issuing\.key\.pem"):
        open_authority(new)


def test_devices_do_not_come_back_because_they_would_count_twice(sqlite_place: Place) -> None:
    old = sqlite_place.service()
    (old.home / "devices" / "camera").mkdir(parents=True)
    (old.home / "devices" / "camera" / "counter").write_text("00000007\n")
    write_backup(old, sqlite_place.folder / "b.tar", PASSPHRASE, NOW)
    new = sqlite_place.home()
    restore(sqlite_place.folder / "b.tar", new, PASSPHRASE, NOW)
    assert not (new.home / "devices").exists()


@pytest.mark.parametrize("given", [b"another passphrase of mine", None])
def test_keys_open_with_their_passphrase_alone(sqlite_place: Place, given: bytes | None) -> None:
    write_backup(sqlite_place.service(), sqlite_place.folder / "b.tar", PASSPHRASE, NOW)
    new = sqlite_place.home()
    with pytest.raises((BackupRefused, BadRequest), match="passphrase"):
        restore(sqlite_place.folder / "b.tar", new, given, NOW)
    assert not new.home.exists()


def test_a_passphrase_that_is_short_is_refused() -> None:
    with pytest.raises(BadRequest, match="16 characters"):
        parse_passphrase("short\n")
    assert parse_passphrase("correct horse battery\nsecond line\n") == b"correct horse battery"


def test_sealed_keys_that_ask_for_endless_work_are_refused() -> None:
    how, sealed = seal((KeyFile(name="a", content=b"1", mode=0o600),), PASSPHRASE)
    assert unseal(how, sealed, PASSPHRASE)[0].content == b"1"
    for wrong in ({**how, "n": 1 << 40}, {**how, "n": -1}, {**how, "salt": "x"}, {}):
        with pytest.raises(BackupRefused):
            unseal(wrong, sealed, PASSPHRASE)


# what is in the way


def test_nothing_is_restored_over_a_home_or_a_database(place: Place) -> None:
    old = place.service()
    target = place.folder / "b.tar"
    write_backup(old, target, None, NOW)
    before = files(old)
    with pytest.raises(HomeUnfit, match=r"not empty|tables already"):
        restore(target, old, None, NOW)
    assert files(old) == before
    elsewhere = load_settings(
        environ={}, home=place.folder / "fresh", database_url=old.database if old.database_url else ""
    )
    if old.database_url:
        with pytest.raises(HomeUnfit, match="tables already"):
            restore(target, elsewhere, None, NOW)
        assert not elsewhere.home.exists()


def test_an_sqlite_file_elsewhere_is_restored_to_its_place_or_refused(sqlite_place: Place) -> None:
    write_backup(sqlite_place.service(), sqlite_place.folder / "b.tar", PASSPHRASE, NOW)
    file = sqlite_place.folder / "data" / "registry.db"
    settings = load_settings(environ={}, home=sqlite_place.folder / "h", database_url=f"sqlite:///{file}")
    restore(sqlite_place.folder / "b.tar", settings, PASSPHRASE, NOW)
    assert file.exists()
    assert not (settings.home / "assay.db").exists()
    again = load_settings(environ={}, home=sqlite_place.folder / "i", database_url=f"sqlite:///{file}")
    with pytest.raises(HomeUnfit, match="is there already"):
        restore(sqlite_place.folder / "b.tar", again, PASSPHRASE, NOW)


def test_a_backup_replaces_nothing(sqlite_place: Place) -> None:
    taken = sqlite_place.folder / "photo.jpg"
    taken.write_bytes(b"a photo")
    with pytest.raises(FileUnusable, match="replaces nothing"):
        target_of(taken, NOW)
    with pytest.raises(FileUnusable, match="no folder"):
        target_of(sqlite_place.folder / "absent" / "b.tar", NOW)


def test_a_home_of_another_kind_of_database_is_refused_in_words(sqlite_place: Place) -> None:
    write_backup(sqlite_place.service(), sqlite_place.folder / "b.tar", None, NOW)
    other = "postgresql+psycopg://nobody@localhost/none"
    settings = load_settings(environ={}, home=sqlite_place.folder / "other", database_url=other)
    with pytest.raises(HomeUnfit, match="the backup is of sqlite, and database_url names postgresql"):
        restore(sqlite_place.folder / "b.tar", settings, None, NOW)


def test_a_key_that_cannot_be_read_makes_no_backup(sqlite_place: Place) -> None:
    """A link that leads nowhere: the superuser, who may run the tests, reads everything else."""
    old = sqlite_place.service()
    (old.home / "pki" / "tsa.pin").unlink()
    (old.home / "pki" / "tsa.pin").symlink_to("nowhere")
    with pytest.raises(FileUnusable, match=r"tsa\.pin cannot be read, so there is no backup"):
        write_backup(old, sqlite_place.folder / "b.tar", PASSPHRASE, NOW)
    assert not list(sqlite_place.folder.glob("*.tar"))


def test_without_pg_dump_the_sentence_says_what_to_install(
    postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = Place(tmp_path, postgresql).service()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemLacking, match="postgresql-client"):
        write_backup(old, tmp_path / "b.tar", PASSPHRASE, NOW)
    assert not (tmp_path / "b.tar").exists()


FULL = """
import resource, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from authn.backup.restoring import restore
from authn.backup.writing import write_backup
from authn.core.config import load_settings
from authn.core.errors import AuthnError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
what, home, file, most = sys.argv[1:]
settings, now = load_settings(environ={}, home=Path(home)), datetime.now(UTC)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(most), int(most)))
try:
    if what == "backup":
        write_backup(settings, Path(file), None, now)
    else:
        restore(Path(file), settings, None, now)
except AuthnError as e:
    print(type(e).__name__, e.detail)
"""


@pytest.mark.parametrize("what", ["backup", "restore"])
def test_a_disk_that_takes_no_more_leaves_no_half_file_and_no_half_home(
    sqlite_place: Place, what: str
) -> None:
    """By a limit on the size of a file, at which the system refuses to write as a full disk does."""
    old, folder = sqlite_place.service(), sqlite_place.folder
    if what == "restore":
        write_backup(old, folder / "b.tar", None, NOW)
    home = old.home if what == "backup" else folder / "new"
    for most in (4096, 100_000, 205_000):
        run = [sys.executable, "-c", FULL, what, str(home), str(folder / "b.tar"), str(most)]
        done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.stderr == ""
        if not done.stdout:
            assert most > 200_000  # it fitted
            break
        assert done.stdout.startswith(("FileUnusable", "DatabaseUnusable")), done.stdout
        left = {p.name for p in folder.iterdir()} - {old.home.name}
        assert left == ({"b.tar"} if what == "restore" else set())


# what was changed


def test_every_damage_is_noticed_before_anything_is_there(sqlite_place: Place) -> None:
    target = sqlite_place.folder / "b.tar"
    write_backup(sqlite_place.service(), target, PASSPHRASE, NOW)
    whole, new = target.read_bytes(), sqlite_place.home()
    places = range(700, len(whole) - 12_000, len(whole) // 8)
    damages = [whole[:at] + bytes([whole[at] ^ 0x40]) + whole[at + 1 :] for at in places]
    damages += [whole[: len(whole) // 3], whole[:512], b"", b"nonsense"]
    refused = 0
    for damaged in damages:
        target.write_bytes(damaged)
        with contextlib.suppress(BackupRefused, LogInconsistent, DatabaseUnusable):
            restore(target, new, PASSPHRASE, NOW)
        refused += not new.home.exists()
        shutil.rmtree(new.home, ignore_errors=True)  # a byte between two members, which nobody reads
    assert refused >= len(damages) - 1


def test_a_part_that_would_leave_the_home_is_refused(sqlite_place: Place) -> None:
    target, evil = sqlite_place.folder / "b.tar", sqlite_place.folder / "evil.tar"
    write_backup(sqlite_place.service(), target, None, NOW)
    with tarfile.open(target) as tar:
        listed = json.loads(tar.extractfile(archive.LIST).read())  # type: ignore[union-attr]
    for name in ("../outside", "/etc/passwd", "home/../../outside", "home//x", "home/./x"):
        listed["parts"][1]["name"] = name
        with pytest.raises(BackupRefused, match="names parts that no home has"):
            archive.parsed(json.dumps(listed).encode(), evil)


@pytest.mark.parametrize(
    ("change", "error"),
    [({"format": 2}, BackupRefused), ({"schema": "9999"}, DatabaseUnusable), ({"parts": 1}, BackupRefused)],
)
def test_a_backup_of_a_newer_version_is_refused_in_words(
    sqlite_place: Place, change: dict[str, object], error: type[AuthnError]
) -> None:
    target, newer = sqlite_place.folder / "b.tar", sqlite_place.folder / "newer.tar"
    write_backup(sqlite_place.service(), target, None, NOW)
    with tarfile.open(target) as tar, tarfile.open(newer, "w") as out:
        for member in tar:
            content = tar.extractfile(member).read()  # type: ignore[union-attr]
            if member.name == archive.LIST:
                content = json.dumps({**json.loads(content), **change}).encode()
            archive._add(out, member.name, content)
    for run in (lambda: check_backup(newer, None), lambda: restore(newer, sqlite_place.home(), None, NOW)):
        with pytest.raises(error):
            run()


def taken_back(path: Path, revision: str) -> None:
    """The database as an older version would have written it: its schema, and the rows it has tables for."""
    older = path.with_suffix(".older")
    database_of(revision, f"sqlite:///{older}").dispose()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("ATTACH ? AS older", (str(older),))
        tables = connection.execute("SELECT name FROM older.sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            if table != "alembic_version" and not table.startswith("sqlite_"):
                columns = connection.execute("SELECT name FROM pragma_table_info(?, 'older')", (table,))
                names = ", ".join(f'"{name}"' for (name,) in columns)
                connection.execute(
                    f"INSERT OR REPLACE INTO older.{table} ({names}) SELECT {names} FROM main.{table}"
                )
    for left in path.parent.glob(f"{path.name}-*"):
        left.unlink()
    older.replace(path)


def test_a_backup_of_an_older_schema_is_restored_and_taken_further(sqlite_place: Place) -> None:
    older, target = sqlite_place.service(), sqlite_place.folder / "b.tar"
    taken_back(older.home / "assay.db", "0070")
    assert write_backup(older, target, None, NOW).schema == "0070"
    restored = restore(target, sqlite_place.home(), None, NOW)
    assert restored.log is not None
    assert restored.log.size == restored.contents.log_size
