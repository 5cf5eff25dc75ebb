from __future__ import annotations

import json
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authn.core.errors import AuthnError
from authn.core.evidence import HeuristicOutcome, Outcome, Question
from authn.core.media import Media, media_of
from authn.sources.containers import MAX_INFLATED_BYTES, MAX_TEXT_CHUNKS
from authn.sources.markers import MAX_SHOWN, shown
from authn.sources.metadata import MAX_FINDINGS, MetadataSource
from detector.core.errors import DetectorError
from detector.pixels import exif
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


JOB = "Job ID: 12345678-1234-1234-1234-123456789012"
SENTENCES = (
    "OpenAI CEO Sam Altman testifies before the Senate",
    "Interview with the ChatGPT inventor",
    "Photo courtesy of OpenAI",
    "Midjourney Hater",
    "not made with Stable Diffusion",
    "Made with Google AI? No: made with a camera",
    "Exhibition: Adobe Firefly 3",
    "ChatGPT",
    "Stand of Black Forest Labs, maker of FLUX.1",
    "GIMP 2.10 release party",
    "Adobe Photoshop",
    f"Wedding of A. and B. {JOB}",
    "A door --style classic, 3 steps --v shaped",
    "Steps: 20, Sampler: Mozart",
    TRAINED,
    "trainedAlgorithmicMedia",
    'prompt: {"a": 1}',
)


def iptc(*sets: tuple[int, int, str]) -> bytes:
    record = b"".join(struct.pack(">BBBH", 0x1C, r, d, len(v.encode())) + v.encode() for r, d, v in sets)
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(record)) + record
    return jpeg_with((0xED, b"Photoshop 3.0\0" + resource))


DC = 'xmlns:dc="http://purl.org/dc/elements/1.1/"'
DATES = {exif.DATE_ORIGINAL: "2024:01:01 10:00:00"}
ARTIST = 0x13B
WRITTEN_BY_PEOPLE = {
    "exif description": lambda t: with_exif({exif.IMAGE_DESCRIPTION: t}),
    "exif artist": lambda t: with_exif({ARTIST: t}),
    "exif copyright": lambda t: with_exif({0x8298: t}),
    "exif user comment": lambda t: with_exif({}, {exif.USER_COMMENT: b"ASCII\0\0\0" + t.encode()}),
    "exif user comment, unicode": lambda t: with_exif(
        {}, {exif.USER_COMMENT: b"UNICODE\0" + t.encode("utf-16-le")}
    ),
    "windows title": lambda t: with_exif({}, {0x9C9B: t.encode("utf-16-le")}),
    "xmp description": lambda t: with_xmp(xmp(f"<dc:description>{t}</dc:description>", DC)),
    "xmp title": lambda t: with_xmp(xmp(f"<dc:title>{t}</dc:title>", DC)),
    "xmp creator": lambda t: with_xmp(xmp(f"<dc:creator>{t}</dc:creator>", DC)),
    "xmp rights": lambda t: with_xmp(xmp(f"<dc:rights>{t}</dc:rights>", DC)),
    "xmp subject": lambda t: with_xmp(xmp(f"<dc:subject>{t}</dc:subject>", DC)),
    "xmp credit": lambda t: with_xmp(xmp(f"<photoshop:Credit>{t}</photoshop:Credit>")),
    "xmp headline": lambda t: with_xmp(xmp(f"<photoshop:Headline>{t}</photoshop:Headline>")),
    "xmp source": lambda t: with_xmp(xmp(f"<photoshop:Source>{t}</photoshop:Source>")),
    "xmp prompt information": lambda t: with_xmp(
        xmp(f"<Iptc4xmpExt:AIPromptInformation>{t}</Iptc4xmpExt:AIPromptInformation>")
    ),
    "a source type of somebody else's": lambda t: with_xmp(
        xmp(f"<dc:digitalSourceType>{t}</dc:digitalSourceType>", DC)
    ),
    "iptc caption": lambda t: iptc((2, 120, t)),
    "iptc headline": lambda t: iptc((2, 105, t)),
    "iptc by-line": lambda t: iptc((2, 80, t)),
    "iptc credit": lambda t: iptc((2, 110, t)),
    "iptc keyword": lambda t: iptc((2, 25, t)),
    "jpeg comment": lambda t: jpeg_with((0xFE, t.encode())),
    **{
        f"png {k}": lambda t, k=k: png_with(text(k, t))
        for k in ("Title", "Author", "Description", "Copyright", "Comment", "Source", "Disclaimer", "Warning")
    },
    **{
        f"png {k}": lambda t, k=k: png_with(text(k, t)) for k in ("parameters", "prompt", "workflow", "dream")
    },
    "webp description": lambda t: encoded(
        photo_like(16, 16), "WEBP", exif=exif_block({exif.IMAGE_DESCRIPTION: t, ARTIST: t})
    ),
}


