"""The rows of all settings: name, type, default, bounds, and what each is for. ``config`` reads them.

docs/settings.md lists them too; a test ties the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from authn.core.media import MAX_MEDIA_BYTES, MAX_PIXELS

# As in signer.proof.usages, which needs the library of certificates: settings are read where none is.
SIGNER_USAGES = "1.3.6.1.4.1.311.76.59.1.9 1.3.6.1.4.1.62558.2.1 1.3.6.1.5.5.7.3.36 1.3.6.1.5.5.7.3.4"

Value = str | int | bool | Path | tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One row. ``type`` is str, int, bool, Path (a folder) or tuple (files, separated as in PATH)."""

    name: str
    type: type
    default: Value
    help: str
    minimum: int = 0
    maximum: int = 0
    secret: bool = False


SETTINGS = (
    Setting(name="home", type=Path, default=Path("~/.local/share/assay"),
            help="Folder for keys, certificates, the database, devices and the spool."),
    Setting(name="database_url", type=str, default="",
            help="SQLAlchemy address of the database, SQLite or PostgreSQL; empty: assay.db in the home."),
    Setting(name="host", type=str, default="127.0.0.1", help="Address the service listens on."),
    Setting(name="port", type=int, default=8318, minimum=0, maximum=65535,
            help="Port the service listens on; 0 takes a free one."),
    Setting(name="workers", type=int, default=2, minimum=1, maximum=64,
            help="Worker processes of the service; each has its own confined examiners."),
    Setting(name="examiners", type=int, default=3, minimum=1, maximum=64,
            help="Confined examiners of each worker process, side by side: one file stops none but its own."),
    Setting(name="public_url", type=str, default="",
            help="Address under which clients reach the service, if a proxy stands before it."),
    Setting(name="service_url", type=str, default="",
            help="On a device: the service to enrol with and to get time-stamps from; empty: this home."),
    Setting(name="tsa_url", type=str, default="",
            help="RFC 3161 authority that devices use; empty: the service's own /tsa."),
    Setting(name="signer_roots", type=tuple, default=(),
            help="More PEM files with roots for signers, separated by the system's path separator."),
    Setting(name="tsa_roots", type=tuple, default=(),
            help="More PEM files with roots for time-stamp authorities; never mixed with signer_roots."),
    Setting(name="signer_usages", type=str, default=SIGNER_USAGES,
            help="Extended key usages of which a claim signer must have one: object identifiers, separated "
            "by spaces."),
    Setting(name="crls", type=tuple, default=(),
            help="Revocation lists (PEM or DER) of signers' issuers, for judging without a registry."),
    Setting(name="max_media_bytes", type=int, default=MAX_MEDIA_BYTES, minimum=1024, maximum=2**32,
            help="Largest file that is examined, in bytes."),
    Setting(name="max_pixels", type=int, default=MAX_PIXELS, minimum=1, maximum=2**31,
            help="Largest picture that is decoded, by its header; no signature is refused for more."),
    Setting(name="max_request_seconds", type=int, default=60, minimum=1, maximum=3600,
            help="Processor time one examination may take, in seconds; by the clock it may take five times "
            "as long while it computes."),
    Setting(name="worker_memory_bytes", type=int, default=4 * 2**30, minimum=256 * 2**20, maximum=2**40,
            help="Memory a confined examiner may take for one file, in bytes."),
    Setting(name="certificate_days", type=int, default=90, minimum=1, maximum=366,
            help="How long a device certificate is valid, in days."),
    Setting(name="enrolment_token", type=str, default="", secret=True,
            help="Bearer token for enrolling a device; empty: the file enrolment-token in the home."),
    Setting(name="attestation_formats", type=str, default="none",
            help="What vouches for a new key, separated by spaces: none, android-key, apple, packed, tpm2."),
    Setting(name="android_signatures", type=str, default="",
            help="SHA-256 (hex) of the certificates that sign the applications whose keys are taken."),
    Setting(name="android_packages", type=str, default="",
            help="Names of the packages of these signers that are meant; empty: all of them."),
    Setting(name="android_status", type=tuple, default=(),
            help="Google's list of revoked attestation keys (JSON), fetched anew every day."),
    Setting(name="android_status_hours", type=int, default=48, minimum=1, maximum=744,
            help="Age in hours at which that list is no longer used, so that no Android key is taken."),
    Setting(name="android_roots", type=tuple, default=(),
            help="PEM roots of Android attestations in place of Google's two."),
    Setting(name="webauthn_hardware_roots", type=tuple, default=(),
            help="PEM roots of makers whose authenticators keep their keys in hardware (packed: level 4)."),
    Setting(name="webauthn_roots", type=tuple, default=(),
            help="PEM roots of other makers of authenticators (packed: level 2)."),
    Setting(name="tpm_roots", type=tuple, default=(),
            help="PEM authorities of makers whose TPMs are believed (tpm2: level 3)."),
    Setting(name="access", type=str, default="open",
            help="open: whoever reaches the service may use it; required: requests need credentials."),
    Setting(name="oidc_issuer", type=str, default="",
            help="OpenID Connect issuer whose tokens people may use; empty: none."),
    Setting(name="oidc_audience", type=str, default="",
            help="What a token of that issuer must be meant for (its aud)."),
    Setting(name="oidc_jwks", type=str, default="",
            help="The issuer's keys (JWK set): an http or https address, or a file."),
    Setting(name="oidc_scopes", type=str, default="",
            help="What claims are worth (docs/http-api.md); empty: the claim named scope counts."),
    Setting(name="requests_per_minute", type=int, default=0, minimum=0, maximum=1_000_000,
            help="Requests one caller or address may make in a minute on average; 0: not limited."),
    Setting(name="heuristics", type=bool, default=True,
            help="Whether heuristic sources run unless a request says otherwise."),
    Setting(name="forensics", type=bool, default=False,
            help="Whether those heuristic sources run too that cost more, unless a request says otherwise."),
    Setting(name="recovery", type=str, default="off",
            help="What is kept of captures so that stripped files find them again: off, hashes (what a photo "
            "looks like) or manifests (its credential too); never pixels."),
    Setting(name="recovery_devices", type=str, default="",
            help="Names of the devices of whose captures it is kept, separated by spaces; empty: of all."),
    Setting(name="report_days", type=int, default=30, minimum=1, maximum=36500,
            help="Days after which a stored verification is deleted."),
    Setting(name="job_workers", type=int, default=1, minimum=1, maximum=64,
            help="Jobs that each worker process of the service does at a time, with its examiners."),
    Setting(name="job_attempts", type=int, default=3, minimum=1, maximum=100,
            help="How often a job is begun before it is given up as not examined."),
    Setting(name="job_lease_seconds", type=int, default=30, minimum=1, maximum=3600,
            help="Time after which a job is taken up again whose process has ended, and a request with an "
            "Idempotency-Key may be sent again, in seconds."),
    Setting(name="job_hours", type=int, default=24, minimum=1, maximum=8760,
            help="Time a job may wait, and its upload be kept for it, in hours; then it is not examined."),
    Setting(name="jobs_waiting", type=int, default=10_000, minimum=1, maximum=10_000_000,
            help="Jobs that may wait; more are refused."),
    Setting(name="jobs_bytes", type=int, default=10 * 2**30, minimum=1024, maximum=2**50,
            help="Bytes of uploads that may wait in the folder jobs of the home; more are refused."),
    Setting(name="webhook_workers", type=int, default=2, minimum=1, maximum=64,
            help="Notices that each worker process of the service sends at a time."),
    Setting(name="webhook_networks", type=str, default="",
            help="Private networks that notices may be sent to (CIDR, separated by spaces); empty: none."),
    Setting(name="metrics_bind", type=str, default="",
            help="Address and port of a second listener that has /metrics alone, without credentials; empty: "
            "/metrics on the service's own port, for keys with the scope metrics:read."),
    Setting(name="log_format", type=str, default="text",
            help="text: lines for people on stderr; json: one JSON object a line."),
    Setting(name="log_level", type=str, default="warning",
            help="error, warning, or info, which has a line for each request (docs/operating.md)."),
    Setting(name="detector", type=str, default="",
            help="Identifier of the learned detector; empty: the registry's default."),
    Setting(name="semantic_encoder", type=tuple, default=(),
            help="The image encoder of the detector of whole pictures, a file; empty: that of the installed "
            "package (docs/operating.md), and without it that detector does not run."),
    Setting(name="face_models", type=tuple, default=(),
            help="Folders with the networks that find eyes (docs/cards/symmetry.md); empty: none compared."),
    Setting(name="recapture_weights", type=tuple, default=(),
            help="Weights for photos of screens and prints, made by assay lab recapture; empty: that source "
            "does not run, since none ship (docs/cards/recaptured.md)."),
    Setting(name="calibration", type=tuple, default=(),
            help="A calibration on your own pictures (assay calibrate), by which learned detectors answer."),
    Setting(name="policy", type=str, default="default",
            help="What reports say in sentences: a policy that ships, or a file (docs/policies.md)."),
    Setting(name="witness_policy", type=tuple, default=(),
            help="A C2SP tlog-policy: the witnesses that this home's log is shown to; empty: nobody."),
    Setting(name="witness_interval_seconds", type=int, default=10, minimum=1, maximum=86400,
            help="Time between two rounds of showing new checkpoints to the witnesses, in seconds."),
    Setting(name="require_clock_sync", type=bool, default=False,
            help="Refuse to time-stamp while the kernel says that the clock is not synchronised; by default "
            "where others can reach the service."),
)  # fmt: skip
ROWS = {row.name: row for row in SETTINGS}
