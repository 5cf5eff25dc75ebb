"""Coverage-guided fuzzing of the parsers that strangers' bytes reach. By hand; not a dependency:

    pip install atheris
    python -m tests.fuzz.parsers all --seconds 300 [--suites FOLDER]

Each target names the typed errors that it may raise; anything else ends the run, and so does one input that
takes longer than ``SLOW_S``. What was found is kept in ./fuzz/TARGET and tried first the next time.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

SLOW_S = 10
MAX_BYTES = 64 * 1024
CORPORA = Path("fuzz")
INSTRUMENTED = ["authn.core.media", "authn.provenance", "authn.sources", "detector.forensics", "signer"]

Target = Callable[[bytes], None]


def _containers() -> Target:
    """The finder of the kind that the bytes are, else of one that they choose."""
    from authn.core.media import sniff
    from signer.core.errors import InputRefused, ManifestMalformed
    from signer.proof.container import read_manifest, supports
    from tests.doubles.containers import unsigned

    kinds = [k for k in unsigned() if supports(k)]

    def run(data: bytes) -> None:
        if data:
            with suppress(ManifestMalformed, InputRefused):
                read_manifest(data, sniff(data) or kinds[data[0] % len(kinds)])

    return run


def _stores() -> Target:
    from signer.core.errors import ManifestMalformed
    from signer.proof.cose import parse_claim_signature
    from signer.proof.jumbf import manifests

    def run(data: bytes) -> None:
        with suppress(ManifestMalformed):
            for manifest in manifests(data):
                parse_claim_signature(manifest.signature.of(data))

    return run


def _signatures() -> Target:
    from signer.core.errors import ManifestMalformed
    from signer.proof.cose import parse_claim_signature

    def run(data: bytes) -> None:
        with suppress(ManifestMalformed):
            parse_claim_signature(data)

    return run


def _tokens() -> Target:
    from signer.core.errors import TimestampError
    from signer.proof.timestamp import parse_response, verify_token
    from tests.doubles.pki import TestPki

    roots = TestPki().tsa_roots

    def run(data: bytes) -> None:
        with suppress(TimestampError):
            verify_token(parse_response(data), b"message", roots)
        with suppress(TimestampError):
            verify_token(data, b"message", roots)

    return run


def _media() -> Target:
    from authn.core.errors import MediaError
    from authn.core.media import media_of
    from authn.report.preview import make_preview, orientation_of

    def run(data: bytes) -> None:
        with suppress(MediaError):
            media = media_of(data, "x")
            make_preview(media, max_pixels=1_000_000)
            orientation_of(media)

    return run


def _blocks() -> Target:
    from authn.core.errors import MediaError
    from authn.core.media import media_of
    from authn.sources.containers import read_blocks
    from detector.core.errors import DetectorError

    def run(data: bytes) -> None:
        with suppress(MediaError, DetectorError):
            read_blocks(media_of(data, "x"))

    return run


def _own() -> Target:
    """Our own way from the file to the claim signature, the certificates and the digests."""
    from authn.core.errors import MediaError
    from authn.core.media import media_of
    from authn.provenance.own import read_own

    def run(data: bytes) -> None:
        with suppress(MediaError):
            read_own(media_of(data, "x"))

    return run


def _signing() -> Target:
    """What the signing side does with a photo beside the engine: whole, room for the store, unharmed."""
    from signer.core.errors import SignerError
    from signer.embed.bmff import make_room
    from signer.embed.tiff import layout
    from signer.formats import media_type_of
    from signer.unharmed import refuse_harm

    def run(data: bytes) -> None:
        with suppress(SignerError):
            kind = media_type_of(data, "x")
            refuse_harm(data, data, kind, "x")
            if kind == "image/tiff":
                layout(data, 1000)
            elif kind.endswith(("heic", "avif", "mp4", "quicktime")):
                refuse_harm(data, make_room(data, 1000), kind, "x")

    return run


TARGETS: dict[str, Callable[[], Target]] = {
    "containers": _containers,
    "stores": _stores,
    "signatures": _signatures,
    "tokens": _tokens,
    "media": _media,
    "blocks": _blocks,
    "own": _own,
    "signing": _signing,
}


def seeds(target: str, suites: Path | None) -> Iterator[bytes]:
    """Signed and unsigned files of every kind, or the part of them that the target reads."""
    from signer.proof.container import read_manifest
    from signer.proof.cose import parse_claim_signature
    from signer.proof.jumbf import manifests
    from tests.doubles.containers import unsigned
    from tests.doubles.pki import TestPki
    from tests.doubles.signed import signed_photo, stamped_photo

    pki = TestPki()
    leaf = pki.leaf()
    signed = [signed_photo(leaf, data=d, media_type=k) for k, d in unsigned().items()]
    stamped = stamped_photo(signed_photo(leaf), pki.tsa_leaf())
    store = read_manifest(stamped, "image/jpeg") or b""
    signature = manifests(store)[-1].signature.of(store)
    if target == "stores":
        yield store
    elif target == "signatures":
        yield signature
    elif target == "tokens":
        yield from parse_claim_signature(signature).tokens_v2
    else:
        yield from (*unsigned().values(), *signed, stamped)
        for path in sorted(suites.rglob("*")) if suites else ():
            if path.is_file() and path.stat().st_size <= MAX_BYTES:
                yield path.read_bytes()


def fuzz(target: str, flags: list[str]) -> None:
    """This process becomes libFuzzer."""
    import atheris

    with atheris.instrument_imports(include=INSTRUMENTED):
        run = TARGETS[target]()
    atheris.Setup(["fuzz", *flags], run)
    atheris.Fuzz()


def _one(target: str, seconds: int, suites: Path | None) -> tuple[int, int]:
    """Executions and exit status of one target, in a process of its own."""
    corpus = CORPORA / target
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in seeds(target, suites):
        (corpus / hashlib.sha256(seed).hexdigest()[:20]).write_bytes(seed[:MAX_BYTES])
    flags = [
        f"-max_total_time={seconds}", f"-max_len={MAX_BYTES}", f"-timeout={SLOW_S}", "-rss_limit_mb=4096",
        "-print_final_stats=1", f"-artifact_prefix={CORPORA}/found-{target}-", str(corpus),
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.parsers", target, "--", *flags],
        capture_output=True, check=False, errors="replace",
    )  # fmt: skip
    counted = re.search(r"number_of_executed_units:\s*(\d+)", done.stderr)
    if done.returncode:
        print(done.stderr[-4000:], file=sys.stderr)
    return int(counted.group(1)) if counted else 0, done.returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("target", choices=["all", *TARGETS])
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--suites", type=Path, help="files to begin with, of any kind")
    given, flags = parser.parse_known_args()
    if flags:
        fuzz(given.target, [f for f in flags if f != "--"])
        return 0
    worst = 0
    for target in TARGETS if given.target == "all" else (given.target,):
        executions, status = _one(target, given.seconds, given.suites)
        print(
            f"{target:12} {executions:10} executions, {'nothing found' if not status else 'FOUND'}",
            flush=True,
        )
        worst = max(worst, abs(status))
    return 1 if worst else 0


if __name__ == "__main__":
    sys.exit(main())
