"""Two C2PA readers that were written independently, behind one answer type.

Each reads every file with the network off. What they say is material: no single word of theirs is a result
(``authn.provenance.verifier`` decides). Every exception of an engine becomes an ``UNREADABLE`` answer.
"""

from __future__ import annotations

import importlib.metadata
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol, cast

import c2pa
from encypher_c2pa import verify_bytes as encypher_verify  # type: ignore[attr-defined]
from encypher_c2pa import verify_detached_bytes as encypher_verify_detached  # type: ignore[attr-defined]

from authn.core.instants import instant
from authn.core.plain import Json
from authn.pki.roots import TrustRoots, roots_pem
from authn.provenance.costs import endless, too_costly
from signer.core.uninterrupted import uninterrupted
from signer.proof.usages import usage_config

MAX_DETAIL = 300


class EngineState(StrEnum):
    NO_MANIFEST = "no_manifest"
    REMOTE_ONLY = "remote_only"  # the file only names an address; nothing is fetched
    UNREADABLE = "unreadable"
    READ = "read"


class Scope(StrEnum):
    ACTIVE = "active"  # about the active manifest
    INGREDIENT = "ingredient"  # what this engine found about an ingredient
    RECORDED = "recorded"  # what an earlier claim generator wrote down about an ingredient


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
    engine: str
    version: str
    state: EngineState
    word: str = ""  # the engine's own overall word, for display only
    codes: tuple[EngineCode, ...] = ()
    detail: str = ""
    active: str = ""  # the label of the manifest that it judged
    store: Mapping[str, Json] = field(default_factory=dict)  # the engine's JSON view; only c2pa-rs gives it

    def has(self, *codes: str, kind: str, scope: Scope = Scope.ACTIVE) -> bool:
        return any(c.code in codes and c.kind == kind and c.scope is scope for c in self.codes)

    def failures(self, scope: Scope = Scope.ACTIVE) -> tuple[EngineCode, ...]:
        return tuple(c for c in self.codes if c.kind == "failure" and c.scope is scope)


class Engine(Protocol):
    name: str
    version: str

    def read(
        self, data: bytes, media_type: str, as_of: datetime, sidecar: bytes | None = None
    ) -> EngineAnswer: ...


class C2paRs:
    """contentauth/c2pa-rs through c2pa-python. It has no parameter for the time: it judges at now."""

    name = "c2pa-rs"

    def __init__(self, roots: TrustRoots) -> None:
        self.version = c2pa.sdk_version()
        self._context = c2pa.Context.from_dict(
            {
                "trust": {
                    "trust_config": usage_config(roots.usages),
                    "anchors": [
                        {
                            "trust_anchors": roots_pem(given),
                            "trust_kind": kind,
                            "trust_uri": f"urn:assay:{kind}",
                        }
                        for kind, given in (("manifest", roots.signer), ("tsa", roots.tsa))
                        if given
                    ],
                },
                "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
                "core": {"allowed_network_hosts": []},
            }
        )

    def read(
        self, data: bytes, media_type: str, as_of: datetime, sidecar: bytes | None = None
    ) -> EngineAnswer:
        costly = too_costly(data, media_type) or endless(data, media_type, sidecar)
        if costly is not None:
            return self._answer(EngineState.UNREADABLE, detail=costly)
        try:
            # An interrupt inside a stream callback would be a short read, and look like tampering.
            word, results, store = uninterrupted(lambda: self._read(data, media_type, sidecar))
        except c2pa.C2paError.ManifestNotFound:
            return self._answer(EngineState.NO_MANIFEST)
        except c2pa.C2paError as e:
            remote = str(e).startswith("Remote:")
            state = EngineState.REMOTE_ONLY if remote else EngineState.UNREADABLE
            return self._answer(state, detail=str(e)[:MAX_DETAIL])
        except (ValueError, RecursionError) as e:
            return self._answer(EngineState.UNREADABLE, detail=str(e)[:MAX_DETAIL])
        if "active_manifest" not in store or not results:
            return self._answer(EngineState.UNREADABLE, detail="the store names no active manifest")
        codes = (*_result_codes(results), *_recorded_codes(store))
        return self._answer(EngineState.READ, word=word, codes=codes, store=store)

    def _read(
        self, data: bytes, media_type: str, sidecar: bytes | None
    ) -> tuple[str, Mapping[str, Json], Mapping[str, Json]]:
        with c2pa.Reader(media_type, io.BytesIO(data), sidecar, context=self._context) as reader:
            word = str(reader.get_validation_state() or "")
            return word, reader.get_validation_results() or {}, json.loads(reader.json())

    def _answer(
        self,
        state: EngineState,
        *,
        word: str = "",
        codes: tuple[EngineCode, ...] = (),
        detail: str = "",
        store: Mapping[str, Json] | None = None,
    ) -> EngineAnswer:
        return EngineAnswer(
            engine=self.name,
            version=self.version,
            state=state,
            word=word,
            codes=codes,
            detail=detail,
            active=str((store or {}).get("active_manifest", "")),
            store=store or {},
        )


