from __future__ import annotations

import json
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authn.errors import AuthnError
from authn.evidence import HeuristicOutcome, Outcome, Question
from authn.media import Media, media_of
from authn.sources.containers import MAX_INFLATED_BYTES, MAX_TEXT_CHUNKS
from authn.sources.markers import MAX_SHOWN, shown
from authn.sources.metadata import MAX_FINDINGS, MetadataSource
from detector.errors import DetectorError
from detector.forensics import exif
from tests.detector.made import encoded, exif_block, jpeg_with, jpegs, photo_like, png_chunk, png_with

A1111 = "a cat\nNegative prompt: dog\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512"
GRAPH = json.dumps({"3": {"class_type": "KSampler", "inputs": {"seed": 1}}})
WORKFLOW = json.dumps({"last_node_id": 9, "nodes": [{"id": 3}], "links": []})
TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"


def examine(data: bytes, name: str = "file"):
    synthetic, edited = MetadataSource().examine(media_of(data, name))
    assert (synthetic.question, edited.question) == (Question.SYNTHETIC, Question.EDITED)
    return synthetic, edited


def codes(evidence) -> list[str]:
    return [f.code.removeprefix("assay.metadata.") for f in evidence.findings]


def text(keyword: str, value: str) -> tuple[bytes, bytes]:
    return b"tEXt", keyword.encode() + b"\0" + value.encode("latin-1")


def xmp(inner: str, attributes: str = "") -> bytes:
    return f"""<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:xmpMM="http://ns.adobe.com/xap/1.0/mm/"
 xmlns:stEvt="http://ns.adobe.com/xap/1.0/sType/ResourceEvent#"
 xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" {attributes}>{inner}</rdf:Description>
</rdf:RDF>
</x:xmpmeta><?xpacket end="w"?>""".encode()


def with_xmp(packet: bytes) -> bytes:
    return jpeg_with((0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet))


def with_exif(tags: dict, more: dict | None = None) -> bytes:
    return jpeg_with((0xE1, b"Exif\0\0" + exif_block(tags, more)))


@pytest.mark.parametrize(
    ("keyword", "value", "generator"),
    [
        ("parameters", A1111, "AUTOMATIC1111"),
        ("prompt", GRAPH, "ComfyUI"),
        ("workflow", WORKFLOW, "ComfyUI"),
        ("invokeai_metadata", "{}", "InvokeAI"),
        ("Software", "NovelAI", "NovelAI"),
        ("Description", "a cat --v 6.1 --ar 3:2 Job ID: 12345678-1234-1234-1234-123456789012", "Midjourney"),
    ],
)
def test_generator_parameters_in_a_png_support_synthetic(keyword, value, generator):
    synthetic, _ = examine(png_with(text(keyword, value)))
    assert synthetic.outcome is HeuristicOutcome.SUPPORTS
    assert generator in str(dict(synthetic.findings[0].facts)["generator"])


def test_parameters_are_found_compressed_and_international():
    body = A1111.encode()
    for chunk in (
        (b"zTXt", b"parameters\0\0" + zlib.compress(body)),
        (b"iTXt", b"parameters\0\0\0en\0\0" + body),
        (b"iTXt", b"parameters\0\1\0en\0\0" + zlib.compress(body)),
    ):
        assert examine(png_with(chunk))[0].outcome is HeuristicOutcome.SUPPORTS


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("prompt", "a letter to my prompt neighbours"),
        ("prompt", '{"json": "but no graph"}'),
        ("parameters", "exposure 1/60, f/8"),
        ("Description", "a photo of midjourneymen on strike"),
        ("Comment", "flux of particles in a detector"),
        ("Author", "Grok Smith"),
    ],
)
def test_harmless_text_is_no_marker(keyword, value):
    assert examine(png_with(text(keyword, value)))[0].outcome is HeuristicOutcome.ABSTAIN


