"""The table that puts our detectors beside others counts what it says it counts."""

from __future__ import annotations

from pathlib import Path

from detector.data.kin import source_of
from detector.data.licences import may_learn
from detector.data.manifest import shipped_manifest
from tests.bench.detectors import Seen, by_generator, row
from tests.bench.unseen import unseen


def seen(set_name: str, fake: bool, values: list[float | None]) -> list[Seen]:
    return [
        Seen(set_name=set_name, fake=fake, value=v, answered=v is not None and abs(v) > 1) for v in values
    ]


def test_abstentions_and_the_worst_source_are_counted():
    found = [
        *seen("quiet", False, [-3.0] * 30),
        *seen("loud", False, [3.0] * 5 + [-3.0] * 10 + [None] * 5),
        *seen("made", True, [3.0] * 20 + [0.1] * 10),
    ]
    told = row("ours", "raw", found).split()
    # Of 80 pictures 65 have a clear answer, 5 of them wrong; 5 of 50 real ones are alarms, 5 of 20 of "loud".
    assert told[6:13] == ["0.812", "0.077", "0.100", "loud", "0.250", "45", "+"]
    assert told[13:] == ["30", "of", "80"]


def test_too_few_pictures_give_no_number():
    assert "too few" in row("ours", "raw", seen("made", True, [1.0]))


def test_every_generator_has_a_row_of_its_own():
    found = [
        *seen("camera", False, [-1.0] * 10), *seen("a", True, [2.0] * 4), *seen("b", True, [-2.0, None]),
        *seen("c", True, [None]),
    ]  # fmt: skip
    assert by_generator(found) == "a 1.000 (n=4), b 0.000 (n=1), c -"


def test_what_detectors_are_compared_on_taught_none_of_ours(tmp_path: Path):
    rows = shipped_manifest()
    teaching = [r for r in rows if may_learn(r.licence)]
    aside = [r for r in rows if not may_learn(r.licence)]
    for r in [*teaching[::200], *aside]:
        (tmp_path / r.file).parent.mkdir(exist_ok=True)
        (tmp_path / r.file).write_bytes(b"")
    shown = list(unseen(tmp_path, 3))
    assert len({name for name, r, _ in shown if not r.fake}) > 5
    assert len({name for name, r, _ in shown if r.fake}) > 2
    assert not {r.sha256 for _, r, _ in shown} & {r.sha256 for r in teaching}
    assert not {source_of(r) for _, r, _ in shown} & {source_of(r) for r in teaching}
    assert max(sum(name == n for n, _, _ in shown) for name, _, _ in shown) <= 6
