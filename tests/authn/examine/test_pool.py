"""Real workers that really die: no file may take its caller down, and the next file is examined."""

from __future__ import annotations

import io
import json
import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from authn.confinement.wire import MAX_TEXT_BYTES
from authn.core.config import load_settings
from authn.core.errors import AuthnError, ExaminationFailed, ExaminationTimedOut, Unavailable, UnreadableMedia
from authn.core.evidence import Outcome
from authn.core.media import Media, MediaLimits, media_of, unparsed
from authn.examine.pool import ExaminerPool
from authn.examine.pooling import readable_paths
from tests.doubles.examiners import (
    AskedRegistry,
    TakenOverExaminer,
    open_dying,
    open_loading,
    open_scripted,
    open_sleeping,
    open_unavailable,
)
from tests.doubles.reports import AS_OF
from tests.doubles.score_maps import score_map
from tests.waiting import until

pytestmark = pytest.mark.timeless

# The smallest GIF: media_of reads its header only.
GIF = bytes.fromhex("47494638396101000100800000000000ffffff2c00000000010001000002024401003b")
BUDGET = 512 * 2**20


def media(name: str) -> Media:
    return media_of(GIF, name)


@pytest.fixture(scope="module")
def examiner() -> Iterator[ExaminerPool]:
    with ExaminerPool(open_scripted, timeout_s=3.0, memory_bytes=BUDGET) as confined:
        yield confined


def test_a_report_comes_back_whole(examiner: ExaminerPool) -> None:
    examined = examiner.examine(media("fine.gif"))
    assert examined.report.subject.name == "fine.gif"
    assert examined.report.subject.sha256 == media("x").sha256
    assert examined.preview_jpeg is None


def test_maps_come_with_the_preview_alone_and_stand_as_it_does(examiner: ExaminerPool) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    Image.new("RGB", (512, 384)).save(out, "JPEG", exif=exif)
    asked = media_of(out.getvalue(), "contradiction-placed.jpg")
    assert examiner.examine(asked).maps == ()
    examined = examiner.examine(asked, preview=True)
    assert examined.maps == (score_map().upright(6),)
    assert Image.open(io.BytesIO(examined.preview_jpeg or b"")).size == (384, 512)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("kill.gif", "SIGKILL"),
        ("segv.gif", "SIGSEGV"),
        ("exit.gif", "exit status 3"),
        ("bug.gif", "exit status 1"),
        ("eat.gif", "more memory than it may have"),
    ],
)
def test_a_file_that_ends_its_worker_is_an_error_and_the_next_file_is_examined(
    examiner: ExaminerPool, name: str, why: str
) -> None:
    with pytest.raises(ExaminationFailed, match=why) as caught:
        examiner.examine(media(name))
    assert caught.value.code == "assay.examination.failed"
    assert examiner.examine(media("fine.gif")).report.subject.name == "fine.gif"


@pytest.mark.parametrize("name", ["hang.gif", "spin.gif"])
def test_a_file_that_takes_too_long_is_stopped_and_the_next_file_is_examined(name: str) -> None:
    with ExaminerPool(open_scripted, timeout_s=0.5, memory_bytes=BUDGET) as examiner:
        examiner.warm()
        # What gets less than a fifth of a core is stopped by the clock, which says so in its own words.
        with pytest.raises(ExaminationTimedOut, match=r"longer than (0\.5 s|2\.5 s by the clock)"):
            examiner.examine(media(name))  # which would go on for ever
        examiner._all[0]._timeout_s = 120  # on a busy machine half a second is little for anybody
        assert examiner.examine(media("fine.gif")).report.subject.name == "fine.gif"


def test_an_examiner_that_cannot_be_built_says_why() -> None:
    with ExaminerPool(open_unavailable, timeout_s=1, memory_bytes=BUDGET) as examiner:
        with pytest.raises(Unavailable, match="no roots are configured"):
            examiner.warm()
        assert not examiner.ready


def test_an_examiner_that_dies_or_sleeps_while_it_is_built_does_not_block_the_caller() -> None:
    with (
        ExaminerPool(open_dying, timeout_s=1, memory_bytes=BUDGET) as examiner,
        pytest.raises(Unavailable, match="SIGKILL"),
    ):
        examiner.examine(media("fine.gif"))
    with (
        ExaminerPool(open_sleeping, timeout_s=1, memory_bytes=BUDGET, start_timeout_s=2) as examiner,
        pytest.raises(Unavailable, match="not ready after 2 s"),
    ):
        examiner.examine(media("fine.gif"))


