"""What RivaGAN's marks would give, which are not read: figures of docs/cards/watermarks.md.

    python -m tests.bench.rivagan gather CORPUS PACKAGE OUT.jsonl [PICTURES]
    python -m tests.bench.rivagan table OUT.jsonl

PACKAGE is the folder ``imwatermark`` of PyPI's ``invisible-watermark`` 0.2.0, unpacked: its two networks are
run as they are. Of real pictures of CORPUS, by turns of their sources, the upper left 256 x 256 pixels are
read; into every eighth one 32 random bits are written, read as they are and after JPEG.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.core.bounds import at_most
from detector.core.errors import DetectorError
from detector.forensics.watermarks import PAYLOADS
from detector.lab.halves import first_half
from detector.models.onnx_session import open_session
from detector.pixels.augment import Encoding, through
from detector.pixels.decode import Pixels, decode
from tests.bench.history import real

SIDE, BITS, EVERY, LEAST = 256, 32, 8, 0.52  # of an output that is a 1, in the package
QUALITIES = (None, 90, 75, 50)


def network(path: Path) -> Any:
    return open_session(path.read_bytes(), "reader of RivaGAN's marks")


def frame(pixels: Pixels) -> NDArray[np.float32]:
    """As the package does it, which hands over BGR."""
    values = pixels[:, :, ::-1].astype(np.float32) / 127.5 - 1
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None, :, None])


def gather(corpus: Path, package: Path, out: Path, most: int) -> None:
    decoder, encoder = (network(package / f"rivagan_{n}.onnx") for n in ("decoder", "encoder"))
    rng, done = np.random.default_rng(0), 0

    def read(pixels: Pixels) -> list[float]:
        return [round(float(v), 3) for v in decoder.run(None, {"frame": frame(pixels)})[0][0]]

    with out.open("w") as lines:
        for source, row in real(corpus, 3):
            try:
                part = decode((corpus / row.file).read_bytes(), row.media_type)[:SIDE, :SIDE]
            except DetectorError:
                continue
            if part.shape[:2] != (SIDE, SIDE) or done == most:
                continue
            begun = time.process_time()
            told: dict[str, Any] = {"source": source, "clean": read(part), "cpu": time.process_time() - begun}
            if done % EVERY == 0:
                bits = rng.integers(0, 2, BITS).astype(np.float32)
                whole = encoder.run(None, {"frame": frame(part), "data": bits[None]})[0][0, :, 0]
                marked = ((np.clip(whole, -1, 1).transpose(1, 2, 0) + 1) * 127.5).astype(np.uint8)[:, :, ::-1]
                told["bits"] = bits.tolist()
                for quality in QUALITIES:
                    saved = Encoding(media_type="image/jpeg", quality=quality) if quality else None
                    told[f"marked {quality}"] = read(through(marked, saved) if saved else marked)
            lines.write(json.dumps(told) + "\n")
            lines.flush()
            done += 1


def size(outputs: list[float]) -> float:
    """What could tell that there is a mark, whatever its bits: the median size of the outputs."""
    return float(np.median(np.abs(np.array(outputs) - 0.5)))


def table(path: Path) -> None:
    rows = [json.loads(line) for line in path.open()]
    marked = [r for r in rows if "bits" in r]
    first = [size(r["clean"]) for r in rows if first_half(r["source"])]
    others = [size(r["clean"]) for r in rows if not first_half(r["source"])]
    print(f"{len(rows)} pictures, {len({r['source'] for r in rows})} sources, {len(marked)} marked, "
          f"{np.median([r['cpu'] for r in rows]):.2f} CPU-s each")  # fmt: skip
    known = [p for p in PAYLOADS if len(p.bits) == BITS]
    best = max(sum((np.array(r["clean"]) > LEAST) == np.array(p.bits, bool)) for r in rows for p in known)
    print("bits of a clean picture that agree with a known payload at most:", best, [p.name for p in known])
    point = max(first)
    wrong = sum(s > point for s in others)
    print(f"sizes, clean: {np.quantile(first + others, [0.5, 0.9, 1]).round(2)}; point {point:.2f}: "
          f"{wrong} of {len(others)}, at most {at_most(wrong, len(others)):.1%}")  # fmt: skip
    for quality in QUALITIES:
        read = [np.array(r[f"marked {quality}"]) for r in marked]
        right = [
            int(((d > LEAST) == np.array(r["bits"], bool)).sum()) for d, r in zip(read, marked, strict=True)
        ]
        seen = sum(size(list(d)) > point for d in read)
        print(quality, "all bits right:", sum(n == BITS for n in right), "least:", min(right), "seen:", seen)


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "gather":
        gather(Path(rest[0]), Path(rest[1]), Path(rest[2]), int(rest[3]) if rest[3:] else 300)
    else:
        table(Path(rest[0]))
