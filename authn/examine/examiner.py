"""Sources in, report out. The one path for the command line, the service and the audit.

A source that fails stays in its place: what it should have found becomes "not examined" with its reason, the
rest of the report stands. Proof and guess meet here side by side; contradictions between them are named and
decide nothing.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from authn import __version__
from authn.core.errors import AuthnError, UnreadableMedia
from authn.core.evidence import (
    Axis,
    CryptographicEvidence,
    HeuristicEvidence,
    NotExamined,
    Outcome,
)
from authn.core.media import Media
from authn.core.overlay import Overlay
from authn.core.report import PIXELS, Report, Run, SourceCost, Subject, ToolView
from authn.core.score_map import Maps, has_map
from authn.devices import RegistryView
from authn.examine.contradictions import contradictions
from authn.examine.labelling import with_labels
from authn.pki.roots import TrustRoots, roots_digest
from authn.policies.judging import conclude, judge
from authn.policies.policy import Policy
from authn.policies.rubrics.rubric import labels_of, unanswered
from authn.provenance.answers import Asked, Engine, EngineAnswer, GivesCrJson
from authn.provenance.asking import Readers
from authn.provenance.axes import NO_MANIFEST
from authn.provenance.binding import FileRead, read_file
from authn.provenance.history import claimed_actions
from authn.provenance.logs import LogTrust
from authn.provenance.sidecars import told
from authn.provenance.verifier import is_uncontested, verify_file
from authn.sources import HasOverlays, HasScoreMap, HeuristicSource
from authn.sources.agreement import answered
from authn.sources.own_pictures import under_own
from detector.core.errors import DetectorError

if TYPE_CHECKING:
    from authn.examine.bundle import Basis
    from detector.models.joint import Joint
    from detector.models.own_pictures import OwnCalibration

_log = logging.getLogger(__name__)

T = TypeVar("T")

LIMITS = (
    "A valid signature says who held a key, not that the scene was not staged or filmed from a screen.",
    "The absence of a credential, of markers or of detector findings proves nothing.",
    "Heuristic findings can warn or abstain; they never add trust and are not proof.",
)


class Examiner:
    """Holds engines and models; not to be shared across a fork. ``clock`` gives UTC. The sources
    ``on_request`` cost more and run where somebody asks for forensics; ``forensics`` is for who says
    nothing."""

    def __init__(
        self,
        *,
        roots: TrustRoots,
        engines: Sequence[Engine],
        policy: Policy,
        sources: Sequence[HeuristicSource] = (),
        on_request: Sequence[HeuristicSource] = (),
        forensics: bool = False,
        registry: RegistryView | None = None,
        logs: LogTrust | None = None,
        joint: Joint | None = None,
        own: OwnCalibration | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._roots = roots
        self._roots_sha256 = roots_digest(roots.signer), roots_digest(roots.tsa)
        self._engines = tuple(engines)
        self._policy = policy
        self._sources = tuple(sources)
        self._on_request = tuple(on_request)
        self._forensics = forensics
        self._registry = registry
        self._logs = logs or LogTrust()
        self._joint = joint
        self._own = own
        self._clock = clock
        self._readers = Readers(self._engines)

    def examine(
        self,
        media: Media,
        *,
        as_of: datetime | None = None,
        forensics: bool | None = None,
        receipt: str | None = None,
    ) -> Report:
        """Raises ``UnreadableMedia`` where no engine can read the file and there are no pixels to look at."""
        started, now = time.perf_counter(), self._clock()
        judged_at = as_of or now
        read = read_file(media)
        proof, answers = self._proof(media, read, judged_at, receipt)
        if media.sidecar is not None:
            proof = told(proof, media.sidecar, used=read.own.beside)
        _refuse_unreadable(media, proof)
        asked = self._forensics if forensics is None else forensics
        guesses, failed, costs = self._guesses(media, forensics=asked)
        contradicted = contradictions(proof, claimed_actions(answers), guesses)
        report = Report(
            subject=Subject.of(media),
            evaluated_as_of=judged_at,
            tool=self._tool(guesses),
            cryptographic=proof,
            heuristic=guesses,
            contradictions=contradicted,
            statements=conclude(proof, self._policy, judged_at),
            policy_statements=judge(proof, guesses, self._policy, judged_at, contradicted),
            limits=LIMITS,
            not_examined=(*_silent_axes(proof), *_closed(media), *failed, *_abstentions(guesses)),
            run=Run(
                report_id=str(uuid.uuid4()),
                generated_at=now,
                elapsed_ms=(time.perf_counter() - started) * 1e3,
                sources=costs,
                left_out=() if asked else tuple(s.name for s in self._on_request),
            ),
        )
        if (rubric := self._policy.rubric) is None:
            return report
        return with_labels(report, self.crjson(media), partial(labels_of, rubric), unanswered(rubric))[0]

    def basis(self, media: Media, *, forensics: bool | None = None) -> Basis:
        """What a report of this examiner rests on, for an evidence bundle."""
        from authn.examine.bundle import Basis, device_of

        asked = self._forensics if forensics is None else forensics
        return Basis(
            roots=self._roots,
            policy=self._policy,
            logs=self._logs,
            receipt=None,
            devices=None if self._registry is None else device_of(media, self._registry),
            heuristics=bool(self._sources),
            forensics=asked and bool(self._sources),
        )

    def crjson(self, media: Media) -> bytes | None:
        """The credential as C2PA's crJSON, word for word what the engine that can write it found at the
        clock's time; None where there is none, or it cannot be read."""
        engine = next((e for e in self._engines if isinstance(e, GivesCrJson)), None)
        if engine is None:
            return None
        beside = media.sidecar if read_file(media).own.beside else None
        return engine.crjson(media.data, media.media_type, beside)

    def _proof(
        self, media: Media, read: FileRead, as_of: datetime, receipt: str | None
    ) -> tuple[CryptographicEvidence, tuple[EngineAnswer, ...]]:
        """By the short way where that leaves nothing open, else by the whole one."""
        for answers in self._readers.answers(media, read, as_of):
            proof = verify_file(
                read,
                answers=answers,
                roots=self._roots,
                registry=self._registry,
                as_of=as_of,
                logs=self._logs,
                receipt=receipt,
            )
            if all(a.asked is Asked.WHOLE for a in answers) or is_uncontested(proof):
                break
        return proof, answers

    def _guesses(
        self, media: Media, *, forensics: bool
    ) -> tuple[tuple[HeuristicEvidence, ...], tuple[NotExamined, ...], tuple[SourceCost, ...]]:
        found: list[HeuristicEvidence] = []
        failed, costs = [], []
        for source in (*self._sources, *(self._on_request if forensics else ())):
            began = time.process_time()
            answer = _fenced(source.name, media, source.examine, pixels=source.reads_pixels)
            cpu_ms = (time.process_time() - began) * 1e3
            costs.append(SourceCost(source=source.name, cpu_ms=cpu_ms, on_request=source in self._on_request))
            if isinstance(answer, NotExamined):
                failed.append(answer)
            else:
                found.extend(answer)
        joined = answered(found, self._joint if self._own is None else None)
        if self._own is not None:  # what is joined was fitted on other pictures
            joined = under_own(joined, self._own)
        return joined, tuple(failed), tuple(costs)

    def maps(self, media: Media, report: Report) -> Maps:
        """Where the scores of ``report`` come from, for the detectors that point to something, and what other
        sources draw; a map that cannot be made is its reason. Changes nothing in the report."""
        pointing = {g.detector for g in report.heuristic if has_map(g, report.heuristic)}
        places = tuple(
            _fenced(source.name, media, source.score_map, pixels=True)
            for source in (*self._sources, *self._on_request)
            if source.name in pointing and isinstance(source, HasScoreMap)
        )
        return (*places, *self._overlays(media, report))

    def _overlays(self, media: Media, report: Report) -> Maps:
        """Drawings of any source that was asked, each behind its own fence."""
        drawn: list[Overlay | NotExamined] = []
        for source in (*self._sources, *self._on_request):
            if isinstance(source, HasOverlays) and source.name not in report.run.left_out:
                found = tuple(g for g in report.heuristic if g.detector == source.name)
                ask = partial(source.overlays, found=found)
                made = _fenced(source.name, media, ask, pixels=source.reads_pixels)
                drawn.extend((made,) if isinstance(made, NotExamined) else made)
        return tuple(drawn)

    def _tool(self, guesses: tuple[HeuristicEvidence, ...]) -> ToolView:
        return ToolView(
            version=__version__,
            engines=tuple((e.traits.name, e.traits.version) for e in self._engines),
            models=tuple(dict.fromkeys((g.detector, g.model_sha256) for g in guesses if g.model_sha256)),
            signer_roots_sha256=self._roots_sha256[0],
            tsa_roots_sha256=self._roots_sha256[1],
            policy=str(self._policy),
            policy_sha256=self._policy.sha256,
        )