@pytest.mark.parametrize(
    "packet",
    [
        xmp(f"<Iptc4xmpExt:DigitalSourceType>{TRAINED}</Iptc4xmpExt:DigitalSourceType>"),
        xmp(f'<Iptc4xmpExt:DigitalSourceType rdf:resource="{TRAINED}"/>'),
        xmp("", f'Iptc4xmpExt:DigitalSourceType="{TRAINED}"'),
    ],
)
def test_the_iptc_source_type_is_found_in_every_form_that_rdf_allows(packet):
    synthetic, _ = examine(with_xmp(packet))
    assert synthetic.outcome is HeuristicOutcome.SUPPORTS
    assert dict(synthetic.findings[0].facts)["value"] == "trainedalgorithmicmedia"
    assert "not signed" in synthetic.reason


def test_a_composite_with_generated_parts_answers_both_questions():
    kind = TRAINED.replace("trained", "compositeWithTrained")
    synthetic, edited = examine(with_xmp(xmp("", f'Iptc4xmpExt:DigitalSourceType="{kind}"')))
    assert (synthetic.outcome, edited.outcome) == (HeuristicOutcome.SUPPORTS, HeuristicOutcome.SUPPORTS)


def test_a_claim_of_digital_capture_is_shown_and_supports_nothing():
    kind = TRAINED.replace("trainedAlgorithmicMedia", "digitalCapture")
    synthetic, edited = examine(with_xmp(xmp("", f'Iptc4xmpExt:DigitalSourceType="{kind}"')))
    assert (synthetic.outcome, edited.outcome) == (HeuristicOutcome.ABSTAIN, HeuristicOutcome.ABSTAIN)
    assert codes(synthetic) == ["digitalSourceType"]


def test_a_comfyui_workflow_in_the_make_of_a_webp_is_no_camera():
    block = exif_block({exif.MAKE: "workflow:" + WORKFLOW, exif.MODEL: "prompt:" + GRAPH})
    body = encoded(photo_like(16, 16), "WEBP", lossless=True, exif=block)
    synthetic, edited = examine(body)
    assert synthetic.outcome is HeuristicOutcome.SUPPORTS
    assert "cameraWithoutExposure" not in codes(edited)


@pytest.mark.parametrize("encoding", ["utf-16-be", "utf-16-le"])
def test_parameters_in_the_exif_user_comment_are_found_in_either_byte_order(encoding):
    comment = b"UNICODE\0" + A1111.encode(encoding)
    assert examine(with_exif({}, {exif.USER_COMMENT: comment}))[0].outcome is HeuristicOutcome.SUPPORTS


def test_a_generator_in_the_software_tag_supports_synthetic_and_not_edited():
    synthetic, edited = examine(with_exif({exif.SOFTWARE: "Adobe Firefly 3"}))
    assert synthetic.outcome is HeuristicOutcome.SUPPORTS
    assert edited.outcome is HeuristicOutcome.ABSTAIN


def test_the_iptc_credit_of_a_generator_is_found():
    record = b"\x1c\x02\x6e" + struct.pack(">H", 19) + b"Made with Google AI"
    resource = b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0" + struct.pack(">I", len(record)) + record
    assert codes(examine(jpeg_with((0xED, resource)))[0]) == ["generatorNamed"]


def test_an_editor_in_the_software_tag_supports_edited_and_calls_it_common():
    synthetic, edited = examine(with_exif({exif.SOFTWARE: "Adobe Photoshop 25.0 (Windows)"}))
    assert synthetic.outcome is HeuristicOutcome.ABSTAIN
    assert edited.outcome is HeuristicOutcome.SUPPORTS
    assert "common and innocent" in edited.reason


def test_camera_firmware_in_the_software_tag_is_no_editor():
    assert examine(with_exif({exif.SOFTWARE: "Ver.1.02"}))[1].outcome is HeuristicOutcome.ABSTAIN


