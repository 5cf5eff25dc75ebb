"""Witnesses of the tests: a real one in this process behind a real port, and the real command."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from wsgiref.types import WSGIApplication

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from werkzeug.serving import make_server

from authn.tlog.format.cosignature import Cosigner
from authn.tlog.format.note import VerifyingKey
from authn.tlog.witness.witness import Witness
from authn.web.witness import create_witness_app

ASSAY = (sys.executable, "-c", "from authn.cli import main; main()")


def cosigner(name: str, at: int = 1_795_000_000) -> Cosigner:
    return Cosigner(name=f"{name}.example/w", key=Ed25519PrivateKey.generate(), clock=lambda: at)


@contextmanager
def listening(app: WSGIApplication, port: int = 0) -> Iterator[str]:
    """Its address, as long as the block lasts."""
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def witnessing(
    database: Path, logs: Sequence[VerifyingKey], signer: Cosigner, port: int = 0
) -> Iterator[str]:
    with listening(create_witness_app(Witness(database, logs, (signer,))), port) as url:
        yield url


def policy_text(*witnesses: tuple[str, object, str], quorum: int) -> str:
    """Of labels, keys and addresses."""
    lines = [f"witness {label} {key} {url}" for label, key, url in witnesses]
    group = f"group enough {quorum} {' '.join(label for label, _, _ in witnesses)}"
    return "\n".join((*lines, group, "quorum enough")) + "\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessProcess:
    url: str
    key: str
    home: Path


@contextmanager
def witness_process(home: Path, name: str, log_key: str) -> Iterator[WitnessProcess]:
    """``assay witness init`` and ``serve``."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("ASSAY_")}
    made = subprocess.run(
        [*ASSAY, "witness", "init", "--home", str(home), "--name", name],
        capture_output=True, text=True, check=True, env=environ,
    )  # fmt: skip
    command = [*ASSAY, "witness", "serve", "--home", str(home), "--listen", "127.0.0.1:0", "--log", log_key]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("The witness listens on "), line
            yield WitnessProcess(url=line.split()[-1].rstrip("/"), key=made.stdout.strip(), home=home)
        finally:
            process.terminate()
            process.wait(timeout=60)
