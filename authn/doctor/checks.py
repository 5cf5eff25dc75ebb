"""What this machine lacks for Assay to run, in words, each with the way to mend it.

Decides nothing about media. Every check looks at one thing, changes nothing, and answers with a sentence;
a check that cannot find out says so and is no problem by itself.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import importlib
import importlib.util
import os
import shutil
import socket
import stat
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import InvalidVersion

from authn.core.config import Settings
from authn.pki.clock import kernel_clock_is_synchronised
from detector.core.errors import ModelUnavailable

DISTRIBUTION = "assay"
PACKAGES = ("authn", "detector", "signer")
MIN_PYTHON = (3, 11)
# The day of this release: a clock that is earlier is wrong, and every signature would carry the wrong time.
RELEASED = datetime(2026, 11, 24, tzinfo=UTC)
FAR_FUTURE_YEARS = 15
MIN_FREE_BYTES = 1024**3
MIN_MEMORY_BYTES = 3 * 1024**3

OPENCV_LIBRARIES = (
    ("libGL.so.1", "libgl1"),
    ("libglib-2.0.so.0", "libglib2.0-0"),
    ("libgthread-2.0.so.0", "libglib2.0-0"),
    ("libSM.so.6", "libsm6"),
    ("libICE.so.6", "libice6"),
    ("libX11.so.6", "libx11-6"),
    ("libXext.so.6", "libxext6"),
)
TOKEN_MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/opensc-pkcs11.so",
)
TPM = Path("/dev/tpmrm0")
WHY_PINNED = {
    "c2pa-python": "older readers accept credentials that must be refused",
    "encypher-c2pa": "it is the second, independent reader of every credential",
}


class State(StrEnum):
    OK = "ok"
    NOTE = "note"  # works without it, or could not be found out
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    subject: str
    state: State
    says: str
    mend: str = ""


def examine_machine(settings: Settings, *, now: datetime) -> tuple[Check, ...]:
    """All checks, in the order in which a person would mend them."""
    return (
        check_python(sys.version_info[:3]),
        *check_origin(PACKAGES),
        *check_requirements(_declared()),
        check_opencv(_import_error("cv2")),
        check_torch(),
        *check_weights(settings.detector),
        check_clock(now, synchronised=kernel_clock_is_synchronised()),
        check_randomness(),
        check_memory(_memory_bytes(), settings.worker_memory_bytes),
        check_disk(settings.home),
        *check_home(settings.home),
        check_port(settings.host, settings.port),
        check_tokens(TOKEN_MODULES),
        check_tpm(TPM),
    )


def check_python(version: tuple[int, ...]) -> Check:
    shown = ".".join(map(str, version))
    if version < MIN_PYTHON:
        return _problem("Python", f"version {shown} is too old", "Install Python 3.11 or newer, then `make`.")
    return _ok("Python", f"version {shown}")


def check_origin(packages: Iterable[str]) -> Iterator[Check]:
    """All three packages must lie side by side: other owners publish packages of the same names."""
    home = Path(__file__).resolve().parents[2]
    owners = metadata.packages_distributions()
    for name in packages:
        spec = importlib.util.find_spec(name)
        where = Path(spec.origin).resolve().parents[1] if spec and spec.origin else None
        others = sorted(set(owners.get(name, ())) - {DISTRIBUTION})
        if where is not None and where != home:
            yield _problem(
                f"package {name}",
                f"Python finds another one first, in {where}",
                f"Remove it there, or the folder from PYTHONPATH; ours is in {home}.",
            )
        elif others:
            yield _problem(
                f"package {name}",
                f"the distribution {others[0]} installs a package of the same name over ours",
                f"pip uninstall {others[0]}, then install Assay again.",
            )
        elif where is None:
            yield _problem(f"package {name}", "it is not installed", "Install Assay again: `make`.")
        else:
            yield _ok(f"package {name}", f"from {where}")


def check_requirements(requires: Iterable[str]) -> Iterator[Check]:
    """Each declared dependency in its declared range; extras are not looked at."""
    if _version(DISTRIBUTION) is None:
        yield _problem(DISTRIBUTION, "it is not installed, only lying here", "Install it: `make`.")
    for line in requires:
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        version = _version(wanted.name)
        if version is None and wanted.name == "opencv-python":
            version = _version("opencv-python-headless")
        mend = "pip install -c constraints.txt -e . (or `make`)"
        why = f": {WHY_PINNED[wanted.name]}" if wanted.name in WHY_PINNED else ""
        if version is None:
            yield _problem(wanted.name, f"it is not installed{why}", mend)
        elif not _contains(wanted, version):
            yield _problem(wanted.name, f"version {version} is not in {wanted.specifier}{why}", mend)
        elif wanted.name in WHY_PINNED:
            yield _ok(wanted.name, f"version {version}")


def check_opencv(error: str | None) -> Check:
    """``error`` is what importing it says, or None."""
    if error is None:
        return _ok("OpenCV", "it can be imported")
    missing = missing_libraries(OPENCV_LIBRARIES)
    if not missing:
        return _problem("OpenCV", f"it cannot be imported: {error}", "Install it again: `make`.")
    packages = " ".join(sorted({package for _, package in missing}))
    return _problem(
        "OpenCV",
        f"the system lacks {', '.join(name for name, _ in missing)}",
        f"apt-get install -y {packages}; or `make`, which takes opencv-python-headless instead.",
    )


def missing_libraries(wanted: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Those that the dynamic loader does not find."""
    missing = []
    for name, package in wanted:
        try:
            ctypes.CDLL(name)
        except OSError:
            missing.append((name, package))
    return tuple(missing)


