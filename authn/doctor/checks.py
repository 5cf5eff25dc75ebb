"""What this machine lacks for Assay to run, in words, each with the way to mend it.

Decides nothing about media. Every check looks at one thing, changes nothing, and answers with a sentence;
a check that cannot find out says so and is no problem by itself.
"""

from __future__ import annotations

import errno
import os
import shutil
import socket
import stat
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from authn.core.config import Settings
from authn.doctor.check import Check, State, ok, problem
from authn.doctor.database import check_database
from authn.doctor.installed import (
    check_encoder,
    check_extras,
    check_opencv,
    check_origin,
    check_python,
    check_requirements,
    check_torch,
    check_weights,
    declared,
    import_error,
    is_there,
)
from authn.pki.clock import kernel_clock_is_synchronised

PACKAGES = ("authn", "detector", "signer")
# The day of this release: a clock that is earlier is wrong, and every signature would carry the wrong time.
RELEASED = datetime(2026, 11, 24, tzinfo=UTC)
FAR_FUTURE_YEARS = 15
MIN_FREE_BYTES = 1024**3
MIN_MEMORY_BYTES = 3 * 1024**3

TOKEN_MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so",
)
TPM = Path("/dev/tpmrm0")


def examine_machine(settings: Settings, *, now: datetime) -> tuple[Check, ...]:
    """All checks, in the order in which a person would mend them."""
    return (
        check_python(sys.version_info[:3]),
        *check_origin(PACKAGES),
        *check_requirements(declared()),
        *check_extras(),
        check_opencv(import_error("cv2"), installed=is_there("cv2")),
        check_torch(),
        *check_weights(settings.detector),
        check_encoder(settings),
        check_clock(now, synchronised=kernel_clock_is_synchronised()),
        check_randomness(),
        check_memory(_memory_bytes(), settings.worker_memory_bytes),
        check_disk(settings.home),
        *check_home(settings.home),
        *_database(settings),
        check_port(settings.host, settings.port),
        check_tokens(TOKEN_MODULES),
        check_tpm(TPM),
    )


def _database(settings: Settings) -> tuple[Check, ...]:
    """What is missing for asking is named by the checks before."""
    try:
        return tuple(check_database(settings.database))
    except ImportError as e:
        return (Check(subject="database", state=State.NOTE, says=f"it cannot be asked: {e}"),)


def check_clock(now: datetime, *, synchronised: bool) -> Check:
    mend = "Set the clock and switch synchronisation on: timedatectl set-ntp true"
    if now < RELEASED:
        return problem("clock", f"it says {now:%Y-%m-%d}, which is before this release was made", mend)
    if now.year > RELEASED.year + FAR_FUTURE_YEARS:
        return problem("clock", f"it says {now:%Y-%m-%d}", mend)
    if not synchronised:
        return Check(
            subject="clock",
            state=State.NOTE,
            says=f"{now:%Y-%m-%d %H:%M} UTC; the kernel does not say that it is synchronised, "
            "so nobody vouches for the time-stamps of this machine",
            mend=mend,
        )
    return ok("clock", f"{now:%Y-%m-%d %H:%M} UTC, synchronised")


def check_randomness() -> Check:
    try:
        os.getrandom(32, os.GRND_NONBLOCK)
    except BlockingIOError:
        return problem(
            "randomness",
            "the kernel has not collected enough yet; keys must not be made now",
            "Wait, or give a virtual machine a virtio-rng device.",
        )
    return ok("randomness", "the kernel's generator is ready")


def check_memory(total_bytes: int | None, worker_bytes: int) -> Check:
    if total_bytes is None:
        return Check(subject="memory", state=State.NOTE, says="the amount cannot be found out")
    if total_bytes < MIN_MEMORY_BYTES:
        return Check(
            subject="memory",
            state=State.NOTE,
            says=f"{_gib(total_bytes)} in all; large pictures may end their examination",
            mend="Set workers to 1 and max_pixels lower.",
        )
    if worker_bytes > total_bytes:
        return Check(
            subject="memory",
            state=State.NOTE,
            says=f"{_gib(total_bytes)} in all, but one examination may take {_gib(worker_bytes)}",
            mend="Set worker_memory_bytes lower.",
        )
    return ok("memory", f"{_gib(total_bytes)} in all")