@pytest.mark.parametrize("field", WRITTEN_BY_PEOPLE)
def test_what_people_write_never_makes_an_answer(field):
    for sentence in SENTENCES:
        for evidence in examine(WRITTEN_BY_PEOPLE[field](sentence)):
            assert evidence.outcome is HeuristicOutcome.ABSTAIN, (sentence, evidence.reason)


def test_photos_whose_captions_and_credits_name_a_company_get_no_answer(suites):
    found = sorted((suites / "found" / "captions").iterdir())
    assert found
    for path in found:
        assert examine(path.read_bytes(), path.name)[0].outcome is HeuristicOutcome.ABSTAIN, path.name


@pytest.mark.parametrize("sentence", [s for s in SENTENCES if s not in {"ChatGPT", "Adobe Photoshop"}])
def test_a_sentence_in_a_programs_own_field_is_not_the_name_of_a_generator(sentence):
    """A few editors put the user's words there; of an editor, its name in front is enough."""
    assert examine(with_exif({exif.SOFTWARE: sentence}))[0].outcome is HeuristicOutcome.ABSTAIN


GENERATORS = (
    "Adobe Firefly 3", "Adobe Firefly Image Model 4", "Stable Diffusion web UI 1.9.3", "ComfyUI",
    "Midjourney v6.1", "OpenAI DALL-E 3", "DALL·E 3", "ChatGPT", "gpt-image-1", "OpenAI",
    "NovelAI", "Draw Things 1.2", "FLUX.1-dev", "black-forest-labs FLUX.1 [dev]",
    "stabilityai/stable-diffusion-xl-base-1.0",
    "Microsoft Bing Image Creator", "Made with Google AI", "Google Imagen 3", "InvokeAI 4.2 (Linux)",
    "Created with Stable Diffusion", "Adobe Photoshop 25.0 (Windows); Adobe Firefly 3",
)  # fmt: skip
EDITORS = (
    "Adobe Photoshop 25.0 (Windows)", "GIMP 2.10.34", "Google Picasa", "Created with darktable 4.6",
    "Adobe Photoshop Lightroom Classic 12.0 (Macintosh)", "ACDSee Pro 7", "Canva doc=abc user=def",
)  # fmt: skip


@pytest.mark.parametrize(
    ("question", "value"), [*((0, name) for name in GENERATORS), *((1, name) for name in EDITORS)]
)
def test_programs_that_name_themselves_in_a_field_of_their_own_are_found(question, value):
    packet = xmp(f"<xmp:CreatorTool>{value}</xmp:CreatorTool>")
    for data in (with_exif({exif.SOFTWARE: value}), with_xmp(packet), iptc((2, 65, value))):
        assert examine(data)[question].outcome is HeuristicOutcome.SUPPORTS


@pytest.mark.parametrize(
    "value",
    [
        "Imagen AI 2.1",
        "Affinity Designer 2",
        "Grok JPEG 2000 10.0",
        "Firefly 8SE",
        "Recrafting Tool",
        "Fluxus",
    ],
)
def test_programs_whose_names_only_resemble_a_generators_are_none(value):
    assert examine(with_exif({exif.SOFTWARE: value}))[0].outcome is HeuristicOutcome.ABSTAIN


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("parameters", "a cat\nSteps: 30, CFG scale: 7, Sampler: Euler a, Seed: 1, Clip skip: 2"),
        ("parameters", json.dumps({"sui_image_params": {"prompt": "a cat"}})),
        ("fooocus_scheme", "fooocus"),
        ("Comment", json.dumps({"prompt": "a", "steps": 28, "sampler": "k_euler", "seed": 1, "uc": ""})),
        ("Source", "Stable Diffusion XL 4BE8C60C"),
        ("dream", '"a cat" -s 50 -S 123 -W 512 -H 512 -C 7.5 -A k_lms'),
        ("sd-metadata", '{"model": "stable diffusion"}'),
    ],
)
def test_records_of_other_generators_are_found(keyword, value):
    assert examine(png_with(text(keyword, value)))[0].outcome is HeuristicOutcome.SUPPORTS


def test_a_source_type_that_is_no_uri_of_the_list_says_nothing():
    for value in ("trainedAlgorithmicMedia", "https://example.com/trainedAlgorithmicMedia", TRAINED + " ?"):
        assert codes(examine(with_xmp(xmp("", f'Iptc4xmpExt:DigitalSourceType="{value}"')))[0]) == []


def test_the_uri_of_a_source_type_is_read_with_either_scheme_and_a_slash():
    for value in (TRAINED.replace("http:", "https:"), TRAINED + "/"):
        found = examine(with_xmp(xmp("", f'Iptc4xmpExt:DigitalSourceType="{value}"')))[0]
        assert found.outcome is HeuristicOutcome.SUPPORTS


def test_stray_bytes_in_a_jpeg_do_not_cost_its_metadata():
    data = with_exif({exif.SOFTWARE: "GIMP 2.10"})
    at = data.index(b"\xff\xdb")
    odd = data[:at] + b"\0\0" + data[at:]
    assert examine(odd)[1].outcome is HeuristicOutcome.SUPPORTS


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
