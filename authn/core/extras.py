"""What only an extra installs (docs/decisions/0020), and the error that names the extra where it lacks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec

from authn.core.errors import SystemLacking


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """``modules`` are what code here imports of its packages; it counts as installed where the first is."""

    name: str
    gives: str
    modules: tuple[str, ...]

    @property
    def installed(self) -> bool:
        return find_spec(self.modules[0]) is not None

    @property
    def command(self) -> str:
        return f"pip install 'assay[{self.name}]'"


EXTRAS = (
    Extra(
        name="detect",
        gives="looking at pixels",
        modules=("onnxruntime", "safetensors", "numpy", "cv2", "pillow_heif"),
    ),
    Extra(name="camera", gives="taking frames from a camera", modules=("cv2",)),
    Extra(
        name="serve",
        gives="the HTTP service",
        modules=("flask", "gunicorn", "http_sf", "joserfc", "waitress", "werkzeug"),
    ),
    Extra(name="buckets", gives="reading from buckets", modules=("obstore",)),
    Extra(name="parquet", gives="writing Parquet", modules=("pyarrow",)),
    Extra(name="ray", gives="auditing on a cluster", modules=("ray",)),
    Extra(name="lab", gives="the laboratory", modules=("matplotlib", "torch")),
    Extra(name="rubrics", gives="reading rubrics in YAML", modules=("yaml",)),
    Extra(name="pdf", gives="reports as PDF", modules=("typst",)),
)


def extra(name: str) -> Extra:
    """The extra of that name."""
    return next(e for e in EXTRAS if e.name == name)


def need(*names: str) -> None:
    """Raises ``SystemLacking`` for those that are not installed, all in one sentence."""
    lacking = [e for e in EXTRAS if e.name in names and not e.installed]
    if lacking:
        raise _lacking(", ".join(e.gives for e in lacking), [e.name for e in lacking])


def not_installed(error: BaseException) -> SystemLacking | None:
    """What to say of an import that failed because an extra is not installed; None for any other error."""
    if isinstance(error, ModuleNotFoundError):
        module = (error.name or "").partition(".")[0]
        for extra in EXTRAS:
            if module in extra.modules:
                return _lacking(extra.gives, [extra.name])
    return None


def _lacking(what: str, extras: Iterable[str]) -> SystemLacking:
    return SystemLacking(f"{what}: not installed here (pip install 'assay[{','.join(extras)}]')")
