"""The script of the tables of 0043 and 0047 reads what it wrote, and its tables hang on what it is given."""

from __future__ import annotations

import numpy as np
import pytest

from detector.lab.traces.looks import VIEWS, Look
from detector.lab.traces.second import SecondLayers
from detector.models.condition import Condition
from tests.bench.makes import (
    Judged,
    curve_at,
    print_regions,
    print_two_percent,
    print_whole,
    read_regions,
    set_rows,
    write_regions,
)
from tests.detector.data.rows import row as row_of
from tests.detector.lab.test_second_layer import regions, whole


def test_features_are_read_as_they_were_written_and_files_are_joined(tmp_path):
    found = regions({"one": (0, 3.0)})
    write_regions(found, tmp_path / "a.npz")
    both = read_regions([tmp_path / "a.npz", tmp_path / "a.npz"])
    assert both.networks == found.networks * 2
    for view, seen in found.fake.items():
        assert np.array_equal(both.fake[view][: len(seen)], seen)


def test_the_table_of_regions_rises_with_makes_that_share_a_trace(capsys):
    found = regions({"one": (0, 2.0), "two": (0, 2.0), "other": (1, 2.0), "fourth": (1, 2.0)})
    layers = SecondLayers(found, whole(), ridge=1e-3)
    few, most = (curve_at(layers, found, n)["made"] for n in (1, 3))
    assert few < most
    print_regions(layers, found)
    printed = capsys.readouterr().out
    assert "| fourth | 48 |" in printed
    assert "| 3 |" in printed


def test_whole_pictures_of_a_set_are_rows_of_their_network(tmp_path):
    (tmp_path / "formula x2").mkdir()
    (tmp_path / "formula x2" / "a.png").write_bytes(b"picture")
    (tmp_path / "notes.txt").write_text("none")
    rows, paths = set_rows(tmp_path)
    assert [(r.generator, r.fake) for r in rows] == [("formula x2", True)]
    assert paths[rows[0].sha256].name == "a.png"


def test_the_mean_counts_networks_with_enough_pictures_and_no_formula(capsys, monkeypatch):
    monkeypatch.setattr("tests.bench.makes.ROUNDS", 5)
    real = [row_of(sha256=f"r{n}", source=f"s{n % 3}") for n in range(30)]
    fake = [row_of(sha256=f"f{g}{n}", fake=True, generator=g) for g in ("net", "formula", "small")
            for n in range(20 if g != "small" else 2)]  # fmt: skip
    rows = (*real, *fake)
    look = Look(
        features=np.zeros(2, np.float32), condition=Condition(side=300, quality=None, media_type="image/png")
    )
    before = {(r.sha256, v): float(n % 7) for n, r in enumerate(rows) for v in VIEWS}
    after = {
        k: s + 100 * (k[0] in {r.sha256 for r in fake if r.generator == "net"}) for k, s in before.items()
    }
    judged = Judged(rows=rows, looks={r.sha256: dict.fromkeys(VIEWS, look) for r in rows}, before=before,
                    after=after, unseen=frozenset(r.sha256 for r in real[:6]))  # fmt: skip
    print_whole(judged)
    print_two_percent(judged)
    printed = capsys.readouterr().out
    assert "mean of net |" in printed
    assert "/ 1.000" in printed
    assert "net 1.00" in printed
    assert float(printed.split("gained +")[1].split()[0]) == pytest.approx(0.5, abs=0.2)
