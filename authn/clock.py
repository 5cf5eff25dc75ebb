"""Whether this machine's clock is disciplined by anything, as the kernel sees it."""

from __future__ import annotations

import ctypes

_STA_UNSYNC = 0x0040
_TIME_ERROR = 5
# struct timex is 208 bytes on 64-bit Linux; the kernel fills it, so it gets more room than it needs.
_TIMEX_WORDS = 64
_STATUS_WORD = 5  # modes, offset, freq, maxerror, esterror, status


def kernel_clock_is_synchronised() -> bool:
    """``adjtimex(2)`` in read mode. False also where the kernel cannot be asked: unknown is not good."""
    adjtimex = getattr(ctypes.CDLL(None, use_errno=True), "adjtimex", None)
    if adjtimex is None:
        return False
    words = (ctypes.c_long * _TIMEX_WORDS)()
    state = adjtimex(ctypes.byref(words))
    return 0 <= state < _TIME_ERROR and not words[_STATUS_WORD] & _STA_UNSYNC


def assumed_synchronised() -> bool:
    """What holds when ``require_clock_sync`` is off: the operator vouches for the clock."""
    return True