def test_an_xmp_edit_history_supports_edited():
    steps = "".join(f'<rdf:li stEvt:action="{a}" stEvt:softwareAgent="Tool"/>' for a in ("created", "saved"))
    packet = xmp(f"<xmpMM:History><rdf:Seq>{steps}</rdf:Seq></xmpMM:History>")
    edited = examine(with_xmp(packet))[1]
    assert codes(edited) == ["editHistory"]
    assert dict(edited.findings[0].facts)["steps"] == 1


def test_a_history_that_only_creates_is_no_edit():
    packet = xmp('<xmpMM:History><rdf:Seq><rdf:li stEvt:action="created"/></rdf:Seq></xmpMM:History>')
    assert examine(with_xmp(packet))[1].outcome is HeuristicOutcome.ABSTAIN


def test_a_file_changed_days_before_it_was_taken_is_inconclusive():
    data = with_exif({exif.DATE_TIME: "2020:01:01 10:00:00"}, {exif.DATE_ORIGINAL: "2024:01:01 10:00:00"})
    edited = examine(data)[1]
    assert (edited.outcome, codes(edited)) == (HeuristicOutcome.INCONCLUSIVE, ["dateOrder"])


def test_a_time_zone_is_no_contradiction():
    data = with_exif({exif.DATE_TIME: "2024:01:01 01:00:00"}, {exif.DATE_ORIGINAL: "2024:01:01 14:00:00"})
    assert examine(data)[1].outcome is HeuristicOutcome.ABSTAIN


def test_a_camera_without_any_camera_field_is_inconclusive():
    edited = examine(with_exif({exif.MAKE: "Canon", exif.MODEL: "EOS R5"}))[1]
    assert (edited.outcome, codes(edited)) == (HeuristicOutcome.INCONCLUSIVE, ["cameraWithoutExposure"])


def test_a_size_that_differs_from_exif_is_inconclusive_and_a_turned_one_is_not():
    different = with_exif({}, {exif.PIXEL_X: 4000, exif.PIXEL_Y: 3000})
    assert codes(examine(different)[1]) == ["sizeMismatch"]
    data = jpeg_with(
        (0xE1, b"Exif\0\0" + exif_block({}, {exif.PIXEL_X: 40, exif.PIXEL_Y: 24})), pixels=photo_like(40, 24)
    )
    assert examine(data)[1].outcome is HeuristicOutcome.ABSTAIN


def test_a_wrong_extension_is_inconclusive():
    edited = examine(encoded(photo_like(16, 16)), "photo.png")[1]
    assert (edited.outcome, codes(edited)) == (HeuristicOutcome.INCONCLUSIVE, ["extensionMismatch"])


def test_absence_of_markers_is_an_abstention_that_says_it_proves_nothing():
    for evidence in examine(encoded(photo_like(16, 16))):
        assert evidence.outcome is HeuristicOutcome.ABSTAIN
        assert "absence of markers proves nothing" in evidence.reason


def test_camera_originals_support_neither_question(corpus_dir):
    folder = corpus_dir / "camera" / "prnu_nikon_d70"
    for path in jpegs(folder):
        synthetic, edited = examine(path.read_bytes(), path.name)
        assert synthetic.outcome is HeuristicOutcome.ABSTAIN
        assert edited.outcome is HeuristicOutcome.ABSTAIN, (path.name, edited.reason)


def test_a_decompression_bomb_in_a_text_chunk_is_cut_off():
    bomb = zlib.compress(b"\0" * (64 * MAX_INFLATED_BYTES), 9)
    # After the picture, because a bomb before it already ends at the header check.
    plain = png_with()
    synthetic, edited = examine(plain[:-12] + png_chunk(b"zTXt", b"parameters\0\0" + bomb) + plain[-12:])
    assert synthetic.outcome is HeuristicOutcome.ABSTAIN
    assert [f.outcome for f in edited.findings] == [Outcome.NOT_EXAMINED]


