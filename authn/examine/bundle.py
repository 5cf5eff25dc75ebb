"""An evidence bundle: everything that is needed to repeat a report years later, in one file.

A zip of fixed names (docs/formats/bundle.md): the media or only their digest, both root lists, the device
record that was asked for, the policy, the as-of time, the report, and, for people with other tools, manifest
store, certificates and time-stamp tokens. ``bundle.json`` lists every member with its SHA-256. The bundle is
evidence, not authority: whoever repeats a report decides whether to believe the roots in it.

Reading trusts nothing: sizes are capped while inflating, names are an allow-list, digests must match.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from authn.core.errors import BundleError, NoteError, SettingsError
from authn.core.instants import instant, utc_of
from authn.core.keys import spki_sha256
from authn.core.media import MAX_SIDECAR_BYTES, Media
from authn.core.plain import Json
from authn.core.report import Report, report_json
from authn.devices import DeviceRecord, RegistryView
from authn.devices.snapshot import record_json, record_of
from authn.pki.crl import MAX_CRL_BYTES, Crl, CrlRefused, crl_pem, read_crl
from authn.pki.roots import TrustRoots, roots_pem
from authn.policies.policy import Policy
from authn.policies.shelf import read_policy
from authn.provenance.logs import LogTrust, parse_log_keys, parse_witness_keys
from authn.provenance.own import read_own
from authn.tlog.format.policy import parse_policy as parse_witnesses
from authn.tlog.format.policy import policy_text
from signer.core.errors import InputRefused, ManifestMalformed
from signer.proof.certificates import read_pem
from signer.proof.container import read_manifest
from signer.proof.usages import SIGNER_USAGES, parse_usages, usage_text

VERSION = 1
MAX_PART_BYTES = 8 * 1024 * 1024
MEDIA, LIST, CRLS, RECEIPT = "media", "bundle.json", "revocation-lists.pem", "receipt.tlog-proof"
SIDECAR = "sidecar.c2pa"
PARTS = ("report.json", "signer-roots.pem", "tsa-roots.pem", "policy.toml", "device.json", "logs.json")
FOR_PEOPLE = ("manifest.c2pa", "certificates.pem", "claim.cbor")
MAX_TOKENS = 8
_EPOCH = (1980, 1, 1, 0, 0, 0)  # equal evidence gives equal bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What a report rests on beside the media and the time. ``devices`` is None where no registry was asked,
    empty where it knew nothing."""

    roots: TrustRoots
    policy: Policy
    logs: LogTrust
    receipt: str | None
    devices: tuple[DeviceRecord, ...] | None
    heuristics: bool
    forensics: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """``media`` is None where the bundle holds the digest only."""

    media: bytes | None
    media_name: str
    media_sha256: str
    sidecar: bytes | None
    as_of: datetime
    basis: Basis
    report: bytes


def canonical_report(report: Report) -> bytes:
    """The reproducible part of a report: without ``run``, sorted keys, no spaces, ASCII."""
    document = report_json(report)
    document.pop("run")
    return _canonical(document)


def device_of(media: Media, registry: RegistryView) -> tuple[DeviceRecord, ...]:
    """The record that a report on these media rests on, if there is one."""
    own = read_own(media)
    device = (
        registry.device_by_key(spki_sha256(own.certificates[0].public_key())) if own.certificates else None
    )
    return (device,) if device else ()


def write_bundle(media: Media, report: Report, basis: Basis, *, with_media: bool) -> bytes:
    parts: dict[str, bytes] = {
        "report.json": canonical_report(report),
        "signer-roots.pem": roots_pem(basis.roots.signer).encode(),
        "tsa-roots.pem": roots_pem(basis.roots.tsa).encode(),
        "policy.toml": basis.policy.toml,
        "device.json": _canonical(_devices_json(basis.devices)),
        "logs.json": _canonical(_logs_json(basis.logs)),
        **_for_people(media),
    }
    if basis.roots.crls:
        parts[CRLS] = b"".join(map(crl_pem, basis.roots.crls))
    if basis.receipt is not None:
        parts[RECEIPT] = basis.receipt.encode()
    if media.sidecar is not None:
        parts[SIDECAR] = media.sidecar
    if with_media:
        parts[MEDIA] = media.data
    listing: dict[str, Json] = {
        "version": VERSION,
        "media": {"name": media.name, "sha256": media.sha256, "included": with_media},
        "as_of": instant(report.evaluated_as_of),
        "heuristics": basis.heuristics,
        **({"forensics": True} if basis.forensics else {}),
        "signer_usages": usage_text(basis.roots.usages),
        "parts": {name: hashlib.sha256(data).hexdigest() for name, data in sorted(parts.items())},
    }
    return _zip({LIST: json.dumps(listing, indent=2).encode(), **parts})


