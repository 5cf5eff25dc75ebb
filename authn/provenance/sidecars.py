"""A manifest store that came beside the file (C2PA 2.x section 11.4), and how a report tells of it.

A store inside the file goes before one beside it: it is the one that every other reader will show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from authn.core.evidence import Axis, CryptographicEvidence, Finding, Outcome

_USED = Finding(
    code="assay.credential.sidecar",
    outcome=Outcome.ESTABLISHED,
    detail="the manifest store lies beside the file, not inside it; it may have been made for another file",
)
_NOT_READ = Finding(
    code="assay.credential.sidecarNotRead",
    outcome=Outcome.NOT_EXAMINED,
    detail="the manifest store beside the file was not read, because the file embeds one of its own",
)


def told(proof: CryptographicEvidence, *, used: bool) -> CryptographicEvidence:
    """The credential axis with a word on a sidecar that was given. Changes no outcome."""
    credential = proof.axis(Axis.CREDENTIAL)
    word = _USED if used else _NOT_READ
    axis = replace(credential, findings=(*credential.findings, word))
    return replace(proof, axes=(axis, *proof.axes[1:]))


def lay_beside(report: Mapping[str, Any]) -> bool:
    """Whether this report, in its JSON form, rests on a manifest store beside the file."""
    return _USED.code in _told_in(report)


def came_beside(report: Mapping[str, Any]) -> bool:
    """Whether one came beside the file at all, read or not."""
    return not _told_in(report).isdisjoint((_USED.code, _NOT_READ.code))


def _told_in(report: Mapping[str, Any]) -> frozenset[str]:
    """The codes of the credential's findings."""
    findings = report["cryptographic"]["axes"][Axis.CREDENTIAL.value]["findings"]
    return frozenset(f["code"] for f in findings)
