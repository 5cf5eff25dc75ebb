"""Hidden labels, two sources, and what a fitted generator is asked: ``lab fit --labels-kept``, ``--other``,
``translate``, ``likelihood``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from authn.cli import cli
from detector.core.errors import CorpusError, DetectorError, NotApplicable, OptionRefused, TooFewPictures
from detector.generators.source import ImageSource, pixels_digest
from detector.zoo.making import made_by
from detector.zoo.store import open_family
from tests.detector.made import encoded
from tests.detector.zoo.test_sources import scene

TINY = ("--steps", 2, "--device", "cpu", "--set", "width=8", "--set", "batch=8")


def assay(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["lab", *map(str, arguments)])


def done(*arguments: object) -> str:
    found = assay(*arguments)
    assert found.exit_code == 0, (found.output, found.exception)
    return found.stdout


def refused(kind: type[DetectorError], *arguments: object) -> str:
    found = assay(*arguments)
    assert isinstance(found.exception, kind), (found.output, found.exception)
    return found.exception.detail


def card(run: Path) -> dict[str, object]:
    stored: dict[str, object] = json.loads((run / "card.json").read_text())
    return stored


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Digits that are noise, ten of each class, and as many to test on."""
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "mnist").mkdir()
    rng = np.random.default_rng(0)
    digits = rng.integers(0, 256, (2, 100, 28, 28), dtype=np.uint8)
    labels = np.arange(100) % 10
    np.savez(folder / "mnist" / "any.npz", x_train=digits[0], y_train=labels, x_test=digits[1], y_test=labels)
    return folder


