"""Two C2PA readers that were written independently, behind one protocol.

Each reads every file with the network off. What they say is material: no single word of theirs is a result
(``authn.provenance.verifier`` decides). Their quirks stay here, and their limits are named in ``traits``.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import cast

import c2pa
from encypher_c2pa import __version__ as encypher_version
from encypher_c2pa import verify_bytes as encypher_verify  # type: ignore[attr-defined]
from encypher_c2pa import verify_detached_bytes as encypher_verify_detached  # type: ignore[attr-defined]

from authn.core.instants import instant
from authn.core.plain import Json, list_of, map_of
from authn.pki.roots import TrustRoots, roots_pem
from authn.provenance.answers import (
    MAX_DETAIL,
    Asked,
    Engine,
    EngineAnswer,
    EngineCode,
    EngineState,
    EngineTraits,
    Scope,
)
from authn.provenance.costs import endless, too_costly
from signer.core.uninterrupted import uninterrupted
from signer.proof.usages import usage_config

_Reads = Callable[[bytes, str, bytes | None], EngineAnswer]


def open_engines(roots: TrustRoots) -> tuple[Engine, ...]:
    """All that there are, in the order in which a report names them."""
    return C2paRs(roots), Encypher(roots)


class C2paRs:
    """contentauth/c2pa-rs through c2pa-python. It has no parameter for the time: it judges at now."""

    def __init__(self, roots: TrustRoots) -> None:
        self.traits = EngineTraits(
            name="c2pa-rs", version=c2pa.sdk_version(), shows_claims=True, judges_at_clock=True
        )
        offline = {"remote_manifest_fetch": False, "ocsp_fetch": False}
        network: dict[str, list[str]] = {"allowed_network_hosts": []}
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
                "verify": offline,
                "core": network,
            }
        )
        self._unjudged = c2pa.Context.from_dict(
            {"verify": {**offline, "verify_after_reading": False}, "core": network}
        )

    def read(
        self, data: bytes, media_type: str, as_of: datetime, sidecar: bytes | None = None
    ) -> EngineAnswer:
        return self._guarded(data, media_type, sidecar, self._read)

    def claims(self, data: bytes, media_type: str) -> EngineAnswer:
        """See ``ShowsClaims``."""
        return self._guarded(data, media_type, None, self._shown)

    def crjson(self, data: bytes, media_type: str, sidecar: bytes | None = None) -> bytes | None:
        """The store and what this reader finds about it as C2PA's crJSON; None where none can be read."""
        if too_costly(data, media_type) or endless(data, media_type, sidecar):
            return None
        try:
            return uninterrupted(lambda: self._crjson(data, media_type, sidecar))
        except (c2pa.C2paError, ValueError, RecursionError):
            return None

    def _crjson(self, data: bytes, media_type: str, sidecar: bytes | None) -> bytes:
        with c2pa.Reader(media_type, io.BytesIO(data), sidecar, context=self._context) as reader:
            text: str = reader.crjson()
        return text.encode()

    def _guarded(self, data: bytes, media_type: str, sidecar: bytes | None, read: _Reads) -> EngineAnswer:
        costly = too_costly(data, media_type) or endless(data, media_type, sidecar)
        if costly is not None:
            return self._answer(EngineState.UNREADABLE, detail=costly)
        try:
            # An interrupt inside a stream callback would be a short read, and look like tampering.
            return uninterrupted(lambda: read(data, media_type, sidecar))
        except c2pa.C2paError.ManifestNotFound:
            return self._answer(EngineState.NO_MANIFEST)
        except c2pa.C2paError as e:
            remote = str(e).startswith("Remote:")
            state = EngineState.REMOTE_ONLY if remote else EngineState.UNREADABLE
            return self._answer(state, detail=str(e)[:MAX_DETAIL])
        except (ValueError, RecursionError) as e:
            return self._answer(EngineState.UNREADABLE, detail=str(e)[:MAX_DETAIL])

    def _read(self, data: bytes, media_type: str, sidecar: bytes | None) -> EngineAnswer:
        with c2pa.Reader(media_type, io.BytesIO(data), sidecar, context=self._context) as reader:
            store = json.loads(reader.json())
        results = map_of(store.get("validation_results"))
        if "active_manifest" not in store or not results:
            return self._answer(EngineState.UNREADABLE, detail="the store names no active manifest")
        codes = (*_result_codes(results), *_recorded_codes(store))
        word = str(store.get("validation_state") or "")
        return self._answer(EngineState.READ, word=word, codes=codes, store=store)

    def _shown(self, data: bytes, media_type: str, _sidecar: bytes | None) -> EngineAnswer:
        with c2pa.Reader(media_type, io.BytesIO(data), context=self._unjudged) as reader:
            store = json.loads(reader.json())
        if "active_manifest" not in store:
            return self._answer(EngineState.UNREADABLE, detail="the store names no active manifest")
        return replace(self._answer(EngineState.READ, store=store), asked=Asked.CLAIMS)

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
            by=self.traits,
            state=state,
            word=word,
            codes=codes,
            detail=detail,
            active=str((store or {}).get("active_manifest", "")),
            store=store or {},
        )


