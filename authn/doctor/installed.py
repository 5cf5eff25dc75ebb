"""What is installed beside Python: our packages, what they need, the extras and the detectors."""

from __future__ import annotations

import ctypes
import hashlib
import importlib
import importlib.util
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.version import InvalidVersion

from authn.core.extras import EXTRAS, not_installed
from authn.doctor.check import Check, State, ok, problem
from detector.core.errors import ModelUnavailable

if TYPE_CHECKING:
    from authn.core.config import Settings

DISTRIBUTION = "assay"
ENCODER = "image encoder"
MIN_PYTHON = (3, 11)
OPENCV_LIBRARIES = (
    ("libGL.so.1", "libgl1"),
    ("libglib-2.0.so.0", "libglib2.0-0"),
    ("libgthread-2.0.so.0", "libglib2.0-0"),
    ("libSM.so.6", "libsm6"),
    ("libICE.so.6", "libice6"),
    ("libX11.so.6", "libx11-6"),
    ("libXext.so.6", "libxext6"),
)
WHY_PINNED = {
    "c2pa-python": "older readers accept credentials that must be refused",
    "encypher-c2pa": "it is the second, independent reader of every credential",
}


def check_python(version: tuple[int, ...]) -> Check:
    shown = ".".join(map(str, version))
    if version < MIN_PYTHON:
        return problem("Python", f"version {shown} is too old", "Install Python 3.11 or newer, then `make`.")
    return ok("Python", f"version {shown}")


def check_origin(packages: Iterable[str]) -> Iterator[Check]:
    """All three packages must lie side by side: other owners publish packages of the same names."""
    home = Path(__file__).resolve().parents[2]
    owners = metadata.packages_distributions()
    for name in packages:
        spec = importlib.util.find_spec(name)
        where = Path(spec.origin).resolve().parents[1] if spec and spec.origin else None
        others = sorted(set(owners.get(name, ())) - {DISTRIBUTION})
        if where is not None and where != home:
            yield problem(
                f"package {name}",
                f"Python finds another one first, in {where}",
                f"Remove it there, or the folder from PYTHONPATH; ours is in {home}.",
            )
        elif others:
            yield problem(
                f"package {name}",
                f"the distribution {others[0]} installs a package of the same name over ours",
                f"pip uninstall {others[0]}, then install Assay again.",
            )
        elif where is None:
            yield problem(f"package {name}", "it is not installed", "Install Assay again: `make`.")
        else:
            yield ok(f"package {name}", f"from {where}")


def check_requirements(requires: Iterable[str]) -> Iterator[Check]:
    """Each declared dependency in its declared range, and those of the extras that are installed."""
    if _version(DISTRIBUTION) is None:
        yield problem(DISTRIBUTION, "it is not installed, only lying here", "Install it: `make`.")
    installed = ("", *(extra.name for extra in EXTRAS if extra.installed))
    for line in requires:
        wanted = Requirement(line)
        applies = wanted.marker is None or any(wanted.marker.evaluate({"extra": e}) for e in installed)
        if not applies or wanted.name == DISTRIBUTION:
            continue
        version = _version(wanted.name)
        if version is None and wanted.name == "opencv-python":
            version = _version("opencv-python-headless")
        mend = "pip install -c constraints.txt -e '.[all]' (or `make`)"
        why = f": {WHY_PINNED[wanted.name]}" if wanted.name in WHY_PINNED else ""
        if version is None:
            yield problem(wanted.name, f"it is not installed{why}", mend)
        elif not _contains(wanted, version):
            yield problem(wanted.name, f"version {version} is not in {wanted.specifier}{why}", mend)
        elif wanted.name in WHY_PINNED:
            yield ok(wanted.name, f"version {version}")


def check_extras() -> Iterator[Check]:
    """What is not installed is nothing to mend, unless somebody wants it."""
    for extra in EXTRAS:
        if not extra.installed:
            says = f"not installed: {extra.gives} (optional)"
            yield Check(subject=f"extra {extra.name}", state=State.NOTE, says=says, mend=extra.command)


def check_opencv(error: str | None, *, installed: bool = True) -> Check:
    """``error`` is what importing it says, or None."""
    if error is None:
        return ok("OpenCV", "it can be imported")
    if not installed:
        return Check(subject="OpenCV", state=State.NOTE, says=f"it cannot be imported: {error}")
    missing = missing_libraries(OPENCV_LIBRARIES)
    if not missing:
        return problem("OpenCV", f"it cannot be imported: {error}", "Install it again: `make`.")
    packages = " ".join(sorted({package for _, package in missing}))
    return problem(
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
    """PyTorch is needed by the laboratory only: no detector runs on it."""
    error = import_error("torch")
    if error is not None:
        return Check(
            subject="PyTorch",
            state=State.PROBLEM if is_there("torch") else State.NOTE,
            says=f"it cannot be imported: {error}; nothing can be trained here",
            mend="pip install -c constraints.txt torch",
        )
    torch = importlib.import_module("torch")
    where = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "CPU"
    return ok("PyTorch", f"version {torch.__version__}, runs on {where}")


def check_weights(model_id: str) -> Iterator[Check]:
    """The default detectors, and the chosen one if it is another."""
    try:
        from detector.models.card import open_card
        from detector.models.registry import DEFAULT_MODEL, SEMANTIC_MODEL, model_files
    except ImportError as e:
        if not_installed(e) is None:
            yield problem("detectors", f"they cannot be looked at: {e}", "Install what is missing: `make`.")
        return
    mend = "Restore detector/models/weights_files from the release, or set `detector` to another one."
    for name in dict.fromkeys((DEFAULT_MODEL, model_id or DEFAULT_MODEL, SEMANTIC_MODEL)):
        try:
            card = open_card(name)
            digest = hashlib.sha256(model_files(name)[1].read_bytes()).hexdigest()
        except (ModelUnavailable, OSError) as e:
            yield problem(f"detector {name}", f"it cannot be read: {e}", mend)
        else:
            if digest == card.weights_sha256:
                yield ok(f"detector {name}", "its weights have the digest of its card")
            else:
                yield problem(f"detector {name}", "its weights do not have the digest of its card", mend)


def check_encoder(settings: Settings) -> Check:
    """The image encoder: without it the detector of whole pictures is *not examined*, nothing else."""
    # Later than the checks of what is installed, which must run where these cannot be imported.
    from authn.examine.detectors import encoder_of
    from detector.models.encoder_file import INSTALL, read_encoder
    from detector.models.registry import SEMANTIC_MODEL

    path = encoder_of(settings)
    if path is None:
        says = f"not installed; {SEMANTIC_MODEL} will not be examined"
        return Check(subject=ENCODER, state=State.NOTE, says=says, mend=INSTALL)
    try:
        read_encoder(path)
    except ModelUnavailable as e:
        named = (
            "Set `semantic_encoder` to that file, or leave it empty and: "
            if settings.semantic_encoder
            else ""
        )
        return problem(ENCODER, e.detail, f"{named}{INSTALL}")
    return ok(ENCODER, f"{path} has the digest that the head was fitted on")


def is_there(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def import_error(name: str) -> str | None:
    """A missing system library shows as ImportError, a broken one as OSError."""
    try:
        importlib.import_module(name)
    except (ImportError, OSError) as e:
        return str(e)
    return None


def declared() -> Iterator[str]:
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