def _fenced(name: str, media: Media, ask: Callable[[Media], T], *, pixels: bool) -> T | NotExamined:
    """What a source answers, or why it does not."""
    if pixels and media.not_decoded:
        return NotExamined(what=name, why=media.not_decoded)
    try:
        return ask(media)
    except (DetectorError, AuthnError) as e:
        return NotExamined(what=name, why=e.detail)
    except Exception as e:  # noqa: BLE001 - one source's failure must not cost the others' evidence
        _log.exception("source %s failed on %s", name, media.sha256)
        return NotExamined(what=name, why=f"the source failed ({type(e).__name__})")


def _refuse_unreadable(media: Media, proof: CryptographicEvidence) -> None:
    """Nobody saw a manifest, nobody could look the file through, and there are no pixels, or nobody could
    read how many."""
    finding = proof.axis(Axis.CREDENTIAL).findings[0]
    seen = proof.axis(Axis.INTEGRITY).findings[0].code != NO_MANIFEST
    pixels = media.width is not None or media.not_decoded
    if finding.code == "assay.credential.unreadable" and not seen and not pixels:
        raise UnreadableMedia(f"{media.name}: {finding.detail}")


def _silent_axes(proof: CryptographicEvidence) -> tuple[NotExamined, ...]:
    return tuple(
        NotExamined(what=a.axis.value, why=a.findings[0].detail)
        for a in proof.axes
        if a.outcome is Outcome.NOT_EXAMINED
    )


def _closed(media: Media) -> tuple[NotExamined, ...]:
    """One entry for whoever would have shown or judged pixels: a preview and maps have no other place."""
    return (NotExamined(what=PIXELS, why=media.not_decoded),) if media.not_decoded else ()


def _abstentions(guesses: Sequence[HeuristicEvidence]) -> tuple[NotExamined, ...]:
    return tuple(NotExamined(what=g.detector, why=g.reason) for g in guesses if not g.applicable)
