"""From pictures to a folder with a generator, and what can be asked of that folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from detector.core.errors import CorpusError, FileFailed, FolderTaken, ModelUnavailable, OptionRefused
from detector.core.lines import read_points
from detector.data.splits import Split
from detector.generators.source import ImageSource, pixels_digest
from detector.zoo.export import MANIFEST, export_pictures, save_pictures
from detector.zoo.fitting.budget import Budget
from detector.zoo.fitting.checkpoint import read_log
from detector.zoo.fitting.device import choose_device
from detector.zoo.judging import features
from detector.zoo.judging.assess import assess, quality_text, write_quality
from detector.zoo.runs import Wanted, about_run, assess_run, export_run, fit_run
from detector.zoo.sheet import plot_losses, plot_progress, sheet_of
from detector.zoo.sources.data import Data, open_source
from detector.zoo.store import open_family
from tests.detector.made import encoded
from tests.detector.zoo.test_sources import scene

SMALL = Wanted(family="dcgan", side=16, width=8, batch=16)
PLOTS = {"loss.png", "sheet.png", "spectra.png"}


def silent(_what: str, _done: int, _total: int) -> None:
    pass


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Data:
    folder = tmp_path_factory.mktemp("photos")
    for n in range(14):
        (folder / f"{n:02d}.jpg").write_bytes(encoded(scene(96, 128, n), "JPEG", quality=90))
    return Data(name=str(folder))


@pytest.fixture(scope="module")
def run(photos: Data, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "dcgan"
    fit_run(SMALL, photos, folder, Budget(steps=120), seed=0)
    return folder


def test_a_fit_leaves_weights_card_logs_and_plots(run: Path) -> None:
    names = {p.name for p in run.iterdir()}
    assert names >= {"card.json", "weights.safetensors", "log.jsonl"} | PLOTS
    assert not [n for n in names if n.endswith(".part")]
    # Watching may take a share of the time only, so a short fit may end before anything could be watched.
    assert {p["steps"] for p in read_points(run / "watch.jsonl")} <= {50, 100, 120}
    for name in PLOTS:
        with Image.open(run / name) as image:
            assert image.width > 300


def test_watching_changes_no_weight(run: Path, photos: Data) -> None:
    """The same fit without anybody watching ends in the same bits."""
    from detector.generators import make_family
    from detector.zoo.fitting.fit import fit

    source = open_source(photos.name, 16, seed=0, split=Split.TRAIN)
    family = make_family("dcgan", seed=0, side=16, width=8, batch=16)
    fit(family, source, Budget(steps=120), seed=0)
    watched = open_family(run).family.state_dict()
    assert all((watched[k] == v).all() for k, v in family.state_dict().items())


def test_a_finished_run_is_only_drawn_again(run: Path, photos: Data) -> None:
    before = (run / "weights.safetensors").read_bytes(), read_points(run / "watch.jsonl")
    (run / "loss.png").unlink()
    fit_run(SMALL, photos, run, Budget(steps=120), seed=0)
    assert ((run / "weights.safetensors").read_bytes(), read_points(run / "watch.jsonl")) == before
    assert (run / "loss.png").is_file()


def test_quality_is_written_beside_the_weights_and_says_what_it_measured(run: Path, photos: Data) -> None:
    found = assess_run(run, photos, count=40, seed=1)
    stored = json.loads((run / "quality.json").read_text())
    assert stored["weights_sha256"] == about_run(open_family(run))["weights_sha256"]
    assert len(stored["measures"]) == len(found.measures)
    values = {(m.name, m.space): m for m in found.measures}
    assert values["spectrum distance, dB", "luminance"].value is not None
    frechet = values["FD", "pixels-16"]
    assert frechet.value is None
    assert "biased" in frechet.not_examined
    assert "FID" not in quality_text(found)


def test_quality_against_other_pictures_than_those_of_the_fit_is_refused(run: Path, tmp_path: Path) -> None:
    for n in range(8):
        (tmp_path / f"{n}.png").write_bytes(encoded(scene(96, 128, 50 + n), "PNG"))
    with pytest.raises(CorpusError, match="was fitted on"):
        assess_run(run, Data(name=str(tmp_path)), count=40, seed=0)


def test_a_folder_without_a_generator_is_refused(tmp_path: Path, photos: Data) -> None:
    with pytest.raises(ModelUnavailable, match="no generator"):
        assess_run(tmp_path, photos, count=40, seed=0)


def some(n: int, seed: int, side: int = 16) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


def source(n: int, seed: int) -> ImageSource:
    return ImageSource(name="made", images=some(n, seed))


def test_without_the_feature_package_its_measures_are_not_examined_and_the_others_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(features, "PACKAGE", "no_such_package_at_all")
    found = assess(some(40, 0), source(80, 1), source(40, 2), seed=0, report=silent)
    missing = [m for m in found.measures if m.space == "mobilenet-v2"]
    assert len(missing) == 7
    assert all(m.value is None and "feature package missing" in m.not_examined for m in missing)
    assert all(m.value is not None for m in found.measures if m.space == "pixels-16" and m.name != "FD")


def test_copies_of_training_pictures_are_named_by_their_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "PACKAGE", "no_such_package_at_all")
    train, samples = source(300, 1), some(40, 0)
    samples[[5, 11]] = train.images[[70, 299]]
    found = assess(samples, train, source(40, 2), seed=0, report=silent)
    assert {(c.sample, c.train) for c in found.near_copies} == {(5, 70), (11, 299)}


def test_a_report_can_be_read_back_and_holds_no_number_that_json_does_not_know(tmp_path: Path) -> None:
    found = assess(some(24, 0), source(24, 1), source(24, 2), seed=0, report=silent)
    write_quality(found, {"family": "made"}, tmp_path / "q.json")
    assert json.loads((tmp_path / "q.json").read_text())["n_generated"] == 24


def test_exported_pictures_are_the_pictures_and_their_names_and_digests_are_stable(tmp_path: Path) -> None:
    images = some(3, 0)
    first = export_pictures(images, tmp_path / "a", about={"family": "made"})
    again = export_pictures(images, tmp_path / "b", about={"family": "made"})
    assert first == again
    manifest = json.loads((tmp_path / "a" / MANIFEST).read_text())
    assert [f["name"] for f in manifest["files"]] == ["000000.png", "000001.png", "000002.png"]
    assert manifest["pixels_sha256"] == pixels_digest(images)
    for n, row in enumerate(manifest["files"]):
        with Image.open(tmp_path / "a" / row["name"]) as image:
            assert (np.asarray(image) == images[n]).all()


def test_an_export_never_mixes_with_what_is_there(tmp_path: Path) -> None:
    export_pictures(some(2, 0), tmp_path / "a", about={})
    with pytest.raises(FolderTaken, match="exists"):
        export_pictures(some(2, 1), tmp_path / "a", about={})
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_run_is_exported_with_the_pictures_it_was_fitted_on(
    run: Path, photos: Data, tmp_path: Path
) -> None:
    written = dict(export_run(run, tmp_path / "out", count=5, seed=2, data=photos))
    assert set(written) == {tmp_path / "out" / "real", tmp_path / "out" / "generated"}
    manifest = json.loads((tmp_path / "out" / "generated" / MANIFEST).read_text())
    assert manifest["pixels_sha256"] == pixels_digest(open_family(run).sample(5, 2))
    assert manifest["seed"] == 2


def test_a_sheet_shows_every_picture_in_reading_order_without_smoothing() -> None:
    images = some(5, 0, side=32)
    sheet = sheet_of(images, columns=3)
    assert sheet.shape == (2 * 66 + 2, 3 * 66 + 2, 3)
    fourth = sheet[68:132, 2:66]
    assert (fourth[::2, ::2] == images[3]).all()
    assert (fourth[1::2, 1::2] == images[3]).all()
    assert (sheet[68:132, 134:] == 255).all(), "the place after the last picture stays empty"


def test_plots_of_nothing_are_no_files(tmp_path: Path) -> None:
    plot_losses([], tmp_path / "loss.png", title="")
    plot_progress([], tmp_path / "progress.png", title="")
    assert list(tmp_path.iterdir()) == []


def test_a_point_that_a_crash_cut_short_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "watch.jsonl").write_text('{"steps": 1.0}\n{"steps": 2.0}\n{"ste')
    assert read_points(tmp_path / "watch.jsonl") == [{"steps": 1.0}, {"steps": 2.0}]


def test_auto_is_the_cpu_where_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert choose_device("auto") == "cpu"
    assert choose_device("cuda") == "cuda"


def test_a_torn_log_is_read_up_to_the_tear(tmp_path):
    (tmp_path / "log.jsonl").write_bytes(b'{"steps": 1}\n\xff\xfe{')
    (tmp_path / "watch.jsonl").write_bytes(b'{"steps": 1}\n\xff\xfe{')
    assert read_log(tmp_path) == [{"steps": 1}]
    assert read_points(tmp_path / "watch.jsonl") == [{"steps": 1.0}]


def test_more_pictures_than_fit_into_memory_are_refused_before_they_are_drawn(run):
    with pytest.raises(OptionRefused, match="draw fewer"):
        open_family(run).sample(10**9, 0)


@pytest.mark.parametrize(
    "broken", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["full", "interrupted"]
)
def test_pictures_that_were_not_written_to_the_end_leave_no_file(broken, tmp_path, monkeypatch):
    def torn(f, **_arrays):
        f.write(b"PK")
        raise broken

    monkeypatch.setattr(np, "savez", torn)
    with pytest.raises((FileFailed, KeyboardInterrupt)):
        save_pictures(np.zeros((1, 8, 8, 3), np.uint8), tmp_path / "a.npz", about={})
    assert list(tmp_path.iterdir()) == []
