"""Real files, damaged at random: every source gives evidence or a typed error, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authn.core.errors import AuthnError
from authn.core.evidence import HeuristicOutcome
from authn.core.media import media_of
from authn.sources.compression import CompressionSource
from authn.sources.learned import LearnedSource
from authn.sources.metadata import MetadataSource
from detector.core.errors import DetectorError
from tests.detector.made import jpegs

SOURCES = (MetadataSource(), CompressionSource(), LearnedSource())


@pytest.fixture(scope="module")
def originals(corpus_dir: Path, suites: Path) -> list[bytes]:
    """Small camera files, a lossy WebP, and files with XMP and embedded manifests."""
    cameras = sorted(jpegs(corpus_dir / "camera" / "exif_samples"), key=lambda p: p.stat().st_size)[:6]
    sheets = sorted((corpus_dir / "fakes_train" / "flux1_dev_grid").glob("*.webp"))[:1]
    signed = [
        p for p in (suites / "c2pa").rglob("*") if p.suffix in {".png", ".webp", ".tiff", ".heic", ".jpg"}
    ]
    small = sorted((p for p in signed if p.stat().st_size < 400_000), key=lambda p: p.name)[:12]
    assert len(small) == 12
    return [p.read_bytes() for p in (*cameras, *sheets, *small)]


@pytest.mark.parametrize("stray", [b"\0\0", b"any bytes", b"\xff\0", b"\xff\xd0"])
def test_an_odd_jpeg_that_decoders_read_costs_no_source_its_answer(corpus_dir, stray):
    plain = jpegs(corpus_dir / "camera" / "prnu_nikon_d70")[0].read_bytes()
    end = 4 + int.from_bytes(plain[4:6], "big")
    odd = plain[:end] + stray + plain[end:]
    for source in SOURCES:
        assert source.examine(media_of(odd, "file.jpg")) == source.examine(media_of(plain, "file.jpg"))


@pytest.mark.slow
@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_damaged_real_files_never_escape_the_typed_errors(originals, data):
    raw = bytearray(data.draw(st.sampled_from(range(len(originals))).map(lambda n: originals[n])))
    reach = data.draw(st.sampled_from([400, 4000, len(raw)]))
    for _ in range(data.draw(st.integers(1, 12))):
        raw[data.draw(st.integers(0, min(reach, len(raw)) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        raw = raw[: data.draw(st.integers(1, len(raw)))]
    for source in SOURCES:
        try:
            evidence = source.examine(media_of(bytes(raw), "file.jpg"))
        except (DetectorError, AuthnError):
            continue
        for e in evidence:
            assert e.reason
            assert e.outcome is not HeuristicOutcome.AGAINST or e.llr is not None


def test_the_metadata_of_every_original_are_read(originals):
    for raw in originals:
        assert len(MetadataSource().examine(media_of(raw, "file"))) == 2