class Encypher:
    """encypher-c2pa: an own core; keeps signer and time-stamp roots apart and judges at a given time."""

    def __init__(self, roots: TrustRoots) -> None:
        self.traits = EngineTraits(
            name="encypher-c2pa",
            version=encypher_version,
            shows_claims=True,
            reads_pss=False,
            takes_usages=False,
            reads_fractions=False,  # 1.7 calls such a token malformed
        )
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
                by=self.traits,
                state=EngineState.UNREADABLE,
                detail=str(e)[:MAX_DETAIL] or "it gives no reason",
            )
        codes = tuple(_codes_of(cast("Mapping[str, Json]", result["validation_results"]), Scope.ACTIVE))
        store = map_of(result.get("manifest_report"))
        return EngineAnswer(
            by=self.traits,
            state=self._state(result, codes),
            word=str(result["validation_state"]),
            active=str(store.get("active_manifest") or ""),
            codes=codes,
            store=store,
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
    yield from _codes_of(map_of(results.get("activeManifest")), Scope.ACTIVE)
    for delta in list_of(results.get("ingredientDeltas")):
        entry = map_of(delta)
        yield from _codes_of(
            map_of(entry.get("validationDeltas")),
            Scope.INGREDIENT,
            str(entry.get("ingredientAssertionURI", "")),
        )


def _recorded_codes(store: Mapping[str, Json]) -> Iterable[EngineCode]:
    """What claim generators wrote down about ingredients, in every manifest of the store."""
    for _label, manifest in sorted(map_of(store.get("manifests")).items()):  # an engine has them in any order
        for item in list_of(map_of(manifest).get("ingredients")):
            ingredient = map_of(item)
            title = str(ingredient.get("title", ""))[:MAX_DETAIL]
            for status in list_of(ingredient.get("validation_status")):
                yield _code(map_of(status), "failure", Scope.RECORDED, title)
            active = map_of(map_of(ingredient.get("validation_results")).get("activeManifest"))
            for status in list_of(active.get("failure")):
                yield _code(map_of(status), "failure", Scope.RECORDED, title)


def _codes_of(groups: Mapping[str, Json], scope: Scope, about: str = "") -> Iterable[EngineCode]:
    for kind in ("success", "informational", "failure"):
        for item in list_of(groups.get(kind)):
            yield _code(map_of(item), kind, scope, about)


def _code(item: Mapping[str, Json], kind: str, scope: Scope, about: str) -> EngineCode:
    return EngineCode(
        code=str(item.get("code", ""))[:100],
        kind=kind,
        scope=scope,
        detail=str(item.get("explanation", "") or "")[:MAX_DETAIL],
        about=about[:MAX_DETAIL],
        where=str(item.get("url", "") or "")[:MAX_DETAIL],
    )
