"""What a capture asserts, and that the engine attributes it to the signer."""

from __future__ import annotations

import json
import tomllib
from datetime import UTC, datetime, timedelta, timezone

import pytest

from signer.claim import GENERATOR_VERSION, CaptureClaim, DeviceAssertion, manifest_definition
from tests.conftest import ROOT

DEVICE = DeviceAssertion(device_id="d-1", counter=7, nonce=bytes(range(16)))
NOON = datetime(2026, 11, 24, 12, 0, 0, 987654, tzinfo=timezone(timedelta(hours=1)))


def test_the_definition_says_capture_counter_and_nonce() -> None:
    definition = json.loads(manifest_definition(CaptureClaim(title="a.jpg", captured_at=NOON, device=DEVICE)))
    actions, device = definition["assertions"]
    assert definition["claim_version"] == 2
    assert definition["claim_generator_info"][0]["specVersion"] == "2.4.0"
    assert actions["created"] is True
    assert actions["data"] == {
        "allActionsIncluded": True,
        "actions": [
            {
                "action": "c2pa.created",
                "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture",
                "when": "2026-11-24T11:00:00Z",
            }
        ],
    }
    assert device == {
        "label": "org.assay.device",
        "created": True,
        "data": {"device_id": "d-1", "counter": 7, "nonce": "000102030405060708090a0b0c0d0e0f"},
    }


def test_the_generator_version_is_that_of_the_distribution() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == GENERATOR_VERSION


@pytest.mark.parametrize(
    "wrong", [{"device_id": ""}, {"counter": 0}, {"nonce": bytes(15)}], ids=["id", "counter", "nonce"]
)
def test_a_device_assertion_without_its_parts_cannot_be_made(wrong: dict[str, object]) -> None:
    right: dict[str, object] = {"device_id": "d", "counter": 1, "nonce": bytes(16)}
    with pytest.raises(ValueError, match="device assertion"):
        DeviceAssertion(**(right | wrong))  # type: ignore[arg-type]


def test_a_time_without_a_zone_cannot_be_claimed() -> None:
    with pytest.raises(ValueError, match="zone"):
        CaptureClaim(title="a", captured_at=datetime(2026, 1, 1), device=DEVICE)
    assert CaptureClaim(title="a", captured_at=datetime(2026, 1, 1, tzinfo=UTC), device=DEVICE)
