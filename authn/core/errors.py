"""Everything that can go wrong in the application; the columns are HTTP status and CLI exit.

AuthnError                               500  4
├── MediaError                           422  3
│   ├── MediaTooLarge                    413  3   bytes over the limit
│   ├── UnsupportedMedia                 415  3   not a kind of media that is examined
│   └── UnreadableMedia                  422  3   empty, truncated, a link, no permission
├── UntrustedChain                       422  1   the path does not end in a given root at that time
│   ├── CredentialInvalid                422  1   not a kind of certificate that may sign claims
│   └── CredentialExpired                422  1   not valid at the time the signature is judged at
├── SettingsError                        400  2   unknown key, wrong type, contradiction
│   └── PolicyError                      400  2   a file that is no policy, with its line and statement
├── RegistryError                        409  3
│   ├── UnknownDevice                    404  3
│   ├── DeviceExists                     409  3
│   └── EnrolmentRefused                 403  3   no proof of possession, wrong key type, bad token
│       ├── RequestUnreadable            400  3   no PKCS#10 request at all
│       ├── AttestationRefused           403  3   the maker does not vouch for the key as asked
│       └── ChallengeRefused             403  3   not ours, used before, expired, or for another token
├── CaptureRefused                       422  1   an upload that is not established throughout
├── AccessDenied                         403  3   the one who asks may not do this
│   ├── CrossSite                        403  3   a page of another site made a browser ask
│   ├── CredentialsMissing               401  3   who asks does not say who it is
│   ├── CredentialsRefused               401  3   malformed, wrong, expired, revoked or used before
│   └── TooManyRequests                  429  3
├── BundleError                          422  3   no bundle, or one whose parts do not match its list
├── BackupRefused                        422  3   no backup, a damaged one, or keys that do not open
├── ReceiptRefused                       422  1   not a receipt, or it does not prove what it should
│   └── NoteError                        422  1   no signed note or checkpoint, or a signature does not hold
├── LogContradiction                     409  5   a log that is watched has signed what cannot both be true
├── BadRequest                           400  2
├── NotFound                             404  3
│   ├── JobUnknown                       404  3   never accepted, deleted, expired, or somebody else's
│   ├── BatchUnknown                     404  3   the same of a batch
│   └── WebhookUnknown                   404  3   the same of a webhook
├── RepeatDiffers                        422  3   a key that was used for another request
├── WebhookRefused                       422  3   an address that notices are not sent to
├── RepeatInFlight                       409  3   the first request with that key is not answered yet
├── AuditError                           409  4   the run folder belongs to another configuration
│   ├── SourceUnknown                    404  4   no such bucket, or no address of one
│   └── SourceRefused                    403  4   what is to be audited does not let us in (any more)
└── Unavailable                          503  4   something that is needed is missing; the kinds say what
    ├── FileUnusable                     503  4   a file or folder cannot be read, written or understood
    ├── HomeUnfit                        503  4   a home lacks a part, or its parts do not belong together
    ├── DatabaseUnusable                 503  4   no answer, or a schema that is not ours
    ├── Unreachable                      503  4   another machine or service does not answer as it should
    │   └── SourceUnreachable            503  4   what is to be audited does not answer: run it again later
    ├── Busy                             503  4   others are served, or hold the lock: try again
    ├── SystemLacking                    503  4   this machine gives no process, port, memory or library
    ├── ClockUnfit                       503  4   the clock went back
    ├── QueueFull                        503  4   as many jobs wait as may
    ├── SpoolFull                        507  4   the disk has no room for what a job needs
    ├── JobAbandoned                     503  4   whoever worked on it ended first, every time
    ├── JobExpired                       503  4   nobody had time for it
    ├── InputLost                        503  4   what was kept for a job is gone, or is something else
    ├── JournalBroken                    503  4   the log of access decisions contradicts itself
    ├── LogHalted                        503  4   the log's state is in doubt: it signs nothing more
    │   ├── LogInconsistent              503  4   ... because what is stored contradicts itself
    │   └── SplitView                    503  4   ... because a witness has signed something else
    └── ExaminationFailed                503  4   the confined worker died; no result, not a finding
        └── ExaminationTimedOut          503  4   ... or was stopped at its time limit
"""

from __future__ import annotations

from dataclasses import dataclass


class AuthnError(Exception):
    """Root. ``code`` is a stable dotted string (docs/codes.md); ``str()`` is one sentence for a person."""

    code = "assay.failed"
    http_status = 500
    exit_code = 4

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class MediaError(AuthnError):
    code = "assay.media.refused"
    http_status = 422
    exit_code = 3


class MediaTooLarge(MediaError):
    code = "assay.media.tooLarge"
    http_status = 413


class UnsupportedMedia(MediaError):
    code = "assay.media.unsupported"
    http_status = 415


class UnreadableMedia(MediaError):
    code = "assay.media.unreadable"


class UntrustedChain(AuthnError):
    code = "signingCredential.untrusted"
    http_status = 422
    exit_code = 1


class CredentialInvalid(UntrustedChain):
    code = "signingCredential.invalid"


class CredentialExpired(UntrustedChain):
    code = "signingCredential.expired"


class SettingsError(AuthnError):
    code = "assay.settings.invalid"
    http_status = 400
    exit_code = 2


class PolicyError(SettingsError):
    code = "assay.policy.malformed"


