"""Unsigned files of every kind, mutated: none of them may ever be refuted. By hand, for thousands:

    python -m tests.fuzz.unsigned [--files 10000] [--seed 1] [FOLDER_OF_MORE_UNSIGNED_FILES]

"Unsigned" is exact: no box that names C2PA stands in the file (``has_store``, docs/decisions/0012).
"""

from __future__ import annotations

import argparse
import base64
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from authn.core.errors import MediaError
from authn.core.evidence import Axis, Outcome
from authn.core.media import media_of
from authn.examine.examiner import Examiner
from tests.doubles.containers import app11, box, id3_frame, id3_tag, jumbf, pages, unsigned, with_segments
from tests.doubles.photos import photo
from tests.doubles.pki import TestPki
from tests.doubles.signed import examiner_for

REFUTED = "refuted"
STORE_TYPE = bytes.fromhex("6332706100110010800000aa00389b71")
NAMED_BOX = re.compile(rb"jum[bd].{0,40}c2pa\0", re.DOTALL)
ENCODED = tuple(base64.b64encode(bytes(lead) + STORE_TYPE)[4 : 4 + 18] for lead in range(3))
# What readers look for, so that a mutated file comes close to a signed one without being one.
TOKENS = (
    b"c2pa", b"jumb", b"jumd", b"caBX", b"C2PA", b"JP\0\1\0\0\0\1", b"C2PA_GIF\1\0\0", b"\xcd\x41",
    b"\x41\xcd", b"application/c2pa\0", b"GEOB", b"/AFRelationship/C2PA_Manifest", b"urn:c2pa:x", b"uuid",
    b"<metadata><c2pa:manifest>", bytes.fromhex("d8fec3d61b0e483c92975828877ec481"), b"manifest\0", b"IEND",
    b"\xff\xeb", b"\xff\xd9", b"\0\0\0\0", b"\0\0\0\1", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff",
    b"\x80\0\0\0", b"\0\0\0\x08", b"http://ns.adobe.com/xap/1.0/\0", b'dcterms:provenance="self#jumbf=c2pa"',
)  # fmt: skip


def has_store(data: bytes) -> bool:
    """Whether anything in these bytes names a C2PA store: the type or the label of its description."""
    return STORE_TYPE in data or NAMED_BOX.search(data) is not None or any(e in data for e in ENCODED)


def sources(folder: Path | None = None) -> tuple[bytes, ...]:
    """Files of all kinds, and odd ones that were never signed."""
    odd = (
        pages(3),
        pages(70),
        with_segments(photo(), app11(1, 1, box(b"LCHK", bytes(9))), app11(1, 2, jumbf(b"jlink"))),
        id3_tag(id3_frame(b"GEOB", b"\0text/plain\0\0\0hello"), id3_frame(b"TIT2", b"\x03c2pa")),
    )
    more = [p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()] if folder else []
    return tuple(d for d in (*unsigned().values(), *odd, *more) if d and not has_store(d))


def mutated(files: Sequence[bytes], draw: random.Random) -> bytes:
    """One of the files after one to four changes."""
    data = draw.choice(files)
    for _ in range(draw.randint(1, 4)):
        data = draw.choice(MUTATIONS)(data, files, draw)
    return data


def _flipped(data: bytes, _: Sequence[bytes], draw: random.Random) -> bytes:
    out = bytearray(data)
    for _i in range(draw.choice((1, 1, 3, 40))):
        if out:
            out[draw.randrange(len(out))] ^= 1 << draw.randrange(8)
    return bytes(out)


def _head_flipped(data: bytes, files: Sequence[bytes], draw: random.Random) -> bytes:
    return _flipped(data[:400], files, draw) + data[400:]


def _cut(data: bytes, _: Sequence[bytes], draw: random.Random) -> bytes:
    return data[: draw.randint(1, max(len(data), 1))]


def _joined(data: bytes, files: Sequence[bytes], draw: random.Random) -> bytes:
    return data + draw.choice(files)


def _spliced(data: bytes, files: Sequence[bytes], draw: random.Random) -> bytes:
    other = draw.choice(files)
    return data[: draw.randrange(len(data) + 1)] + other[draw.randrange(len(other)) :]


def _token(data: bytes, _: Sequence[bytes], draw: random.Random) -> bytes:
    at, token = draw.randrange(len(data) + 1), draw.choice(TOKENS)
    return data[:at] + token + data[at + draw.choice((0, len(token))) :]


def _removed(data: bytes, _: Sequence[bytes], draw: random.Random) -> bytes:
    at = draw.randrange(len(data) + 1)
    return data[:at] + data[at + draw.randint(1, 64) :]


def _doubled(data: bytes, _: Sequence[bytes], draw: random.Random) -> bytes:
    at, size = draw.randrange(len(data) + 1), draw.randint(1, 2000)
    return data[:at] + data[at : at + size] * draw.randint(2, 9) + data[at + size :]


MUTATIONS = (_flipped, _head_flipped, _cut, _joined, _spliced, _token, _token, _removed, _doubled)


def unsigned_mutants(files: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    draw = random.Random(seed)
    made = 0
    while made < count:
        data = mutated(files, draw)
        if data and not has_store(data):
            made += 1
            yield data


def outcome_of(examiner: Examiner, data: bytes) -> str:
    """The code of a refusal, "refuted" where any axis is, else the outcome of the credential axis."""
    try:
        proof = examiner.examine(media_of(data, "x")).cryptographic
    except MediaError as e:
        return e.code
    if any(a.outcome is Outcome.REFUTED for a in proof.axes):
        return REFUTED
    return proof.axis(Axis.CREDENTIAL).outcome.value


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    examiner, files, counts = examiner_for(TestPki()), sources(given.folder), Counter[str]()
    began = time.monotonic()
    for i, data in enumerate(unsigned_mutants(files, given.files, given.seed)):
        outcome = outcome_of(examiner, data)
        counts[outcome] += 1
        if outcome == REFUTED:
            Path(f"refuted-{given.seed}-{i}").write_bytes(data)
    for outcome, count in counts.most_common():
        print(f"{count:8}  {outcome}")
    print(f"{len(files)} sources, {given.files} files, {time.monotonic() - began:.0f} s")
    return 1 if counts[REFUTED] else 0


if __name__ == "__main__":
    sys.exit(main())
