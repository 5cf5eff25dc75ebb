"""Anybody's detectors on anybody's pictures: what they say counts once, what they cannot say is a row."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from detector.core.errors import CorpusError, OptionRefused
from detector.core.metrics import auc
from detector.core.progress import silent
from detector.lab.benchmark import processes
from detector.lab.benchmark.asking import Command, Detector, Function
from detector.lab.benchmark.groups import left_out_llrs, mean_auc, places, threshold
from detector.lab.benchmark.run import NUMBERS, PAGE, run_benchmark
from detector.lab.benchmark.said import Opinion, Outcome, Said, Unit, failed, heard
from detector.lab.benchmark.tables import read_given
from detector.lab.benchmark.views import VIEWS, Shown, file_in_view, opened
from detector.lab.trial.pictures import Pictures, gather
from detector.pixels.decode import Pixels, decode
from tests.conftest import ROOT
from tests.detector.made import encoded, photo_like

SIDE = 64


def scene(seed: int, brightness: int = 0) -> Pixels:
    """Blocks of its own, so that no two look alike, brighter or darker as a whole."""
    rng = np.random.default_rng(seed)
    blocks = np.kron(rng.integers(20, 170, (9, 11, 1)), np.ones((10, 10, 3)))
    return np.clip(blocks + photo_like(90, 110, seed) / 8 + brightness, 0, 255).astype(np.uint8)


def put(folder: Path, seeds: Sequence[int], brightness: int = 0, kind: str = "PNG", **how: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        (folder / f"{seed}.{kind.lower()}").write_bytes(encoded(scene(seed, brightness), kind, **how))


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Two cameras; a generator that paints brightly and one that does not."""
    real, fake = tmp_path / "real", tmp_path / "fake"
    put(real / "camera a", range(12))
    put(real / "camera b", range(20, 28))
    put(fake / "bright", range(40, 50), brightness=70)
    put(fake / "plain", range(60, 70))
    return real, fake


class Brightness:
    """A detector in this process, so that a benchmark has something to measure in no time."""

    name, what, unit, identity = "mean", "the mean of all pixels", Unit.SCORE, "mean 1"

    def __init__(self, deaf: Callable[[float], bool] = lambda mean: False) -> None:
        self.asked: list[str] = []
        self._deaf = deaf

    def ask(self, shown: Shown, path: Path) -> Said:
        assert path.read_bytes() == shown.data
        assert not {"fake", "bright", "plain", shown.picture} & {*path.parts, path.stem}
        self.asked.append(shown.picture)
        mean = float(decode(shown.data, shown.media_type).mean())
        return failed("not this one") if self._deaf(mean) else heard(str(mean), Unit.SCORE)

    def close(self) -> None:
        pass


def command(template: str, name: str = "mean", unit: Unit = Unit.SCORE, seconds: float = 60) -> Command:
    return Command(name=name, template=template, unit=unit, seconds=seconds)


def run(
    folders: tuple[Path, Path], out: Path, *detectors: Detector, views: Sequence[str] = ("laundered",),
    side: int = SIDE, taught: dict[str, Path] | None = None, with_leaks: bool = False,
) -> str:  # fmt: skip
    pictures: Pictures = gather(*folders, report=silent)
    return run_benchmark(
        pictures,
        detectors,
        out,
        views=views,
        side=side,
        taught=taught or {},
        with_leaks=with_leaks,
        report=silent,
    )


def figures(out: Path) -> dict[str, object]:
    return json.loads((out / NUMBERS).read_text())["figures"][0]  # type: ignore[no-any-return]


