"""Every committed file of weights says what taught it, and all of that may teach (docs/decisions/0025)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from detector.data.licences import may_learn
from detector.data.manifest import shipped_manifest
from tests.conftest import ROOT

WEIGHTS = sorted(p for room in ("authn", "detector", "signer") for p in (ROOT / room).rglob("*.safetensors"))


def complaint(weights: Path, others: Iterable[str]) -> str | None:
    """What is wrong with the record beside a file of weights, as one sentence. ``others``: digests of the
    files that it may have gone on from."""
    record = weights.with_suffix(".json")
    if not record.is_file():
        return f"{weights.name} has no record of what taught it: {record.name} is missing beside it"
    said: dict[str, Any] = json.loads(record.read_text())
    if said.get("weights_sha256") != hashlib.sha256(weights.read_bytes()).hexdigest():
        return f"{weights.name} has no record of what taught it: {record.name} is of other weights"
    if said.get("backbone") and said["backbone"] not in others:
        return f"{weights.name} goes on from weights that have no record here: {said['backbone']}"
    licences = of_sets(said["sets"]) if "sets" in said else of_pictures(said.get("taught", []))
    if not licences:
        return (
            f"{weights.name} has no record of what taught it: {record.name} names neither sets nor pictures"
        )
    refused = [f"{name} ({licence})" for name, licence in licences.items() if not may_learn(licence)]
    return f"{weights.name} was taught by what may not teach: {', '.join(refused)}" if refused else None


def of_sets(sets: list[dict[str, Any]]) -> dict[str, str]:
    """The licence of every set that weights or their calibration were fitted on."""
    return {s["name"]: s["licence"] for s in sets if s["train"] or s["calibration"]}


def of_pictures(digests: list[str]) -> dict[str, str]:
    """The same of pictures of the shipped manifest; one that it does not hold has no licence."""
    known = {r.sha256: r.licence for r in shipped_manifest()}
    return {digest: known.get(digest, "not in the manifest") for digest in digests}


@pytest.mark.parametrize("weights", WEIGHTS, ids=lambda p: p.name)
def test_whatever_taught_a_committed_file_of_weights_is_named_and_may_teach(weights: Path) -> None:
    digests = [hashlib.sha256(p.read_bytes()).hexdigest() for p in WEIGHTS if p != weights]
    assert (found := complaint(weights, digests)) is None, found


def test_there_are_weights_to_ask() -> None:
    assert {"semantic-3.safetensors", "traces-2.safetensors", "splicing.safetensors"} <= {
        p.name for p in WEIGHTS
    }


@pytest.mark.parametrize(
    ("record", "says"),
    [
        (None, "has no record of what taught it"),
        ({"weights_sha256": "00"}, "is of other weights"),
        ({"taught": []}, "names neither sets nor pictures"),
        ({"taught": ["ab" * 32]}, "not in the manifest"),
        ({"sets": [{"name": "faces", "licence": "CC BY-NC 4.0", "train": 3, "calibration": 0}]}, "CC BY-NC"),
        ({"sets": [{"name": "faces", "licence": "MIT", "train": 0, "calibration": 0}]}, "names neither"),
        ({"backbone": "ab" * 32, "taught": []}, "goes on from weights that have no record"),
    ],
    ids=["none", "of-others", "empty", "unknown", "not-free", "only-measured", "backbone"],
)
def test_weights_without_a_whole_record_are_named_in_a_sentence(
    record: dict[str, Any] | None, says: str, tmp_path: Path
) -> None:
    weights = tmp_path / "new-1.safetensors"
    weights.write_bytes(b"weights")
    if record is not None:
        digest = hashlib.sha256(b"weights").hexdigest()
        weights.with_suffix(".json").write_text(json.dumps({"weights_sha256": digest} | record))
    found = complaint(weights, [])
    assert found is not None
    assert "new-1.safetensors" in found
    assert says in found