def check_disk(home: Path) -> Check:
    existing = next(p for p in (home, *home.parents) if p.exists())
    free = shutil.disk_usage(existing).free
    if free < MIN_FREE_BYTES:
        return problem("disk", f"{_gib(free)} free at {existing}", "Free some, or set another home.")
    return ok("disk", f"{_gib(free)} free at {existing}")


def check_home(home: Path) -> Iterator[Check]:
    """The folder of keys: ours to write, and its secrets nobody else's to read."""
    if not home.exists():
        parent = next(p for p in home.parents if p.exists())
        if not os.access(parent, os.W_OK | os.X_OK):
            yield problem("home", f"{home} cannot be made in {parent}", "Set another home (ASSAY_HOME).")
        else:
            yield ok("home", f"{home} will be made when it is first needed")
        return
    if not home.is_dir() or not os.access(home, os.W_OK | os.X_OK):
        yield problem("home", f"{home} is not a folder that may be written", "Set another home (ASSAY_HOME).")
        return
    open_to_others = [path for path in _secrets(home) if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)]
    for path in open_to_others:
        yield problem("home", f"{path} can be read by others", f"chmod 600 {path}; then replace that secret.")
    if not open_to_others:
        yield ok("home", f"{home}; its secrets are readable by their owner only")


def check_port(host: str, port: int) -> Check:
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind((host.strip("[]"), port))
    except OSError as e:
        if e.errno == errno.EADDRINUSE:
            return Check(
                subject="port",
                state=State.NOTE,
                says=f"{host}:{port} is in use, perhaps by a running service",
                mend="`assay serve --port` takes another one.",
            )
        return problem("port", f"{host}:{port} cannot be opened: {e.strerror}", "Set host and port.")
    return ok("port", f"{host}:{port} is free")


def check_tokens(modules: Iterable[str]) -> Check:
    """Optional: device keys in a hardware token."""
    found = [m for m in modules if Path(m).exists()]
    if import_error("pkcs11") is not None:
        return Check(
            subject="PKCS#11",
            state=State.NOTE,
            says="keys in hardware tokens cannot be used: python-pkcs11 is not installed (optional)",
            mend="pip install -c constraints.txt -e '.[pkcs11]'",
        )
    if not found:
        return Check(
            subject="PKCS#11",
            state=State.NOTE,
            says="no token module was found where Debian puts them (optional)",
            mend="apt-get install -y softhsm2, or name the module of your token in the key's URI.",
        )
    return ok("PKCS#11", f"token modules: {', '.join(found)}")


def check_tpm(node: Path) -> Check:
    """Optional: device keys in the machine's TPM 2.0."""
    if import_error("tpm2_pytss") is not None:
        says = "keys in a TPM cannot be used: tpm2-pytss is not installed (optional)"
        mend = "apt-get install -y libtss2-dev, then pip install -c constraints.txt -e '.[tpm]'"
    elif not node.exists():
        says, mend = f"there is no TPM at {node} (optional)", "Switch it on in the machine's firmware."
    elif not os.access(node, os.R_OK | os.W_OK):
        says, mend = f"the TPM at {node} is not yours to use", "Join its group: usermod -aG tss USER"
    else:
        return ok("TPM 2.0", f"there is one at {node}")
    return Check(subject="TPM 2.0", state=State.NOTE, says=says, mend=mend)


def _secrets(home: Path) -> Iterator[Path]:
    patterns = (
        *("enrolment-token", "audit.pem", "pki/*.key.pem", "pki/*.pin"),
        *("devices/*/key.pem", "devices/*/key.pin"),
    )
    for pattern in patterns:
        yield from sorted(p for p in home.glob(pattern) if p.is_file())


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def _gib(size: int) -> str:
    return f"{size / 1024**3:.1f} GiB"
