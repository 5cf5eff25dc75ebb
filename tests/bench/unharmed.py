"""Sign, compare, and let others look: a hand-run check over any number of files.

    python -m tests.bench.unharmed FOLDER_OR_FILE...
    python -m tests.bench.unharmed --cost

For every file that is signed at all: our own comparison (signer/unharmed), both C2PA readers, and programs
that know nothing of C2PA, asked before and after: Pillow and libheif for pixels, EXIF, ICC and XMP of every
frame and item, ffmpeg for the packets of every stream, exiftool for every tag. Prints counts, refusals with
their reasons, and what differs.
"""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import pillow_heif
from PIL import Image, ImageSequence

from signer.claim import CaptureClaim, DeviceAssertion
from signer.core.errors import SignerError
from signer.credential import refuse_signed, sign_media
from signer.formats import media_type_of
from signer.proof.container import read_manifest
from signer.unharmed import refuse_harm
from tests.doubles.pki import TestPki
from tests.doubles.readers import read_with_c2pa, read_with_encypher
from tests.programs import require_program

MAX_FRAMES = 70
_POSITIONS = (
    "Offset",
    "Start",
    "TileOffsets",
    "StripOffsets",
    "MediaDataOffset",
    "SourceFile",
    "MPImageStart",
)
_OURS = (
    "Jpeg2000",
    "JUMBF",
    "CBOR",
    "C2PA",
    "ExifTool",
    "System",
    "File",
    "Composite",
    "JSON",
    "C2PAThumbnail",
)


def signed_or_refused(data: bytes, name: str, pki: TestPki) -> tuple[str, bytes]:
    """Media type and signed bytes, as ``sign_file`` makes them. Raises ``SignerError``."""
    media_type = media_type_of(data, name)
    if read_manifest(data, media_type) is not None:
        raise SignerError("carries a manifest already")
    refuse_signed(data, media_type)
    leaf = pki.leaf()
    signed = sign_media(data, media_type, _claim(name), leaf.ec_key, leaf.chain_pem)
    refuse_harm(data, signed, media_type, name)
    return media_type, signed


def _claim(name: str) -> CaptureClaim:
    return CaptureClaim(
        title=name.encode("utf-8", "replace").decode(),
        captured_at=datetime.now(UTC),
        device=DeviceAssertion(device_id="device-0001", counter=1, nonce=bytes(16)),
    )


def seen_by_others(data: bytes, media_type: str, suffix: str, *, tags: bool) -> dict[str, object]:
    """What programs that know nothing of C2PA make of the file."""
    found: dict[str, object] = {}
    if media_type.startswith("image/"):
        found["pillow"] = _outcome(lambda: list(_frames(data)))
    if media_type in ("image/heic", "image/avif"):
        found["libheif"] = _outcome(lambda: list(_items(data)))
    with tempfile.NamedTemporaryFile(suffix=suffix) as f:
        f.write(data)
        f.flush()
        if not media_type.startswith("image/"):
            found["ffmpeg"] = _run(
                "ffmpeg", "-v", "error", "-i", f.name, "-map", "0", "-c", "copy", "-f", "streamhash", "-"
            )
        if media_type == "image/tiff":
            found["imagemagick"] = _run(
                require_program("identify"), "-quiet", "-format", "%m %w %h %#\n", f.name
            )
        if tags:
            found["exiftool"] = _outcome(lambda: tags_of([Path(f.name)])[0])
    return found


def _outcome(look: object) -> object:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return look()  # type: ignore[operator]
    except Exception as e:
        return f"{type(e).__name__}"


def _frames(data: bytes) -> Iterator[tuple[object, ...]]:
    with Image.open(io.BytesIO(data)) as image:
        yield image.format, getattr(image, "n_frames", 1)
        for key in ("exif", "icc_profile", "xmp", "photoshop", "comment", "Description"):
            yield key, image.info.get(key)
        for i, frame in enumerate(ImageSequence.Iterator(image)):
            if i == MAX_FRAMES:
                break
            yield frame.mode, frame.size, hashlib.sha256(frame.tobytes()).hexdigest()


