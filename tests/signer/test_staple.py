"""A token gets into the padding: the file keeps its length, and nothing that is bound changes."""

from __future__ import annotations

import contextlib

import pytest

from signer.core.errors import ContainerUnreadable, ManifestMalformed, SigningFailed, UnsupportedMedia
from signer.proof.container import manifest_spans, read_manifest, replace_manifest
from signer.proof.cose import parse_claim_signature, verify_claim_signature, with_token
from signer.proof.jumbf import active_manifest, manifests
from signer.staple import bytes_to_stamp, has_token
from tests.doubles.photos import photo, sound
from tests.doubles.pki import TestPki
from tests.doubles.readers import read_with_c2pa, read_with_encypher
from tests.doubles.signed import signed_photo, stamped_photo


@pytest.fixture(scope="module")
def pki() -> TestPki:
    return TestPki()


FORMATS = {
    "image/jpeg": lambda: photo("JPEG"),
    "image/png": lambda: photo("PNG"),
    "image/webp": lambda: photo("WEBP"),
    "image/tiff": lambda: photo("TIFF"),
    "image/avif": lambda: photo("AVIF"),
    "audio/wav": sound,
}


@pytest.mark.parametrize("media_type", list(FORMATS))
def test_a_stapled_file_is_as_long_as_before_and_both_readers_accept_signature_and_time(
    pki: TestPki, media_type: str
) -> None:
    signed = signed_photo(pki.leaf(), data=FORMATS[media_type](), media_type=media_type)
    stamped = stamped_photo(signed, pki.tsa_leaf(), media_type=media_type)
    assert len(stamped) == len(signed)
    assert has_token(stamped, media_type)
    assert not has_token(signed, media_type)
    for reading in (
        read_with_c2pa(stamped, media_type, pki),
        read_with_encypher(stamped, media_type, pki),
    ):
        assert reading.state == "Trusted"
        assert "timeStamp.trusted" in reading.success


def test_stapling_changes_no_byte_outside_the_signature_box(pki: TestPki) -> None:
    signed = signed_photo(pki.leaf())
    stamped = stamped_photo(signed, pki.tsa_leaf())
    store = read_manifest(signed, "image/jpeg")
    assert store is not None
    (span,) = manifest_spans(signed, "image/jpeg")
    box = active_manifest(store).signature
    inside = range(span.start + box.start, span.start + box.end)
    assert all(i in inside for i in range(len(signed)) if signed[i] != stamped[i])


def test_stapling_twice_keeps_one_token(pki: TestPki) -> None:
    signed = signed_photo(pki.leaf())
    twice = stamped_photo(stamped_photo(signed, pki.tsa_leaf()), pki.tsa_leaf())
    store = read_manifest(twice, "image/jpeg")
    assert store is not None
    assert len(parse_claim_signature(active_manifest(store).signature.of(store)).tokens_v2) == 1


def test_what_is_to_be_stamped_does_not_depend_on_the_padding(pki: TestPki) -> None:
    signed = signed_photo(pki.leaf())
    assert bytes_to_stamp(signed, "image/jpeg") == bytes_to_stamp(
        stamped_photo(signed, pki.tsa_leaf()), "image/jpeg"
    )


@pytest.mark.parametrize("size", [0, 1, 23, 24, 255, 256, 1000, 9000])
def test_padding_of_every_size_comes_out_to_the_byte(pki: TestPki, size: int) -> None:
    store = read_manifest(signed_photo(pki.leaf()), "image/jpeg")
    assert store is not None
    cbor = active_manifest(store).signature.of(store)
    assert len(with_token(cbor, bytes(size))) == len(cbor)


def test_a_token_larger_than_the_padding_is_refused(pki: TestPki) -> None:
    store = read_manifest(signed_photo(pki.leaf()), "image/jpeg")
    assert store is not None
    with pytest.raises(ManifestMalformed, match="no room"):
        with_token(active_manifest(store).signature.of(store), bytes(20_000))


def test_an_unsigned_file_has_nothing_to_stamp() -> None:
    with pytest.raises(ManifestMalformed, match="no manifest"):
        bytes_to_stamp(photo(), "image/jpeg")


def test_a_manifest_of_another_length_is_not_put_in(pki: TestPki) -> None:
    signed = signed_photo(pki.leaf())
    store = read_manifest(signed, "image/jpeg")
    assert store is not None
    with pytest.raises(ManifestMalformed, match="length"):
        replace_manifest(signed, "image/jpeg", store + b"\0")


def test_a_container_that_is_not_read_is_said_to_be_unsupported() -> None:
    with pytest.raises(UnsupportedMedia):
        read_manifest(b"\x1aE\xdf\xa3", "video/webm")


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/png", "image/webp", "image/tiff", "video/mp4"])
@pytest.mark.parametrize(
    "data", [b"", b"\0" * 7, b"\xff" * 64, b"II*\0\x08\0\0\0\xff\xff", b"\0\0\0\x08uuid"]
)
def test_rubbish_has_no_manifest_or_cannot_be_looked_through(media_type: str, data: bytes) -> None:
    with contextlib.suppress(ContainerUnreadable):
        assert read_manifest(data, media_type) is None


def test_a_store_cut_anywhere_is_malformed_and_nothing_else(pki: TestPki) -> None:
    store = read_manifest(signed_photo(pki.leaf()), "image/jpeg")
    assert store is not None
    for size in range(0, len(store), 37):
        with pytest.raises(ManifestMalformed):
            manifests(store[:size])


def test_deep_nesting_is_refused_before_it_costs_a_stack() -> None:
    description = b"\0\0\0\x1ejumd" + bytes(16) + b"\x03c2pa\0"
    box = description
    for _ in range(2000):
        box = (len(box) + 8).to_bytes(4, "big") + b"jumb" + box
        box = description + box
    with pytest.raises(ManifestMalformed):
        manifests((len(box) + 8).to_bytes(4, "big") + b"jumb" + box)


def test_the_claim_signature_verifies_with_its_own_key_and_no_other(pki: TestPki) -> None:
    leaf = pki.leaf()
    store = read_manifest(signed_photo(leaf), "image/jpeg")
    assert store is not None
    manifest = active_manifest(store)
    parsed, claim = parse_claim_signature(manifest.signature.of(store)), manifest.claim.of(store)
    verify_claim_signature(parsed, claim, leaf.certificate.public_key())
    for wrong_claim, key in (
        (claim + b"\0", leaf.certificate.public_key()),
        (claim, pki.leaf().certificate.public_key()),
    ):
        with pytest.raises(SigningFailed):
            verify_claim_signature(parsed, wrong_claim, key)


@pytest.mark.parametrize(
    "cbor",
    [
        b"",
        b"\xff",
        b"\x80",
        b"\xd2\x84\x40\xa0\xf6\x40",
        b"\x84\x41\xa0\xa0\x40\x40",
        b"\x9b" + b"\xff" * 8,
        b"\x81" * 5000,
    ],
)
def test_what_is_no_claim_signature_is_malformed(cbor: bytes) -> None:
    with pytest.raises(ManifestMalformed):
        parse_claim_signature(cbor)
