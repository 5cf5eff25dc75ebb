"""The whole-picture detector of one's own folders: the shipped recipe, or a reason why there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from detector.core.errors import TooFewPictures
from detector.core.progress import silent
from detector.lab.own import OWN_WHOLE, own_text, run_own, whole_text
from detector.lab.steps.scores import read_scores
from detector.models.card import FOLDER, parse_card
from detector.models.kinds import Kind
from detector.models.semantic_head import heads_from
from tests.detector.lab.test_whole import Colours
from tests.detector.made import encoded, photo_like

GENERATORS = ("FLUX.1", "Kolors", "Midjourney 7")


def put(folder: Path, red: int, count: int, seed: int) -> None:
    folder.mkdir(parents=True)
    for n in range(count):
        picture = np.clip(photo_like(96, 120, seed + n) * 0.6 + (red, 10, 0), 0, 255).astype(np.uint8)
        (folder / f"{n}.jpg").write_bytes(encoded(picture, quality=92))


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Generated pictures are redder; the photos lie in one folder, and screenshots in another."""
    root = tmp_path_factory.mktemp("own")
    put(root / "photos" / "camera", 0, 40, 1000)
    put(root / "photos" / "screenshot", 5, 24, 2000)
    for n, name in enumerate(GENERATORS):
        put(root / "fakes" / name, 70 + 5 * n, 12, 3000 + 100 * n)
    return root / "photos", root / "fakes"


def test_two_folders_make_a_detector_whose_figures_are_of_what_it_never_saw(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    encoder = Colours()
    card = run_own(*folders, encoder, tmp_path / "run", report=silent)
    assert parse_card((tmp_path / "run" / f"{OWN_WHOLE}.json").read_text()) == card
    assert (card.recipe, card.network) == (FOLDER, "clip-heads")
    assert card.tested == ()
    (laundered,) = [j for j in card.judged if j.view == "laundered"]
    assert laundered.macro_auc.value > 0.9
    rows = read_scores(tmp_path / "run" / "left-out.csv")
    assert {r.kind for r in rows if not r.fake} == {Kind.PHOTO, Kind.SCREENSHOT}
    assert len({r.source for r in rows if not r.fake}) > 4, "few sub-folders are parted by digest"
    text = own_text(card)
    assert "3 generators" in text
    assert "| laundered | 64 | 36 |" in text
    looked = encoder.looked
    again = run_own(*folders, encoder, tmp_path / "run", report=silent)
    assert (again, encoder.looked) == (card, looked), "nothing is looked at twice"
    heads = heads_from(load_file(tmp_path / "run" / f"{OWN_WHOLE}.safetensors"))
    makings = heads.makings(heads.standard(heads.mean))
    assert makings[1:].max() < -20, "neither GANs nor edits were among the fakes"


def test_one_generator_cannot_be_left_out(folders: tuple[Path, Path], tmp_path: Path) -> None:
    put(tmp_path / "fakes" / "FLUX.1", 70, 3, 1)
    with pytest.raises(TooFewPictures, match="two are needed"):
        run_own(folders[0], tmp_path / "fakes", Colours(), tmp_path / "run", report=silent)


def test_a_detector_that_is_not_made_says_why(folders: tuple[Path, Path], tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert "none were named" in whole_text(folders[0], None, None, run, silent)
    assert "encoder is not installed" in whole_text(*folders, None, run, silent)
    assert "cannot be read" in whole_text(*folders, tmp_path / "none.onnx", run, silent)
    assert not run.exists()
