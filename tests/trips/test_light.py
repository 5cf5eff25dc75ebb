"""The wheel without any extra: a camera signs and stamps, a reader verifies, and all else says what lacks.

The packages are those that the wheel itself declares, and theirs, linked out of the running environment into
a fresh one: what an extra brings cannot be imported there.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from detector.models.registry import DEFAULT_MODEL, SEMANTIC_MODEL
from tests.doubles.photos import photo

HEAVY = {"torch", "numpy", "opencv-python", "opencv-python-headless", "matplotlib", "flask", "gunicorn"}


@pytest.fixture(scope="module")
def light(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("light")
    venv.create(folder / "venv", symlinks=True)
    (site,) = (folder / "venv" / "lib").glob("python3*/site-packages")
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "venv" / "bin" / "python"), "install"]
    subprocess.run([*pip, "--quiet", "--no-deps", "--no-index", wheel], capture_output=True, check=True)
    (installed,) = distributions(path=[str(site)])
    for needed in needed_by(installed):
        for name in {f.parts[0] for f in needed.files or () if f.parts[0] not in ("..", "__pycache__")}:
            bring(Path(str(needed.locate_file(name))), site / name)
    assert run(folder, "device", "enrol", "camera-1").returncode == 0
    return folder


def needed_by(installed: Distribution) -> list[Distribution]:
    """What it declares without an extra, and what that declares, as far as this machine needs it."""
    found: dict[str, Distribution] = {}
    pending = [installed]
    while pending:
        for line in pending.pop().requires or ():
            wanted = Requirement(line)
            name = re.sub(r"[-_.]+", "-", wanted.name).lower()
            if name in found or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
                continue
            try:
                found[name] = distribution(name)
            except PackageNotFoundError:
                pytest.fail(f"{name} is declared and not installed here")
            pending.append(found[name])
    assert not HEAVY & found.keys()
    return list(found.values())


def bring(source: Path, target: Path) -> None:
    """By hard links where the file system allows: the confined process may read its own folder only."""

    def link(a: str, b: str) -> None:
        try:
            os.link(a, b)
        except OSError:
            shutil.copy2(a, b)

    if source.is_dir():
        shutil.copytree(source, target, copy_function=link, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        link(str(source), str(target))


def run(light: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ASSAY_", "PYTHON", "VIRTUAL_ENV"))}
    return subprocess.run(
        [light / "venv" / "bin" / "assay", *arguments],
        cwd=light,
        env={**kept, "ASSAY_HOME": str(light / "home"), "PYTHONNOUSERSITE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_a_photo_is_signed_stamped_and_verified_without_any_extra(light: Path) -> None:
    (light / "photo.jpg").write_bytes(photo(width=320, height=240))
    signed = run(light, "sign", "photo.jpg", "--out", "signed", "--json")
    assert signed.returncode == 0, signed.stderr
    assert json.loads(signed.stdout)["time_stamp"] == "stapled"

    verified = run(light, "verify", "signed/photo.jpg", "--json")
    assert verified.returncode == 0, verified.stderr
    report = json.loads(verified.stdout)
    axes = report["cryptographic"]["axes"]
    for axis in ("credential", "integrity", "signer", "device", "time"):
        assert axes[axis]["outcome"] == "established", axis
    assert (report["subject"]["width"], report["subject"]["height"]) == (320, 240)
    why = {n["what"]: n["why"] for n in report["not_examined"]}
    lacking = {why[name] for name in ("watermark", "symmetry", DEFAULT_MODEL, SEMANTIC_MODEL)}
    assert lacking == {"looking at pixels: not installed here (pip install 'assay[detect]')"}
    assert {d["id"] for d in report["heuristic"]["detectors"]} == {"metadata", "compression"}

    audited = run(light, "audit", "signed", "--json")
    assert audited.returncode == 0, audited.stderr
    assert json.loads(audited.stdout)["axes"]["time"]["established"] == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "extra"),
    [
        (("serve", "--port", "0"), "serve"),
        (("demo",), "detect,serve,lab"),
        (("lab", "card"), "detect"),
        (("capture", "--out", "frame.jpg"), "camera"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else value,
)
def test_what_needs_an_extra_names_it_in_one_sentence(
    light: Path, command: tuple[str, ...], extra: str
) -> None:
    run(light, "device", "enrol", "camera-1")
    done = run(light, *command)
    assert done.returncode == 4
    assert f"pip install 'assay[{extra}]'" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_the_doctor_takes_a_light_installation_for_what_it_is(light: Path) -> None:
    checks = {c["subject"]: c for c in json.loads(run(light, "doctor", "--json").stdout)}
    for extra in ("detect", "camera", "serve", "lab"):
        assert checks[f"extra {extra}"]["state"] == "note"
        assert f"'assay[{extra}]'" in checks[f"extra {extra}"]["mend"]
    assert {checks[name]["state"] for name in ("OpenCV", "PyTorch", "image encoder")} == {"note"}
    assert not {"torch", "flask", "numpy"} & checks.keys(), "what was not asked for is not missing"