def read_bundle(data: bytes, max_media_bytes: int) -> Bundle:
    """Raises ``BundleError``."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = {i.filename: _part(archive, i, max_media_bytes) for i in _allowed(archive)}
        listing = json.loads(parts[LIST])
        _check_parts(listing, parts)
        return _bundle(listing, parts)
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError, EOFError, OSError) as e:
        raise BundleError(f"this is no evidence bundle: {e}") from e
    except (NotImplementedError, RuntimeError, SettingsError, NoteError, RecursionError) as e:
        raise BundleError(f"this bundle cannot be read: {e}") from e


def differences(expected: bytes, got: bytes) -> tuple[str, ...]:
    """JSON pointers of the values that differ between two canonical reports."""
    return tuple(_differing(json.loads(expected), json.loads(got), ""))


def _differing(a: object, b: object, where: str) -> list[str]:
    if isinstance(a, dict) and isinstance(b, dict):
        keys = sorted(set(a) | set(b))
        return [p for k in keys for p in _differing(a.get(k), b.get(k), f"{where}/{k}")]
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return [
            p for i, (x, y) in enumerate(zip(a, b, strict=True)) for p in _differing(x, y, f"{where}/{i}")
        ]
    return [] if a == b else [where or "/"]


def _bundle(listing: Mapping[str, object], parts: Mapping[str, bytes]) -> Bundle:
    media = listing["media"]
    if listing["version"] != VERSION or not isinstance(media, dict):
        raise BundleError("this version of the bundle format is not known here")
    return Bundle(
        media=parts.get(MEDIA),
        media_name=str(media["name"]),
        media_sha256=str(media["sha256"]),
        sidecar=parts.get(SIDECAR),
        as_of=utc_of(str(listing["as_of"])),
        basis=_basis(parts, listing),
        report=parts["report.json"],
    )


def _basis(parts: Mapping[str, bytes], listing: Mapping[str, object]) -> Basis:
    devices, logs = json.loads(parts["device.json"])["devices"], json.loads(parts["logs.json"])
    return Basis(
        roots=TrustRoots(
            signer=read_pem(parts["signer-roots.pem"]),
            tsa=read_pem(parts["tsa-roots.pem"]),
            crls=_crls(parts.get(CRLS, b"")),
            usages=parse_usages(str(listing.get("signer_usages", usage_text(SIGNER_USAGES)))),
        ),
        policy=read_policy(parts["policy.toml"], "the policy of the bundle"),
        logs=LogTrust(
            logs=parse_log_keys(logs["logs"]),
            witnesses=parse_witness_keys(logs["witnesses"]),
            quorum=max(int(logs["quorum"]), 1),
            policy=parse_witnesses(logs["policy"]) if "policy" in logs else None,
        ),
        receipt=parts[RECEIPT].decode() if RECEIPT in parts else None,
        devices=None if devices is None else tuple(record_of(d) for d in devices),
        heuristics=bool(listing["heuristics"]),
        forensics=bool(listing.get("forensics", False)),
    )


def _check_parts(listing: Mapping[str, object], parts: Mapping[str, bytes]) -> None:
    digests = listing["parts"]
    found = {name: hashlib.sha256(data).hexdigest() for name, data in parts.items() if name != LIST}
    if digests != found:
        raise BundleError("a part of the bundle is missing, added or changed")
    media = listing["media"]
    if MEDIA in parts and isinstance(media, dict) and found[MEDIA] != media["sha256"]:
        raise BundleError("the media in the bundle are not those of its list")


def _allowed(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    allowed = {
        LIST,
        MEDIA,
        CRLS,
        RECEIPT,
        SIDECAR,
        *PARTS,
        *FOR_PEOPLE,
        *(f"token-{i}.der" for i in range(MAX_TOKENS)),
    }
    infos = archive.infolist()
    names = [i.filename for i in infos]
    if len(set(names)) != len(names) or not set(names) <= allowed:
        raise BundleError("the bundle holds a member that does not belong there")
    return infos


def _part(archive: zipfile.ZipFile, info: zipfile.ZipInfo, max_media_bytes: int) -> bytes:
    limit = {MEDIA: max_media_bytes, CRLS: MAX_CRL_BYTES, SIDECAR: MAX_SIDECAR_BYTES}.get(
        info.filename, MAX_PART_BYTES
    )
    with archive.open(info) as member:
        data = member.read(limit + 1)
    if len(data) > limit:
        raise BundleError(f"{info.filename} in the bundle is too large")
    return data


def _devices_json(devices: tuple[DeviceRecord, ...] | None) -> dict[str, Json]:
    return {"devices": None if devices is None else [dict(record_json(d)) for d in devices]}


def _logs_json(logs: LogTrust) -> dict[str, Json]:
    """Keys as vkeys, the policy as its file (C2SP)."""
    listed: dict[str, Json] = {
        "logs": [str(key) for key in logs.logs],
        "witnesses": [str(key) for key in logs.witnesses],
        "quorum": logs.quorum,
    }
    return listed if logs.policy is None else {**listed, "policy": policy_text(logs.policy)}


def _for_people(media: Media) -> dict[str, bytes]:
    """What other tools read; repeating the report does not need it."""
    try:
        store = read_manifest(media.data, media.media_type)
    except (ManifestMalformed, InputRefused):
        return {}
    if store is None:
        return {}
    own = read_own(media)
    parts = {"manifest.c2pa": store}
    if own.signature is not None:
        tokens = (*own.signature.tokens_v2, *own.signature.responses_v1)[:MAX_TOKENS]
        parts["claim.cbor"] = own.claim
        parts["certificates.pem"] = roots_pem(own.certificates).encode()
        parts.update({f"token-{i}.der": token for i, token in enumerate(tokens)})
    return parts


def _crls(pem: bytes) -> tuple[Crl, ...]:
    listed = re.findall(rb"-----BEGIN X509 CRL-----[^-]*-----END X509 CRL-----", pem)
    try:
        return tuple(read_crl(one) for one in listed)
    except CrlRefused as e:
        raise BundleError(f"a revocation list of the bundle is refused: {e}") from e


def _zip(parts: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            info = zipfile.ZipInfo(name, _EPOCH)
            info.external_attr = 0o644 << 16
            stored = name == MEDIA  # it is compressed already
            info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return out.getvalue()


def _canonical(document: Json) -> bytes:
    # ASCII, because names of files and strings in manifests may hold what UTF-8 cannot carry.
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")
