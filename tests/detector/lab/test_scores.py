"""Tables of scores: written and read back without loss, and never read wrongly."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from detector.core.errors import CorpusError, FileFailed
from detector.lab.steps.scores import COLUMNS, ScoreRow, read_scores, write_scores
from detector.models.condition import Condition
from detector.models.kinds import Kind

ROW = ScoreRow(
    sha256="ab" * 32, fake=True, kind=Kind.ART, generator='one, "two"\nthree', source="a/b", view="stored",
    side=512, quality=87, media_type="image/jpeg", logit=-1.2345678901234567, predicted=Kind.PHOTO,
    kind_probability=0.75, distance=1.0,
)  # fmt: skip
OTHER = replace(
    ROW, sha256="cd" * 32, fake=False, kind=None, generator="", quality=None, predicted=None,
    kind_probability=None,
)  # fmt: skip


def test_what_is_written_is_read_back_to_the_last_digit(tmp_path: Path) -> None:
    write_scores([ROW, OTHER], tmp_path / "scores.csv")
    assert read_scores(tmp_path / "scores.csv") == (ROW, OTHER)
    assert ROW.condition == Condition(side=512, quality=87, media_type="image/jpeg")


def test_columns_in_another_order_and_more_of_them_do_no_harm(tmp_path: Path) -> None:
    names = [*reversed(COLUMNS), "note"]
    cells = dict(
        zip(COLUMNS, ["x", "0", "", "", "s", "v", "9", "", "image/png", "0.5", "", "", "0"], strict=True)
    )
    text = ",".join(names) + "\n" + ",".join(cells.get(n, "more") for n in names) + "\n"
    (tmp_path / "scores.csv").write_text(text)
    (row,) = read_scores(tmp_path / "scores.csv")
    assert (row.sha256, row.fake, row.side, row.quality, row.logit) == ("x", False, 9, None, 0.5)


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("fake", "yes"), ("kind", "painting"), ("side", "0"), ("side", ""), ("logit", "nan"),
        ("logit", "inf"),
        ("source", ""), ("sha256", ""), ("view", ""), ("quality", "high"), ("distance", ""),
    ],
)  # fmt: skip
def test_a_wrong_cell_is_named_with_its_line(tmp_path: Path, name: str, cell: str) -> None:
    cells = dict(
        zip(COLUMNS, ["x", "1", "", "g", "s", "v", "9", "", "image/png", "0.5", "", "", "0"], strict=True)
    )
    text = ",".join(COLUMNS) + "\n" + ",".join((cells | {name: cell}).values()) + "\n"
    (tmp_path / "scores.csv").write_text(text)
    with pytest.raises(CorpusError, match="line 2"):
        read_scores(tmp_path / "scores.csv")


def test_a_picture_stands_once_in_a_view(tmp_path: Path) -> None:
    write_scores([ROW, OTHER, replace(ROW, view="small"), ROW], tmp_path / "scores.csv")
    with pytest.raises(CorpusError, match=r"line 5.*twice"):
        read_scores(tmp_path / "scores.csv")


@pytest.mark.parametrize("data", [b"", b"sha256,fake\n", b"\xff\xfe\x00"])
def test_another_file_is_no_table(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "scores.csv").write_bytes(data)
    with pytest.raises(CorpusError):
        read_scores(tmp_path / "scores.csv")
    with pytest.raises(FileFailed):
        read_scores(tmp_path / "none.csv")
