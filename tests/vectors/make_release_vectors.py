"""Make the folder of files that this release signed. Run once per release; the keys are thrown away.

python -m tests.vectors.make_release_vectors tests/vectors/signed_by_X_Y_Z
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

from tests.doubles.photos import photo, sound
from tests.doubles.pki import TestPki, now, pem_of
from tests.doubles.signed import signed_photo, stamped_photo

KINDS = {
    "jpg": ("image/jpeg", lambda: photo("JPEG")),
    "png": ("image/png", lambda: photo("PNG")),
    "webp": ("image/webp", lambda: photo("WEBP")),
    "tiff": ("image/tiff", lambda: photo("TIFF")),
    "avif": ("image/avif", lambda: photo("AVIF")),
    "wav": ("audio/wav", sound),
}


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pki = TestPki("Release")
    leaf = pki.leaf(not_after=now() + timedelta(days=90))
    authority = pki.tsa_leaf(not_after=now() + timedelta(days=3000))
    for suffix, (media_type, make) in KINDS.items():
        signed = signed_photo(leaf, data=make(), media_type=media_type)
        (folder / f"unstamped.{suffix}").write_bytes(signed)
        (folder / f"stamped.{suffix}").write_bytes(stamped_photo(signed, authority, media_type=media_type))
    (folder / "signer-roots.pem").write_bytes(pem_of(*pki.device_roots))
    (folder / "tsa-roots.pem").write_bytes(pem_of(*pki.tsa_roots))
    (folder / "made-at.txt").write_text(f"{now().isoformat()}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