def test_ten_thousand_text_chunks_are_not_all_read():
    edited = examine(png_with(*[text("a", "b")] * (MAX_TEXT_CHUNKS + 5)))[1]
    assert "only the first" in edited.findings[0].detail


@pytest.mark.parametrize(
    "packet",
    [
        b'<!DOCTYPE x [<!ENTITY a "b">]><x:xmpmeta xmlns:x="adobe:ns:meta/">&a;</x:xmpmeta>',
        b"<x:xmpmeta",
        b'<?xml version="1.0" encoding="nonsense"?><a/>',
        b'<?xml version="1.0" encoding="utf-7"?><a/>',
        b"<a>" * 30_000,
        b"<a>" * 9_000 + b"</a>" * 9_000,
        b"\xff\xfe\0\0",
    ],
)
def test_hostile_xmp_is_not_examined_and_nothing_else_is_lost(packet):
    data = jpeg_with(
        (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet[:60_000]),
        (0xE1, b"Exif\0\0" + exif_block({exif.SOFTWARE: "GIMP 2.10"})),
    )
    assert examine(data)[1].outcome is HeuristicOutcome.SUPPORTS


def test_hostile_strings_come_out_short_and_on_one_line():
    evil = "GIMP \x1b[31m\r\n<script>alert(1)</script>\u202e" + "x" * 3000
    edited = examine(with_exif({exif.SOFTWARE: evil}))[1]
    assert len(edited.reason) < 2 * MAX_SHOWN + 200
    assert all(c.isprintable() for c in edited.reason)


@given(st.text())
def test_shown_text_is_printable_and_short(value):
    out = shown(value)
    assert len(out) <= MAX_SHOWN
    assert all(c.isprintable() for c in out)


def test_the_number_of_findings_is_bounded():
    chunks = [text("parameters", A1111 + str(n)) for n in range(200)]
    assert len(examine(png_with(*chunks))[0].findings) <= MAX_FINDINGS


def test_metadata_of_sound_is_not_read():
    wav = b"RIFF" + struct.pack("<I", 36) + b"WAVEfmt " + b"\0" * 28
    with pytest.raises(DetectorError, match="not read"):
        MetadataSource().examine(media_of(wav, "a.wav"))


def test_markers_in_a_heif_container_are_found():
    packet = xmp("", f'Iptc4xmpExt:DigitalSourceType="{TRAINED}"')
    data = b"\0\0\0\x18ftypheic\0\0\0\0heicmif1" + b"\0" * 64 + packet
    assert examine(data)[0].outcome is HeuristicOutcome.SUPPORTS


def test_tiff_tags_are_read():
    data = exif_block({exif.SOFTWARE: "darktable 4.6", 0x100: 4, 0x101: 4})
    media = Media(data=data, sha256="0" * 64, media_type="image/tiff", claimed_type=None, name="a")
    assert MetadataSource().examine(media)[1].outcome is HeuristicOutcome.SUPPORTS


SEEDS = (
    with_exif({exif.SOFTWARE: "GIMP", exif.MAKE: "A", exif.MODEL: "B"}, {exif.USER_COMMENT: b"UNICODE\0abc"}),
    with_xmp(xmp("", f'Iptc4xmpExt:DigitalSourceType="{TRAINED}"')),
    png_with(text("parameters", A1111), (b"zTXt", b"prompt\0\0" + zlib.compress(GRAPH.encode()))),
    encoded(photo_like(16, 16), "WEBP", exif=exif_block({exif.MAKE: "workflow:" + WORKFLOW})),
)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_files_give_evidence_or_a_typed_error_and_never_against(data):
    raw = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 10))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    raw = raw[: data.draw(st.integers(1, len(raw)))]
    try:
        evidence = MetadataSource().examine(media_of(bytes(raw), "file.jpg"))
    except (DetectorError, AuthnError):
        return
    assert all(e.outcome is not HeuristicOutcome.AGAINST for e in evidence)
