"""Make ``watermarks/``: drawn pictures that the library marked, and what its own reader says of them.

    python -m tests.vectors.make_watermark_vectors tests/vectors/watermarks

Needs PyPI's invisible-watermark 0.2.0 and PyWavelets (``pip install --no-deps``), which nothing else needs.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np

from detector.forensics.watermarks import PAYLOADS, READINGS, Carrier, Reading

MADE = (
    ("clean", None, None, None),
    ("bytes", "StableDiffusionV1", Carrier.DWT_DCT, Reading.BYTES),
    ("floats", "SDXL", Carrier.DWT_DCT, Reading.FLOATS),
    ("svd", "SDV2", Carrier.DWT_DCT_SVD, Reading.BYTES),
)
LENGTHS = (32, 46, 48, 136)


def main() -> None:
    from imwatermark import WatermarkDecoder, WatermarkEncoder

    out = Path(sys.argv[1])
    out.mkdir(exist_ok=True)
    y, x = np.mgrid[0:256, 0:320]
    light = 120 + 60 * np.sin(x / 31 + y / 43)
    waves = [light + 12 * np.sin(x / (61 + 9 * c) - y / (53 + 5 * c) + c) for c in range(3)]
    plain = np.stack(waves, 2).round().astype(np.uint8)
    rows = []
    for name, payload, carrier, reading in MADE:
        bgr = plain
        if payload is not None:
            encoder = WatermarkEncoder()
            encoder.set_watermark("bits", next(p.bits for p in PAYLOADS if p.name == payload))
            given = plain.astype(np.float32) if reading is Reading.FLOATS else plain.copy()
            bgr = np.clip(encoder.encode(given, carrier.value), 0, 255).astype(np.uint8)
        cv2.imwrite(str(out / f"{name}.png"), bgr, [cv2.IMWRITE_PNG_COMPRESSION, 9])
        reads = []
        for by, read_as in READINGS:
            given = bgr.astype(np.float32) if read_as is Reading.FLOATS else bgr
            for length in LENGTHS:
                bits = WatermarkDecoder("bits", length).decode(given, by.value)
                text = "".join(str(int(b)) for b in bits)
                reads.append({"carrier": by.value, "read_as": read_as.value, "bits": text})
        rows.append({"file": f"{name}.png", "payload": payload, "reads": reads})
    made = {"made_with": f"invisible-watermark 0.2.0, OpenCV {cv2.__version__}", "pictures": rows}
    (out / "expected.json").write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
