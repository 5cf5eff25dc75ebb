"""Real workers that really die: no file may take its caller down, and the next file is examined."""

from __future__ import annotations

import io
import json
import os
import pickle
import resource
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from authn.confinement.confined import Confined
from authn.confinement.wire import MAX_TEXT_BYTES
from authn.core.errors import AuthnError, ExaminationFailed, ExaminationTimedOut, Unavailable, UnreadableMedia
from authn.core.evidence import Outcome
from authn.core.media import Media, MediaLimits, media_of, unparsed
from authn.devices import DeviceRecord, RegistryView
from authn.examine.pool import ExaminerPool
from tests.conftest import ROOT
from tests.doubles.examiners import (
    TakenOverExaminer,
    open_dying,
    open_loading,
    open_scripted,
    open_sleeping,
    open_unavailable,
)
from tests.doubles.reports import AS_OF
from tests.doubles.score_maps import score_map

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
        start = time.monotonic()
        with pytest.raises(ExaminationTimedOut, match=r"longer than 0.5 s"):
            examiner.examine(media(name))
        assert time.monotonic() - start < 5
        assert examiner.examine(media("fine.gif")).report.subject.name == "fine.gif"


def test_a_typed_error_comes_through_and_leaves_the_worker_alive() -> None:
    with Confined(_open_pid, question=str, answer=str, timeout_s=5, memory_bytes=BUDGET) as confined:
        first = confined.ask("pid")
        with pytest.raises(Unavailable, match="roots are gone"):
            confined.ask("refuse")
        assert confined.ask("pid") == first


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


def test_no_process_is_left_after_close_nor_after_an_abandoned_call() -> None:
    with Confined(_open_pid, question=str, answer=str, timeout_s=30, memory_bytes=BUDGET) as confined:
        closed = int(confined.ask("pid"))
    abandoned = Confined(_open_pid, question=str, answer=str, timeout_s=30, memory_bytes=BUDGET)
    pid = int(abandoned.ask("pid"))
    failures: list[Exception] = []

    def wait() -> None:
        try:
            abandoned.ask("sleep")
        except ExaminationFailed as e:
            failures.append(e)

    waiting = threading.Thread(target=wait)
    waiting.start()
    while not abandoned._turn.locked():
        time.sleep(0.01)
    time.sleep(0.3)
    abandoned.abandon()
    waiting.join(60)
    assert len(failures) == 1
    assert not Path(f"/proc/{closed}").exists()
    assert not Path(f"/proc/{pid}").exists()
    with pytest.raises(Unavailable, match="closed"):
        abandoned.ask("pid")


def test_closing_does_not_wait_for_a_worker_that_is_still_being_built() -> None:
    confined = Confined(open_sleeping_pid, question=str, answer=str, timeout_s=30, memory_bytes=BUDGET)
    failures: list[Unavailable] = []

    def warm() -> None:
        try:
            confined.warm()
        except Unavailable as e:
            failures.append(e)

    warming = threading.Thread(target=warm)
    warming.start()
    time.sleep(0.5)
    assert not confined.ready
    start = time.monotonic()
    confined.close()
    warming.join(10)
    assert not warming.is_alive()
    assert time.monotonic() - start < 4
    assert len(failures) == 1


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_forked_from_the_caller_gets_a_worker_of_its_own() -> None:
    with Confined(_open_pid, question=str, answer=str, timeout_s=20, memory_bytes=BUDGET) as confined:
        mine = confined.ask("pid")
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(write, confined.ask("pid").encode())
            confined.close()
            os._exit(0)
        os.waitpid(child, 0)
        theirs = os.read(read, 64).decode()
        os.close(read)
        os.close(write)
        assert theirs
        assert theirs != mine
        assert confined.ask("pid") == mine


