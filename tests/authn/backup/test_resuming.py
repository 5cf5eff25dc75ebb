"""A restored log signs nothing that contradicts what its key has signed, whatever is known of that."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from authn.backup.archive import CLOSED
from authn.backup.copies import open_copy
from authn.backup.restoring import restore
from authn.backup.resuming import begin_another, resume
from authn.backup.writing import write_backup
from authn.core.config import Settings, load_settings
from authn.core.errors import BadRequest, LogHalted, LogInconsistent, SplitView, Unreachable
from authn.service.wiring import check_services, open_transparency_log
from authn.store.engine import open_engine, reading
from authn.store.schema import certificates, log_entry
from authn.tlog.format.note import parse_vkey
from authn.tlog.format.receipt import verify_receipt
from authn.tlog.log.check import check_log
from authn.tlog.log.closing import write_tree
from authn.tlog.log.reader import LogReader
from authn.tlog.witness.witness import Witness
from authn.web.witness import create_witness_app
from tests.authn.backup.conftest import PASSPHRASE, Place, appended
from tests.doubles.logs import entry
from tests.doubles.witnesses import cosigner, listening, policy_text

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


class Lost:
    """A home that went on after its backup and is lost then, and the one that was restored."""

    def __init__(self, place: Place, after: int) -> None:
        self.old = place.service()
        write_backup(self.old, place.folder / "b.tar", PASSPHRASE, NOW)
        self.receipts = appended(self.old, *range(100, 100 + after))
        self.new = place.home()
        restore(place.folder / "b.tar", self.new, PASSPHRASE, NOW)
        self.newest = place.folder / "newest"
        with closing(open_transparency_log(self.old)) as log:
            self.newest.write_text(log.checkpoint())

    @property
    def halt(self) -> Path:
        return self.new.home / "pki" / "log.halted"


def signs_nothing(settings: Settings) -> None:
    with closing(open_transparency_log(settings)) as log, pytest.raises(LogHalted):
        log.append((entry(999),))
    with pytest.raises(LogHalted):
        check_services(settings)


def test_a_restored_log_signs_nothing_until_it_is_told_how_to_go_on(sqlite_place: Place) -> None:
    lost = Lost(sqlite_place, after=0)
    signs_nothing(lost.new)
    with pytest.raises(LogHalted, match="nobody has said"):
        resume(lost.new)
    signs_nothing(lost.new)
    resumed = resume(lost.new, newest=lost.newest)
    assert str(lost.newest) in resumed.told_by
    (receipt,) = appended(lost.new, 999)
    assert receipt.index == resumed.size
    with pytest.raises(LogHalted, match="not halted"):
        resume(lost.new, newest=lost.newest)


def test_a_log_that_is_behind_its_key_stays_halted_also_when_the_file_is_removed(sqlite_place: Place) -> None:
    """What was shown is marked beside the key, where the check of every start finds it."""
    lost = Lost(sqlite_place, after=2)
    with pytest.raises(LogInconsistent, match=r"has signed .* entries, and the restored log has"):
        resume(lost.new, newest=lost.newest)
    lost.halt.unlink()
    with pytest.raises(LogInconsistent, match="older copy"):
        check_services(lost.new)


def test_the_mark_of_the_old_home_tells_as_much(sqlite_place: Place) -> None:
    behind = Lost(sqlite_place, after=1)
    mark = behind.old.home / "pki" / "log.signed"
    with pytest.raises(LogInconsistent, match="has signed"):
        resume(behind.new, newest=mark)
    (folder := sqlite_place.folder / "other").mkdir()
    same = Lost(Place(folder, None), after=0)
    assert resume(same.new, newest=same.old.home / "pki" / "log.signed").size


def test_what_is_missing_comes_back_from_a_copy_of_the_log(place: Place, tmp_path: Path) -> None:
    lost = Lost(place, after=5)
    copy = tmp_path / "copy"
    with closing(open_transparency_log(lost.old)) as log:
        write_tree(log.reader, copy)
        key = log.verifier
    with pytest.raises(LogInconsistent):  # and then the copy, although the mark is ahead of the database now
        resume(lost.new, newest=lost.newest)
    resumed = resume(lost.new, mirror=open_copy(str(copy)), newest=lost.newest)
    assert resumed.taken == 5
    assert check_log(open_engine(lost.new.database), key).size == resumed.size
    (receipt,) = appended(lost.new, 999)
    assert receipt.index == resumed.size
    reader = LogReader(open_engine(lost.new.database))
    for given in lost.receipts:
        verify_receipt(given, *reader.leaves(given.index, given.index + 1), key)


def test_a_copy_of_another_history_changes_nothing(sqlite_place: Place, tmp_path: Path) -> None:
    lost, other = Lost(sqlite_place, after=3), Lost(sqlite_place, after=0)
    copy = tmp_path / "copy"
    with closing(open_transparency_log(other.old)) as log:
        write_tree(log.reader, copy)
    with pytest.raises(LogInconsistent):
        resume(lost.new, mirror=open_copy(str(copy)))
    with closing(open_transparency_log(lost.old)) as log:
        write_tree(log.reader, copy)
    bundle = next((copy / "tile" / "entries").rglob("*[0-9]"))
    content = bytearray(bundle.read_bytes())
    content[-1] ^= 1
    bundle.write_bytes(content)
    size = LogReader(open_engine(lost.new.database)).head().size
    with pytest.raises(LogInconsistent, match="another root"):
        resume(lost.new, mirror=open_copy(str(copy)))
    assert LogReader(open_engine(lost.new.database)).head().size == size
    (copy / "checkpoint").unlink()
    with pytest.raises(BadRequest, match="no checkpoint in it"):
        open_copy(str(copy))


def test_a_history_that_differs_is_refused(sqlite_place: Place) -> None:
    lost = Lost(sqlite_place, after=0)
    text = lost.newest.read_text().splitlines()
    forged = sqlite_place.folder / "forged"
    forged.write_text("\n".join((text[0], text[1], "A" * 43 + "=")) + "\n")
    with pytest.raises(LogInconsistent, match="another history"):
        resume(lost.new, newest=forged)
    forged.write_text(lost.newest.read_text().replace(text[0], "elsewhere.example/log"))
    with pytest.raises(BadRequest):
        resume(lost.new, newest=forged)
    signs_nothing(lost.new)


def test_the_witnesses_of_the_policy_are_asked_and_believed(sqlite_place: Place, tmp_path: Path) -> None:
    lost = Lost(sqlite_place, after=2)
    signer = cosigner("w")
    key = parse_vkey((lost.old.home / "pki" / "log.vkey").read_text().strip())
    witness = Witness(tmp_path / "w.db", (key,), (signer,))
    policy = tmp_path / "policy"

    def with_policy(settings: Settings) -> Settings:
        given = {"home": settings.home, "database_url": settings.database_url, "heuristics": False}
        return load_settings(environ={}, witness_policy=(policy,), **given)

    with listening(create_witness_app(witness)) as url:
        policy.write_text(policy_text(("w", signer.verifier, url), quorum=1))
        resumed = resume(with_policy(lost.new))  # it has signed nothing yet, so it signs what it is shown
        assert resumed.told_by == (signer.name,)
        other = Lost(sqlite_place, after=0)  # of another log, which this witness does not know
        with pytest.raises(Unreachable, match="too few witnesses"):
            resume(with_policy(other.new))


def test_a_witness_that_has_signed_more_keeps_the_log_halted(sqlite_place: Place, tmp_path: Path) -> None:
    from authn.tlog.format.policy import read_policy
    from authn.tlog.log.feeder import feed

    lost = Lost(sqlite_place, after=2)
    signer, policy = cosigner("w"), tmp_path / "policy"
    key = parse_vkey((lost.old.home / "pki" / "log.vkey").read_text().strip())
    with listening(create_witness_app(Witness(tmp_path / "w.db", (key,), (signer,)))) as url:
        policy.write_text(policy_text(("w", signer.verifier, url), quorum=1))
        with closing(open_transparency_log(lost.old)) as log:
            reader = log.reader
            newest = reader.head().size
            fed = feed(reader.head().note, reader.consistency, read_policy(policy), newest=lambda: newest)
            assert fed.enough
        with pytest.raises(SplitView, match="has signed this log at"):
            resume(load_settings(environ={}, home=lost.new.home, witness_policy=(policy,)))
    signs_nothing(lost.new)


# another log in its place


def test_a_log_that_cannot_go_on_is_closed_and_another_begins(place: Place) -> None:
    lost = Lost(place, after=2)
    old_key = (lost.new.home / "pki" / "log.key.pem").read_bytes()
    with pytest.raises(BadRequest, match="the name of the log that ends"):
        begin_another(lost.new, "assay.local/log")
    folder = begin_another(lost.new, "assay.local/log-2")
    assert folder.parent == lost.new.home / CLOSED
    assert (folder / "log.key.pem").read_bytes() == old_key
    assert (lost.new.home / "pki" / "log.key.pem").read_bytes() != old_key
    assert not lost.halt.exists()
    check_services(lost.new)
    (receipt,) = appended(lost.new, 999)
    with closing(open_transparency_log(lost.new)) as log:
        assert log.origin == "assay.local/log-2"
        assert check_log(open_engine(lost.new.database), log.verifier).size == receipt.index + 1
    assert open_copy(str(folder)).checkpoint().startswith("assay.local/log\n")
    with pytest.raises(LogHalted, match="is not halted"):
        begin_another(lost.new, "assay.local/log-3")


def test_what_the_tables_of_a_new_log_refuse_is_what_they_refused_before(place: Place) -> None:
    from sqlalchemy import delete

    from authn.core.errors import DatabaseUnusable
    from authn.store.engine import writing

    lost = Lost(place, after=0)
    begin_another(lost.new, "assay.local/log-2")
    engine = open_engine(lost.new.database)
    check_services(lost.new)
    with pytest.raises(DatabaseUnusable), writing(engine) as connection:
        connection.execute(delete(log_entry))
    with reading(engine) as connection:
        assert connection.execute(select(func.count()).select_from(certificates)).scalar() == 0


@pytest.mark.parametrize(
    "missing", [("log.signed",), ("log.signed", "log.vkey"), ("log.signed", "log.vkey", "log.key.pem")]
)
def test_beginning_another_log_goes_on_after_an_interruption(
    sqlite_place: Place, missing: tuple[str, ...]
) -> None:
    """As a crash leaves it: the tables are empty, some files have moved. Until then nothing is signed."""
    from authn.tlog.log.closing import empty_tables

    lost = Lost(sqlite_place, after=1)
    pki, folder = lost.new.home / "pki", lost.new.home / CLOSED / "assay.local_log"
    old_key = (pki / "log.key.pem").read_bytes()
    engine = open_engine(lost.new.database)
    write_tree(LogReader(engine), folder)
    empty_tables(engine)
    for name in missing:
        (pki / name).rename(folder / name)
    with pytest.raises(LogHalted):
        check_services(lost.new)
    begin_another(lost.new, "assay.local/log-2")
    assert (folder / "log.key.pem").read_bytes() == old_key
    check_services(lost.new)
    with closing(open_transparency_log(lost.new)) as log:
        assert log.origin == "assay.local/log-2"


def test_a_home_whose_database_is_lost_begins_another_log_too(sqlite_place: Place) -> None:
    old = sqlite_place.service()
    for file in old.home.glob("assay.db*"):
        file.unlink()
    with pytest.raises(LogInconsistent):
        check_services(old)
    begin_another(old, "assay.local/log-2")
    check_services(old)
