"""A manifest store that came beside the file (C2PA 2.x section 11.4): when it counts, and how it is told.

A store inside the file goes before one beside it: it is the one that every other reader will show.
"""

from __future__ import annotations

from dataclasses import replace

from authn.core.evidence import Axis, AxisEvidence, CryptographicEvidence, Finding, Outcome
from authn.core.media import Media
from signer.core.errors import InputRefused, ManifestMalformed
from signer.proof.container import read_manifest

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


def one_store(media: Media) -> Media:
    """Without the sidecar where the file embeds a store, whole or not."""
    if media.sidecar is None:
        return media
    try:
        embedded = read_manifest(media.data, media.media_type) is not None
    except ManifestMalformed:
        embedded = True
    except InputRefused:
        embedded = False
    return replace(media, sidecar=None) if embedded else media


def told(proof: CryptographicEvidence, given: Media, read: Media) -> CryptographicEvidence:
    """The credential axis with a word on the sidecar, if one was given. Changes no outcome."""
    if given.sidecar is None:
        return proof
    credential = proof.axis(Axis.CREDENTIAL)
    findings = (*credential.findings, _NOT_READ if read.sidecar is None else _USED)
    axis = AxisEvidence(axis=Axis.CREDENTIAL, outcome=credential.outcome, findings=findings)
    return replace(proof, axes=(axis, *proof.axes[1:]))
