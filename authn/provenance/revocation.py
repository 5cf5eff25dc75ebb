"""Step 10: was the signer's certificate, its device or an authority above it revoked at the time that counts.

Whoever is asked, the registry or a revocation list, names the time from which a key is not to be believed.
That time is compared with the proven time of the signature, and only where none is proven with the as-of
time: what was signed before stays good, with or without a network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from authn.core.evidence import Axis, AxisEvidence, Facts, Finding, Outcome
from authn.core.instants import instant, spoken
from authn.core.keys import spki_sha256
from authn.devices import DeviceRecord, RegistryView
from authn.pki.crl import Crl, CrlRefused, RevokedEntry, covers, look_up
from authn.provenance.answers import EngineAnswer
from authn.provenance.axes import device_facts, revoked_at_time
from authn.provenance.said import engine_codes
from signer.proof.certificates import Certificate, issued_by

REVOKED, NOT_REVOKED = "signingCredential.revoked", "signingCredential.notRevoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What can be asked. ``certificates``: as the file brings them, the signer's first."""

    certificates: tuple[Certificate, ...]
    roots: tuple[Certificate, ...]
    crls: tuple[Crl, ...]
    registry: RegistryView | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """``at`` is the time that a revocation is compared with; lists have to be current ``as_of``."""

    proven: datetime | None
    as_of: datetime

    @property
    def at(self) -> datetime:
        return self.proven or self.as_of

    @property
    def basis(self) -> str:
        return "its proven time" if self.proven else "the as-of time, since no time is proven"


def revocation_axis(known: Known | None, judged: Judged, answers: Sequence[EngineAnswer]) -> AxisEvidence:
    """``known`` is None without a verified signature. Established: somebody who would know it names no
    revocation at that time, and nobody names one."""
    findings = [*engine_codes(answers, Axis.REVOCATION, "")]
    if known is not None:
        findings = [*_registry(known, judged), *_lists(known, judged), *findings]
    outcomes = {f.outcome for f in findings}
    if Outcome.REFUTED in outcomes:
        outcome = Outcome.REFUTED
    elif Outcome.ESTABLISHED in outcomes:
        outcome = Outcome.ESTABLISHED
    else:
        outcome = Outcome.NOT_EXAMINED
    if not outcomes & {Outcome.REFUTED, Outcome.ESTABLISHED, Outcome.NOT_EXAMINED}:
        why = "nobody who could revoke this certificate was asked; the network is off"
        findings.append(Finding.not_examined(Axis.REVOCATION, why))
    return AxisEvidence.of(Axis.REVOCATION, *findings, outcome=outcome)


def _registry(known: Known, judged: Judged) -> list[Finding]:
    leaf = known.certificates[0]
    device = (
        known.registry.device_by_key(spki_sha256(leaf.public_key())) if known.registry is not None else None
    )
    if device is None:
        return []
    serial = f"{leaf.serial_number:x}"
    single = next((c for c in device.revoked_certificates if c.serial == serial), None)
    if single is not None and single.invalid_since <= judged.at:
        facts: Facts = (("certificate_serial", serial), ("invalid_since", instant(single.invalid_since)))
        detail = f"the registry revokes this certificate from {spoken(single.invalid_since)} on"
        return [_finding(REVOKED, f"{detail}; judged at {judged.basis}", (*facts, ("reason", single.reason)))]
    code = REVOKED if revoked_at_time(device, judged.at) else NOT_REVOKED
    return [_finding(code, _device_detail(device, judged), device_facts(device))]


def _device_detail(device: DeviceRecord, judged: Judged) -> str:
    since = device.invalid_since or device.revoked_at
    if since is None:
        return f"the registry names no revocation; judged at {judged.basis}"
    word = "from" if since <= judged.at else "only later, from"
    return f"the registry revokes the device {word} {spoken(since)} on; judged at {judged.basis}"


def _lists(known: Known, judged: Judged) -> list[Finding]:
    """Every list that was given is answered for: what it says, or why it is not heard."""
    pairs = _issued_pairs(known) if known.crls else []
    found = []
    for crl in known.crls:
        about = [(c, issuer) for c, issuer in pairs if covers(crl, c, issuer)]
        if not about:
            found.append(_refused(crl, "it comes from another issuer than the signer's certificates"))
        for certificate, issuer in about:
            try:
                entry = look_up(crl, certificate, issuer, as_of=judged.as_of)
            except CrlRefused as e:
                found.append(_refused(crl, str(e)))
                continue
            is_leaf = certificate == known.certificates[0]
            if is_leaf or (entry is not None and entry.invalid_since <= judged.at):
                found.append(_listed(crl, entry, judged, is_leaf=is_leaf))
    return found


def _issued_pairs(known: Known) -> list[tuple[Certificate, Certificate]]:
    """Each certificate of the file with its issuer; the name alone makes nobody an issuer."""
    candidates = (*known.certificates[1:], *known.roots)
    pairs = []
    for certificate in known.certificates:
        issuers = [c for c in candidates if c != certificate and issued_by(certificate, c)]
        pairs += [(certificate, issuer) for issuer in issuers[:1]]
    return pairs


def _listed(crl: Crl, entry: RevokedEntry | None, judged: Judged, *, is_leaf: bool) -> Finding:
    whose = "the signer's certificate" if is_leaf else "an authority of the signer's path"
    if entry is None:
        return _finding(NOT_REVOKED, f"the revocation list does not name {whose}", _facts(crl))
    revoked = entry.invalid_since <= judged.at
    word = "from" if revoked else "only later, from"
    since = spoken(entry.invalid_since)
    detail = f"the revocation list revokes {whose} {word} {since} on; judged at {judged.basis}"
    facts: Facts = (
        ("certificate_serial", f"{entry.serial:x}"),
        ("revoked_at", instant(entry.revoked_at)),
        ("invalid_since", instant(entry.invalid_since)),
        ("reason", entry.cause),
    )
    return _finding(REVOKED if revoked else NOT_REVOKED, detail, (*facts, *_facts(crl)))


def _finding(code: str, detail: str, facts: Facts) -> Finding:
    outcome = Outcome.REFUTED if code == REVOKED else Outcome.ESTABLISHED
    return Finding(code=code, outcome=outcome, detail=detail, facts=facts)


def _refused(crl: Crl, why: str) -> Finding:
    return Finding(
        code="assay.revocation.listRefused",
        outcome=Outcome.NOT_EXAMINED,
        detail=f"a revocation list is not heard: {why}",
        facts=_facts(crl),
    )


def _facts(crl: Crl) -> Facts:
    return (
        ("list_number", str(crl.number)),
        ("list_sha256", crl.sha256),
        ("this_update", instant(crl.this_update)),
        ("next_update", instant(crl.next_update)),
    )
