"""The part of a card's page that tells what vouches for its answers, and what was measured of pictures whose
sources and generators were left out. Every number comes from the card."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from detector.core.bounds import at_most
from detector.core.metrics import Estimate
from detector.lab.steps.certify import SOURCE_PICTURES
from detector.lab.steps.judge_table import SMALLER
from detector.models.calibration import Calibration
from detector.models.card import Answers, GroupResult, Judged, ModelCard, Ranking
from detector.models.guarantees import Certified, Earned, Guarantees
from detector.models.joint import Dependence, JointCard
from detector.models.kinds import Kind

_NAMES = {
    Kind.PHOTO: "photo",
    Kind.ART: "drawing or painting",
    Kind.RENDER: "rendered picture",
    Kind.SCREENSHOT: "screenshot or graphic",
    Kind.SCAN: "scan",
    None: "kind not known",
}


_KIND = "the kind that the picture is taken for, "


def line_text(c: Calibration) -> str:
    """How a ratio is made of a score, given kind and condition."""
    assert c.given is not None
    g, counted = c.given, ", ".join(f"{name} {real}/{fake}" for name, real, fake in c.given.items)
    low, high = g.sides
    worst, best = g.qualities
    return f"""## From a score to a ratio

Logistic regression on {c.real_items} real and {c.fake_items} generated pictures, scored by fits that saw
neither their source nor their generator. The ratio is given {_KIND if len(g.items) > 1 else ""}its
shorter side ({low:.0f} to {high:.0f} pixels) and the quality of its JPEG table ({worst:.0f} to
{best:.0f}); beyond these ends the end counts. In every bin of kind, size and encoding both classes weigh
alike, so that none of them speaks by itself; a source or generator weighs as the square root of its
pictures, at most 60. For a photo of 512 pixels at JPEG 90: natural log ratio = {c.slope:.3f} x logit +
{c.intercept:.3f}. The interval resamples whole sources and generators. Pictures (real/generated) by the
kind they are taken for: {counted}; no ratio of a kind leaves the smaller of its two numbers. With
probability {c.unknown:.3f} (rule of succession over the generators left out) a generated picture is of a
kind that scores as real ones do: log10 ratio never falls below {math.log10(c.unknown):.2f}.
"""


def guarantees_text(g: Guarantees) -> str:
    """Points with what vouches for them."""
    told = (
        "It tells no kinds apart: one point holds for all that were measured."
        if g.kind_limit is None
        else f"A kind is known from a probability of {g.kind_limit:g} on."
    )
    head = f"""## What vouches for an answer

**Supports.** Of real pictures of the kind, whatever they are taken for, at most the goal may get this
answer, at {_sure(g)} (Clopper-Pearson; by source: Korn and Graubard, from 20 sources on). Counted in the
view with the highest bound. {told}
"""
    against = """**Against.** Only where generated pictures got it at most a third as often as real ones,