class RegistryError(AuthnError):
    code = "assay.device.refused"
    http_status = 409
    exit_code = 3


class UnknownDevice(RegistryError):
    code = "assay.device.unknown"
    http_status = 404


class DeviceExists(RegistryError):
    code = "assay.device.exists"


class EnrolmentRefused(RegistryError):
    code = "assay.device.enrolmentRefused"
    http_status = 403


class RequestUnreadable(EnrolmentRefused):
    code = "assay.device.requestUnreadable"
    http_status = 400


class AttestationRefused(EnrolmentRefused):
    code = "assay.device.attestationRefused"


class ChallengeRefused(EnrolmentRefused):
    code = "assay.device.challengeRefused"


class CaptureRefused(AuthnError):
    code = "assay.capture.refused"
    http_status = 422
    exit_code = 1


class AccessDenied(AuthnError):
    code = "assay.access.denied"
    http_status = 403
    exit_code = 3


class CrossSite(AccessDenied):
    code = "assay.request.crossSite"


class CredentialsMissing(AccessDenied):
    code = "assay.request.unauthenticated"
    http_status = 401


class CredentialsRefused(AccessDenied):
    code = "assay.access.credentialsRefused"
    http_status = 401


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """Of ``quota`` requests in a minute ``left`` may be made at once; after ``seconds`` there are more: all
    of them, or one where none is left."""

    quota: int
    left: int
    seconds: int


class TooManyRequests(AccessDenied):
    """``allowance``: what the caller may do, where that is known."""

    code = "assay.access.tooManyRequests"
    http_status = 429

    def __init__(self, detail: str, *, allowance: Allowance | None = None) -> None:
        super().__init__(detail)
        self.allowance = allowance


class BundleError(AuthnError):
    code = "assay.bundle.malformed"
    http_status = 422
    exit_code = 3


class BackupRefused(AuthnError):
    code = "assay.backup.refused"
    http_status = 422
    exit_code = 3


class ReceiptRefused(AuthnError):
    code = "assay.receipt.refused"
    http_status = 422
    exit_code = 1


class NoteError(ReceiptRefused):
    code = "assay.note.refused"


class LogContradiction(AuthnError):
    """``kind``: fork, shrink or unproven (``authn.tlog.monitor.contradictions``);
    ``evidence``: the file of it."""

    code = "assay.log.contradiction"
    http_status = 409
    exit_code = 5

    def __init__(self, detail: str, *, kind: str, evidence: str) -> None:
        super().__init__(f"{detail}; the evidence is in {evidence}")
        self.kind = kind
        self.evidence = evidence


class BadRequest(AuthnError):
    code = "assay.request.bad"
    http_status = 400
    exit_code = 2


class NotFound(AuthnError):
    code = "assay.request.notFound"
    http_status = 404
    exit_code = 3


class JobUnknown(NotFound):
    code = "assay.job.unknown"


class BatchUnknown(NotFound):
    code = "assay.batch.unknown"


class WebhookUnknown(NotFound):
    code = "assay.webhook.unknown"


class WebhookRefused(AuthnError):
    code = "assay.webhook.refused"
    http_status = 422
    exit_code = 3


class RepeatDiffers(AuthnError):
    code = "assay.request.keyReused"
    http_status = 422
    exit_code = 3


class RepeatInFlight(AuthnError):
    code = "assay.request.inFlight"
    http_status = 409
    exit_code = 3


class AuditError(AuthnError):
    code = "assay.audit.refused"
    http_status = 409


class SourceUnknown(AuditError):
    code = "assay.audit.sourceUnknown"
    http_status = 404


class SourceRefused(AuditError):
    code = "assay.audit.sourceRefused"
    http_status = 403


class Unavailable(AuthnError):
    """Raised as one of its kinds. Those without a code of their own bear this one, the only one that a client
    knows: what lacks is for whoever runs the service, and stands in the sentence. Out of a held process,
    whose answers are data, every kind comes back as this one."""

    code = "assay.unavailable"
    http_status = 503


class FileUnusable(Unavailable): ...


class HomeUnfit(Unavailable): ...


class DatabaseUnusable(Unavailable): ...


class Unreachable(Unavailable): ...


class SourceUnreachable(Unreachable):
    code = "assay.audit.sourceUnreachable"


class Busy(Unavailable): ...


class SystemLacking(Unavailable): ...


class ClockUnfit(Unavailable): ...


class QueueFull(Unavailable):
    code = "assay.job.queueFull"


class SpoolFull(Unavailable):
    code = "assay.job.spoolFull"
    http_status = 507


class JobAbandoned(Unavailable):
    code = "assay.job.abandoned"


class JobExpired(Unavailable):
    code = "assay.job.expired"


class InputLost(Unavailable):
    code = "assay.job.inputLost"


class JournalBroken(Unavailable):
    code = "assay.access.logBroken"


class LogHalted(Unavailable):
    code = "assay.log.halted"


class LogInconsistent(LogHalted):
    code = "assay.log.inconsistent"


class SplitView(LogHalted):
    """``held``: the note that the witness has signed, where it showed it."""

    code = "assay.log.splitView"

    def __init__(self, detail: str, held: str = "") -> None:
        super().__init__(detail)
        self.held = held


class ExaminationFailed(Unavailable):
    code = "assay.examination.failed"


class ExaminationTimedOut(ExaminationFailed):
    code = "assay.examination.timedOut"