def _items(data: bytes) -> Iterator[tuple[object, ...]]:
    for image in pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False):
        info = {k: str(v)[:2000] for k, v in image.info.items() if k != "depth_images"}
        depths = [bytes(d.data) for d in image.info.get("depth_images", ())]
        yield image.mode, image.size, hashlib.sha256(bytes(image.data)).hexdigest(), info, depths


def _run(*command: str) -> object:
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    return done.returncode, done.stdout


def tags_of(paths: list[Path]) -> list[dict[str, object]]:
    """What exiftool reads of each, but positions and the manifest."""
    command = [require_program("exiftool"), "-j", "-G1", "-a", "-ee", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, check=False)
    return [
        {
            k: v
            for k, v in tags.items()
            if k.split(":")[0] not in _OURS and not k.endswith(_POSITIONS) and "0xcd41" not in k
        }
        for tags in json.loads(done.stdout)
    ]


def cost() -> None:
    """What the comparison costs beside the signing, by size and kind; medians."""
    pki = TestPki()
    leaf = pki.leaf()
    for megapixels in (1, 12, 48):
        size = int((megapixels * 1e6 * 4 / 3) ** 0.5), int((megapixels * 1e6 * 3 / 4) ** 0.5)
        image = Image.effect_noise((size[0] // 4, size[1] // 4), 60).resize(size).convert("RGB")
        for kind, options in (
            ("JPEG", {"quality": 92}),
            ("TIFF", {}),
            ("PNG", {"compress_level": 1}),
            ("HEIF", {}),
        ):
            out = io.BytesIO()
            image.save(out, kind, **options)
            data = out.getvalue()
            media_type = media_type_of(data, "x")
            signing, comparing, signed = [], [], b""
            for _ in range(7):
                start = time.perf_counter()
                signed = sign_media(data, media_type, _claim("x"), leaf.ec_key, leaf.chain_pem)
                middle = time.perf_counter()
                refuse_harm(data, signed, media_type, "x")
                signing.append(middle - start)
                comparing.append(time.perf_counter() - middle)
            first, second = median(signing) * 1e3, median(comparing) * 1e3
            print(
                f"{megapixels:3} MP {kind:5} {len(data) / 1e6:6.1f} MB: sign {first:7.2f} ms,"
                f" compare {second:6.3f} ms ({second / first:.1%})"
            )


def main(arguments: list[str]) -> int:
    pillow_heif.register_heif_opener()
    if arguments == ["--cost"]:
        cost()
        return 0
    files = [
        p
        for a in arguments
        for p in ([Path(a)] if Path(a).is_file() else sorted(Path(a).rglob("*")))
        if p.is_file()
    ]
    pki = TestPki()
    signed_of, refusals, differing = Counter[str](), Counter[str](), 0
    for path in files:
        data = path.read_bytes()
        try:
            media_type, signed = signed_or_refused(data, path.name, pki)
        except SignerError as e:
            kind = f"{e.code}"
            refusals[kind] += 1
            if kind != "assay.input.unsupported":
                print(f"refused {path}: {e.detail} [{e.code}]")
            continue
        signed_of[media_type] += 1
        before, after = (seen_by_others(d, media_type, path.suffix, tags=True) for d in (data, signed))
        states = [read(signed, media_type, pki).state for read in (read_with_c2pa, read_with_encypher)]
        wrong = [k for k in before if before[k] != after[k]] + ([] if states == ["Trusted"] * 2 else states)
        if wrong:
            differing += 1
            print(f"DIFFERS {path}: {wrong}")
            for k in wrong:
                if k == "exiftool" and isinstance(before[k], dict) and isinstance(after[k], dict):
                    keys = {x for x in {*before[k], *after[k]} if before[k].get(x) != after[k].get(x)}
                    print(
                        "   ",
                        {
                            x: (str(before[k].get(x))[:60], str(after[k].get(x))[:60])
                            for x in sorted(keys)[:6]
                        },
                    )
                elif k in before:
                    print("   ", str(before[k])[:300], "->", str(after[k])[:300])
    print(
        f"{len(files)} files; signed {sum(signed_of.values())}: {dict(signed_of)}; "
        f"refused {dict(refusals)}; differing {differing}"
    )
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
