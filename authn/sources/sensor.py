"""Whether a photo shows the fingerprint of the sensor whose device's key is in it. Question: *wrong sensor*.

Asked only where the registry's home holds a fingerprint of exactly that key
(``authn.devices.fingerprints``), and only of bytes that this key has signed: whoever moves a device's
manifest into somebody else's photo must not learn which camera took that. It supports where the fingerprint
is missing in a photo that would have to show it, as after a theft of the key, and after a change of the
camera too. That it is there says that nothing contradicts, and raises trust in nothing: whoever has photos
of the camera can copy it. docs/cards/sensor.md.
"""

from __future__ import annotations

from pathlib import Path

from authn.core.evidence import Finding, HeuristicEvidence, HeuristicOutcome, Outcome, Question
from authn.core.keys import spki_sha256
from authn.core.media import Media
from authn.devices.fingerprints import Fingerprints
from authn.provenance.binding import own_answer
from authn.provenance.own import read_own
from authn.provenance.reading import BINDING_MATCH
from authn.sources.pictures import Pictures
from detector.core.errors import NotApplicable
from detector.forensics.sensor_match import Fit, Match, match
from detector.forensics.sensor_print import SensorPrint, look_in

VERSION = "1"
NO_KEY = "the file carries no signature with a readable certificate, so no key says which sensor took it"
NO_PRINT = "no fingerprint of the sensor that belongs to this key is kept here"
NOT_ITS = "the bytes were not found to be those that this key signed, so nothing is said of its sensor"
_OUTCOMES = {
    Fit.FITS: HeuristicOutcome.AGAINST,
    Fit.MISSING: HeuristicOutcome.SUPPORTS,
    Fit.BETWEEN: HeuristicOutcome.INCONCLUSIVE,
    Fit.UNFIT: HeuristicOutcome.ABSTAIN,
}


class SensorSource:
    """Implements ``HeuristicSource``. ``always``: for those devices alone whose photos are compared without
    anybody asking, and without it for the others alone; of a file that is not its own it says nothing."""

    reads_pixels = False  # before it knows whose key it is, it has nothing to say of the pixels

    def __init__(self, home: Path, pictures: Pictures | None = None, *, always: bool = False) -> None:
        self.name = "sensor.always" if always else "sensor"
        self._kept = Fingerprints(home)
        self._pictures = pictures or Pictures()
        self._always = always
        self._last: tuple[str, int, SensorPrint] | None = None

    def examine(self, media: Media) -> tuple[HeuristicEvidence, ...]:
        """Raises ``PixelsUnreadable``, ``Unavailable`` for a fingerprint that cannot be read."""
        if self._always and not self._kept.any:
            return ()
        own = read_own(media)
        key = spki_sha256(own.certificates[0].public_key()) if own.certificates else ""
        if self._always != (bool(key) and self._kept.is_always(key)):
            return ()
        known = self._known(key) if key else None
        if known is None:
            return (_abstention(NO_PRINT if key else NO_KEY),)
        if not any(c.code in BINDING_MATCH and c.kind == "success" for c in own_answer(media, own).codes):
            return (_abstention(NOT_ITS),)
        if media.not_decoded:
            return (_abstention(media.not_decoded),)
        try:
            look = look_in(self._pictures.of(media))
        except NotApplicable as e:
            return (_abstention(e.detail),)
        return (_answer(match(look, known), known),)

    def _known(self, key: str) -> SensorPrint | None:
        """The last one is kept: a folder of one device's photos reads it once."""
        path = self._kept.path(key)
        if path is None:
            return None
        changed = path.stat().st_mtime_ns
        if self._last is None or self._last[:2] != (str(path), changed):
            found = self._kept.read(key)
            if found is None:
                return None
            self._last = (str(path), changed, found)
        return self._last[2]


def _answer(found: Match, known: SensorPrint) -> HeuristicEvidence:
    pce = None if found.energy is None else round(found.energy, 1)
    reasons = {
        Fit.FITS: f"the fingerprint of the key's sensor is in the picture (PCE {pce}); it can be copied",
        Fit.MISSING: f"the fingerprint of the key's sensor is missing (PCE {pce}) where 99 in 100 photos "
        f"of the device show at least {found.bound:.0f}",
        Fit.BETWEEN: f"the fingerprint of the key's sensor is neither found nor missing (PCE {pce})",
        Fit.UNFIT: found.why,
    }
    finding = Finding(
        code="assay.sensor.fingerprint",
        outcome=Outcome.NOT_EXAMINED if found.fit is Fit.UNFIT else Outcome.ESTABLISHED,
        detail=f"the fingerprint is of {known.photos} photos of the device",
        facts=(
            ("pce", pce),
            ("least_of_device", round(found.bound, 1)),
            ("photos", known.photos),
            ("held_out", len(known.held)),
            ("quarter_turns", found.turn),
            ("scale", round(found.scale, 4)),
        ),
    )
    return _evidence(_OUTCOMES[found.fit], reasons[found.fit], finding, raw=found.energy)


def _abstention(reason: str) -> HeuristicEvidence:
    return _evidence(HeuristicOutcome.ABSTAIN, reason)


def _evidence(
    outcome: HeuristicOutcome, reason: str, *findings: Finding, raw: float | None = None
) -> HeuristicEvidence:
    return HeuristicEvidence(
        detector="sensor",
        version=VERSION,
        kind="signal",
        question=Question.WRONG_SENSOR,
        outcome=outcome,
        reason=reason,
        applicable=outcome is not HeuristicOutcome.ABSTAIN,
        raw=raw,
        findings=findings,
    )
