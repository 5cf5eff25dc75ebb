"""How much our signing and our full verification cost beside bare c2pa-python and bare SHA-256.

Run with ``make bench``. Everything is measured in one run, interleaved round by round, in processor time of
all threads, so that a busy machine slows all of them alike; the ratios are of the best round, the medians
stand beside them. Signing runs as in a command. Verifying runs as in a held process: freed memory is kept and
no signal has a handler, for bare c2pa-python too.

"Bare" is what a program that uses c2pa-python directly would write: one context for all files, the same
manifest, the same key, no thumbnail; sign by callback (a key in a token leaves no other way) with the
engine's default of checking its own output, and read with trust anchors. Our verification hashes the file,
asks both engines and checks binding, signature, path and time-stamp itself. "new signers": each file has
another device's certificate, so that no path is known from the file before.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import signal
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from c2pa import Builder, C2paSigningAlg, Context, Reader, Signer
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from PIL import Image

from authn.confinement.sandbox.process import keep_freed_memory
from authn.core.evidence import Axis, Outcome
from authn.core.media import media_of
from authn.examine.examiner import Examiner
from authn.pki.roots import TrustRoots, roots_pem
from authn.pki.tsa import TimestampAuthority
from authn.policies.shelf import default_policy
from authn.provenance.engines import open_engines
from signer.claim import CaptureClaim, DeviceAssertion, manifest_definition
from signer.credential import sign_media
from signer.proof.timestamp import build_request, parse_response
from signer.staple import bytes_to_stamp, staple
from tests.doubles.pki import Issued, TestPki

SIZES = {"1 MP": (1152, 864), "12 MP": (4000, 3000), "48 MP": (8000, 6000)}
ROUNDS = {"1 MP": 60, "12 MP": 25, "48 MP": 10}
JPEG = "image/jpeg"
KEY_USAGES = "1.3.6.1.4.1.62558.2.1\n1.3.6.1.5.5.7.3.36\n"
GOALS = {"our sign": ("bare sign", 1.1), "our verify": ("bare verify", 1.6)}

Step = Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    best_ms: float
    median_ms: float


def photo(width: int, height: int) -> bytes:
    """Smooth colours with sensor-like noise: it compresses about as a camera's file does."""
    random = np.random.default_rng(1)
    coarse = (random.random((height // 16, width // 16, 3)) * 255).astype(np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
    noisy = np.clip(smooth + random.normal(0, 6, (height, width, 1)), 0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(noisy).save(out, "JPEG", quality=90)
    return out.getvalue()


def claim() -> CaptureClaim:
    device = DeviceAssertion(device_id="bench", counter=1, nonce=bytes(16))
    return CaptureClaim(title="bench.jpg", captured_at=datetime.now(UTC), device=device)


def context(roots: TrustRoots | None, *, self_checked: bool) -> Context:
    anchors = [
        {"trust_anchors": roots_pem(given), "trust_kind": kind, "trust_uri": f"urn:bench:{kind}"}
        for kind, given in (("manifest", roots.signer), ("tsa", roots.tsa))
    ] if roots else []  # fmt: skip
    return Context.from_dict(
        {
            "trust": {"trust_config": KEY_USAGES, "anchors": anchors},
            "verify": {
                "verify_after_sign": self_checked,
                "remote_manifest_fetch": False,
                "ocsp_fetch": False,
            },
            "builder": {"thumbnail": {"enabled": False}},
        }
    )


def bare_sign(data: bytes, leaf: Issued, in_context: Context) -> bytes:
    def raw_signature(message: bytes) -> bytes:
        r, s = decode_dss_signature(leaf.ec_key.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    out = io.BytesIO()
    with (
        Signer.from_callback(raw_signature, C2paSigningAlg.ES256, leaf.chain_pem.decode()) as signer,
        Builder(manifest_definition(claim()), context=in_context) as builder,
    ):
        builder.sign(signer, JPEG, io.BytesIO(data), out)
    return out.getvalue()


def bare_verify(data: bytes, in_context: Context) -> str:
    with Reader(JPEG, io.BytesIO(data), context=in_context) as reader:
        json.loads(reader.json())
        return str(reader.get_validation_state())


def stamped(signed: bytes, authority: TimestampAuthority) -> bytes:
    response = authority.respond(build_request(bytes_to_stamp(signed, JPEG), 1))
    return staple(signed, JPEG, parse_response(response))


def signing(data: bytes) -> dict[str, Step]:
    """What is measured of signing."""
    leaf = TestPki("Bench").leaf()
    plain, checked = (context(None, self_checked=flag) for flag in (False, True))
    return {
        "SHA-256": lambda: hashlib.sha256(data).digest(),
        "bare sign": lambda: bare_sign(data, leaf, checked),
        "bare sign, no self-check": lambda: bare_sign(data, leaf, plain),
        "our sign": lambda: sign_media(data, JPEG, claim(), leaf.ec_key, leaf.chain_pem),
    }


def verifying(data: bytes, signers: int) -> dict[str, Step]:
    """What is measured of verifying, after checking once that each does what its name says."""
    pki = TestPki("Bench")
    tsa = pki.tsa_leaf()
    authority = TimestampAuthority(certificate=tsa.certificate, key=tsa.ec_key)
    roots = TrustRoots(signer=pki.device_roots, tsa=pki.tsa_roots)
    reading = context(roots, self_checked=False)
    examiner = Examiner(roots=roots, engines=open_engines(roots), policy=default_policy())
    file, *others = (
        stamped(sign_media(data, JPEG, claim(), leaf.ec_key, leaf.chain_pem), authority)
        for leaf in (pki.leaf() for _ in range(signers + 2))
    )
    others_in_turn = iter(others)
    assert bare_verify(file, reading) == "Trusted"
    report = examiner.examine(media_of(file, "bench.jpg"))
    for axis in (Axis.INTEGRITY, Axis.SIGNER, Axis.TIME):
        assert report.cryptographic.axis(axis).outcome is Outcome.ESTABLISHED, report.cryptographic.axis(axis)
    first, second = open_engines(roots)
    now = datetime.now(UTC)
    return {
        "SHA-256": lambda: hashlib.sha256(file).digest(),
        "bare verify": lambda: bare_verify(file, reading),
        "our first engine": lambda: first.read(file, JPEG, now),
        "our second engine": lambda: second.read(file, JPEG, now),
        "our verify": lambda: examiner.examine(media_of(file, "bench.jpg")),
        "our verify, new signers": lambda: examiner.examine(media_of(next(others_in_turn), "bench.jpg")),
    }


def measure(work: dict[str, Step], rounds: int) -> dict[str, Timing]:
    """Each step once per round, in turn."""
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, step in work.items():
            start = time.process_time()
            step()
            times[name].append((time.process_time() - start) * 1e3)
    return {name: Timing(best_ms=min(t), median_ms=statistics.median(t)) for name, t in times.items()}


def show(size: str, length: int, timings: dict[str, Timing]) -> None:
    print(f"\n{size} JPEG, {length / 1e6:.2f} MB")
    print(f"  {'':26}{'best ms':>10}{'median ms':>12}   ratio to bare, processor time")
    bare = {
        "our sign": ("bare sign", "bare sign, no self-check"),
        "bare sign, no self-check": ("bare sign",),
        "our verify": ("bare verify",),
        "our verify, new signers": ("bare verify",),
    }
    for name, timing in timings.items():
        ratios = ", ".join(f"{timing.best_ms / timings[b].best_ms:.2f} x {b}" for b in bare.get(name, ()))
        print(f"  {name:26}{timing.best_ms:10.2f}{timing.median_ms:12.2f}   {ratios}")
    for name, (base, goal) in GOALS.items():
        if name not in timings:
            continue
        ratio = timings[name].best_ms / timings[base].best_ms
        print(f"  {name} / {base}: {ratio:.2f}, goal {goal}: {'met' if ratio <= goal else 'NOT met'}")


def main(quick: bool) -> None:
    print(f"Python {platform.python_version()}, {platform.machine()}; best and median of interleaved rounds")
    photos = {size: photo(*extent) for size, extent in SIZES.items()}
    rounds = dict.fromkeys(SIZES, 3) if quick else ROUNDS
    for size, data in photos.items():
        show(f"Signing a {size}", len(data), measure(signing(data), rounds[size]))
    keep_freed_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for size, data in photos.items():
        show(f"Verifying a {size}", len(data), measure(verifying(data, rounds[size]), rounds[size]))


if __name__ == "__main__":
    main(quick="--quick" in sys.argv)
