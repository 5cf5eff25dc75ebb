"""Everything that can go wrong on the capture side.

SignerError
├── InputRefused            the photo cannot be signed as a capture
│   ├── AlreadySigned         it already carries a manifest
│   ├── UnsupportedMedia      not a format that can carry one
│   ├── ContainerUnreadable   no manifest was seen, and the file could not be looked through for one
│   ├── UnreadableMedia       missing, empty, truncated, a symbolic link, no permission
│   └── PhotoWouldChange      the signed file would not hold every part of the photo as it is
├── DeviceUnusable          no such device is enrolled here, or its folder is damaged
├── KeyUnavailable          the key cannot be opened: no file, no token, wrong PIN
│   └── KeyAbsent             there is no key of that name yet; one can be made
├── KeyRefused              it can be opened, but is not a P-256 signing key
├── SigningFailed           the engine or the key refused to produce a valid signature
│   └── SignatureUnsupported  a claim signature that is not computed here: its algorithm, or its form
├── ManifestMalformed       a manifest store was found, and its bytes cannot be parsed
│   └── ManifestUnsupported   they go beyond a limit of ours; nothing is said against them
├── TimestampError
│   ├── TimestampMalformed    no RFC 3161 token that can be taken apart
│   ├── TimestampUnsupported  a token, and something in it is not evaluated here
│   ├── TimestampNotStrict    its signature holds, and it is not in the form that RFC 3161 demands
│   ├── TimestampMismatch     it stamps other bytes, or another nonce
│   ├── TimestampInvalid      a signature or digest in it was computed and differs, or it contradicts itself
│   ├── TimestampOutsideValidity  the authority's certificate was not valid at genTime
│   ├── TimestampUntrusted    its certificate chains to none of the given roots
│   │   └── TimestampUnfit      signatures do lead to one, and a certificate on the way breaks a rule
│   ├── TimestampRejected     the authority answered with a rejection
│   └── TimestampUnavailable  the authority could not be reached; try again
├── SpoolError              the spool cannot be read or written
├── CameraError             no frame could be taken
└── ServiceError
    ├── ServiceUnavailable    the service could not be reached; try again
    └── ServiceRefused        it answered with a problem
"""

from __future__ import annotations


class SignerError(Exception):
    """Root. ``code`` is a stable dotted string (docs/codes.md); ``str()`` is one sentence for a person."""

    code = "assay.signer.failed"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class InputRefused(SignerError):
    code = "assay.input.refused"


class AlreadySigned(InputRefused):
    code = "assay.input.alreadySigned"


class UnsupportedMedia(InputRefused):
    code = "assay.input.unsupported"


class ContainerUnreadable(InputRefused):
    code = "assay.input.containerUnreadable"


class UnreadableMedia(InputRefused):
    code = "assay.input.unreadable"


class PhotoWouldChange(InputRefused):
    code = "assay.input.wouldChange"


class DeviceUnusable(SignerError):
    code = "assay.device.unusable"


class KeyUnavailable(SignerError):
    code = "assay.key.unavailable"


class KeyAbsent(KeyUnavailable):
    code = "assay.key.absent"


class KeyRefused(SignerError):
    code = "assay.key.refused"


class SigningFailed(SignerError):
    code = "assay.signing.failed"


class SignatureUnsupported(SigningFailed):
    code = "assay.signature.unsupported"


class ManifestMalformed(SignerError):
    code = "assay.manifest.malformed"


class ManifestUnsupported(ManifestMalformed):
    code = "assay.manifest.unsupported"


class TimestampError(SignerError):
    """``refutes``: a check of the token was done and failed. Without it the token proves nothing, and nothing
    is proven against it: it is of another list, or we could not examine it (docs/decisions/0014)."""

    code = "assay.timestamp.failed"
    refutes = False


class TimestampMalformed(TimestampError):
    code = "assay.timestamp.malformed"


class TimestampUnsupported(TimestampError):
    code = "assay.timestamp.unsupported"


class TimestampNotStrict(TimestampError):
    code = "assay.timestamp.notStrict"


class TimestampMismatch(TimestampError):
    code = "timeStamp.mismatch"
    refutes = True


class TimestampInvalid(TimestampError):
    code = "timeStamp.malformed"  # the word that C2PA has for it
    refutes = True


class TimestampOutsideValidity(TimestampError):
    code = "timeStamp.outsideValidity"
    refutes = True


class TimestampUntrusted(TimestampError):
    code = "timeStamp.untrusted"


class TimestampUnfit(TimestampUntrusted):
    """``on_path``: a verifier of whole paths said so; some of its rules are beyond what standards ask for."""

    code = "timeStamp.credentialInvalid"
    refutes = True

    def __init__(self, detail: str, *, on_path: bool = False) -> None:
        super().__init__(detail)
        self.on_path = on_path


class TimestampRejected(TimestampError):
    code = "assay.timestamp.rejected"


class TimestampUnavailable(TimestampError):
    code = "assay.timestamp.unavailable"


class SpoolError(SignerError):
    code = "assay.spool.failed"


class CameraError(SignerError):
    code = "assay.camera.failed"


class ServiceError(SignerError):
    code = "assay.service.failed"


class ServiceUnavailable(ServiceError):
    code = "assay.service.unavailable"


class ServiceRefused(ServiceError):
    code = "assay.service.refused"