def check_torch() -> Check:
    """PyTorch is needed by learned detectors only: without it they are *not examined*, nothing else."""
    error = _import_error("torch")
    if error is not None:
        return _problem(
            "PyTorch",
            f"it cannot be imported: {error}; learned detectors will not be examined",
            "pip install -c constraints.txt torch",
        )
    torch = importlib.import_module("torch")
    where = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "CPU"
    return _ok("PyTorch", f"version {torch.__version__}, runs on {where}")


def check_weights(model_id: str) -> Iterator[Check]:
    """The default detector, and the chosen one if it is another."""
    try:
        from detector.models.registry import DEFAULT_MODEL, model_files, open_card
    except ImportError as e:
        yield _problem("detectors", f"they cannot be looked at: {e}", "Install what is missing: `make`.")
        return
    mend = "Restore detector/models/weights_files from the release, or set `detector` to another one."
    for name in dict.fromkeys((DEFAULT_MODEL, model_id or DEFAULT_MODEL)):
        try:
            card = open_card(name)
            digest = hashlib.sha256(model_files(name)[1].read_bytes()).hexdigest()
        except (ModelUnavailable, OSError) as e:
            yield _problem(f"detector {name}", f"it cannot be read: {e}", mend)
        else:
            if digest == card.weights_sha256:
                yield _ok(f"detector {name}", "its weights have the digest of its card")
            else:
                yield _problem(f"detector {name}", "its weights do not have the digest of its card", mend)


def check_clock(now: datetime, *, synchronised: bool) -> Check:
    mend = "Set the clock and switch synchronisation on: timedatectl set-ntp true"
    if now < RELEASED:
        return _problem("clock", f"it says {now:%Y-%m-%d}, which is before this release was made", mend)
    if now.year > RELEASED.year + FAR_FUTURE_YEARS:
        return _problem("clock", f"it says {now:%Y-%m-%d}", mend)
    if not synchronised:
        return Check(
            subject="clock",
            state=State.NOTE,
            says=f"{now:%Y-%m-%d %H:%M} UTC; the kernel does not say that it is synchronised, "
            "so nobody vouches for the time-stamps of this machine",
            mend=mend,
        )
    return _ok("clock", f"{now:%Y-%m-%d %H:%M} UTC, synchronised")


def check_randomness() -> Check:
    try:
        os.getrandom(32, os.GRND_NONBLOCK)
    except BlockingIOError:
        return _problem(
            "randomness",
            "the kernel has not collected enough yet; keys must not be made now",
            "Wait, or give a virtual machine a virtio-rng device.",
        )
    return _ok("randomness", "the kernel's generator is ready")


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
    return _ok("memory", f"{_gib(total_bytes)} in all")


