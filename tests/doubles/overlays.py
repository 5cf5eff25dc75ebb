"""Drawings of a source that nobody ships, in cells that a test can count."""

from __future__ import annotations

from authn.core.overlay import Layer, Line, Overlay, cells_of
from tests.doubles.reports import LEARNED

NAN = float("nan")


def field(*, width: int = 400, height: int = 300) -> Layer:
    """Four by three cells: one of the highest step, one that was not measured, the rest rising."""
    values = [[0.0, 0.1, 0.2, 0.3], [0.4, 1.0, NAN, 0.5], [0.6, 0.7, 0.75, 0.3]]
    return Layer(
        width=width,
        height=height,
        columns=4,
        rows=3,
        cells=cells_of(values, 0.0, 1.0),
        lines=(Line(x1=0, y1=0, x2=width - 1, y2=height - 1),),
    )


def overlay(*, view: bool = False, reference: Layer | None = None, own: Layer | None = None) -> Overlay:
    """Of a source that the sample reports hold."""
    return Overlay(
        detector=LEARNED.detector,
        title="Noise level",
        low="0 levels",
        high="20 levels",
        says="One place of 12 is far above the others.",
        normal="Even skies lie low, grass and hair lie high.",
        own=own or field(),
        reference=reference,
        view=view,
    )