def test_the_worker_starts_at_the_first_call_and_serves_threads_in_turn(examiner: ExaminerPool) -> None:
    lazy = ExaminerPool(open_scripted, timeout_s=5, memory_bytes=BUDGET)
    assert not lazy.ready
    names: list[str] = []

    def work(i: int) -> None:
        names.append(lazy.examine(media(f"fine-{i}.gif")).report.subject.name)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(names) == [f"fine-{i}.gif" for i in range(8)]
    assert lazy.ready
    lazy.close()
    assert not lazy.ready


@pytest.mark.slow
def test_what_the_first_picture_loads_counts_against_no_file() -> None:
    """The first examination takes longer and more than a file may, as an import of torch does."""
    build = partial(open_loading, load_bytes=3 * BUDGET // 4, load_s=5.0)
    with ExaminerPool(build, timeout_s=4.0, memory_bytes=BUDGET) as examiner:
        assert examiner.examine(media("fine.gif")).report.subject.name == "fine.gif"
        assert examiner.examine(media("needs-much.gif")).report.subject.name == "needs-much.gif"


def message(kind: str, value: object, frames: tuple[int, ...] = ()) -> bytes:
    return json.dumps({"kind": kind, "value": value, "frames": frames}).encode()


@pytest.mark.parametrize(
    "messages",
    [
        (pickle.dumps(Path("/")),),
        (b"",),
        (b"\xff" * 100,),
        (b"[" * 200_000,),
        (b"x" * (MAX_TEXT_BYTES + 1),),
        (message("answer", None),),
        (message("answer", {"report": {}, "preview_jpeg": None, "maps": [], "digests": None}),),
        (message("ready", {"holds": []}),),
        (message("rm", None),),
        (message("refused", {"code": "assay.access.credentialsRefused", "detail": "you are let in"}),),
        (message("refused", {"code": "assay.log.halted", "detail": "stop"}),),
        (message("refused", {"code": "assay.media.unreadable", "detail": 1}),),
        (message("refused", {"code": "assay.media.unreadable", "detail": "x", "exit_code": 1}),),
        (message("answer", None, (2**40,)),),
        (message("answer", None, (-1,)),),
        (message("answer", None, (1,) * 9),),
        (message("answer", None, (5,)), b"four"),
        (message("device", {"spki_sha256": "../../pki"}),),
        (message("device", {"spki_sha256": "0" * 64}),),
    ],
    ids=[
        "pickle", "nothing", "no text", "deep", "large", "no answer", "no report", "another kind", "no kind",
        "an error that grants", "an error that halts", "an error of numbers", "an error with more",
        "huge frame", "negative frame", "many frames", "short frame", "no key", "no registry",
    ],
)  # fmt: skip
def test_an_answer_that_is_no_report_is_a_failed_examination_and_nothing_else(
    messages: tuple[bytes, ...],
) -> None:
    with (
        ExaminerPool(partial(TakenOverExaminer, messages), timeout_s=20, memory_bytes=BUDGET) as examiner,
        pytest.raises(ExaminationFailed, match="not a report"),
    ):
        examiner.examine(media("fine.gif"))
    assert Outcome.ESTABLISHED.value == "established"


def test_a_process_that_asks_about_devices_without_end_is_stopped() -> None:
    registry = AskedRegistry()
    messages = (message("device", {"spki_sha256": "0" * 64}),) * 100
    build = partial(TakenOverExaminer, messages)
    with (
        ExaminerPool(build, timeout_s=20, memory_bytes=BUDGET, registry=registry) as examiner,
        pytest.raises(ExaminationFailed, match="not a report"),
    ):
        examiner.examine(media("fine.gif"))
    assert len(registry.asked) < 20


@pytest.mark.parametrize("name", ["lies-sha256.gif", "lies-name.gif", "lies-time.gif"])
def test_a_report_on_something_else_is_a_failed_examination(examiner: ExaminerPool, name: str) -> None:
    with pytest.raises(ExaminationFailed, match="a report on something else"):
        examiner.examine(media(name), as_of=AS_OF)


def test_the_report_says_what_held_the_process_and_the_process_cannot(examiner: ExaminerPool) -> None:
    confinement = examiner.examine(media("boasts.gif")).report.run.confinement
    assert confinement == examiner.holds
    assert [h.name for h in confinement or ()][:2] == ["no_new_privs", "capabilities"]


def test_a_header_is_read_in_the_process_and_what_it_says_comes_back() -> None:
    """Not here: a parser of headers is a parser. Over the limit there is a report without a picture."""
    limits = MediaLimits(max_pixels=10)
    wide = Image.new("L", (100, 1))
    out = io.BytesIO()
    wide.save(out, "TIFF")
    with ExaminerPool(open_scripted, timeout_s=20, memory_bytes=BUDGET, limits=limits) as examiner:
        large = examiner.examine(unparsed(out.getvalue(), "wide.tif"), preview=True)
        small = examiner.examine(unparsed(GIF, "fine.gif"), preview=True)
        with pytest.raises(UnreadableMedia, match="is cut"):
            examiner.examine(unparsed(b"II*\0" + bytes(20), "cut.tif"))
    assert (large.report.subject.width, large.report.subject.height, large.preview_jpeg) == (100, 1, None)
    assert (small.report.subject.width, small.report.subject.height) == (1, 1)
    assert small.preview_jpeg is not None


@pytest.mark.parametrize("name", ["spin", "hang"])
def test_two_hostile_files_leave_a_third_examiner_to_others(name: str) -> None:
    failures: list[AuthnError] = []
    with ExaminerPool(open_scripted, timeout_s=120, memory_bytes=BUDGET, size=3) as examiner:
        examiner.warm()

        def harm(i: int) -> None:
            try:
                examiner.examine(media(f"{name}-{i}.gif"))
            except AuthnError as e:
                failures.append(e)

        hostile = [threading.Thread(target=harm, args=(i,)) for i in range(2)]
        for thread in hostile:
            thread.start()
        until(lambda: examiner.occupied[1] == 2)
        assert examiner.examine(media("fine.gif")).report.subject.name == "fine.gif"
        assert failures == []  # they are at it still
    for thread in hostile:
        thread.join()
    assert len(failures) == 2, "the end of the service is theirs too"


def test_those_that_wait_get_their_turn_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    build = partial(open_scripted, delay_s=0.2, calls=tmp_path / "calls")
    with ExaminerPool(build, timeout_s=20, memory_bytes=BUDGET) as examiner:
        examiner.warm()
        served: list[int] = []

        def ask(i: int) -> None:
            examiner.examine(media(f"fine-{i}.gif"))
            served.append(i)

        def has_come(count: int) -> bool:
            return len(served) + (not examiner._idle) + len(examiner._waiting) >= count

        threads = [threading.Thread(target=ask, args=(i,)) for i in range(6)]
        for i, thread in enumerate(threads):
            thread.start()
            until(partial(has_come, i + 1))
        for thread in threads:
            thread.join()
    names = [line.split()[1] for line in (tmp_path / "calls").read_text().splitlines()]
    assert names == [f"fine-{i}.gif" for i in range(6)]


def test_small_files_are_looked_at_one_after_the_other_where_there_is_one_core(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the process that was the last to work, which such a report says in ``elapsed_ms``."""
    monkeypatch.setattr("authn.examine.pool.HEAD_START_S", 60.0)
    build = partial(open_scripted, delay_s=0.2)
    with ExaminerPool(build, timeout_s=20, memory_bytes=BUDGET, size=2, at_once=1) as examiner:
        examiner.warm()
        with ThreadPoolExecutor(4) as threads:
            examined = list(threads.map(lambda i: examiner.examine(media(f"fine-{i}.gif")), range(4)))
    assert len({e.report.run.elapsed_ms for e in examined}) == 1


def test_a_file_that_takes_long_does_not_keep_the_only_core_for_itself() -> None:
    """Nor what more workers than cores leave to one of them, which is none."""
    with ExaminerPool(open_scripted, timeout_s=120, memory_bytes=BUDGET, size=2, at_once=0) as examiner:
        examiner.warm()
        failures: list[AuthnError] = []

        def hang() -> None:
            try:
                examiner.examine(media("hang.gif"))
            except AuthnError as e:
                failures.append(e)

        hanging = threading.Thread(target=hang)
        hanging.start()
        until(lambda: examiner.occupied[1])
        assert examiner.examine(media("fine.gif")).report.subject.name == "fine.gif"
        assert failures == []  # it is at it still
        for one in examiner._all:
            one.abandon()
    hanging.join()


def test_an_examiner_that_a_file_has_stopped_is_replaced_before_anybody_asks() -> None:
    with ExaminerPool(open_scripted, timeout_s=20, memory_bytes=BUDGET) as examiner:
        examiner.warm()
        with pytest.raises(ExaminationFailed):
            examiner.examine(media("kill.gif"))
        until(lambda: examiner.ready)


@pytest.mark.parametrize("setting", ["ASSAY_SEMANTIC_ENCODER", "ASSAY_RECAPTURE_WEIGHTS"])
def test_of_what_a_setting_names_only_a_file_is_readable_as_weights(tmp_path: Path, setting: str) -> None:
    (tmp_path / "encoder.onnx").write_bytes(b"another")
    (tmp_path / "loop.onnx").symlink_to(tmp_path / "loop.onnx")
    for name, readable in (
        ("encoder.onnx", True),
        ("loop.onnx", False),
        ("missing.onnx", False),
        (".", False),
    ):
        settings = load_settings(environ={setting: str(tmp_path / name)}, home=tmp_path)
        assert (tmp_path / name in readable_paths(settings)) is readable, name
