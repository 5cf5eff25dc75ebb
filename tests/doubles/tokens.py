"""A SoftHSM2 token in a folder of its own: the real module, one token per call."""

from __future__ import annotations

import os
import secrets
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from signer.core.errors import KeyRefused
from tests.programs import require_program

MODULE = "/usr/lib/softhsm/libsofthsm2.so"


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftToken:
    label: str
    pin: str

    def uri(self, key: str, pin: str | None = None) -> str:
        return f"pkcs11:token={self.label};object={key}?module-path={MODULE}&pin-value={pin or self.pin}"


def configure_softhsm(folder: Path, tokens: int) -> tuple[SoftToken, ...]:
    """Fresh tokens in ``folder``, and the module pointed at them, for this process and its children.

    All at once, before the module is loaded: it does not see a token that another process makes later.
    """
    require_program(MODULE, package="softhsm2")
    program = require_program("softhsm2-util", package="softhsm2")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(folder / "softhsm2.conf")
    made = tuple(
        SoftToken(label=f"token-{secrets.token_hex(4)}", pin=f"{secrets.randbelow(10**8):08d}")
        for _ in range(tokens)
    )
    for token in made:
        secret = ("--pin", token.pin, "--so-pin", "87654321")
        subprocess.run(
            [program, "--init-token", "--free", "--label", token.label, *secret],
            check=True,
            capture_output=True,
        )
    return made


def only_signs(key: ec.EllipticCurvePrivateKey) -> None:
    """Every way of pyca's to the private value is refused."""
    ways = (
        key.private_numbers,
        lambda: key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        lambda: key.exchange(ec.ECDH(), key.public_key()),
    )
    for way in ways:
        with pytest.raises(KeyRefused):
            way()
