"""The wheel, installed in a clean environment outside the checkout, does the whole job by itself.

The environment is a fresh venv with the wheel in it. To keep the test quick it borrows the dependencies: one
``.pth`` line appends the running environment's site-packages to its path. The editable install that lies
there cannot leak in: Python reads ``.pth`` files in site directories only, not in folders that a ``.pth``
names, and the wheel's own folder comes first. The first test proves it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
import venv
import zipfile
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from authn.demo.service import running_service, verify_over_http
from tests.conftest import ROOT

PACKAGES = ("authn", "detector", "signer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    wheel: Path
    python: Path
    assay: Path
    folder: Path

    def run(self, *arguments: str | Path, program: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program or self.assay, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("ASSAY_", "PYTHON", "VIRTUAL_ENV"))}
        return {**kept, "ASSAY_HOME": str(self.folder / "home"), "PYTHONNOUSERSITE": "1"}


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder / "venv", with_pip=True, symlinks=True)
    python = folder / "venv" / "bin" / "python"
    pip = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (site,) = (folder / "venv" / "lib").glob("python3*/site-packages")
    borrowed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site / "borrowed.pth").write_text("".join(f"{path}\n" for path in sorted(borrowed)))
    (folder / "work").mkdir()
    return Installed(wheel=wheel, python=python, assay=python.with_name("assay"), folder=folder / "work")


@pytest.mark.timeless
@pytest.mark.slow
def test_the_three_packages_come_from_the_wheel_and_from_nowhere_else(installed: Installed) -> None:
    program = (
        "import authn, detector, signer, importlib.metadata as m, json, sys;"
        "print(json.dumps([[p.__file__ for p in (authn, detector, signer)], sys.path,"
        " str(m.distribution('assay').locate_file('authn'))]))"
    )
    done = installed.run("-c", program, program=installed.python)
    assert done.returncode == 0, done.stderr
    origins, path, distribution = json.loads(done.stdout)
    clean = str(installed.python.parents[1])
    assert all(origin.startswith(clean) for origin in origins)
    assert distribution.startswith(clean)
    assert str(ROOT) not in path


@pytest.mark.timeless
@pytest.mark.slow
def test_the_wheel_holds_every_tracked_file_of_the_packages_and_nothing_else(installed: Installed) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--", *PACKAGES], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    tracked = {name for name in listed.stdout.splitlines() if (ROOT / name).exists()}
    with zipfile.ZipFile(installed.wheel) as z:
        names = {n for n in z.namelist() if not n.split("/")[0].endswith(".dist-info")}
    assert tracked - names == set()
    assert {f"{package}/py.typed" for package in PACKAGES} <= names, "or nobody's type checker reads ours"
    assert {n.split("/")[0] for n in names} == set(PACKAGES)


@pytest.mark.slow
def test_the_three_trips_run_from_the_wheel(installed: Installed) -> None:
    folder = installed.folder
    photo = folder / "photo.jpg"
    photo.write_bytes(
        files("matplotlib").joinpath("mpl-data", "sample_data", "grace_hopper.jpg").read_bytes()
    )

    # capture -> sign
    enrolled = installed.run("device", "enrol", "camera-1")
    assert enrolled.returncode == 0, enrolled.stderr
    signed = installed.run("sign", photo, "--out", "signed", "--json")
    assert signed.returncode == 0, signed.stderr
    assert json.loads(signed.stdout)["time_stamp"] == "stapled"
    again = installed.run("sign", folder / "signed" / "photo.jpg")
    assert (again.returncode, again.stdout[:14]) == (0, "already signed"), again.stderr

    # media -> report, on the command line and over HTTP
    verified = installed.run("verify", "signed/photo.jpg", "--json")
    assert verified.returncode == 0, verified.stderr
    assert established(json.loads(verified.stdout)) >= {"credential", "integrity", "signer", "device", "time"}
    with running_service(folder / "home", folder / "service.log", python=installed.python) as address:
        answer = verify_over_http(address, "photo.jpg", (folder / "signed" / "photo.jpg").read_bytes())
    assert established(json.loads(answer.report)) == established(json.loads(verified.stdout))

    page = installed.run("receipt", "page")
    assert page.returncode == 0, page.stderr
    assert "<script>" in page.stdout

    # folder -> audit
    audited = installed.run("audit", "signed", "--json", "--no-heuristics")
    assert audited.returncode == 0, audited.stderr
    assert json.loads(audited.stdout)["axes"]["integrity"]["established"] == 1
    assert (folder / "runs" / "signed" / "summary.html").exists()


def established(report: dict[str, Any]) -> set[str]:
    axes = report["cryptographic"]["axes"]
    return {name for name, axis in axes.items() if axis["outcome"] == "established"}