bound included, and no generator with 20 pictures more often:
"""
    columns = "| kind | from log10 ratio | n | sources | called generated | at most | by source |"
    rows = [columns, "|---|---|---|---|---|---|---|", *map(_certified, g.supports)]
    return "\n".join([head, *rows, "", against, *_against(g.against), ""])


def strangers_text(judged: Sequence[Judged], goal: float) -> str:
    """What became of sources that set no point: those of ``SOURCE_PICTURES`` pictures with more than the goal
    called generated, view by view, answered by points that were set without them."""
    many = f"sources with {SOURCE_PICTURES} pictures"
    head = f"| view | {many} | above the goal | of all such sources, at most | which |"
    rows = [head, "|---|---|---|---|---|"]
    for j in judged:
        large = [r for r in j.by_source if r.n >= SOURCE_PICTURES and not r.name.startswith(SMALLER)]
        above = [r for r in large if r.supports.value > goal]
        named = "; ".join(
            f"{r.name}: {round(r.supports.value * r.n)} of {r.n}, at most {r.wrong_at_most:.1%}"
            for r in sorted(above, key=lambda r: -r.supports.value)
        )
        bound = f"{at_most(len(above), len(large)):.0%}" if large else "-"
        rows.append(f"| {j.view} | {len(large)} | {len(above)} | {bound} | {named or 'none'} |")
    return "\n".join(
        [
            "**A source that set no point** can pass the goal: the points above keep every source that they",
            f"were set with. Each of these was answered by points set without it (goal: {goal:.0%}).",
            "So far as sources yet to come are like these, the share of them that lies above the goal is",
            'at most what the column "of all such sources" says, at 95 % (Clopper-Pearson over sources):',
            "", *rows, "",
        ]
    )  # fmt: skip


def _sure(g: Guarantees) -> str:
    return f"{100 * g.supports[0].sure:.0f} %" if g.supports else "95 %"


def _certified(c: Certified) -> str:
    name = _NAMES[c.kind]
    if c.log10_ratio is None:
        return f"| {name} | no answer: too few | {c.pictures} | {c.sources} | - | - | - |"
    by = "-" if c.by_source is None else f"{c.by_source:.2%}"
    bound = "-" if c.bound is None else f"{c.bound:.2%}"
    return f"| {name} | {c.log10_ratio:.2f} | {c.pictures} | {c.sources} | {c.false} | {bound} | {by} |"


def _against(earned: Sequence[Earned]) -> list[str]:
    if not earned:
        return ["Nowhere. It never speaks against."]
    head = "| kind | shorter side | up to log10 ratio | bound | worst generator | n real | n generated |"
    return [head, "|---|---|---|---|---|---|---|", *map(_earned, earned)]


def _earned(e: Earned) -> str:
    sides = f"from {e.min_side}" if e.max_side is None else f"{e.min_side} to {e.max_side - 1}"
    return (
        f"| {_NAMES[e.kind]} | {sides} | {e.log10_ratio:.2f} | {e.bound:.2f} | {e.worst:.2f} | "
        f"{e.pictures} of {e.sources} sources | {e.generated} of {e.generators} generators |"
    )


def judged_text(judged: Sequence[Judged]) -> str:
    """All views, one after the other."""
    return "\n".join(["## Measured on what was left out", "", _HOW, "", *(_view(j) for j in judged)])


_HOW = """Every score is of a fit, every ratio of a line and every answer of a point that saw neither the
source nor the generator of the picture. 95 % intervals in brackets resample whole sources and generators.
"Wrong" is "supports" of a real picture and "against" of a generated one; "at most" bounds it from above at
95 %."""


def tested_text(tested: Sequence[Judged], network: str) -> str:
    """The views of the test; ``network`` is that of the card."""
    told = _TEST[network]
    return "\n".join(["## Test on sources kept apart", "", told, "", *(_view(j) for j in tested)])


_SEMANTIC_TEST = """\
Pictures of sources that nothing was fitted or calibrated on, among them all that may only measure;
scored and answered by the same recipe without them. They were looked at after provisional passes with fewer
pictures, and one change followed from that: the portraits of one source teach now (decision 0025), so the
rows of portraits are not blind. What ships learned from the test sources that may teach too, afterwards."""
_TRACES_TEST = """Pictures of sources that nothing was fitted or calibrated on; scored and answered by the
same recipe without them, looked at with this recipe alone. The last layer that ships learned from the test
sources that may teach too, afterwards; the backbone did not."""
_TEST = {"clip-heads": _SEMANTIC_TEST, "traces": _TRACES_TEST}


def _view(j: Judged) -> str:
    whose = f"{j.real} real pictures of {j.sources} sources, {j.generated} by {j.generators} generators."
    ratios = Ranking(macro_auc=j.macro_auc, worst=j.worst, faces=j.faces)
    lines = [
        f"### View: {j.view}", "", whose, "",
        f"| areas | mean over generators | worst generator with {j.worst_from} | GAN faces |",
        "|---|---|---|---|",
        _areas("of ratios, given kind and condition", ratios),
        *([] if j.score is None else [_areas("of scores", j.score)]), "",
        f"Cllr {_shown(j.cllr)}; mean over generators {j.cllr_macro:.3f}.", "",
        "| class | kind | n | answered | wrong of the answered |", "|---|---|---|---|---|",
        *map(_answers, j.answers), "",
    ]  # fmt: skip
    for title, rows in (
        ("By generator", j.by_generator), ("By source", j.by_source), ("By kind", j.by_kind),
        ("By size", j.by_size), ("By encoding", j.by_encoding),
    ):  # fmt: skip
        lines += [f"#### {title}", "", *_table(rows), ""]
    return "\n".join(lines)


def _areas(name: str, r: Ranking) -> str:
    worst = "none has so many" if r.worst is None else f"{r.worst[0]}: {_shown(r.worst[1])}, n={r.worst[1].n}"
    faces = "none" if r.faces is None else f"{_shown(r.faces)}, n={r.faces.n}"
    return f"| {name} | {_shown(r.macro_auc)} | {worst} | {faces} |"


def _answers(a: Answers) -> str:
    wrong = "-" if a.wrong is None else f"{_shown(a.wrong)}, n={a.wrong.n}"
    kind = "all" if a.kind is None else _NAMES[a.kind]
    return f"| {'generated' if a.fake else 'real'} | {kind} | {a.n} | {_shown(a.answered)} | {wrong} |"


def _table(rows: Sequence[GroupResult]) -> Iterator[str]:
    yield "| group | class | n | AUC | supports | against | no answer | wrong, at most | Cllr (best) |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for r in rows:
        area = "-" if r.auc is None else _shown(r.auc)
        cost = "-" if r.cllr is None or r.cllr_min is None else f"{r.cllr:.2f} ({r.cllr_min:.2f})"
        yield (
            f"| {r.name} | {'generated' if r.fake else 'real'} | {r.n} | {area} | {_shown(r.supports)} | "
            f"{_shown(r.against)} | {r.silent} | {r.wrong_at_most:.2%} | {cost} |"
        )


def _shown(e: Estimate) -> str:
    return f"{e.value:.3f} [{max(0.0, e.low):.3f}, {e.high:.3f}]"


def closing(card: ModelCard) -> list[str]:
    """Cost and attack, where the card says something of them."""
    found = []
    if card.cost:
        found.append(f"## What it costs\n\n{card.cost}\n")
    if card.attack:
        found.append(f"## How to attack it\n\n{card.attack}\n")
    return found


def joint_markdown(card: JointCard) -> str:
    """The whole page of a joint detector. Deterministic."""
    parts = "\n".join(
        f"| {p.model_id} | `{p.weights_sha256}` | `{p.calibration_id}` | {p.weight:.3f} |" for p in card.parts
    )
    rows = "\n".join(map(_dependent, card.dependence))
    return f"""# Detector card: {card.model_id}

Generated by `assay lab card` from `detector/models/weights_files/{card.model_id}.json`. Do not edit.

It has no weights. Where all its parts apply to a picture, its score is {card.start:+.3f} plus their natural
log ratios, each times its weight, and its answer is the only one of them. It was fitted on pictures that no
part was fitted on. It is a guess like its parts, and never added to proof.

| part | weights (SHA-256) | calibration | weight |
|---|---|---|---|
{parts}

## How far the parts say the same

Correlation of their log ratios within a class; 0 would be independent detectors. The intervals take every
picture for itself.

| view | class | kind | correlation | n |
|---|---|---|---|---|
{rows}

{line_text(card.calibration)}
{guarantees_text(card.guarantees)}
{judged_text(card.judged)}"""


def _dependent(d: Dependence) -> str:
    kind, r = "all" if d.kind is None else _NAMES[d.kind], d.correlation
    return (
        f"| {d.view} | {'generated' if d.fake else 'real'} | {kind} | "
        f"{r.value:+.3f} [{r.low:+.3f}, {r.high:+.3f}] | {r.n} |"
    )
