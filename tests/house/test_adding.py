"""What docs/architecture.md says about adding something, done on a copy of the house."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.doubles.photos import photo
from tests.house.source import PACKAGES

PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


class Copy:
    """The three packages in a folder of their own, which Python finds first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for package in PACKAGES:
            shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))

    def write(self, name: str, text: str) -> None:
        assert not (self.folder / name).exists()
        (self.folder / name).write_text(text, encoding="utf-8")

    def insert(self, name: str, after: str, row: str) -> None:
        """``row`` behind the one line that holds ``after``."""
        path = self.folder / name
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        (found,) = [i for i, line in enumerate(lines) if after in line]
        lines.insert(found + 1, f"{row}\n")
        path.write_text("".join(lines), encoding="utf-8")

    def run(self, program: str, *arguments: str | Path, **environment: str) -> str:
        """What it printed; the copy is what was imported."""
        checked = (
            "import authn, detector, signer\nfor p in (authn, detector, signer):\n"
            f"    assert p.__file__.startswith({str(self.folder)!r})\n{program}"
        )
        done = subprocess.run(
            [sys.executable, "-c", checked, *map(str, arguments)],
            cwd=self.folder,
            env={**no_settings(), "ASSAY_HOME": str(self.folder / "home"), **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def assay(self, *arguments: str | Path, **environment: str) -> str:
        return self.run("from authn.cli import main; main()", *arguments, **environment)


def no_settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}


@pytest.fixture
def house(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    path.write_bytes(photo())
    return path


def test_every_row_of_the_page_has_its_test_and_every_place_exists() -> None:
    rows = [line for line in PAGE.splitlines() if re.search(r"`test_adding_\w+` \|$", line)]
    assert {re.findall(r"`(test_adding_\w+)`", row)[0] for row in rows} == {
        name for name in globals() if name.startswith("test_adding_")
    }
    for row in rows:
        places = re.findall(r"`((?:authn|detector)/[\w/.]+)`", row)
        assert places
        assert all((ROOT / place).exists() for place in places), row


def test_adding_a_source(house: Copy, picture: Path) -> None:
    house.write(
        "authn/sources/weight.py",
        "from authn.core.evidence import HeuristicEvidence, HeuristicOutcome, Question\n"
        "class WeightSource:\n"
        "    name, reads_pixels = 'weight', False\n"
        "    def examine(self, media):\n"
        "        return (HeuristicEvidence(detector='weight', version='1', kind='signal',\n"
        "            question=Question.EDITED, outcome=HeuristicOutcome.ABSTAIN,\n"
        "            reason=f'{len(media.data)} bytes say nothing'),)\n",
    )
    house.insert(
        "authn/examine/opening.py",
        "import CompressionSource",
        "    from authn.sources.weight import WeightSource",
    )
    house.insert("authn/examine/opening.py", "        CompressionSource(),", "        WeightSource(),")
    report = json.loads(house.assay("verify", "--json", picture, ASSAY_DETECTOR=""))
    (added,) = [d for d in report["heuristic"]["detectors"] if d["id"] == "weight"]
    assert added["reason"] == f"{picture.stat().st_size} bytes say nothing"


def test_adding_a_detector(house: Copy, picture: Path) -> None:
    folder = house.folder / "detector/models/weights_files"
    shutil.copy(folder / "traces-1.safetensors", folder / "mine-1.safetensors")
    card = (folder / "traces-1.json").read_text(encoding="utf-8")
    house.write(
        "detector/models/weights_files/mine-1.json",
        card.replace('"model_id": "traces-1"', '"model_id": "mine-1"'),
    )
    house.insert("detector/models/registry.py", '"traces-1": "traces-1",', '    "mine-1": "mine-1",')
    report = json.loads(house.assay("verify", "--json", picture, ASSAY_DETECTOR="mine-1"))
    ran = {m["id"] for m in report["tool"]["models"]}
    assert "mine-1" in ran
    assert "traces-1" not in ran
    assert "mine-1" in {d["id"] for d in report["heuristic"]["detectors"]}


def test_adding_a_family(house: Copy) -> None:
    house.write(
        "detector/generators/families/mine.py",
        "from detector.generators.families.dcgan import Dcgan\nclass Mine(Dcgan):\n    pass\n",
    )
    house.insert(
        "detector/generators/table.py",
        "_ROWS = (",
        "    Row(about='mine', spec=GanSpec(family='mine', latent=8, width=8, batch=4,\n"
        "        upsampler='transposed', normaliser='batch', loss='non-saturating', paper='none')),",
    )
    printed = house.run(
        "import numpy as np\n"
        "from detector.generators import make_family\n"
        "from detector.generators.source import ImageSource\n"
        "from detector.zoo.fitting.budget import Budget\n"
        "from detector.zoo.fitting.fit import fit\n"
        "from detector.zoo.store import Fitted\n"
        "family = make_family('mine', side=16)\n"
        "images = np.zeros((8, 16, 16, 3), np.uint8)\n"
        "source = ImageSource(name='black', images=images, labels=np.zeros(8, int), class_names=('a',))\n"
        "fit(family, source, Budget(steps=2), seed=1)\n"
        "print(Fitted(family).sample(3, 7).shape)\n"
    )
    assert printed == "(3, 16, 16, 3)\n"


def test_adding_a_command(house: Copy) -> None:
    house.write(
        "authn/cli/hallmark.py",
        "import click\nfrom authn.cli.out import say\n"
        "@click.command()\n@click.argument('word')\n"
        "def hallmark(word):\n    say(f'<{word}>')\n",
    )
    house.insert(
        "authn/cli/__init__.py",
        '"config": (',
        '    "hallmark": ("authn.cli.hallmark", "hallmark", "Stamp a word."),',
    )
    assert house.assay("hallmark", "925") == "<925>\n"
    assert "Stamp a word." in house.assay("--help")


def test_adding_a_route(house: Copy) -> None:
    house.write(
        "authn/web/hallmark.py",
        "from flask import Blueprint\nhallmark = Blueprint('hallmark', __name__)\n"
        "@hallmark.get('/v1/hallmark')\ndef stamp():\n    return {'stamp': 925}\n",
    )
    house.insert(
        "authn/web/__init__.py",
        "from authn.web.health import health",
        "from authn.web.hallmark import hallmark",
    )
    house.insert("authn/web/__init__.py", "app.extensions[", "    app.register_blueprint(hallmark)")
    asked = (
        "from contextlib import closing\n"
        "from pathlib import Path\n"
        "from authn.core.config import load_settings\n"
        "from authn.service.wiring import open_services\n"
        "from authn.web import create_app\n"
        "from authn.web.openapi import openapi_document\n"
        "settings = load_settings(environ={}, home=Path('home'), heuristics=False)\n"
        "with closing(open_services(settings)) as services:\n"
        "    print(create_app(services).test_client().get('/v1/hallmark').status_code)\n"
        "print('/v1/hallmark' in openapi_document()['paths'])\n"
    )
    assert house.run(asked) == "403\nFalse\n"  # no rule allows it, and nobody knows of it
    house.insert(
        "authn/service/access/scopes.py",
        '"openapi.document": Public(',
        "    'hallmark.stamp': Public(reason='a stamp is there to be seen'),",
    )
    house.insert(
        "authn/web/openapi.py",
        "**_health(),",
        "'/v1/hallmark': {'get': _operation('stamp', 'Stamp', {'200': _response('A stamp.', {})}, ())},",
    )
    assert house.run(asked) == "200\nTrue\n"
