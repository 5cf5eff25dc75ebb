"""A connection to a TPM for one operation, and what a TPM's refusals mean."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from signer.core.errors import KeyUnavailable

# TPM 2.0 Part 2 section 6.6.3; the layers above the TPM are in tss2_common.h.
_RC_AUTH_FAIL, _RC_BAD_AUTH, _RC_HANDLE = 0x08E, 0x0A2, 0x08B
_RC_LOCKOUT = 0x921
_RC_INTEGRITY = 0x09F
_RC_OBJECT_MEMORY = 0x902
_LAYER, _LAYER_TCTI = 0xFF_0000, 0x0A_0000
_RC_FMT1, _FMT1_ERROR = 0x080, 0x0BF


@dataclass(frozen=True, slots=True, kw_only=True)
class TpmFailure:
    """A return code of the TPM's software stack."""

    code: int
    words: str

    @classmethod
    def of(cls, error: RuntimeError) -> Self:
        return cls(code=int(getattr(error, "rc", 0)), words=str(error))

    @property
    def no_such_handle(self) -> bool:
        return self._error == _RC_HANDLE

    @property
    def wrong_secret(self) -> bool:
        return self._error in (_RC_AUTH_FAIL, _RC_BAD_AUTH)

    @property
    def sentence(self) -> str:
        if self.wrong_secret:
            return "the TPM refuses the PIN, or the secret of its owner or endorsement hierarchy"
        if self._error == _RC_LOCKOUT:
            return "the TPM is locked after too many wrong PINs; wait, or reset its lockout"
        if self._error == _RC_OBJECT_MEMORY:
            return "the TPM has no room for one more key; reach it by its resource manager, /dev/tpmrm0"
        if self._error == _RC_INTEGRITY:
            return "the key was wrapped by another TPM, or its file is damaged"
        return f"the TPM answered: {self.words}"

    @property
    def of_connection(self) -> bool:
        return self.code & _LAYER == _LAYER_TCTI

    @property
    def _error(self) -> int:
        """Without the number of the handle, parameter or session that it is about."""
        return self.code & _FMT1_ERROR if self.code & _RC_FMT1 else self.code


@contextmanager
def tpm_context(tcti: str) -> Iterator[Any]:
    """An ESAPI context, closed at the end. Raises ``KeyUnavailable`` for whatever the TPM refuses."""
    os.environ.setdefault("TSS2_LOG", "all+NONE")  # the C library would write to stderr beside our sentence
    try:
        from tpm2_pytss.ESAPI import ESAPI
        from tpm2_pytss.TCTILdr import TCTILdr
        from tpm2_pytss.TSS2_Exception import TSS2_Exception
    except (ImportError, OSError) as e:
        raise KeyUnavailable(
            "TPM keys need the extra: pip install 'assay[tpm]' (and Debian's libtss2-dev to build it)"
        ) from e
    try:
        with TCTILdr.parse(tcti) as connection, ESAPI(connection) as tpm:
            yield tpm
    except TSS2_Exception as e:
        failure = TpmFailure.of(e)
        if failure.of_connection:
            raise KeyUnavailable(f"no TPM can be reached at {tcti}: {failure.words}") from e
        raise KeyUnavailable(failure.sentence) from e
