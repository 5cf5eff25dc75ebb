"""A TPM 2.0 of its own: swtpm in a folder, with endorsement certificates from an authority of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from signer.keys.tpm2_context import tpm_context
from tests.programs import require_program

HANDLE = 0x81000100  # where tests make a key persist; it is gone after each of them
_PACKAGES = {"swtpm": "swtpm", "swtpm_setup": "swtpm-tools", "swtpm_localca": "swtpm-tools"}
_START_S, _TRIES = 60.0, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftTpm:
    """``roots``: PEM of the authority that vouches for this TPM, and of the one below it that does so."""

    folder: Path
    tcti: str
    roots: tuple[Path, Path]

    def uri(self, place: Path | str, **more: str) -> str:
        parts = {"tcti": self.tcti, **more}
        return f"tpm2:{quote(str(place))}?" + "&".join(f"{k}={quote(v, safe=':/')}" for k, v in parts.items())


def leave_clean(tpm: SoftTpm) -> None:
    """After a test: nothing but persistent objects is left in it. Takes the test's key and lockout away."""
    from tpm2_pytss.constants import ESYS_TR

    with tpm_context(tpm.tcti) as context:
        assert handles_from(context, 0x80000000) == []  # transient objects
        assert handles_from(context, 0x02000000) == handles_from(context, 0x03000000) == []  # sessions
        if HANDLE in handles_from(context, 0x81000000):
            context.evict_control(ESYS_TR.OWNER, context.tr_from_tpmpublic(HANDLE), 0)
        context.dictionary_attack_lock_reset()


def handles_from(context: Any, first: int) -> list[int]:
    from tpm2_pytss.constants import TPM2_CAP

    _, found = context.get_capability(TPM2_CAP.HANDLES, first, 64)
    return [int(h) for h in found.data.handles]


@contextmanager
def running_swtpm(folder: Path, *, endorsed: bool = True) -> Iterator[SoftTpm]:
    """Made anew in ``folder`` and stopped at the end; with certificates of its maker where ``endorsed``.
    Skips, or fails in CI, where it cannot be run."""
    program, setup, authority = (require_program(n, package=p) for n, p in _PACKAGES.items())
    _require_library()
    state, ca = folder / "state", folder / "ca"
    state.mkdir(parents=True)
    ca.mkdir()
    _manufacture(setup, authority, state, ca, endorsed=endorsed)
    for _ in range(_TRIES):
        port = _two_free_ports()
        process = _start(program, state, port)
        try:
            if _answers(process, port):
                yield SoftTpm(
                    folder=folder,
                    tcti=f"swtpm:host=127.0.0.1,port={port}",
                    roots=(ca / "swtpm-localca-rootca-cert.pem", ca / "issuercert.pem"),
                )
                return
        finally:
            process.kill()
            process.wait()
    pytest.fail("swtpm did not start")


def _require_library() -> None:
    try:
        import tpm2_pytss  # noqa: F401
    except ImportError as e:
        message = f"tpm2-pytss is not installed or its library is missing: {e}"
        if os.environ.get("ASSAY_REQUIRE_PROGRAMS") == "1":
            pytest.fail(message)
        pytest.skip(message)


def _manufacture(setup: str, authority: str, state: Path, ca: Path, *, endorsed: bool) -> None:
    (ca / "ca.conf").write_text(
        f"statedir = {ca}\nsigningkey = {ca}/signkey.pem\n"
        f"issuercert = {ca}/issuercert.pem\ncertserial = {ca}/certserial\n"
    )
    (ca / "ca.options").write_text("--platform-manufacturer Test\n--platform-version 1\n--platform-model T\n")
    (ca / "setup.conf").write_text(
        f"create_certs_tool = {authority}\ncreate_certs_tool_config = {ca}/ca.conf\n"
        f"create_certs_tool_options = {ca}/ca.options\nactive_pcr_banks = sha256\n"
    )
    subprocess.run(
        [
            *(setup, "--tpm2", "--tpmstate", state, "--config", ca / "setup.conf"),
            *(("--create-ek-cert",) if endorsed else ()),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )


def _two_free_ports() -> int:
    """A port whose successor is free too: the command port and the control port."""
    while True:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            port: int = one.getsockname()[1]
            try:
                two.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port


def _start(program: str, state: Path, port: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            *(program, "socket", "--tpm2", "--tpmstate", f"dir={state}"),
            *("--server", f"type=tcp,port={port},bindaddr=127.0.0.1"),
            *("--ctrl", f"type=tcp,port={port + 1},bindaddr=127.0.0.1"),
            *("--flags", "not-need-init,startup-clear"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    end = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port + 1), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return True
    return False