def check_disk(home: Path) -> Check:
    existing = next(p for p in (home, *home.parents) if p.exists())
    free = shutil.disk_usage(existing).free
    if free < MIN_FREE_BYTES:
        return _problem("disk", f"{_gib(free)} free at {existing}", "Free some, or set another home.")
    return _ok("disk", f"{_gib(free)} free at {existing}")


def check_home(home: Path) -> Iterator[Check]:
    """The folder of keys: ours to write, and its secrets nobody else's to read."""
    if not home.exists():
        parent = next(p for p in home.parents if p.exists())
        if not os.access(parent, os.W_OK | os.X_OK):
            yield _problem("home", f"{home} cannot be made in {parent}", "Set another home (ASSAY_HOME).")
        else:
            yield _ok("home", f"{home} will be made when it is first needed")
        return
    if not home.is_dir() or not os.access(home, os.W_OK | os.X_OK):
        yield _problem(
            "home", f"{home} is not a folder that may be written", "Set another home (ASSAY_HOME)."
        )
        return
    open_to_others = [path for path in _secrets(home) if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)]
    for path in open_to_others:
        yield _problem(
            "home", f"{path} can be read by others", f"chmod 600 {path}; then replace that secret."
        )
    if not open_to_others:
        yield _ok("home", f"{home}; its secrets are readable by their owner only")


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
        return _problem("port", f"{host}:{port} cannot be opened: {e.strerror}", "Set host and port.")
    return _ok("port", f"{host}:{port} is free")


def check_tokens(modules: Iterable[str]) -> Check:
    """Optional: device keys in a hardware token."""
    found = [m for m in modules if Path(m).exists()]
    if _import_error("pkcs11") is not None:
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
    return _ok("PKCS#11", f"token modules: {', '.join(found)}")


def check_tpm(node: Path) -> Check:
    """Optional: device keys in the machine's TPM 2.0."""
    if _import_error("tpm2_pytss") is not None:
        says = "keys in a TPM cannot be used: tpm2-pytss is not installed (optional)"
        mend = "apt-get install -y libtss2-dev, then pip install -c constraints.txt -e '.[tpm]'"
    elif not node.exists():
        says, mend = f"there is no TPM at {node} (optional)", "Switch it on in the machine's firmware."
    elif not os.access(node, os.R_OK | os.W_OK):
        says, mend = f"the TPM at {node} is not yours to use", "Join its group: usermod -aG tss USER"
    else:
        return _ok("TPM 2.0", f"there is one at {node}")
    return Check(subject="TPM 2.0", state=State.NOTE, says=says, mend=mend)


def _secrets(home: Path) -> Iterator[Path]:
    patterns = ("enrolment-token", "pki/*.key.pem", "pki/*.pin", "devices/*/key.pem", "devices/*/key.pin")
    for pattern in patterns:
        yield from sorted(p for p in home.glob(pattern) if p.is_file())


def _import_error(name: str) -> str | None:
    """A missing system library shows as ImportError, a broken one as OSError."""
    try:
        importlib.import_module(name)
    except (ImportError, OSError) as e:
        return str(e)
    return None


def _declared() -> Iterator[str]:
    """What the installed distribution says it needs; nothing when it runs from a bare checkout."""
    try:
        yield from metadata.requires(DISTRIBUTION) or ()
    except metadata.PackageNotFoundError:
        return


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _contains(wanted: Requirement, version: str) -> bool:
    try:
        return wanted.specifier.contains(version, prereleases=True)
    except InvalidVersion:
        return False


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return None


def _gib(size: int) -> str:
    return f"{size / 1024**3:.1f} GiB"


def _ok(subject: str, says: str) -> Check:
    return Check(subject=subject, state=State.OK, says=says)


def _problem(subject: str, says: str, mend: str) -> Check:
    return Check(subject=subject, state=State.PROBLEM, says=says, mend=mend)
