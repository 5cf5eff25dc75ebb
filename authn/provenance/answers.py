"""What a C2PA reader answers about a file, in one form for all of them, and what is known of a reader.

A reader is an engine that somebody else wrote (``authn.provenance.engines``) or our own check
(``authn.provenance.binding``). What one of them cannot do, or does in its own way, is a field of
``EngineTraits``: nothing in this house asks for an engine by its name or by its place in a list.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from authn.core.plain import Json, list_of, map_of

MAX_DETAIL = 300


class EngineState(StrEnum):
    NO_MANIFEST = "no_manifest"
    REMOTE_ONLY = "remote_only"  # the file only names an address; nothing is fetched
    UNREADABLE = "unreadable"
    READ = "read"
    NOT_ASKED = "not_asked"


class Asked(StrEnum):
    """How much of a file an engine was asked about (docs/decisions/0032)."""

    WHOLE = "whole"
    OUTLINE = "outline"  # all but its compressed pixels; what the binding says was signed, it confirms
    NOTHING = "nothing"  # it could only have repeated another one (docs/decisions/0034)
    CLAIMS = "claims"  # what the manifest says, and nothing about whether that holds


class Scope(StrEnum):
    ACTIVE = "active"  # about the active manifest
    INGREDIENT = "ingredient"  # what this engine found about an ingredient
    RECORDED = "recorded"  # what an earlier claim generator wrote down about an ingredient


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineTraits:
    """An engine and its known limits (docs/decisions/0004)."""

    name: str
    version: str
    shows_claims: bool = False  # it gives what the manifests say (``EngineAnswer.store``), not codes alone
    judges_at_clock: bool = False  # it has no parameter for the time
    reads_pss: bool = True  # it evaluates certificates that are signed with RSASSA-PSS
    takes_usages: bool = True  # its list of key usages can be set
    reads_fractions: bool = True  # it reads a genTime with a fraction, which RFC 3161 allows


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineCode:
    """``kind``: "success", "informational" or "failure", as the engine sorts its own codes."""

    code: str
    kind: str
    scope: Scope
    detail: str
    about: str = ""
    where: str = ""  # the engine's own address of the box that it speaks about


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineAnswer:
    by: EngineTraits
    state: EngineState
    word: str = ""  # the engine's own overall word, for display only
    codes: tuple[EngineCode, ...] = ()
    detail: str = ""
    active: str = ""  # the label of the manifest that it judged
    store: Mapping[str, Json] = field(default_factory=dict)  # its JSON view of the store, if it shows one
    asked: Asked = Asked.WHOLE

    @property
    def engine(self) -> str:
        return self.by.name

    def has(self, *codes: str, kind: str, scope: Scope = Scope.ACTIVE) -> bool:
        return any(c.code in codes and c.kind == kind and c.scope is scope for c in self.codes)

    def failures(self, scope: Scope = Scope.ACTIVE) -> tuple[EngineCode, ...]:
        return tuple(c for c in self.codes if c.kind == "failure" and c.scope is scope)

    @property
    def manifests(self) -> Mapping[str, Json]:
        return map_of(self.store.get("manifests"))

    @property
    def shown(self) -> Mapping[str, Json]:
        """What the active manifest says; empty where none is shown."""
        return map_of(self.manifests.get(self.active))


class Engine(Protocol):
    traits: EngineTraits

    def read(
        self, data: bytes, media_type: str, as_of: datetime, sidecar: bytes | None = None
    ) -> EngineAnswer:
        """Never raises: what keeps the engine from reading is an ``UNREADABLE`` answer with its reason."""
        ...


def asked_of(answers: Sequence[EngineAnswer]) -> tuple[EngineAnswer, ...]:
    """Those of engines that were asked."""
    return tuple(a for a in answers if a.state is not EngineState.NOT_ASKED)


@runtime_checkable
class ShowsClaims(Protocol):
    """An engine that can show what manifests say without judging them."""

    def claims(self, data: bytes, media_type: str) -> EngineAnswer:
        """What the manifests say, judged by nobody. Never raises, as ``Engine.read``."""
        ...


@runtime_checkable
class GivesCrJson(Protocol):
    """An engine that can write what it read as C2PA's crJSON."""

    def crjson(self, data: bytes, media_type: str, sidecar: bytes | None = None) -> bytes | None:
        """None where it can read no store. Never raises, as ``Engine.read``."""
        ...


def showing(answers: Sequence[EngineAnswer]) -> EngineAnswer:
    """The answer that shows what the manifests say, read or not. Raises ``ValueError`` where no engine that
    was asked can show it."""
    for answer in answers:
        if answer.by.shows_claims and answer.state is not EngineState.NOT_ASKED:
            return answer
    raise ValueError("no engine shows what manifests say")


def assertions_of(manifest: Mapping[str, Json]) -> Iterable[tuple[str, Json]]:
    """Label and data of each assertion of a manifest in an engine's view."""
    for item in list_of(manifest.get("assertions")):
        assertion = map_of(item)
        yield str(assertion.get("label", "")), assertion.get("data")
