"""Fitting the score of recaptures: halves by name, and a point that left-out scenes hardly reach."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detector.core.errors import LabError
from detector.data.manifest import shipped_manifest
from detector.forensics.recapture import NAMES
from detector.lab.halves import by_source, first_half
from detector.lab.recapture.fitting import fit_recapture
from detector.lab.recapture.gathering import Line, gather, read_lines
from tests.detector.made import encoded, photo_like

FIRST = [n for n in map(str, range(40)) if first_half(n)]
SECOND = [n for n in map(str, range(40)) if not first_half(n)]


def lines(names: list[str], shift: float, rng: np.random.Generator) -> list[Line]:
    """Authors whose photos of screens lie ``shift`` deviations off in the first number."""
    made: list[Line] = []
    for name in names:
        for n in range(40):
            numbers = rng.normal(0, 1, len(NAMES))
            numbers[0] += shift * (n % 2)
            what = "screen" if n % 2 else "scene"
            made.append({"picture": f"{name}/{n}", "source": name, "of": "author", "what": what,
                         "numbers": numbers.tolist()})  # fmt: skip
    return made


def test_what_separates_is_found_and_left_out_scenes_hardly_reach_the_point() -> None:
    rng = np.random.default_rng(0)
    model = fit_recapture(lines(FIRST[:12], 6.0, rng) + lines(SECOND[:3], -6.0, rng))
    assert int(np.abs(model.weights).argmax()) == 0
    new = lines(SECOND[:8], 6.0, rng)
    scores = model.scores(np.array([line["numbers"] for line in new]))
    screen = np.array([line["what"] == "screen" for line in new])
    assert (scores[screen] >= model.point).mean() > 0.5
    assert (scores[~screen] >= model.point).mean() < 0.05


def test_the_second_half_changes_nothing_and_a_half_without_screens_is_refused() -> None:
    own = lines(FIRST[:3], 6.0, np.random.default_rng(1))
    other = lines(SECOND[:3], -6.0, np.random.default_rng(2))
    assert fit_recapture(own).tensors()["weights"].tolist() == (
        fit_recapture(own + other).tensors()["weights"].tolist()
    )
    with pytest.raises(LabError, match="first half"):
        fit_recapture(other)
    with pytest.raises(LabError, match="one only"):
        fit_recapture([line for line in own if line["source"] == FIRST[0]])


def test_pictures_are_measured_once_and_those_that_cannot_be_keep_their_reason(tmp_path: Path) -> None:
    folder, out = tmp_path / "authors" / "somebody", tmp_path / "numbers.jsonl"
    for what, data in (("screen", encoded(photo_like(400, 500))), ("scene", encoded(photo_like(100, 100)))):
        (folder / what).mkdir(parents=True)
        (folder / what / "a.jpg").write_bytes(data)
    for _ in range(2):
        gather(tmp_path / "authors", tmp_path / "no corpus", out)
    screen, scene = sorted(read_lines(out), key=lambda line: line["what"], reverse=True)
    assert len(screen["numbers"]) == len(NAMES)
    assert (screen["source"], scene["what"], "need 320" in scene["why"]) == ("somebody", "scene", True)
    whole = out.read_bytes()
    out.write_bytes(whole[:-20])  # killed while it wrote
    gather(tmp_path / "authors", tmp_path / "no corpus", out)
    assert sorted(out.read_bytes().splitlines()) == sorted(whole.splitlines())


@pytest.mark.parametrize(
    "wrong",
    [
        b"[1]\n", b"{}\n", b"no\n", b"\xff\n", encoded(photo_like(64, 64)), b"no line at all",
        b'{"picture": "p", "source": "s", "of": "author", "what": "screen", "numbers": [1.0]}\n{"pic',
        b'{"picture": 1, "source": "s", "of": "author", "what": "screen"}\n',
    ],
)  # fmt: skip
def test_a_file_that_holds_something_else_is_refused_and_left_as_it_is(tmp_path: Path, wrong: bytes) -> None:
    out = tmp_path / "mine"
    out.write_bytes(wrong)
    (tmp_path / "authors").mkdir()
    with pytest.raises(LabError, match="no numbers"):
        gather(tmp_path / "authors", tmp_path / "no corpus", out)
    assert out.read_bytes() == wrong


def test_of_the_half_that_weights_learn_from_only_what_its_licence_allows_takes_part(tmp_path: Path) -> None:
    photo = next(r for r in shipped_manifest() if not r.fake and min(r.width, r.height) >= 320)
    for name, taking_part in ((FIRST[0], {"MIT"}), (SECOND[0], {"MIT", "none"})):
        rows = [
            replace(photo, source=name, licence=licence, sha256=digit * 64)
            for digit, licence in (("a", "MIT"), ("b", "none"))
        ]
        for row in rows:
            (tmp_path / row.file).parent.mkdir(exist_ok=True)
            (tmp_path / row.file).write_bytes(b"")
        assert {r.licence for of in by_source(rows, tmp_path).values() for r in of} == taking_part
