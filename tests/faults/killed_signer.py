"""Signs and stamps everything in a folder until it is killed. Run by test_spool_kill as its own process.

Usage: python -m tests.faults.killed_signer HOME PHOTOS TSA_PEM
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from authn.pki.tsa import TimestampAuthority
from signer.capture import sign_file
from signer.core.errors import AlreadySigned, UnreadableMedia
from signer.device import choose_identity
from signer.keys import open_key
from signer.spool import Spool


def main(home: Path, photos: Path, tsa: Path) -> None:
    identity = choose_identity(home / "devices", None)
    key = open_key(identity.key_uri)
    stamper = load_pem_private_key(tsa.read_bytes(), None)
    assert isinstance(stamper, ec.EllipticCurvePrivateKey)
    authority = TimestampAuthority(x509.load_pem_x509_certificate(tsa.read_bytes()), stamper)
    spool = Spool(home / "spool")
    print("ready", flush=True)
    waiting = sorted(photos.glob("[!.]*"))
    random.shuffle(waiting)
    for i, photo in enumerate(waiting):
        try:
            done = sign_file(photo, identity, spool=spool, key=key)
            print(f"signed {done.counter} {photo.name}", flush=True)
        except (AlreadySigned, UnreadableMedia):
            pass  # the other process has it, or had it
        if i % 3 == 2:
            for entry in spool.stamp_all(authority.respond, identity.tsa_roots).stamped:
                print(f"stamped {Path(entry.path).name}", flush=True)
    print("done", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
