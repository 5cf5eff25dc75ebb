"""What vouches for a learned detector's answer, in words; and what its ratio was given.

Numbers are those of the card that the report names by digest: nothing is computed here but rounding, upwards.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from authn.report.language import count, number, t


def guarantee_sentence(detector: Mapping[str, Any]) -> str | None:
    """One sentence beside an answer; None where there is no answer. Reports of earlier releases have none."""
    found = detector.get("guarantee")
    if found is None:
        return None
    many = t(f"kinds.{found['kind'] or 'any'}")
    sure = t("guarantee.sure", percent=f"{100 * found['sure']:.0f}")
    sources = t(
        "guarantee.source" if found["sources"] == 1 else "guarantee.sources", n=count(found["sources"])
    )
    n = t("guarantee.n", pictures=count(found["pictures"]), sources=sources)
    if found["answer"] == "supports":
        return t("guarantee.supports", bound=_in_100(found["bound"]), many=many, sure=sure, n=n)
    generated = count(found["generated"])
    return t(
        "guarantee.against", share=_share(found["bound"]), many=many, sure=sure, n=n, generated=generated
    )


def read_as(detector: Mapping[str, Any]) -> str | None:
    """The kind and condition that a ratio is given; None for a source that has no such."""
    found = detector.get("read_as")
    if found is None:
        return None
    quality = "" if found["quality"] is None else t("read_as.quality", quality=found["quality"])
    return t("read_as", kind=t(f"kind.{found['kind'] or 'any'}"), side=found["side"], quality=quality)


def joint_of(detector: Mapping[str, Any]) -> str | None:
    """The joint detector that answers in its place."""
    name: str | None = detector.get("part_of")
    return name


def _in_100(share: float) -> str:
    """Rounded up to a tenth, without a needless zero."""
    tenths = math.ceil(round(1000 * share, 6))
    return f"{tenths // 10}" if tenths % 10 == 0 else number(tenths / 10, ".1f")


def _share(bound: float) -> str:
    if abs(bound - 1 / 3) < 1e-3:
        return t("guarantee.third")
    return t("guarantee.times", bound=number(bound, ".2f"))