def folder_of(folder: Path, brightness: int) -> Path:
    for n in range(8):
        picture = (scene(96, 128, 100 * brightness + n) // 3 + brightness).astype(np.uint8)
        (folder / f"{n}.jpg").write_bytes(encoded(picture, "JPEG", quality=92))
    return folder


@pytest.fixture(scope="module")
def dark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(tmp_path_factory.mktemp("dark"), 0)


@pytest.fixture(scope="module")
def bright(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(tmp_path_factory.mktemp("bright"), 160)


@pytest.fixture(scope="module")
def translating(dark: Path, bright: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "cyclegan"
    given = ("--steps", 40, "--device", "cpu", "--set", "width=8", "--set", "learning_rate=0.005")
    done("fit", "cyclegan", "--data", dark, "--other", bright, "--out", run, "--side", 16, *given,
         "--set", "batch=16")  # fmt: skip
    return run


@pytest.fixture(scope="module")
def vae(dark: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "vae"
    done("fit", "vae", "--data", dark, "--out", run, "--side", 16, *TINY, "--steps", 40)
    return run


def test_hidden_labels_are_named_in_the_card_and_hidden_again_when_the_fit_is_judged(
    corpus: Path, tmp_path: Path
) -> None:
    few = ("--set", "few_labels=true", "--side", 8, "--labels-kept", 0.1)
    runs = tmp_path / "a", tmp_path / "b"
    for seed, run in enumerate(runs):
        given = ("--data", "mnist", "--corpus", corpus, "--out", run, "--seed", seed)
        done("fit", "biggan", *given, *TINY, *few)
    first, second = (card(run) for run in runs)
    assert (first["labels_kept"], first["source"]) == (0.1, "mnist/train, 10% of the labels")
    assert first["source_sha256"] != second["source_sha256"]  # another seed hides others
    assert "class coverage" in done(
        "quality", runs[1], "--data", "mnist", "--corpus", corpus, "--count", 20, "--device", "cpu"
    )


@pytest.mark.parametrize(
    ("family", "more", "kind", "says"),
    [
        ("vae", ["--labels-kept", 0.1], OptionRefused, "vae learns no classes"),
        ("biggan", ["--labels-kept", 0.1], OptionRefused, "with few_labels=true only"),
        (
            "biggan",
            ["--labels-kept", 0.1, "--set", "few_labels=true"],
            OptionRefused,
            "nobody labelled the photos",
        ),
        ("dcgan", ["--other", "mnist"], OptionRefused, "dcgan is fitted on one source"),
        ("cyclegan", ["--set", "mode=translate"], OptionRefused, "name the second one with --other"),
        ("cyclegan", ["--other", "mnist", "--set", "mode=reconstruct"], OptionRefused, "takes one source"),
        ("cyclegan", ["--other", "CORPUS", "--side", 16], TooFewPictures, "holds no JPEG"),
        ("cyclegan", ["--other", "mnist", "--side", 16], CorpusError, "different shapes"),
    ],
    ids=["no classes", "no s3", "no labels", "one source", "no second", "back", "no photos", "grey"],
)
def test_labels_and_sources_that_do_not_go_with_a_family_are_one_sentence(
    family: str,
    more: list[object],
    kind: type[DetectorError],
    says: str,
    dark: Path,
    corpus: Path,
    tmp_path: Path,
) -> None:
    given = [corpus if m == "CORPUS" else m for m in more]
    command = ("fit", family, "--data", dark, "--corpus", corpus, "--out", tmp_path / "r", "--steps", 1)
    assert says in refused(kind, *command, *given)
    assert list(tmp_path.iterdir()) == []


def test_dark_photos_are_translated_towards_the_bright_ones_and_lie_beside_their_originals(
    translating: Path, dark: Path, tmp_path: Path
) -> None:
    out = tmp_path / "t.npz"
    line, sheet = done(
        "translate", translating, "--data", dark, "--to", 1, "--count", 14, "--out", out
    ).splitlines()
    with np.load(out) as stored:
        made, given, about = stored["images"], stored["originals"], json.loads(str(stored["about"]))
    assert line.split()[:2] == [pixels_digest(made), "14"]
    assert made.shape == given.shape == (14, 16, 16, 3)
    assert made.mean() > given.mean() + 40
    assert (about["to"], about["originals_sha256"]) == (1, pixels_digest(given))
    with Image.open(sheet) as image:
        assert image.size == (12 * 66 + 2, 2 * 66 + 2)  # one row of originals, one of what became of them
    back = tmp_path / "back.npz"
    done("translate", translating, "--data", out, "--to", 0, "--out", back)
    with np.load(back) as stored:
        assert (stored["originals"] == made).all()
        assert stored["images"].mean() < made.mean() - 20


def test_a_fit_on_two_folders_is_judged_on_both_of_them(translating: Path, dark: Path, bright: Path) -> None:
    command = ("quality", translating, "--data", dark, "--count", 20, "--device", "cpu")
    assert "KID" in done(*command, "--other", bright)
    assert "with --other" in refused(OptionRefused, *command)
    assert "was fitted on" in refused(CorpusError, *command, "--other", dark)


def test_the_pictures_that_judge_a_translation_are_each_turned_into_the_other_kind(translating: Path) -> None:
    labels = np.repeat([0, 1], 6)
    noise = np.random.default_rng(0).integers(0, 60, (12, 16, 16, 3))
    images = (noise + np.where(labels, 180, 0)[:, None, None, None]).astype(np.uint8)
    real = ImageSource(name="two", images=images, labels=labels)
    made = made_by(open_family(translating), 12, 0, real).images
    of = labels[np.random.default_rng(0).permutation(12)]
    assert made[of == 0].mean() > made[of == 1].mean() + 40


def test_who_does_not_translate_says_so_before_reading_pictures(vae: Path, tmp_path: Path) -> None:
    command = ("translate", vae, "--data", tmp_path / "nowhere", "--to", 1, "--out", tmp_path / "t.npz")
    assert "vae does not translate" in refused(NotApplicable, *command)
    assert list(tmp_path.iterdir()) == []


def test_held_out_photos_take_fewer_bits_than_noise(vae: Path, dark: Path) -> None:
    command = ("likelihood", vae, "--data", dark, "--count", 40)
    found = json.loads(done(*command, "--json"))
    pictures, noise = found["pictures"], found["noise"]
    assert (found["family"], found["kind"], found["source"]) == ("vae", "bound", f"{dark.name}/held out")
    assert pictures["low"] < pictures["mean"] < pictures["high"] < noise["low"]
    assert (pictures["n"], noise["n"], noise["units"]) == (40, 40, 40)
    assert 2 <= pictures["units"] < 8  # photos, and not those of the fit
    table = done(*command)
    assert f"{pictures['mean']:.4f}" in table
    assert "vae: bound;" in table


def test_grey_pictures_of_a_file_are_asked_as_they_are(corpus: Path, tmp_path: Path) -> None:
    run, file = tmp_path / "run", tmp_path / "grey.npz"
    done("fit", "pixelcnn", "--data", "mnist", "--corpus", corpus, "--out", run, "--side", 8, *TINY)
    np.savez(file, images=np.zeros((1, 8, 8, 1), np.uint8))
    found = json.loads(done("likelihood", run, "--data", file, "--json"))
    assert (found["kind"], found["pictures"]["n"], found["pictures"]["low"]) == ("exact", 1, None)
    assert 0 < found["pictures"]["mean"] < 16
    np.savez(file, images=np.zeros((1, 9, 8, 1), np.uint8))
    assert "wants uint8 (n, 8, 8, 1)" in refused(CorpusError, "likelihood", run, "--data", file)
    np.savez(file, others=np.zeros(3))
    assert "no readable array images" in refused(CorpusError, "likelihood", run, "--data", file)


def test_a_family_without_a_likelihood_names_those_that_have_one(translating: Path, dark: Path) -> None:
    says = refused(NotApplicable, "likelihood", translating, "--data", dark)
    assert says == "cyclegan does not know how likely a picture is; dbm, pixelcnn, realnvp, vae do"
