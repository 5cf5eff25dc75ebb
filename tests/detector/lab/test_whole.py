"""The recipe of the whole-picture detector on pictures made here, with an encoder that sees three colours."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detector.core.errors import CalibrationError, FileDamaged, FileFailed, NotApplicable, TooFewPictures
from detector.core.progress import silent
from detector.data.families import family_of
from detector.data.kin import source_of
from detector.data.manifest import Row
from detector.lab.semantic import WholeRun, kept_aside, run_semantic, teaches
from detector.lab.steps.scores import read_scores
from detector.lab.whole.features import embed_rows, load_embeddings
from detector.lab.whole.folds import FOLDS, folds_of, making_of, shares_of
from detector.lab.whole.heads import apart_in, teach
from detector.lab.whole.kinds import kind_of
from detector.lab.whole.views import View, condition_of_view, quarter_of, view_of
from detector.models.kinds import Kind
from detector.models.semantic import BLOCKS, FEATURES, WIDTH
from detector.pixels.decode import Pixels
from tests.detector.data.rows import row
from tests.detector.made import encoded, photo_like

SHA = "5" * 64
FAKES = (("StyleGAN2", "gan"), ("BigGAN", "gan"), ("FLUX.1", "t2i"), ("Kolors", "t2i"), ("Qwen-Image", "t2i"),
         ("ESRGAN x4 upscale", "upscale"), ("Inpaint-Anything", "edit"))  # fmt: skip
KINDS = ("photo", "art", "render", "screenshot")


class Colours:
    """Tokens that hold the mean of each colour; counts how often it looked."""

    def __init__(self) -> None:
        self.looked = 0

    def tokens(self, pixels: Pixels) -> np.ndarray:
        if min(pixels.shape[:2]) < 64:
            raise NotApplicable("too small")
        self.looked += 1
        out = np.zeros((BLOCKS, 5, WIDTH), np.float32)
        out[:, :, :3] = pixels.mean((0, 1)) / 255
        out[:, 1:, 3] = np.arange(4)
        return out


def stored(folder: Path, pixels: Pixels, **named: object) -> Row:
    """A picture as it would have been brought, and its row."""
    data = encoded(pixels, "JPEG", quality=92)
    height, width = pixels.shape[:2]
    found = row(sha256=hashlib.sha256(data).hexdigest(), width=width, height=height, **named)
    path = folder / found.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return found


def corpus(folder: Path, each: int = 4) -> list[Row]:
    """Generated pictures are redder than real ones; kinds of real ones differ in blue."""
    rows, seed = [], 0
    for n, (generator, kind) in enumerate(FAKES):
        for _ in range(each):
            seed += 1
            tint = np.array([60, 10, 0]) + n
            picture = np.clip(photo_like(96, 120, seed) * 0.6 + tint, 0, 255).astype(np.uint8)
            rows.append(
                stored(folder, picture, fake=True, generator=generator, kind=kind, source=f"made {n}")
            )
    for n in range(10):
        for _ in range(each):
            seed += 1
            tint = np.array([0, 10, 25 * (n % len(KINDS))])
            picture = np.clip(photo_like(96, 120, seed) * 0.6 + tint, 0, 255).astype(np.uint8)
            rows.append(
                stored(
                    folder, picture, fake=False, generator="", kind=KINDS[n % len(KINDS)], source=f"real {n}"
                )
            )
    return rows


def test_a_view_is_made_again_from_the_file_and_its_digest_alone():
    picture = photo_like(300, 420)
    for view in View:
        assert np.array_equal(view_of(picture, view, SHA), view_of(picture, view, SHA))
    other = "6" * 64
    assert not np.array_equal(view_of(picture, View.RESIZED, SHA), view_of(picture, View.RESIZED, other))
    assert view_of(picture, View.STORED, SHA) is picture


@pytest.mark.parametrize("view", [View.LAUNDERED, View.RESIZED])
@pytest.mark.parametrize("sha", [SHA, "0" * 64, "f3" * 32])
def test_the_condition_of_a_view_is_told_without_making_it(view: View, sha: str):
    picture = photo_like(330, 500)
    assert condition_of_view(330, view, sha).side == min(view_of(picture, view, sha).shape[:2])


def test_each_view_of_a_sheet_sees_another_of_its_four_pictures():
    sheet = np.zeros((20, 20, 3), np.uint8)
    for n in range(4):
        sheet[10 * (n // 2) : 10 * (n // 2) + 10, 10 * (n % 2) : 10 * (n % 2) + 10] = n
    assert [int(quarter_of(sheet, v).max()) for v in View] == [0, 1, 3]


def test_no_head_of_a_fold_learned_from_what_the_fold_holds_out(tmp_path: Path):
    rows = corpus(tmp_path, each=1)
    folds = folds_of(rows)
    for k in range(FOLDS):
        out = [r for r, f in zip(rows, folds.fold, strict=True) if f == k]
        taught = [r for r, may in zip(rows, folds.may_teach[:, k], strict=True) if may]
        assert not {source_of(r) for r in out} & {source_of(r) for r in taught}
        assert not {family_of(r.generator) for r in out if r.fake} & {
            family_of(r.generator) for r in taught if r.fake
        }


def test_sources_that_hold_the_same_pictures_are_one_source():
    assert source_of(row(source="alexeygrigorev/clothing-dataset-small")) == "alexeygrigorev/clothing-dataset"
    assert source_of(row(source="somebody/else")) == "somebody/else"


def test_a_large_source_counts_as_the_root_of_its_pictures():
    rows = [row(fake=False, generator="", source="large", sha256=f"{n:064x}") for n in range(100)]
    rows += [row(fake=False, generator="", source="small", sha256=f"{n:064x}") for n in range(100, 104)]
    shares = shares_of(rows)
    assert shares[:100].sum() == pytest.approx(60**0.5)
    assert shares[100:].sum() == pytest.approx(2)


def test_makings_and_kinds_are_read_off_a_row():
    assert [making_of(row(fake=True, generator=g, kind=k)) for g, k in FAKES] == [
        "gan", "gan", "t2i", "t2i", "t2i", "edit", "edit",
    ]  # fmt: skip
    assert making_of(row(fake=False, generator="")) == ""
    assert kind_of(row(fake=False, generator="", kind="art")) is Kind.ART
    assert kind_of(row(fake=False, generator="", kind="", source="mattermost/docs")) is Kind.SCREENSHOT
    assert kind_of(row(fake=False, generator="", kind="", source="x", photo_like="n")) is None
    assert kind_of(row(fake=True, generator="FLUX", kind="t2i")) is None


def test_what_was_embedded_is_not_embedded_again_and_what_cannot_be_is_said(tmp_path: Path):
    rows = corpus(tmp_path / "pictures", each=1)[:4]
    lost = row(sha256="9" * 64)
    other = stored(tmp_path / "pictures", photo_like(80, 80), source="tampered")
    (tmp_path / "pictures" / other.file).write_bytes(b"another picture")
    encoder = Colours()
    views = (View.LAUNDERED, View.RESIZED)
    skipped = embed_rows(
        [*rows, lost, other], tmp_path / "pictures", encoder, tmp_path / "cache", views, silent
    )
    assert encoder.looked == 8
    assert {s.sha256: s.why for s in skipped}.keys() == {lost.sha256, other.sha256}
    assert any("not the picture that the manifest names" in s.why for s in skipped)
    embed_rows(rows, tmp_path / "pictures", encoder, tmp_path / "cache", views, silent)
    assert encoder.looked == 8
    kept, numbers = load_embeddings([*rows, lost], tmp_path / "cache", View.RESIZED)
    assert kept == tuple(rows)
    assert numbers.shape == (4, FEATURES)


def test_a_damaged_number_file_is_named_and_not_used(tmp_path: Path):
    rows = corpus(tmp_path / "pictures", each=1)[:1]
    embed_rows(rows, tmp_path / "pictures", Colours(), tmp_path / "cache", (View.LAUNDERED,), silent)
    (path,) = (tmp_path / "cache").rglob("*.npy")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(FileDamaged, match="remove it"):
        load_embeddings(rows, tmp_path / "cache", View.LAUNDERED)


def test_one_class_teaches_nothing(tmp_path: Path):
    rows = [r for r in corpus(tmp_path / "pictures", each=1) if r.fake]
    embed_rows(rows, tmp_path / "pictures", Colours(), tmp_path / "cache", (View.LAUNDERED,), silent)
    with pytest.raises(CalibrationError):
        teach(rows, {View.LAUNDERED: load_embeddings(rows, tmp_path / "cache", View.LAUNDERED)[1]})
    run = WholeRun(rows=(), folder=tmp_path, run=tmp_path / "run", report=silent)
    with pytest.raises(TooFewPictures):
        run.taught(all_that_may=True)


@pytest.mark.slow
def test_the_whole_recipe_repeats_to_the_same_weights_and_card(tmp_path: Path):
    rows = corpus(tmp_path / "pictures", each=5)
    rows += [
        stored(tmp_path / "pictures", photo_like(90, 100, 900 + n), fake=n % 2 == 0, kind="" if n % 2 == 0
        else "photo",
               generator="FLUX.1" if n % 2 == 0 else "", source=f"measured {n % 4}",
               licence="not read by anybody")
        for n in range(48)
    ]  # fmt: skip
    later = [
        stored(tmp_path / "pictures", photo_like(90, 100, 990 + n), fake=n % 2 == 0,
               kind="" if n % 2 == 0 else "photo", generator="unheard of" if n % 2 == 0 else "",
               source=f"later {n}")
        for n in range(4)
    ]  # fmt: skip
    assert sum(kept_aside(r) for r in rows) >= 48
    encoder = Colours()
    cards = [
        run_semantic(
            rows,
            tmp_path / "pictures",
            encoder,
            tmp_path / name,
            model_id="semantic-3",
            report=silent,
            later=[*later, rows[0]],
        )
        for name in ("one", "two")
    ]
    assert cards[0] == cards[1]
    assert (tmp_path / "one" / "semantic-3.json").read_bytes() == (
        tmp_path / "two" / "semantic-3.json"
    ).read_bytes()
    scored = [
        r
        for r in read_scores(tmp_path / "one" / "left-out.csv")
        if r.view == View.LAUNDERED and "measured" not in r.source
    ]
    logits = {fake: np.median([r.logit for r in scored if r.fake is fake]) for fake in (True, False)}
    assert logits[True] > logits[False] + 0.5, "heads tell what they never learned from"
    assert {s.name for s in cards[0].sets if s.train} == {source_of(r) for r in rows if teaches(r)}
    assert cards[0].tested
    tables = {n: {r.sha256 for r in read_scores(tmp_path / "one" / f"{n}.csv")} for n in ("left-out", "test")}
    assert {r.sha256 for r in later} <= tables["left-out"], "what came later vouches"
    assert {r.sha256 for r in later}.isdisjoint(tables["test"])
    used = {s.name: (s.train, s.calibration, s.test) for s in cards[0].sets}
    assert {used[r.source] for r in later} == {(0, 1, 0)}
    assert sum(n for _, n, _ in used.values()) == len(later)
    assert json.loads((tmp_path / "one" / "skipped.json").read_text()) == {}


def test_a_later_picture_is_scored_by_what_ships_unless_that_saw_its_kin(tmp_path: Path):
    rows = corpus(tmp_path / "pictures", each=1)
    run = WholeRun(rows=tuple(rows), folder=tmp_path / "pictures", run=tmp_path, report=silent)
    run.embed(Colours())
    taught = run.taught_by(rows)
    known = next(r for r in rows if r.fake)
    new = replace(known, generator="unheard of", source="unheard of")
    for one, ships in ((known, False), (new, True)):
        (numbers,) = load_embeddings([one], run.cache, View.STORED)[1]
        logits = [r.logit for r in run.vouching_table(taught, [one]) if r.view == View.STORED]
        by_all = float(taught.heads.logits(taught.heads.standard(numbers.astype(np.float32))))
        assert (logits == [by_all]) is ships


def test_a_picture_that_only_measures_is_scored_by_heads_that_saw_nothing_of_its_kin(tmp_path: Path):
    rows = corpus(tmp_path / "pictures", each=1)
    views = (View.LAUNDERED,)
    embed_rows(rows, tmp_path / "pictures", Colours(), tmp_path / "cache", views, silent)
    taught = teach(rows, {View.LAUNDERED: load_embeddings(rows, tmp_path / "cache", View.LAUNDERED)[1]})
    fold = apart_in(taught)
    measured = row(fake=True, generator="FLUX.1", source="elsewhere")
    k = fold(measured)
    assert k is not None
    seen = [r for r, may in zip(rows, taught.folds.may_teach[:, k], strict=True) if may]
    assert not [r for r in seen if family_of(r.generator) == "flux"]
    every = {source_of(r) for r in rows if not r.fake}
    for source in every:
        k = fold(row(fake=False, generator="", source=source))
        assert k is None or source not in {
            source_of(r) for r, may in zip(rows, taught.folds.may_teach[:, k], strict=True) if may
        }


def test_a_cache_that_cannot_be_written_is_no_fault_of_the_picture(tmp_path: Path):
    rows = corpus(tmp_path / "pictures", each=1)[:1]
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(FileFailed):
        embed_rows(rows, tmp_path / "pictures", Colours(), tmp_path / "cache", (View.LAUNDERED,), silent)
