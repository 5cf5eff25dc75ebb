"""The words of a trace detector's page that depend on how it was made: from a corpus with an index, where
families of fakes are classes, or from a manifest, where a last layer of two classes stands on a backbone:
one that saw aligned pairs alone, or that of weights that shipped before."""

from __future__ import annotations

from detector.models.card import MANIFEST, ModelCard


def traces_method(card: ModelCard) -> str:
    return _from_manifest(card) if card.recipe == MANIFEST else _from_corpus(card)


def traces_limits(card: ModelCard) -> str:
    return _MANIFEST_LIMITS if card.recipe == MANIFEST else _corpus_limits(card)


def number(x: float | None) -> str:
    """Of a limit that may be none."""
    return "any number of" if x is None else f"{x:.2f}"


def _from_manifest(card: ModelCard) -> str:
    p = card.preprocessing
    return f"""## Method

Fixed high-pass filters on luma and R-B, a small residual network ({card.width} channels wide at first), mean
and deviation of every stage: the *backbone*.
{_backbone(card)}
On its numbers stands one linear layer (ridge) that was fitted on whole pictures, real and
generated, in two views that give both classes the same draws of size and encoding (laundered to 256 pixels
and JPEG 90; a window of random size and encoding); never on a file as it is stored. A source, of a family of
generators, counts as the square root of its pictures, at most 60; both classes weigh the same. Decision 0024
says how it was chosen.

Up to {p.max_crops} crops of {p.crop_side} pixels at native resolution, from rich to poor texture; nothing is
resized. It abstains below {p.min_side} pixels on the shorter side, for monochrome and for flat pictures, for
animations, for formats other than JPEG, PNG and WebP, and farther than {number(card.domain_limit)} deviations
per feature from the pictures that it was fitted on.
"""


def _backbone(card: ModelCard) -> str:
    if not card.backbone:
        return f"It was trained on {_PAIRS}; it never saw a whole generated picture."
    seen = ", ".join(card.seen) or "none"
    before = f"that of weights that shipped before (SHA-256 `{card.backbone}`)"
    came = (
        f"It began as {before}, and was trained on\n{_PAIRS}."
        if card.epochs
        else f"It is {before}, unchanged."
    )
    return f"""{came}
What those weights had learned from as whole pictures has no row in any table here, because no score of it
would be of a network that did not see it: {seen}."""


_PAIRS = """\
aligned pairs alone: regions of real pictures (none of a test source) beside what a published latent
autoencoder (TAEF2, in four ways), four small autoencoders of our own and published upscalers made of them,
both through the same JPEG"""


_MANIFEST_LIMITS = """## Known limits

- It finds few generated pictures: read its left-out tables. It is there beside the whole-picture detector,
  because it sees something else.
- It tells no kinds of content apart, so one point has to hold for all of them, and for the worst source.
- A photo that a network enlarged counts as generated here: such upscalers were trained on.
- Of one source and generator at most 40 pictures were looked at; pictures of one source are not independent,
  and the bounds by source stand beside those by picture.
- A Cllr above 1 means that the ratio misleads more than silence would for that generator.
- A picture that was generated, printed and photographed again, or edited in part, is outside what was
  measured.
- How to attack it: whoever has the weights follows the gradient; shrinking a picture by half and saving it
  anew takes much of what it looks at. Nothing here resists an attack.
"""


def _from_corpus(card: ModelCard) -> str:
    p = card.preprocessing
    return f"""## Method

Fixed high-pass filters on luma and R-B, a small residual network ({card.width} channels wide at first), mean
and deviation of every stage, one class per family of fakes; the score is the log-odds of all families against
"camera". Trained on two views of every region, with adversaries against source and encoder. Up to
{p.max_crops} crops of {p.crop_side} pixels at native resolution, from rich to poor texture; nothing is
resized. It abstains below {p.min_side} pixels on the shorter side, for monochrome and for flat pictures, for
animations, and for formats other than JPEG, PNG and WebP. It is inconclusive for pictures that lie farther
than {number(card.domain_limit)} deviations per feature from the calibration pictures, and when an answer
does not survive re-encoding (JPEG 90 and 75, WebP 80, half size).
"""


def _never(card: ModelCard) -> str:
    return ", ".join(s.name for s in card.sets if s.fake and s.name not in card.families)


def _whole(card: ModelCard) -> str:
    return " and ".join(s.name for s in card.sets if s.fake and s.name in card.families)


def _corpus_limits(card: ModelCard) -> str:
    return f"""## Known limits

- It finds few generated pictures. Most answers are "inconclusive", and that is meant: the operating point is
  that of the worst source of photos, and an answer must survive four re-encodings.
- The only complete generators in training are {_whole(card)}. Never trained on:
  {_never(card)}. Where the row of such a set shows an AUC near 0.5, the
  detector cannot see that generator.
- A Cllr above 1 means that the ratio misleads more than silence would for that generator.
- A photo that a GAN enlarged counts as generated here: such upscalers were trained on.
- The test numbers are not blind: two earlier recipes were judged on the same test split. After the second,
  flux1_dev was taken into training and the zoo was added.
- Generated pictures of sd15 and flux1_dev are mostly paintings, real ones are photographs: part of the
  measured separation may be content. The aligned pairs have no such part.
- Real photos in training come from four sources, most of them cameras before 2016; computational photos
  of new phones are almost absent. Sets that are not free for any use were not trained on, which costs the
  detector most of the photos at hand. Several sources have fewer than ten test pictures: read their
  intervals.
- A picture that was generated, printed and photographed again, or edited in part, is outside what was
  measured.
- Anyone who has the weights can change a picture so that the answer changes; nothing here resists an
  attack.
"""