def test_an_interpreter_that_forgets_to_close_ends_quietly_and_takes_its_worker_along() -> None:
    program = textwrap.dedent(
        """
        from tests.authn.examine.test_pool import _open_pid
        from authn.confinement.confined import Confined
        confined = Confined(_open_pid, question=str, answer=str, timeout_s=20, memory_bytes=2**29)
        print(confined.ask("pid"))
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not Path(f"/proc/{int(done.stdout)}").exists()


def test_a_worker_whose_caller_was_killed_ends_by_itself() -> None:
    program = (
        "from tests.authn.examine.test_pool import _open_pid; import os;"
        "from authn.confinement.confined import Confined;"
        "c = Confined(_open_pid, question=str, answer=str, timeout_s=20, memory_bytes=2**29);"
        "print(c.ask('pid'), flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=60, check=False
    )
    assert done.returncode == -signal.SIGKILL
    worker = Path(f"/proc/{int(done.stdout)}")
    deadline = time.monotonic() + 60
    while worker.exists() and "Z" not in worker.joinpath("stat").read_text().split(")")[1][:3]:
        assert time.monotonic() < deadline, "the orphan is still there"
        time.sleep(0.05)


def test_an_interrupt_at_the_keyboard_does_not_reach_a_worker_that_is_still_starting() -> None:
    program = (
        "from tests.authn.examine.test_pool import _open_pid, interrupt_until;"
        "from authn.confinement.confined import Confined; import signal, threading; stop = threading.Event();"
        "signal.signal(signal.SIGINT, lambda *_: None);"
        "thread = threading.Thread(target=interrupt_until, args=(stop,)); thread.start();"
        "c = Confined(_open_pid, question=str, answer=str, timeout_s=20, memory_bytes=2**29);"
        "print(c.ask('pid')); stop.set(); thread.join(); c.close()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
        start_new_session=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip().isdigit()


def open_sleeping_pid(_registry: RegistryView | None) -> _Pid:
    time.sleep(3600)
    return _Pid()


def interrupt_until(stop: threading.Event) -> None:
    while not stop.wait(0.002):
        os.killpg(0, signal.SIGINT)


def _open_pid(_registry: RegistryView | None) -> _Pid:
    return _Pid()


class _Pid:
    def __call__(self, question: str) -> str:
        if question == "refuse":
            raise Unavailable("the roots are gone")
        if question == "sleep":
            time.sleep(3600)
        return str(os.getpid())


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


class _Registry:
    """Counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def device_by_key(self, spki_sha256: str) -> DeviceRecord | None:
        self.asked.append(spki_sha256)
        if spki_sha256 == "f" * 64:
            raise Unavailable("the database is gone")
        if spki_sha256 == "0" * 64:
            return None
        return DeviceRecord(device_id="d", name="cam", spki_sha256=spki_sha256, enrolled_at=AS_OF)


def test_a_process_that_asks_about_devices_without_end_is_stopped() -> None:
    registry = _Registry()
    messages = (message("device", {"spki_sha256": "0" * 64}),) * 100
    build = partial(TakenOverExaminer, messages)
    with (
        ExaminerPool(build, timeout_s=20, memory_bytes=BUDGET, registry=registry) as examiner,
        pytest.raises(ExaminationFailed, match="not a report"),
    ):
        examiner.examine(media("fine.gif"))
    assert len(registry.asked) < 20


def test_the_registry_is_asked_in_the_callers_process_and_its_errors_come_back() -> None:
    registry = _Registry()
    with Confined(
        _AsksRegistry, question=str, answer=str, timeout_s=20, memory_bytes=BUDGET, registry=registry
    ) as confined:
        assert confined.ask("a" * 64) == "cam"
        assert confined.ask("0" * 64) == "nobody"
        with pytest.raises(Unavailable, match="the database is gone"):
            confined.ask("f" * 64)
        assert confined.ask("a" * 64) == "cam"
    assert registry.asked == ["a" * 64, "0" * 64, "f" * 64, "a" * 64]


class _AsksRegistry:
    def __init__(self, registry: RegistryView | None) -> None:
        assert registry is not None
        self._registry = registry

    def __call__(self, key: str) -> str:
        device = self._registry.device_by_key(key)
        return device.name if device else "nobody"


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
    with ExaminerPool(open_scripted, timeout_s=8, memory_bytes=BUDGET, size=3) as examiner:
        examiner.warm()
        failures: list[AuthnError] = []

        def harm(i: int) -> None:
            try:
                examiner.examine(media(f"{name}-{i}.gif"))
            except AuthnError as e:
                failures.append(e)

        hostile = [threading.Thread(target=harm, args=(i,)) for i in range(2)]
        for thread in hostile:
            thread.start()
        time.sleep(0.3)
        assert examiner.examine(media("fine.gif")).report.subject.name == "fine.gif"
        assert failures == []  # they are at it still
        for thread in hostile:
            thread.join()
        assert [type(e) for e in failures] == [ExaminationTimedOut] * 2


def test_those_that_wait_get_their_turn_in_the_order_in_which_they_came() -> None:
    build = partial(open_scripted, delay_s=0.2)
    with ExaminerPool(build, timeout_s=20, memory_bytes=BUDGET) as examiner:
        examiner.warm()
        served: list[int] = []

        def ask(i: int) -> None:
            examiner.examine(media(f"fine-{i}.gif"))
            served.append(i)

        threads = [threading.Thread(target=ask, args=(i,)) for i in range(6)]
        for i, thread in enumerate(threads):
            thread.start()
            while len(served) + (not examiner._idle) + len(examiner._waiting) <= i:
                time.sleep(0.01)
        for thread in threads:
            thread.join()
    assert served == list(range(6))


def test_an_examiner_that_a_file_has_stopped_is_replaced_before_anybody_asks() -> None:
    with ExaminerPool(open_scripted, timeout_s=20, memory_bytes=BUDGET) as examiner:
        examiner.warm()
        with pytest.raises(ExaminationFailed):
            examiner.examine(media("kill.gif"))
        deadline = time.monotonic() + 20
        while not examiner.ready:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_it_can_raise_neither_its_limit_of_time_nor_outlive_it() -> None:
    """The caller sets the limit of CPU time for every question; the hard one was set before the first."""
    with Confined(_Limits, question=str, answer=str, timeout_s=20, memory_bytes=BUDGET) as confined:
        first, hard = map(int, confined.ask("").split())
        second, same = map(int, confined.ask("burn").split())
        third, _ = map(int, confined.ask("").split())
    assert first <= second < third <= hard == same
    assert hard != resource.RLIM_INFINITY


class _Limits:
    def __init__(self, _registry: RegistryView | None) -> None:
        pass

    def __call__(self, question: str) -> str:
        until = time.process_time() + (1.5 if question else 0)
        while time.process_time() < until:
            pass
        soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
        return f"{soft} {hard}"