def test_a_program_is_measured_group_by_group_and_its_page_is_the_same_bytes_again(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    short = run(folders, first, Brightness(), views=("laundered", "half"))
    run(folders, second, Brightness(), views=("laundered", "half"))
    for name in (PAGE, NUMBERS):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    rows = {g["name"]: g for g in figures(first)["groups"]}  # type: ignore[attr-defined]
    assert rows["bright"]["auc"]["value"] == 1
    assert rows["bright"]["recall"] == 1
    assert 0.2 < rows["plain"]["auc"]["value"] < 0.8
    assert figures(first)["auc"]["value"] == pytest.approx(  # type: ignore[index]
        (rows["bright"]["auc"]["value"] + rows["plain"]["auc"]["value"]) / 2, abs=1e-5
    )
    page = (first / PAGE).read_text()
    assert "No leak was found" in page
    assert page.count("<svg") == 6
    assert "the mean of all pixels" in page
    assert str(tmp_path) not in page
    assert short.startswith("mean, laundered: mean AUC ")


def test_an_interrupted_benchmark_asks_only_what_it_has_not_heard(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    run(folders, tmp_path / "out", Brightness())
    lines = (tmp_path / "out" / "answers.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "out" / "answers.jsonl").write_text("".join(lines[:30]) + lines[30][:20])
    again, other = Brightness(), Brightness()
    run(folders, tmp_path / "out", again)
    assert len(again.asked) == 10
    other.identity = "mean 2"
    run(folders, tmp_path / "out", other)
    assert len(other.asked) == 40, "what another version said counts for nothing"


def test_what_a_command_line_names_is_part_of_what_it_is(tmp_path: Path) -> None:
    script = tmp_path / "detector.py"
    script.write_text("print(1)")
    before = command(f"{sys.executable} {script} {{path}}").identity
    script.write_text("print(2)")
    assert command(f"{sys.executable} {script} {{path}}").identity != before


@pytest.mark.parametrize(
    ("body", "unit", "why"),
    [
        ("raise SystemExit('no weights')", "score", "exit status 1: no weights"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "score", "ended by signal 11"),
        ("import time; time.sleep(60)", "score", "no answer within 0.5 seconds"),
        ("pass", "score", "it printed nothing"),
        ("print('probably fake')", "score", "neither a number nor a JSON object"),
        ("print('nan')", "score", "no finite number"),
        ("print(87.5)", "probability", "87.5, which is no probability"),
        ("print('{\"opinion\": \"fake\", \"score\": 1}')", "score", "the opinion 'fake'"),
        ("print('{\"p\": 1}')", "score", "no number called score"),
        ("print('[' * 60000)", "score", "neither a number"),
        ("print('1' * 70000)", "score", "more than 65536 bytes"),
    ],
)  # fmt: skip
def test_whatever_a_program_does_instead_of_answering_is_a_failure_with_its_reason(
    body: str, unit: str, why: str, tmp_path: Path
) -> None:
    script = tmp_path / "detector.py"
    script.write_text(body)
    seconds = 0.5 if "sleep" in body else 60
    one = command(f"{sys.executable} {script} {{path}}", unit=Unit(unit), seconds=seconds)
    shown = file_in_view(opened(encoded(scene(1), "PNG"), "image/png", "0" * 64), "laundered", SIDE)
    said = one.ask(shown, tmp_path / "picture.jpg")
    assert said.outcome is Outcome.FAILED
    assert said.score is None
    assert said.llr is None
    assert why in said.reason


def test_failures_are_counted_beside_the_figures_and_against_the_detector_at_worst(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    run(folders, tmp_path / "out", Brightness(deaf=lambda mean: int(mean * 1000) % 3 == 0))
    found = figures(tmp_path / "out")
    lacking = sum(g["failed"] for g in found["groups"])  # type: ignore[attr-defined]
    assert 0 < lacking < 40
    assert found["auc_at_worst"] < found["auc"]["value"]  # type: ignore[index,operator]


def test_a_program_that_says_all_and_does_not_end_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time it has passes once its outputs are closed, however long it takes to start."""
    passed = [0.0]
    clock = SimpleNamespace(
        monotonic=lambda: time.monotonic() + passed[0],
        sleep=lambda _: passed.append(passed.pop() + 3600),
    )
    monkeypatch.setattr(processes, "time", clock)
    script = tmp_path / "detector.py"
    script.write_text("import os; os.close(1); os.close(2); import time; time.sleep(600)")
    one = command(f"{sys.executable} {script} {{path}}", unit=Unit.SCORE, seconds=600)
    shown = file_in_view(opened(encoded(scene(1), "PNG"), "image/png", "0" * 64), "laundered", SIDE)
    said = one.ask(shown, tmp_path / "picture.jpg")
    assert (said.outcome, said.score) == (Outcome.FAILED, None)
    assert "did not end within 600 seconds" in said.reason


def test_a_function_goes_on_after_a_crash_and_may_print_what_it_likes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(
        "import os\nprint('loaded')\n"
        "def score(path):\n    print('looking')\n    size = os.stat(path).st_size\n"
        "    if size == LONGEST: raise ValueError('too long')\n    return {'score': size}\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    shown = [
        file_in_view(opened(encoded(scene(n), "PNG"), "image/png", "0" * 64), "laundered", SIDE)
        for n in range(4)
    ]
    longest = max(len(s.data) for s in shown)
    source = (tmp_path / "mine.py").read_text()
    (tmp_path / "mine.py").write_text(source.replace("LONGEST", str(longest)))
    mine = Function(name="mine", target="mine:score", unit=Unit.SCORE, seconds=60)
    for one in shown:
        (tmp_path / "picture.jpg").write_bytes(one.data)
        said = mine.ask(one, tmp_path / "picture.jpg")
        if len(one.data) == longest:
            assert said.reason == "it ended with exit status 1: ValueError: too long"
        else:
            assert said.score == len(one.data)
    mine.close()


def test_a_table_of_scores_is_a_detector_and_what_it_lacks_is_a_failure(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    pictures = gather(*folders, report=silent).pictures
    lines = [f"{p.sha256},{0.9 if p.fake else 0.2}" for p in pictures[:-3]]
    table = tmp_path / "scores.csv"
    table.write_text("\n".join(["sha256,score", *lines]) + f"\n{pictures[-3].sha256},high\n")
    given = read_given(table, name="theirs", unit=Unit.PROBABILITY)
    run(folders, tmp_path / "out", given, views=("stored",), with_leaks=True)
    found = figures(tmp_path / "out")
    assert sum(g["failed"] for g in found["groups"]) == 3  # type: ignore[attr-defined]
    expected = (math.log2(1 + 0.1 / 0.9) + math.log2(1 + 0.2 / 0.8)) / 2
    assert found["cllr_given"]["value"] == pytest.approx(expected, abs=1e-5)  # type: ignore[index]
    for text, why in (
        ("sha256\n", "lacks the columns score"),
        ("sha256,score\nabc,1\n", "line 2: 'abc' is no SHA-256"),
        (f"sha256,score\n{'0' * 64},1\n{'0' * 64},2\n", "line 3: a picture of a line before"),
        (f"sha256,score,view\n{'0' * 64},1,small\n", "no view is called 'small'"),
    ):
        table.write_text(text)
        with pytest.raises(CorpusError, match=why):
            read_given(table, name="theirs", unit=Unit.SCORE)


def leaks_of(folders: tuple[Path, Path], tmp_path: Path, **how: object) -> str:
    """What the run is refused for; nothing was asked."""
    with pytest.raises(CorpusError) as caught:
        run(folders, tmp_path / "out", Brightness(), **how)  # type: ignore[arg-type]
    assert not (tmp_path / "out" / "answers.jsonl").exists()
    assert not (tmp_path / "out" / PAGE).exists()
    return caught.value.detail


def test_a_codec_that_tells_the_label_is_a_leak_of_the_stored_view_alone(tmp_path: Path) -> None:
    real, fake = tmp_path / "real", tmp_path / "fake"
    put(real / "a", range(30), kind="JPEG", quality=90)
    put(fake / "b", range(40, 70), kind="PNG")
    found = leaks_of((real, fake), tmp_path, views=("stored", "laundered"))
    assert "stored: format alone tells the label: AUC 1.00" in found
    assert "laundered:" not in found
    short = run((real, fake), tmp_path / "leaky", Brightness(), views=("stored",), with_leaks=True)
    assert short.startswith("LEAK stored: ")
    assert "Leaks: figures below may measure these instead" in (tmp_path / "leaky" / PAGE).read_text()
    run((real, fake), tmp_path / "clean", Brightness(), views=("laundered", "matched"))


def test_tables_size_and_metadata_that_tell_the_label_are_leaks(tmp_path: Path) -> None:
    real, fake = tmp_path / "real", tmp_path / "fake"
    exif = Image.Exif()
    exif[0x0110] = "A camera"
    put(real / "a", range(30), kind="JPEG", quality=92, exif=exif.tobytes())
    put(fake / "b", range(40, 70), kind="JPEG", quality=75)
    (fake / "b").joinpath("large.jpg").write_bytes(encoded(np.tile(scene(99), (2, 2, 1)), "JPEG", quality=75))
    found = leaks_of((real, fake), tmp_path, views=("stored",))
    assert "luminance table alone" in found
    assert "metadata alone" in found
    for path in (fake / "b").iterdir():
        path.write_bytes(
            encoded(np.array(Image.open(path))[:80, :80], "JPEG", quality=92, exif=exif.tobytes())
        )
    found = leaks_of((real, fake), tmp_path, views=("stored",))
    assert "luminance table" not in found
    assert "metadata" not in found
    assert "shorter side alone" in found
    assert "aspect ratio alone" in found


def test_twins_across_labels_or_groups_are_leaks(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    (folders[1] / "plain" / "again.jpg").write_bytes(encoded(scene(3), "JPEG", quality=95))
    (folders[0] / "camera b" / "again.jpg").write_bytes(encoded(scene(4), "JPEG", quality=95))
    found = leaks_of(folders, tmp_path)
    assert "pairs look alike, one called real and one generated" in found
    assert "pairs look alike, in two groups of one class" in found


def test_one_source_under_two_names_is_a_leak(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    put(folders[0] / "Camera-A", range(80, 86))
    assert "one group spelt otherwise: Camera-A, camera a" in leaks_of(folders, tmp_path)
    (folders[0] / "Camera-A").rename(folders[1] / "camera b")
    assert "one group in both classes: camera b" in leaks_of(folders, tmp_path)


def test_what_a_detector_was_fitted_on_is_a_leak(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    first = gather(*folders, report=silent).pictures[0]
    (tmp_path / "taught.txt").write_text(f"{'ab' * 32}\n{first.sha256}\n")
    found = leaks_of(folders, tmp_path, taught={"mean": tmp_path / "taught.txt"})
    assert f"1 pictures are among those that mean was fitted on: {first.name}" in found
    with pytest.raises(OptionRefused, match="no detector is called other"):
        run(folders, tmp_path / "out", Brightness(), taught={"other": tmp_path / "taught.txt"})


def test_odd_pictures_are_named_and_take_nothing_down(folders: tuple[Path, Path], tmp_path: Path) -> None:
    small, odd = folders[0] / "camera a", folders[1] / "plain"
    (small / "tiny.png").write_bytes(encoded(scene(90)[: SIDE - 1, :], "PNG"))
    (small / "torn.jpg").write_bytes(encoded(scene(91), "JPEG")[:400])
    (odd / "grey.png").write_bytes(encoded(scene(92)[..., 0], "PNG"))
    alpha = np.dstack([scene(93), np.full((90, 110, 1), 128, np.uint8)])
    (odd / "alpha.png").write_bytes(encoded(alpha, "PNG"))
    run(folders, tmp_path / "out", Brightness())
    numbers = json.loads((tmp_path / "out" / NUMBERS).read_text())
    assert [s["path"] for s in numbers["not_measured"]] == ["real/camera a/torn.jpg"]
    assert len(numbers["views"]["laundered"]["cannot_show"]) == 2
    assert {g["name"]: g["n"] for g in numbers["figures"][0]["groups"]} == {
        "bright": 10, "camera a": 12, "camera b": 8, "plain": 11,
    }  # fmt: skip


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_is_decided_by_the_picture_and_shows_one_size_for_all(view: str) -> None:
    shown = [
        file_in_view(opened(encoded(picture, kind), f"image/{kind.lower()}", digest * 64), view, SIDE)
        for picture, kind, digest in (
            (scene(5), "PNG", "1"), (scene(5), "PNG", "1"), (np.tile(scene(6), (1, 3, 1)), "JPEG", "2"),
        )
    ]  # fmt: skip
    assert shown[0] == shown[1]
    if view not in ("stored", "matched"):
        sizes = {decode(s.data, s.media_type).shape for s in shown}
        assert len(sizes) == 1
        assert len({s.media_type for s in shown}) == 1


def test_figures_weigh_groups_not_pictures() -> None:
    rng = np.random.default_rng(1)
    real = [rng.normal(0, 1, 500), rng.normal(2, 1, 5)]
    fake = [rng.normal(1, 1, 50), rng.normal(3, 1, 7)]
    by_hand = np.mean([auc(r, f) for f in fake for r in real])
    assert mean_auc(real, fake) == pytest.approx(by_hand)
    assert places([np.array([1.0, 1.0])], np.array([1.0])) == pytest.approx([0.5])
    at = threshold([np.arange(100.0), np.full(3, 1000.0)], 0.5)
    assert at == 99.0, "half of the weight are the three of the second group"
    assert threshold([np.zeros(10)], 0.02) == 0.0, "all tie: none lies above"


def test_ratios_are_fitted_without_the_group_that_they_are_for() -> None:
    rng = np.random.default_rng(2)
    real = [rng.normal(0, 1, 80) for _ in range(3)]
    odd = rng.normal(-4, 1, 80)  # of a generator whose pictures score below all real ones
    good = [rng.normal(3, 1, 80) for _ in range(2)]
    found = left_out_llrs(real, [*good, odd])
    assert found is not None
    assert found[1][2].mean() < -2, "the line that knew only the others is confident, and wrong"
    assert left_out_llrs(real, [odd]) is None


def test_a_probability_is_read_as_no_surer_than_one_in_a_million() -> None:
    for text, llr in (
        ("0.5", 0.0),
        ("1", math.log(1e6 - 1)),
        ("0", -math.log(1e6 - 1)),
        ("0.9", math.log(9)),
    ):
        assert heard(text, Unit.PROBABILITY).llr == pytest.approx(llr)
    assert heard("3.5", Unit.SCORE).llr is None
    said = heard('loading\n{"score": -2, "opinion": "real"}\n', Unit.LOG_ODDS)
    assert (said.score, said.llr, said.opinion) == (-2, -2, Opinion.REAL)
    assert heard('{"abstain": "too small"}', Unit.SCORE).outcome is Outcome.ABSTAINED


def test_a_command_that_cannot_work_is_refused_before_anything_is_asked() -> None:
    for template, why in (("cnn --picture", "has no {path}"), ("cnn '{path}", "cannot be read")):
        with pytest.raises(OptionRefused, match=why.replace("{", r"\{")):
            command(template)
    with pytest.raises(OptionRefused, match="no module:function"):
        Function(name="x", target="os.system('x')", unit=Unit.SCORE, seconds=1)


def test_the_published_table_says_what_the_published_figures_say() -> None:
    figures = json.loads((ROOT / "docs/benchmark/benchmark.json").read_text("utf-8"))["figures"]
    page = (ROOT / "docs/laboratory.md").read_text("utf-8")
    for detector in {f["detector"] for f in figures}:
        row = next(line for line in page.splitlines() if line.startswith(f"| `{detector}`") and "[" in line)
        for cell, figure in zip(
            row.split("|")[2:], (f for f in figures if f["detector"] == detector), strict=False
        ):
            e = figure["auc"]
            said = "none" if e is None else f"{e['value']:.3f} [{e['low']:.3f}, {e['high']:.3f}]"
            assert said.replace("0.", ".") in cell, (detector, figure["view"])
