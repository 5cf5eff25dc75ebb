"""Where in a picture a score comes from: windows that it is the mean of, and squares to point at. Values
alone, for whoever passes a map on; ``places`` makes them.

A window's logit is part of the score. What a square's is, ``parts`` says. Where it is false, the network was
asked about each square alone: a smaller piece, which nobody calibrated. Where it is true, the score of the
one window was taken apart: a square's logit is what the score would be if every square were like this one,
and their mean is the score. Either is good for pointing at a place and for nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A square of ``side`` pixels from (x, y), and its log-odds of "generated"."""

    x: int
    y: int
    side: int
    logit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreMap:
    """In the pixels of the decoder, before any orientation. The score is the mean of ``windows``.

    ``smooth`` squares hold too little texture to be asked about and are not among ``squares``;
    ``supports_logit`` is the score from which the detector answers.
    """

    width: int
    height: int
    windows: tuple[Spot, ...]
    squares: tuple[Spot, ...]
    smooth: int
    supports_logit: float
    parts: bool = False
