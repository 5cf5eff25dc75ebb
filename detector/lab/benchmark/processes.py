"""Programs of others: started, listened to within a time and a length, and ended with their session."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

from detector.core.errors import OptionRefused

MOST_BYTES = 65536  # of what one answer may be
_ERRORS_KEPT = 2000
_AT_ONCE = 16384


@dataclass(frozen=True, slots=True)
class Silence:
    """A program gave no answer, and why."""

    reason: str


class Program:
    """A running program, in a session of its own, and what it wrote to its error output last. ``talking``: it
    is written to. Raises ``OptionRefused`` for one that cannot be started."""

    def __init__(self, argv: Sequence[str], *, talking: bool) -> None:
        try:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.PIPE if talking else subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, start_new_session=True, bufsize=0,
            )  # fmt: skip
        except OSError as e:
            raise OptionRefused(f"{argv[0]} cannot be started: {e.strerror}") from e
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._out, self._err = self._process.stdout, self._process.stderr
        self._errors = b""

    def close(self) -> None:
        """End it and whatever it started in its session, at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        for stream in (self._process.stdin, self._out, self._err):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):  # what was not yet written is of no use
                    stream.close()
        self._process.wait()

    def tell(self, line: str) -> None:
        """Write a line to it; why one that has ended does not answer, ``in_a_line`` says."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{line}\n".encode())

    def until_end(self, seconds: float) -> bytes | Silence:
        """All that it prints; nothing of it where it does not end well and in time."""
        out = self._listen(seconds, whole_line=False)
        if isinstance(out, bytes) and self._status() != 0:
            return self._ended()
        return out

    def in_a_line(self, seconds: float) -> bytes | Silence:
        """Its next line."""
        out = self._listen(seconds, whole_line=True)
        if isinstance(out, bytes) and not out.endswith(b"\n"):
            return self._ended()
        return out

    def _listen(self, seconds: float, *, whole_line: bool) -> bytes | Silence:
        heard = b""
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as ready:
            ready.register(self._out, selectors.EVENT_READ)
            ready.register(self._err, selectors.EVENT_READ)
            while ready.get_map():
                left = deadline - time.monotonic()
                events = ready.select(left) if left > 0 else []
                if not events:
                    return Silence(f"it gave no answer within {seconds:g} seconds")
                for key, _ in events:
                    if not (part := os.read(key.fd, _AT_ONCE)):
                        ready.unregister(key.fileobj)
                    elif key.fileobj is self._err:
                        self._errors = (self._errors + part)[-_ERRORS_KEPT:]
                    else:
                        heard += part
                if len(heard) > MOST_BYTES:
                    return Silence(f"it printed more than {MOST_BYTES} bytes")
                if whole_line and b"\n" in heard:
                    return heard
        while not self._is_over():  # it closed its outputs and goes on
            if time.monotonic() > deadline:
                return Silence(f"it did not end within {seconds:g} seconds")
            time.sleep(0.01)
        return heard

    def _is_over(self) -> bool:
        """Not reaped yet: its number stays its own until its children were ended."""
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None

    def _status(self) -> int:
        """Its exit status; less than zero for a signal."""
        ended = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        assert ended is not None
        return ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status

    def _ended(self) -> Silence:
        """How it ended, with the last line of its error output."""
        status = self._status()
        how = f"it ended with exit status {status}" if status >= 0 else f"it was ended by signal {-status}"
        last = self._errors.decode(errors="replace").strip().splitlines()[-1:]
        return Silence(f"{how}: {last[0][:200]}" if last else how)
