"""URIs of keys in a TPM, and what they say where there is no TPM."""

from __future__ import annotations

from pathlib import Path

import pytest

from signer.core.errors import KeyUnavailable
from signer.keys import open_key
from signer.keys.tpm2_uri import DEFAULT_TCTI, parse_tpm2_uri
from tests.programs import printed


def test_a_tpm_uri_is_read_with_its_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAM_PIN", "1234")
    monkeypatch.setenv("OWNER", "secret")
    key = parse_tpm2_uri(
        "tpm2:/a%20b/k.pem?pin=env:CAM_PIN&owner=env:OWNER&tcti=swtpm:host=127.0.0.1,port=%32321"
    )
    assert (key.path, key.handle) == (Path("/a b/k.pem"), None)
    assert (key.tcti, key.pin(), key.owner()) == ("swtpm:host=127.0.0.1,port=2321", b"1234", b"secret")


def test_a_handle_is_read_and_no_pin_is_an_empty_one() -> None:
    key = parse_tpm2_uri("tpm2:0x81000100")
    assert (key.path, key.handle, key.pin(), key.owner()) == (None, 0x81000100, b"", b"")


def test_the_way_to_the_tpm_comes_from_the_uri_then_the_environment_then_the_kernel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TPM2TOOLS_TCTI", raising=False)
    assert parse_tpm2_uri("tpm2:0x81000100").tcti == DEFAULT_TCTI == "device:/dev/tpmrm0"
    monkeypatch.setenv("TPM2TOOLS_TCTI", "tabrmd")
    assert parse_tpm2_uri("tpm2:0x81000100").tcti == "tabrmd"
    assert parse_tpm2_uri("tpm2:0x81000100?tcti=device:/dev/tpm0").tcti == "device:/dev/tpm0"


@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("tpm2:", "is named as tpm2:"),
        ("tpm2:relative.pem", "is named as tpm2:"),
        ("tpm2://host/k.pem", "is named as tpm2:"),
        ("tpm2:/k%00.pem", "is named as tpm2:"),
        ("tpm2:0x8100", "is named as tpm2:"),
        ("tpm2:0x80000001", "from 0x81000000 to 0x817fffff"),
        ("tpm2:0x81800000", "from 0x81000000 to 0x817fffff"),
        ("tpm2:0x40000001", "from 0x81000000 to 0x817fffff"),
        ("tpm2:/k.pem?pin=env:A&pin=env:B", "pin twice"),
        ("tpm2:/k.pem?password=1", "'password'"),
        ("tpm2:/k.pem?pin=", "'pin'"),
        ("tpm2:/k.pem?pin", "'pin'"),
    ],
)
def test_a_tpm_uri_that_is_not_understood_completely_is_refused(location: str, says: str) -> None:
    with pytest.raises(KeyUnavailable, match=says):
        open_key(location)


@pytest.mark.parametrize(
    ("secret", "says"), [("x" * 33, "longer than a TPM takes"), ("12\0", "ends in a zero byte")]
)
def test_a_pin_that_a_tpm_cannot_hold_is_refused(tmp_path: Path, secret: str, says: str) -> None:
    (tmp_path / "pin").write_bytes(secret.encode())
    with pytest.raises(KeyUnavailable, match=says):
        parse_tpm2_uri(f"tpm2:0x81000100?pin=file:{tmp_path}/pin").pin()


def test_without_the_library_the_sentence_says_what_to_install(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['tpm2_pytss'] = None\n"
        "from signer.keys import open_key\n"
        "from signer.core.errors import KeyUnavailable\n"
        "try: open_key('tpm2:0x81000100')\n"
        "except KeyUnavailable as e: print(e)\n"
    )
    told = printed(program)
    assert told.startswith("TPM keys need the extra: pip install 'assay[tpm]'")
