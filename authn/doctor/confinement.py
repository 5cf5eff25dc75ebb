"""For ``assay doctor``: what would hold a process that looks at somebody's file, by starting one."""

from __future__ import annotations

from collections.abc import Iterator

from authn.confinement.confined import Confined
from authn.core.errors import Unavailable
from authn.core.holds import Hold
from authn.devices import RegistryView
from authn.doctor.check import Check, State

SUBJECT = "confinement"
TIMEOUT_S = 10.0
START_TIMEOUT_S = 60.0
MEMORY_BYTES = 256 * 2**20
MENDS = {
    "landlock": "Take Linux 5.13 or newer with landlock in its lsm= list; in a container, allow it.",
    "seccomp": "Take a kernel with seccomp filters (CONFIG_SECCOMP_FILTER) on x86_64 or aarch64.",
}


def check_confinement() -> Iterator[Check]:
    """A line for each mechanism. One that is missing is a note: files are examined all the same."""
    try:
        with Confined(
            _open_echo,
            question=str,
            answer=str,
            timeout_s=TIMEOUT_S,
            memory_bytes=MEMORY_BYTES,
            start_timeout_s=START_TIMEOUT_S,
        ) as confined:
            confined.ask("")
            holds = confined.holds
    except Unavailable as e:
        yield Check(
            subject=SUBJECT,
            state=State.PROBLEM,
            says=f"no process for looking at files works: {e.detail}",
            mend="Give the machine memory and processes; files are examined in no other way.",
        )
        return
    yield from map(check_of, holds)


def check_of(hold: Hold) -> Check:
    """One mechanism as a line of the doctor's."""
    subject = f"{SUBJECT} {hold.name}"
    if hold.active:
        return Check(subject=subject, state=State.OK, says=hold.detail)
    return Check(
        subject=subject,
        state=State.NOTE,
        says=f"not active, so a file that takes over a decoder can do more: {hold.detail}",
        mend=MENDS.get(hold.name, ""),
    )


def _open_echo(_registry: RegistryView | None) -> _Echo:
    return _Echo()


class _Echo:
    def __call__(self, question: str) -> str:
        return question
