"""A manifest store that came beside the file (C2PA 2.x section 11.4), and how a report tells of it.

A store inside the file goes before one beside it: it is the one that every other reader will show.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from authn.core.evidence import Axis, CryptographicEvidence, Finding, Outcome

_USED = Finding(
    code="assay.credential.sidecar",
    outcome=Outcome.ESTABLISHED,
    detail="the manifest store lies beside the file, not inside it; it may have been made for another file",
)
_SHA256 = "sha256"
_NOT_READ = Finding(
    code="assay.credential.sidecarNotRead",
    outcome=Outcome.NOT_EXAMINED,
    detail="the manifest store beside the file was not read, because the file embeds one of its own",
)


def told(proof: CryptographicEvidence, store: bytes, *, used: bool) -> CryptographicEvidence:
    """The credential axis with a word on the sidecar that was given, and which it was. Changes no outcome."""
    credential = proof.axis(Axis.CREDENTIAL)
    word = replace(_USED if used else _NOT_READ, facts=((_SHA256, hashlib.sha256(store).hexdigest()),))
    axis = replace(credential, findings=(*credential.findings, word))
    return replace(proof, axes=(axis, *proof.axes[1:]))


def lay_beside(report: Mapping[str, Any]) -> bool:
    """Whether this report, in its JSON form, rests on a manifest store beside the file."""
    return _USED.code in _told_in(report)


def why_not_beside(report: Mapping[str, Any], store: bytes) -> str:
    """Why a report was not given this store, one sentence; empty where it was. Reports from before a finding
    said which store it was are believed."""
    found = _told_in(report)
    given = [found[word.code] for word in (_USED, _NOT_READ) if word.code in found]
    if not given:
        return "no manifest store came beside the file of the report; send the file alone"
    digest = hashlib.sha256(store).hexdigest()
    if given[0].get(_SHA256, digest) != digest:
        return "another manifest store came beside the file of the report: their SHA-256 differ"
    return ""


def _told_in(report: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """The facts of the credential's findings, by code."""
    findings = report["cryptographic"]["axes"][Axis.CREDENTIAL.value]["findings"]
    return {f["code"]: f["facts"] for f in findings}