class Encypher:
    """encypher-c2pa: an own core; keeps signer and time-stamp roots apart and judges at a given time."""

    name = "encypher-c2pa"

    def __init__(self, roots: TrustRoots) -> None:
        self.version = importlib.metadata.version("encypher-c2pa")
        # ``encypher_c2pa.verify`` saves the telemetry answer in the user's home on every call; the function
        # below it takes the same options, sends nothing, and writes nothing.
        self._options = {
            "trust_pem": roots_pem(roots.signer) or None,
            "tsa_trust_pem": roots_pem(roots.tsa) or None,
            "no_default_trust": True,
            "online": False,
            "telemetry": {"enabled": False},
        }

    def read(
        self, data: bytes, media_type: str, as_of: datetime, sidecar: bytes | None = None
    ) -> EngineAnswer:
        try:
            options = json.dumps({**self._options, "validation_time": instant(as_of)})
            if sidecar is None:
                result = json.loads(encypher_verify(data, media_type, options))
            else:
                result = json.loads(encypher_verify_detached(data, sidecar, media_type, options))
        except (ValueError, OSError, TypeError, RuntimeError) as e:
            return EngineAnswer(
                engine=self.name,
                version=self.version,
                state=EngineState.UNREADABLE,
                detail=str(e)[:MAX_DETAIL] or "it gives no reason",
            )
        codes = tuple(_codes_of(cast("Mapping[str, Json]", result["validation_results"]), Scope.ACTIVE))
        return EngineAnswer(
            engine=self.name,
            version=self.version,
            state=self._state(result, codes),
            word=str(result["validation_state"]),
            active=str(_map(result.get("manifest_report")).get("active_manifest") or ""),
            codes=codes,
        )

    @staticmethod
    def _state(result: Mapping[str, object], codes: tuple[EngineCode, ...]) -> EngineState:
        if not result["present"]:
            return EngineState.NO_MANIFEST
        failures = {c.code for c in codes if c.kind == "failure"}
        if failures == {"manifest.inaccessible"}:
            return EngineState.REMOTE_ONLY
        return EngineState.UNREADABLE if failures == {"general.error"} else EngineState.READ


def _result_codes(results: Mapping[str, Json]) -> Iterable[EngineCode]:
    yield from _codes_of(_map(results.get("activeManifest")), Scope.ACTIVE)
    for delta in _list(results.get("ingredientDeltas")):
        entry = _map(delta)
        yield from _codes_of(
            _map(entry.get("validationDeltas")),
            Scope.INGREDIENT,
            str(entry.get("ingredientAssertionURI", "")),
        )


def _recorded_codes(store: Mapping[str, Json]) -> Iterable[EngineCode]:
    """What claim generators wrote down about ingredients, in every manifest of the store."""
    for _label, manifest in sorted(_map(store.get("manifests")).items()):  # an engine has them in any order
        for item in _list(_map(manifest).get("ingredients")):
            ingredient = _map(item)
            title = str(ingredient.get("title", ""))[:MAX_DETAIL]
            for status in _list(ingredient.get("validation_status")):
                yield _code(_map(status), "failure", Scope.RECORDED, title)
            active = _map(_map(ingredient.get("validation_results")).get("activeManifest"))
            for status in _list(active.get("failure")):
                yield _code(_map(status), "failure", Scope.RECORDED, title)


def _codes_of(groups: Mapping[str, Json], scope: Scope, about: str = "") -> Iterable[EngineCode]:
    for kind in ("success", "informational", "failure"):
        for item in _list(groups.get(kind)):
            yield _code(_map(item), kind, scope, about)


def _code(item: Mapping[str, Json], kind: str, scope: Scope, about: str) -> EngineCode:
    return EngineCode(
        code=str(item.get("code", ""))[:100],
        kind=kind,
        scope=scope,
        detail=str(item.get("explanation", "") or "")[:MAX_DETAIL],
        about=about[:MAX_DETAIL],
        where=str(item.get("url", "") or "")[:MAX_DETAIL],
    )


def _map(value: object) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Json]:
    return value if isinstance(value, list) else []
