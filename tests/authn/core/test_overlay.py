"""Drawings of sources: turned as the picture is, bounded, and nothing else is read back."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from authn.confinement.codec import decode, dump, encode, load
from authn.core.errors import Unavailable
from authn.core.overlay import MAX_CELLS, Layer, Line, cells_of
from authn.core.score_map import maps_text, parse_maps
from authn.examine.request import Examined
from tests.doubles.overlays import field, overlay
from tests.doubles.reports import signed_report
from tests.doubles.score_maps import score_map

VIEW = Layer(width=8, height=4, jpeg=b"\xff\xd8\xff\xd9")


def test_values_are_tenths_of_one_scale_and_what_is_not_finite_was_not_measured() -> None:
    assert cells_of([[-1.0, 0.0, 0.99], [1.0, 7.0, float("nan")]], 0.0, 1.0) == "00999."


def test_what_was_kept_is_read_again_beside_the_maps_of_scores() -> None:
    kept = (overlay(reference=field()), score_map(), overlay(view=True, own=VIEW, reference=VIEW))
    assert parse_maps(maps_text(kept)) == kept


def test_a_drawing_comes_out_of_the_confined_process_whole() -> None:
    maps = (overlay(reference=field()), overlay(view=True, own=VIEW))
    examined = Examined(report=signed_report(), preview_jpeg=b"\xff\xd8", maps=maps)
    blobs: list[bytes] = []
    assert decode(Examined, load(dump(encode(Examined, examined, blobs))), blobs) == examined


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_field_and_its_lines_turn_together(orientation: int) -> None:
    """The one cell of the highest level, and a line that begins in it."""
    cells = "".join("9" if i == 3 else "0" for i in range(12))
    made = Layer(
        width=400, height=300, columns=4, rows=3, cells=cells, lines=(Line(x1=350, y1=50, x2=0, y2=0),)
    )
    turned = made.upright(orientation)
    at = turned.cells.index("9")
    cell_width, cell_height = turned.width // turned.columns, turned.height // turned.rows
    line = turned.lines[0]
    assert (line.x1 // cell_width, line.y1 // cell_height) == (at % turned.columns, at // turned.columns)
    assert (turned.columns, turned.rows) == ((3, 4) if orientation > 4 else (4, 3))
    back = {6: 8, 8: 6}.get(orientation, orientation)
    assert turned.upright(back) == made


def test_a_view_stands_upright_already() -> None:
    assert VIEW.upright(6) == VIEW


def _entry(**changed: Any) -> str:
    (made,) = json.loads(maps_text((overlay(),)))
    own = {k: changed.pop(k) for k in list(changed) if k in made["own"]}
    return json.dumps([{**made, **changed, "own": {**made["own"], **own}}])


MALFORMED = {
    "too-few-cells": _entry(cells="0"),
    "no-level": _entry(cells="00000000000<"),
    "too-many-cells": _entry(cells="0" * (MAX_CELLS + 100), columns=101, rows=100),
    "below-nothing": _entry(columns=-4, rows=-3),
    "a-line-outside": _entry(lines=[[0, 0, 400, 0]]),
    "half-a-line": _entry(lines=[[0, 0, 1]]),
    "no-picture": _entry(jpeg="PHN2Zz4="),
    "no-base64": _entry(jpeg="<svg>"),
    "no-text": _entry(title=None),
    "a-long-text": _entry(says="x" * 5000),
    "no-truth": _entry(view=1),
    "no-layer": _entry(reference="photo"),
}


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED)
def test_anything_that_is_no_drawing_is_refused(text: str) -> None:
    with pytest.raises(Unavailable, match="cannot be read"):
        parse_maps(text)


def test_a_reference_is_never_turned() -> None:
    made = replace(overlay(), reference=field())
    assert made.upright(6).reference == field()
