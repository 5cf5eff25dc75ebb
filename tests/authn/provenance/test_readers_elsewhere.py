"""What other readers say of our signatures: with their own defaults, and once they are told of our root."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

import c2pa
import pytest
from encypher_c2pa import verify_bytes  # type: ignore[attr-defined]

from authn.core.config import load_settings
from authn.core.evidence import Axis, Outcome
from authn.pki.authority import open_authority
from authn.pki.profile import device_certificate
from tests.doubles.pki import DEVICE_EKUS, Issued, TestPki, new_key, pem_of
from tests.doubles.signed import examiner_for, media, signed_photo

UNKNOWN_ROOT = ["signingCredential.untrusted"]  # what they say of everybody's private root


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, str]:
    """A photo under a certificate as our authority issues it, and its root as PEM."""
    now = datetime.now(UTC)
    settings = load_settings(environ={}, home=tmp_path_factory.mktemp("readers") / "home")
    authority = open_authority(settings, now)
    key = new_key()
    leaf = device_certificate("camera", "id-1", key.public_key(), authority.issuer, now, days=90)
    chain = (authority.issuer.certificate,)
    photo = signed_photo(Issued(certificate=leaf, key=key, intermediates=chain))
    return photo, pem_of(*authority.device_roots).decode()


def by_c2pa_rs(photo: bytes, settings: dict[str, object] | None = None) -> tuple[str, list[str]]:
    context = c2pa.Context.from_dict(settings) if settings else None
    with c2pa.Reader("image/jpeg", io.BytesIO(photo), **({"context": context} if context else {})) as reader:
        results = reader.get_validation_results() or {}
        failures = [f["code"] for f in results["activeManifest"]["failure"]]
        return str(reader.get_validation_state()), failures


def by_encypher(photo: bytes, **options: object) -> tuple[str, list[str]]:
    quiet = {"online": False, "telemetry": {"enabled": False}, **options}
    result = json.loads(verify_bytes(photo, "image/jpeg", json.dumps(quiet)))
    return result["validation_state"], [f["code"] for f in result["validation_results"]["failure"]]


def test_with_their_defaults_they_call_it_untrusted_and_not_invalid(ours: tuple[bytes, str]) -> None:
    photo, _ = ours
    assert by_c2pa_rs(photo) == ("Valid", UNKNOWN_ROOT)
    assert by_encypher(photo) == ("Valid", UNKNOWN_ROOT)


def test_told_of_our_root_they_trust_it(ours: tuple[bytes, str]) -> None:
    photo, root = ours
    anchors = [{"trust_anchors": root, "trust_kind": "manifest", "trust_uri": "urn:example:assay"}]
    assert by_c2pa_rs(photo, {"trust": {"anchors": anchors}}) == ("Trusted", [])
    assert by_encypher(photo, trust_pem=root) == ("Trusted", [])


def test_certificates_of_earlier_devices_stay_good() -> None:
    """They have document signing in the place of e-mail protection."""
    pki = TestPki()
    photo = signed_photo(pki.leaf(ekus=DEVICE_EKUS))
    report = examiner_for(pki).examine(media(photo))
    assert report.cryptographic.axis(Axis.SIGNER).outcome is Outcome.ESTABLISHED
