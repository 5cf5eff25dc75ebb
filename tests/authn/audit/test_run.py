"""An audit gives one row per input, whatever the inputs do to its workers and whoever kills it when."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from authn.audit.conduct import Order, conduct
from authn.audit.index import Index
from authn.audit.inputs import open_inputs
from authn.audit.ledger import Ledger
from authn.audit.looking import Job
from authn.audit.plan import Question, keep_plan, open_run, read_plan
from authn.audit.results import RESULTS_FILE, Row, read_rows
from authn.audit.run import run
from authn.core.errors import Unavailable
from authn.core.media import MediaLimits
from tests.conftest import ROOT
from tests.doubles.examiners import open_scripted, open_unavailable
from tests.doubles.media import png_bomb
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.timeless

AS_OF = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
BUDGET = 512 * 2**20


def gif(colour: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (4, 4), (colour % 256, colour // 256, 7)).save(out, "GIF")
    return out.getvalue()


def photos(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(gif(i))
    return folder


def job_for(source: Path, **changes: object) -> Job:
    limits = MediaLimits(max_bytes=100_000)
    settings = {
        "build": open_scripted,
        "opens": partial(open_inputs, source, limits),
        "as_of": AS_OF,
        "limits": limits,
        "timeout_s": 2.0,
        "memory_bytes": BUDGET,
        **changes,
    }
    return Job(**settings)  # type: ignore[arg-type]


def audited(job: Job, folder: Path, *, meanwhile: Callable[[], object] = lambda: None) -> dict[str, Row]:
    """``meanwhile`` happens when the plan is there and nothing has been read."""
    work, _ = open_run(folder, Question(source="/in", facts=()), as_of=AS_OF, started_at=AS_OF)
    with closing(Index(folder)) as index:
        if not work.plan_file.exists():
            with index.planning() as planning:
                planning.finish("", keep_plan(work, job.opens().entries(), claim=planning.claim))
        meanwhile()
        with Ledger(folder, index) as ledger:
            run(job, read_plan(work.plan_file), ledger)
    rows = list(read_rows(folder / RESULTS_FILE))
    found = {r["subject"]["name"]: r for r in rows}
    assert len(found) == len(rows), "one row per input"
    return found


class Silent:
    """A ``Progress`` that nobody hears."""

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_args, **_kwargs: None


def order_for(source: Path, folder: Path) -> Order:
    job = job_for(source)
    question = Question(source="/in", facts=())
    return Order(
        opens=job.opens,
        folder=folder,
        question=question,
        build=open_scripted,
        devices=lambda: None,
        limits=job.limits,
        timeout_s=2.0,
        memory_bytes=BUDGET,
    )


def content(folder: Path) -> str:
    with closing(Index(folder)) as index, Ledger(folder, index) as ledger:
        return ledger.content_sha256()


def test_poison_costs_its_own_row_and_not_the_run(tmp_path: Path) -> None:
    names = ["a.gif", "kill-1.gif", "b.gif", "hang-1.gif", "c.gif", "eat-1.gif", "exit-1.gif", "d.gif"]
    rows = audited(job_for(photos(tmp_path / "in", *names), jobs=2), tmp_path / "run")
    assert set(rows) == set(names)
    codes = {n: r["error"]["code"] for n, r in rows.items() if "error" in r}
    assert codes == {
        "kill-1.gif": "assay.examination.failed",
        "hang-1.gif": "assay.examination.timedOut",
        "eat-1.gif": "assay.examination.failed",
        "exit-1.gif": "assay.examination.failed",
    }
    assert "SIGKILL" in rows["kill-1.gif"]["error"]["detail"]


def test_a_defect_of_ours_is_a_row_that_says_so_and_the_worker_lives(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    source = photos(tmp_path / "in", "a.gif", "bug-1.gif", "unavailable-1.gif", "z.gif")
    rows = audited(job_for(source, build=partial(open_scripted, calls=calls)), tmp_path / "run")
    assert rows["bug-1.gif"]["error"] == {
        "code": "assay.examination.failed",
        "detail": "ZeroDivisionError: a defect of ours",
    }
    assert rows["unavailable-1.gif"]["error"]["code"] == "assay.unavailable"
    assert "error" not in rows["z.gif"]
    assert len({line.split()[0] for line in calls.read_text().splitlines()}) == 1


def test_equal_bytes_are_examined_once_and_give_a_row_per_name(tmp_path: Path) -> None:
    source = photos(tmp_path / "in", "a.gif")
    for name in ("b.gif", "c.gif", "d.jpg"):
        (source / name).write_bytes((source / "a.gif").read_bytes())
    calls = tmp_path / "calls"
    job = job_for(source, build=partial(open_scripted, calls=calls), readers_per_worker=1)  # in their order
    rows = audited(job, tmp_path / "run")
    assert [line.split()[1] for line in calls.read_text().splitlines()] == ["a.gif", "d.jpg"]
    assert len({r["subject"]["sha256"] for r in rows.values()}) == 1
    assert rows["c.gif"]["subject"] == {**rows["a.gif"]["subject"], "name": "c.gif"}
    assert rows["d.jpg"]["subject"]["media_type_claimed"] == "image/jpeg"


def test_what_cannot_be_read_is_a_row_with_the_reason(tmp_path: Path) -> None:
    source = photos(tmp_path / "in", "a.gif")
    (source / "empty.jpg").write_bytes(b"")
    (source / "notes.txt").write_text("nothing to see")
    (source / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (source / "big.jpg").write_bytes(bytes(200_000))
    (source / "link.jpg").symlink_to("a.gif")
    rows = audited(job_for(source), tmp_path / "run")
    assert {n: r["error"]["code"] for n, r in rows.items() if "error" in r} == {
        "empty.jpg": "assay.media.unreadable",
        "notes.txt": "assay.media.unsupported",
        "torn.png": "assay.media.unreadable",
        "big.jpg": "assay.media.tooLarge",
        "link.jpg": "assay.media.unreadable",
    }


def test_a_picture_of_too_many_pixels_is_a_row_with_a_report(tmp_path: Path) -> None:
    source = photos(tmp_path / "in", "a.gif")
    (source / "bomb.png").write_bytes(png_bomb())
    rows = audited(job_for(source), tmp_path / "run")
    assert rows["bomb.png"]["subject"]["width"] == 50_000


def test_a_file_that_changed_after_planning_is_not_reported_as_planned(tmp_path: Path) -> None:
    source = photos(tmp_path / "in", "a.gif", "b.gif", "c.gif")

    def change() -> None:
        (source / "b.gif").write_bytes(gif(99))
        os.utime(source / "b.gif", ns=(1, 1))
        (source / "c.gif").unlink()

    rows = audited(job_for(source), tmp_path / "run", meanwhile=change)
    assert "changed after" in rows["b.gif"]["error"]["detail"]
    assert "No such file" in rows["c.gif"]["error"]["detail"]
    assert "error" not in rows["a.gif"]


def test_the_examiner_is_asked_as_of_the_planned_time(tmp_path: Path) -> None:
    rows = audited(job_for(photos(tmp_path / "in", "a.gif")), tmp_path / "run")
    assert rows["a.gif"]["evaluated_as_of"] == "2026-11-24T10:00:00Z"


def test_the_number_of_workers_does_not_change_the_content(tmp_path: Path) -> None:
    source = photos(tmp_path / "in", *(f"p{i}.gif" for i in range(12)), "altered-1.gif")
    one = audited(job_for(source, jobs=1), tmp_path / "one")
    three = audited(job_for(source, jobs=3), tmp_path / "three")
    assert one.keys() == three.keys()
    assert content(tmp_path / "one") == content(tmp_path / "three")


def test_a_finished_audit_examines_nothing_again(tmp_path: Path) -> None:
    source = photos(tmp_path / "in", "a.gif", "empty-1.gif")
    audited(job_for(source), tmp_path / "run")
    before = (tmp_path / "run" / RESULTS_FILE).read_bytes()
    audited(job_for(source, build=open_unavailable), tmp_path / "run")
    assert (tmp_path / "run" / RESULTS_FILE).read_bytes() == before


def test_an_examiner_that_cannot_be_built_stops_the_audit_instead_of_refusing_every_file(
    tmp_path: Path,
) -> None:
    with pytest.raises(Unavailable, match="no roots"):
        audited(job_for(photos(tmp_path / "in", "a.gif"), build=open_unavailable), tmp_path / "run")
    assert (tmp_path / "run" / RESULTS_FILE).read_bytes() == b""


def test_many_names_for_the_same_bytes_are_looked_at_once_and_by_one_who_waits(tmp_path: Path) -> None:
    source = photos(tmp_path / "in", "a.gif")
    for i in range(600):
        os.link(source / "a.gif", source / f"b{i}.gif")
    calls = tmp_path / "calls"
    build = partial(open_scripted, calls=calls, delay_s=0.05)
    rows = audited(job_for(source, build=build, jobs=3), tmp_path / "run")
    assert len(rows) == 601
    assert len(calls.read_text().splitlines()) == 1


def test_bytes_that_end_their_worker_end_one_worker_for_all_names(tmp_path: Path) -> None:
    source = photos(tmp_path / "in", "kill-1.gif")
    for i in (2, 3, 4):
        os.link(source / "kill-1.gif", source / f"kill-{i}.gif")
    calls = tmp_path / "calls"
    rows = audited(job_for(source, build=partial(open_scripted, calls=calls)), tmp_path / "run")
    assert {r["error"]["code"] for r in rows.values()} == {"assay.examination.failed"}
    assert len(calls.read_text().splitlines()) == 1


@pytest.mark.parametrize("lost", ["all", "part", "garbage"])
def test_an_index_that_is_lost_or_broken_is_made_again(tmp_path: Path, lost: str) -> None:
    source, folder = photos(tmp_path / "in", "a.gif", "b.gif", "altered-1.gif"), tmp_path / "run"
    audited(job_for(source), folder)
    before = content(folder)
    index = folder / "index.sqlite"
    match lost:
        case "all":
            index.unlink()
        case "part":
            index.write_bytes(index.read_bytes()[:4096])
        case "garbage":
            index.write_bytes(b"no database " * 100)
    order = order_for(source, folder)
    finished = conduct(order, clock=lambda: AS_OF, progress=Silent())
    assert finished.summary["content_sha256"] == before
    assert len((folder / RESULTS_FILE).read_text().splitlines()) == 3


PROGRAM = textwrap.dedent(
    """
    import sys
    from functools import partial
    from pathlib import Path
    from tests.authn.audit.test_run import audited, job_for
    from tests.doubles.examiners import open_scripted
    source, folder, calls = map(Path, sys.argv[1:])
    audited(job_for(source, build=partial(open_scripted, delay_s=0.05, calls=calls), jobs=2), folder)
    """
)


def begin(source: Path, folder: Path, calls: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(source), str(folder), str(calls)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def wait_for_rows(folder: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    path = folder / RESULTS_FILE

    def there_are() -> bool:
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        return path.exists() and path.read_bytes().count(b"\n") >= count

    until(there_are, pause_s=0.01)


@pytest.mark.slow
def test_an_audit_that_is_killed_and_resumed_equals_one_that_was_not(tmp_path: Path) -> None:
    names = [f"p{i:02}.gif" for i in range(40)] + ["altered-1.gif", "kill-1.gif", "twin.gif"]
    source = photos(tmp_path / "in", *names)
    (source / "twin.gif").write_bytes((source / "p00.gif").read_bytes())
    (source / "empty.jpg").write_bytes(b"")
    whole = audited(job_for(source, jobs=2), tmp_path / "whole")
    folder, calls = tmp_path / "killed", tmp_path / "calls"
    for rows_before_the_kill in (1, 12, 25):
        process = begin(source, folder, calls)
        wait_for_rows(folder, rows_before_the_kill, process)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert process.stderr is not None
        process.stderr.close()
    with (folder / RESULTS_FILE).open("ab") as f:
        f.write(b'{"subject": {"name": "torn')
    resumed = audited(job_for(source, jobs=2, build=partial(open_scripted, calls=calls)), folder)
    assert content(folder) == content(tmp_path / "whole")
    without_run = {n: {k: v for k, v in r.items() if k != "run"} for n, r in resumed.items()}
    assert without_run == {n: {k: v for k, v in r.items() if k != "run"} for n, r in whole.items()}
    again = Counter(line.split()[1] for line in calls.read_text().splitlines())
    assert sum(again.values()) < 2 * len(names), "what was written was not examined again"


@pytest.mark.slow
def test_an_interrupted_audit_leaves_no_process_and_whole_rows(tmp_path: Path) -> None:
    source = photos(tmp_path / "in", *(f"p{i:03}.gif" for i in range(600)))
    folder, calls = tmp_path / "run", tmp_path / "calls"
    process = begin(source, folder, calls)
    wait_for_rows(folder, 5, process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert b"KeyboardInterrupt" in errors
    workers = {int(line.split()[0]) for line in calls.read_text().splitlines()}
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]
    lines = (folder / RESULTS_FILE).read_bytes().splitlines()
    assert 5 <= len([json.loads(line) for line in lines]) < 600
