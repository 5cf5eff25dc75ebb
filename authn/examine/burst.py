"""Whether photos that were signed as a set are one, and whether they move against each other as a scene does.

Runs in a held process, as every look at strangers' files. The set is a matter of digests and of one key,
which hold for the bytes at hand or do not; how it moves is a guess that can warn or abstain. Question:
*recaptured*. It points to it where in most pairs, and in two movements at least, one flat thing explains all
that moves although the camera was moved: a screen, a print, and as well a wall, a page or a floor. Depth is
*undecided*: a film on a screen, or a model before a lens, may have it too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from authn.core.evidence import Facts, Finding, HeuristicEvidence, HeuristicOutcome, Outcome, Question
from authn.core.media import Media, MediaLimits, measured
from authn.devices import RegistryView
from authn.provenance.own import read_own
from authn.provenance.plain import assertion_map
from authn.provenance.reading import DATA_HASH
from detector.core.errors import DetectorError
from detector.forensics.parallax import MOST_FRAMES, SIDE, FramePair, Motion, examine_parallax, said_of_set
from detector.pixels.decode import decode
from detector.pixels.within import reduced
from signer.claim import BURST_ASSERTION
from signer.core.errors import ManifestMalformed
from signer.credential import verify_binding

VERSION = "3"
DETECTOR = "burst"

FLAT = (
    "one flat thing explains all that moves between the photos, though the camera was moved: so move screens "
    "and prints, and as well a wall, a page, a floor, or fields from the air"
)
DEPTH = (
    "near and far move differently, as in a scene with depth; a film on a screen and a model before a lens "
    "do that too, so nothing follows"
)
FEW = (
    "some pairs of the photos move as one flat thing does, and too few to decide a set: take photos from "
    "three places or more, and move the camera between all of them"
)
TURNED = (
    "the camera only turned or zoomed between the photos, or all is far away: then no depth shows. Move it "
    "sideways by a tenth of the distance or more"
)
UNKNOWN = "too few points are found again in two of the photos, or hardly anything moves between them"


@dataclass(frozen=True, slots=True, kw_only=True)
class BurstAsked:
    """Photos that are said to be one set, in any order."""

    media: tuple[Media, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BurstSeen:
    """``trouble`` says why the photos are no whole set that one key signed; empty where they are. Whose key
    that is, and whether it is trusted, is asked elsewhere."""

    count: int
    trouble: str
    evidence: HeuristicEvidence


def open_burst(
    limits: MediaLimits, registry: RegistryView | None = None
) -> Callable[[BurstAsked], BurstSeen]:
    """In the held process."""

    def look(asked: BurstAsked) -> BurstSeen:
        media = tuple(measured(m, limits) for m in asked.media)
        return BurstSeen(count=len(media), trouble=trouble_of(media), evidence=motion_of(media))

    return look


def trouble_of(media: tuple[Media, ...]) -> str:
    """Each must be as it was signed, by one key, and name all of them by the digest in its own hard binding,
    under one id."""
    said = [_member(m) for m in media]
    if any(member is None for member in said):
        alone = next(m.name for m, member in zip(media, said, strict=True) if member is None)
        return f"{alone} was not signed as one of a set"
    members = [m for m in said if m is not None]
    if len({(m.set_id, m.digests) for m in members}) != 1:
        return "they were signed in different sets"
    if sorted(m.index for m in members) != list(range(1, len(members[0].digests) + 1)):
        return f"{len(members[0].digests)} photos were signed in this set, and not just these"
    if any(m.digest != m.digests[m.index - 1] for m in members):
        return "a photo is not the one that the set has in its place"
    if len({m.signer for m in members}) != 1:
        return "they were not signed with one key"
    return next((why for m in media if (why := _changed(m))), "")


def _changed(media: Media) -> str:
    """Why the bytes are not those that were signed; empty where they are."""
    try:
        verify_binding(media.data, media.media_type)
    except ManifestMalformed as e:
        return f"{media.name}: {e.detail}"
    return ""


@dataclass(frozen=True, slots=True)
class _Member:
    set_id: str
    index: int
    digests: tuple[str, ...]
    digest: str
    signer: bytes


def _member(media: Media) -> _Member | None:
    own = read_own(media)
    said, binding = assertion_map(own, BURST_ASSERTION), assertion_map(own, DATA_HASH)
    if said is None or binding is None or own.signature is None or not own.signature.certificates:
        return None
    set_id, index, uris = said.get("set_id"), said.get("index"), said.get("uris")
    digest = binding.get("hash")
    if not isinstance(set_id, str) or type(index) is not int or not isinstance(uris, list):
        return None
    digests = tuple(u["hash"] for u in uris if isinstance(u, Mapping) and isinstance(u.get("hash"), str))
    if len(digests) != len(uris) or not 1 <= index <= len(digests) or not isinstance(digest, bytes):
        return None
    return _Member(set_id, index, digests, digest.hex(), own.signature.certificates[0])


def motion_of(media: tuple[Media, ...]) -> HeuristicEvidence:
    """Of the photos' pixels. Whatever cannot be read or compared is an abstention with its reason."""
    try:
        # one at a time, and reduced at once: large photos would not fit beside each other
        pairs = examine_parallax(
            [reduced(decode(m.data, m.media_type), SIDE) for m in media[: MOST_FRAMES + 1]]
        )
    except DetectorError as e:
        return _evidence(HeuristicOutcome.ABSTAIN, e.detail, ())
    said = said_of_set(pairs)
    if said in (Motion.UNKNOWN, Motion.TURNED):
        return _evidence(HeuristicOutcome.ABSTAIN, TURNED if said is Motion.TURNED else UNKNOWN, pairs)
    if said is Motion.FLAT:
        return _evidence(HeuristicOutcome.SUPPORTS, FLAT, pairs)
    near_and_far = any(p.said in (Motion.DEPTH, Motion.BETWEEN) for p in pairs)
    return _evidence(HeuristicOutcome.INCONCLUSIVE, DEPTH if near_and_far else FEW, pairs)


def _evidence(outcome: HeuristicOutcome, reason: str, pairs: tuple[FramePair, ...]) -> HeuristicEvidence:
    return HeuristicEvidence(
        detector=DETECTOR,
        version=VERSION,
        question=Question.RECAPTURED,
        kind="signal",
        outcome=outcome,
        reason=reason,
        applicable=outcome is not HeuristicOutcome.ABSTAIN,
        raw=max((p.shift for p in pairs), default=None),
        findings=tuple(map(_finding, pairs)),
    )


def _finding(pair: FramePair) -> Finding:
    facts: Facts = (
        ("first", pair.first + 1),
        ("second", pair.second + 1),
        ("said", pair.said.value),
        ("points", pair.matches),
        ("motion", round(pair.motion, 4)),
        ("off_plane_share", round(pair.off, 4)),
        ("from_any_turn", round(pair.shift, 4)),
    )
    return Finding(
        code="assay.burst.motion",
        outcome=Outcome.NOT_EXAMINED if pair.said is Motion.UNKNOWN else Outcome.ESTABLISHED,
        detail=f"photos {pair.first + 1} and {pair.second + 1}: {pair.said.value}",
        facts=facts,
    )
