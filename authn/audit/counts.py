"""What the rows of an audit say, counted one by one as they are written; nothing is added up across axes.

A count survives an interruption as JSON, so that a million rows need not be read again to know it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from authn.audit.results import Row, is_not_media, lies_beside
from authn.core.evidence import Axis, HeuristicOutcome, Outcome
from authn.core.visible import visible
from authn.report.vouching import joint_of

MAX_DISTINCT_REASONS = 2000
OTHER_REASONS = "other reasons; the JSON lines name each"

Key = tuple[str, ...]
Outcomes = tuple[tuple[str, tuple[tuple[str, int], ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The counts as they are told."""

    reported: int
    not_reported: int
    not_media: int  # of those: what neither says nor is a kind of media
    beside: int  # of those: receipts and manifest stores, which verify takes in and an audit does not
    refuted: int  # reports with at least one refuted axis
    outside_lists: int  # reports with at least one axis outside the reader's lists
    contradictory: int  # reports with at least one contradiction
    contradictions: tuple[tuple[str, int], ...]  # by code: reports with at least one of that code
    exit_code: int  # the highest that a statement of the policy asks for
    axes: Outcomes
    detectors: Outcomes  # by detector and question: one detector may answer several


class Counts:
    """Grows by ``add``; ``text`` and ``of`` are its stored form."""

    def __init__(self) -> None:
        self._n: Counter[Key] = Counter()
        self._reasons: Counter[str] = Counter()

    @classmethod
    def of(cls, text: str) -> Counts:
        """Raises ``ValueError`` for what ``text`` never wrote."""
        counts = cls()
        for *key, n in json.loads(text):
            counts._n[tuple(key)] = n
            counts._reasons[key[0]] += 1
        return counts

    def text(self) -> str:
        return json.dumps([[*key, n] for key, n in self._n.items()])

    def add(self, row: Row, *, situation: str | None = None, facets: Iterable[str] = ()) -> None:
        """One row; ``situation`` and ``facets`` are those of ``authn.audit.file_row``."""
        if "error" in row:
            self._add_refusal(row)
            return
        self._n["rows", "reported"] += 1
        if situation is not None:
            self._n["situation", situation] += 1
        for facet in facets:
            self._n["facet", facet] += 1
        outcomes = {name: axis["outcome"] for name, axis in row["cryptographic"]["axes"].items()}
        self._n["rows", "refuted"] += Outcome.REFUTED in outcomes.values()
        self._n["rows", "outside_lists"] += Outcome.OUTSIDE_LISTS in outcomes.values()
        self._n["rows", "contradictory"] += bool(row["contradictions"])
        for code in {c.get("code", "") for c in row["contradictions"]}:
            self._n["contradiction", visible(code, 80)] += 1
        for name, outcome in outcomes.items():
            self._n["axis", name, outcome] += 1
        asked = (*row.get("policy_statements", ()), *row["run"].get("rubrics", ()))
        if code := max((said.get("exit_code", 0) for said in asked), default=0):
            self._n["exit", str(code)] += 1
        for item in row["not_examined"]:
            self._reason("not_examined", visible(item["what"], 80), visible(item["why"], 200))
        for detector in row["heuristic"]["detectors"]:
            if joint_of(detector) is None:
                self._add_answer(detector)

    def _add_refusal(self, row: Row) -> None:
        self._n["rows", "not_reported"] += 1
        self._n["rows", "not_media"] += is_not_media(row)
        self._n["rows", "beside"] += is_not_media(row) and lies_beside(row)

    def _add_answer(self, detector: Row) -> None:
        self._n["detector", visible(detector["id"], 60), detector["question"], detector["outcome"]] += 1
        if detector["outcome"] == HeuristicOutcome.ABSTAIN.value:
            self._reason("no_answer", visible(detector["id"], 60), visible(detector["reason"], 200))

    def _reason(self, kind: str, what: str, why: str) -> None:
        """Reasons can quote a file; past a bound, new ones are counted together."""
        key = (kind, what, why)
        if key not in self._n:
            if self._reasons[kind] >= MAX_DISTINCT_REASONS:
                key = (kind, what, OTHER_REASONS)
            self._reasons[kind] += key not in self._n
        self._n[key] += 1

    def __getitem__(self, key: Key) -> int:
        return self._n[key]

    def pairs(self, kind: str) -> Counter[tuple[str, str]]:
        """Of ``not_examined`` or ``no_answer``: how often (what, why)."""
        return Counter({(k[1], k[2]): n for k, n in self._n.items() if k[0] == kind})

    def detectors(self) -> tuple[tuple[str, str], ...]:
        """(id, question) of those that were asked, in order."""
        return tuple(sorted({(k[1], k[2]) for k in self._n if k[0] == "detector"}))

    def tally(self) -> Tally:
        return Tally(
            **{
                name: self._n["rows", name]
                for name in (
                    "reported",
                    "not_reported",
                    "not_media",
                    "beside",
                    "refuted",
                    "outside_lists",
                    "contradictory",
                )
            },
            contradictions=tuple(sorted((k[1], n) for k, n in self._n.items() if k[0] == "contradiction")),
            exit_code=max((int(k[1]) for k in self._n if k[0] == "exit"), default=0),
            axes=tuple(
                (a.value, tuple((o.value, self._n["axis", a.value, o.value]) for o in Outcome))
                for a in Axis
                if self._n["rows", "reported"]
            ),
            detectors=tuple(
                (
                    f"{name} ({question.replace('_', ' ')})",
                    tuple((o.value, self._n["detector", name, question, o.value]) for o in HeuristicOutcome),
                )
                for name, question in self.detectors()
            ),
        )
