"""What came into a source after its audit was planned is said, and taken in when asked; nothing twice."""

from __future__ import annotations

import json
import os
import tarfile
import zipfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from authn.audit.conduct import Finished, Order, conduct
from authn.audit.index import Index
from authn.audit.inputs import open_inputs
from authn.audit.plan import Question
from authn.core.errors import AuditError
from authn.core.media import MediaLimits
from authn.devices.snapshot import RegistryCopy
from authn.examine.request import Examines
from tests.doubles.examiners import open_scripted
from tests.doubles.photos import photo

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Heard:
    """What an audit says of itself."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.kept: list[int] = []

    def listing(self) -> None: ...

    def listed(self, inputs: int) -> None: ...

    def planned(self, inputs: int, *, resumed: bool) -> None: ...

    def drifted(self, sentence: str) -> None:
        self.notes.append(sentence)

    def refreshed(self, kept: int) -> None:
        self.kept.append(kept)

    def rows(self, count: int) -> None: ...


class Audit:
    """One source and one run folder; each call is one run of the command, so many hours after noon."""

    def __init__(self, source: Path, folder: Path) -> None:
        self.source, self.folder = source, folder

    def __call__(
        self,
        hours: int = 0,
        *,
        refresh: bool = False,
        as_of: datetime | None = None,
        limit: int | None = None,
    ) -> tuple[Finished, Heard]:
        heard = Heard()
        order = Order(
            opens=partial(open_inputs, self.source, MediaLimits()),
            folder=self.folder,
            question=Question(source=str(self.source), facts=(("version", "1"),), limit=limit),
            build=_build,
            devices=lambda: None,
            limits=MediaLimits(),
            as_of=as_of,
            refresh=refresh,
        )
        return conduct(order, clock=lambda: NOON + timedelta(hours=hours), progress=heard), heard

    def judged(self) -> dict[str, str]:
        """Hour of judgement of every row that holds a report; "error" for the others."""
        lines = (self.folder / "results.jsonl").read_text().splitlines()
        rows = [json.loads(line) for line in lines]
        assert len({r["subject"]["name"] for r in rows}) == len(rows)
        return {r["subject"]["name"]: r.get("evaluated_as_of", "error")[11:13] or "error" for r in rows}


def _build(_registry: RegistryCopy | None) -> Examines:
    return open_scripted()


@pytest.fixture
def audit(tmp_path: Path) -> Audit:
    (source := tmp_path / "photos").mkdir()
    for name, seed in (("a.jpg", 1), ("b.jpg", 2), ("c.jpg", 3)):
        (source / name).write_bytes(photo(seed=seed))
    return Audit(source, tmp_path / "run")


def alter(source: Path) -> None:
    (source / "b.jpg").write_bytes(photo(seed=20) + b"more")
    (source / "c.jpg").unlink()
    (source / "d.jpg").write_bytes(photo(seed=4))
    (source / "e.txt").write_text("no photo")


def test_an_unchanged_source_gives_no_note(audit: Audit) -> None:
    (audit.source / "link").symlink_to("a.jpg")
    (audit.source / "bytes\udcff.jpg").write_bytes(photo(seed=6))
    assert audit()[1].notes == []
    assert audit(1)[1].notes == []


def test_what_changed_is_said_and_left_alone(audit: Audit) -> None:
    audit()
    alter(audit.source)
    finished, heard = audit(1)
    (note,) = heard.notes
    new, other_size, gone = note.split(", ")
    assert new == "2 new files are not part of this audit"
    assert other_size == "1 file has another size than when it was planned"
    assert gone == "1 file is gone; --refresh takes that in"
    assert finished.inputs == 3
    assert audit.judged() == {"a.jpg": "12", "b.jpg": "12", "c.jpg": "12"}


def test_a_refresh_takes_it_in_and_keeps_what_is_unchanged(audit: Audit) -> None:
    audit()
    alter(audit.source)
    finished, heard = audit(1, refresh=True)
    assert (heard.kept, heard.notes) == ([1], [])
    assert audit.judged() == {"a.jpg": "12", "b.jpg": "13", "d.jpg": "13", "e.txt": "error"}
    assert (finished.summary["as_of"], finished.summary["refreshed_at"]) == (
        "2026-11-24T13:00:00Z", ["2026-11-24T13:00:00Z"],
    )  # fmt: skip
    assert (finished.summary["not_examined"], finished.summary["not_media"]) == (1, 1)
    again, heard = audit(2)
    assert (again.inputs, heard.notes) == (4, [])
    _, heard = audit(3, refresh=True)
    assert heard.kept == [4]
    assert "12" in audit.judged()["a.jpg"]


def test_a_file_whose_bytes_changed_and_size_did_not_is_found_by_its_time_of_change(audit: Audit) -> None:
    audit()
    data = (audit.source / "b.jpg").read_bytes()
    (audit.source / "b.jpg").write_bytes(data[:-20] + bytes(x ^ 1 for x in data[-20:-2]) + data[-2:])
    assert audit(1, refresh=True)[1].kept == [2]
    assert audit.judged() == {"a.jpg": "12", "b.jpg": "13", "c.jpg": "12"}


def test_a_time_that_was_chosen_stays(audit: Audit) -> None:
    day = NOON - timedelta(days=100)
    audit(as_of=day)
    alter(audit.source)
    finished, _ = audit(1, refresh=True)
    assert finished.run.as_of == day
    assert set(audit.judged().values()) == {"12", "error"}


def test_a_refresh_of_nothing_is_the_first_run(audit: Audit) -> None:
    finished, heard = audit(refresh=True)
    assert (finished.inputs, heard.kept, heard.notes) == (3, [], [])
    assert finished.summary["refreshed_at"] == []


def test_with_a_limit_nothing_is_called_new(audit: Audit) -> None:
    audit(limit=2)
    assert audit(1, limit=2)[1].notes == []
    (audit.source / "a.jpg").unlink()
    assert audit(2, limit=2)[1].notes == ["1 file is gone; --refresh takes that in"]


def test_a_refresh_while_another_audit_writes_changes_nothing(audit: Audit) -> None:
    def files() -> dict[str, bytes]:
        return {p.name: p.read_bytes() for p in audit.folder.iterdir() if p.suffix in (".json", ".jsonl")}

    audit()
    alter(audit.source)
    before = files()
    with closing(Index(audit.folder)), pytest.raises(AuditError, match="another audit"):
        audit(1, refresh=True)
    assert files() == before
    assert audit(1, refresh=True)[1].kept == [1]


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_an_archive_that_grew_is_told_too(tmp_path: Path, kind: str) -> None:
    source = tmp_path / f"photos.{kind}"
    audit = Audit(source, tmp_path / "run")
    for names in (("a.jpg", "b.jpg"), ("a.jpg", "b.jpg", "c.jpg")):
        for i, name in enumerate(names):
            (tmp_path / name).write_bytes(photo(seed=i))
            os.utime(tmp_path / name, (1_700_000_000, 1_700_000_000))
        if kind == "zip":
            with zipfile.ZipFile(source, "w") as z:
                [z.write(tmp_path / name, name) for name in names]
        else:
            with tarfile.open(source, "w:gz" if kind.endswith("gz") else "w") as t:
                [t.add(tmp_path / name, name) for name in names]
        _, heard = audit()
    assert heard.notes == ["1 new file is not part of this audit; --refresh takes that in"]
    assert audit(1, refresh=True)[1].kept == [2]
    assert audit.judged() == {"a.jpg": "12", "b.jpg": "12", "c.jpg": "13"}


def test_archives_in_a_folder_are_opened_one_level_deep(audit: Audit) -> None:
    inner = audit.source / "inner.zip"
    with zipfile.ZipFile(inner, "w") as z:
        z.write(audit.source / "a.jpg", "in/a.jpg")
        z.writestr("../../x.jpg", photo(seed=9))
    with tarfile.open(audit.source / "more.TAR.GZ", "w:gz") as t:
        t.add(audit.source / "b.jpg", "b.jpg")
        t.add(inner, "inner.zip")
    (audit.source / "torn.zip").write_bytes(inner.read_bytes()[:200])
    (audit.source / "no.zip").write_bytes(b"no archive")
    (audit.source / "link.zip").symlink_to("inner.zip")
    (audit.source / "document.docx").write_bytes(inner.read_bytes())
    (audit.source / "a.jpg.assay.zip").write_bytes(inner.read_bytes())
    audit()
    assert audit.judged() == {
        "a.jpg": "12", "b.jpg": "12", "c.jpg": "12",
        "inner.zip/in/a.jpg": "12", "inner.zip/../../x.jpg": "12",
        "more.TAR.GZ/b.jpg": "12", "more.TAR.GZ/inner.zip": "error",
        "torn.zip": "error", "no.zip": "error", "link.zip": "error",
        "document.docx": "error", "a.jpg.assay.zip": "error",
    }  # fmt: skip
    assert not (audit.source.parent / "x.jpg").exists()
    inner.unlink()
    assert audit(1)[1].notes == ["1 file is gone; --refresh takes that in"]


def test_files_that_are_no_media_are_counted_apart(audit: Audit) -> None:
    (audit.source / "README.md").write_text("# about these photos")
    (audit.source / "roots.pem").write_text("-----BEGIN CERTIFICATE-----")
    (audit.source / "broken.jpg").write_bytes(b"no photo at all")
    finished, _ = audit()
    assert (finished.tally.not_reported, finished.tally.not_media) == (3, 2)
    page = (audit.folder / "summary.html").read_text()
    assert "Without a report (1)" in page
    assert "2 files: no media" in page
    assert "README.md" in page
