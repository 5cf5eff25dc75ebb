"""Media of every container and of many habits, made on the spot by programs that know nothing of C2PA."""

from __future__ import annotations

import io
import random
import struct
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pillow_heif
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from tests.doubles.iso import rebuilt_heif
from tests.doubles.photos import photo, sound
from tests.programs import require_program

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><note>kept</note></x:xmpmeta>'


def picture(seed: int = 0, mode: str = "RGB", size: tuple[int, int] = (96, 64)) -> Image.Image:
    noise = random.Random(seed)
    image = Image.new("RGB", size, tuple(noise.randrange(256) for _ in range(3)))
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        left, right = sorted(noise.randrange(size[0]) for _ in range(2))
        top, bottom = sorted(noise.randrange(size[1]) for _ in range(2))
        draw.rectangle((left, top, right, bottom), fill=tuple(noise.randrange(256) for _ in range(3)))
    if mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize(size))
        return image
    return image.convert(mode)


def exif() -> bytes:
    tags = Image.Exif()
    tags[0x010F] = "Maker"
    tags[0x8769] = {0x9003: "2026:01:02 03:04:05", 0x927C: b"\x05\x06maker note"}
    tags[0x8825] = {1: "N", 2: (1.0, 2.0, 3.0)}
    return tags.tobytes()


def saved(image: Image.Image, image_format: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, image_format, **options)
    return out.getvalue()


def tiff(*, pages: int = 1, mode: str = "RGB", exif_too: bool = False, **options: object) -> bytes:
    more = [picture(i, mode, (64 + i % 7, 48)) for i in range(1, pages)]
    if exif_too:
        directory = ImageFileDirectory_v2()
        directory[270] = "a description longer than four bytes"
        directory[34665] = {36867: "2026:01:02 03:04:05"}
        options["tiffinfo"] = directory
    if more:
        options |= {"save_all": True, "append_images": more}
    return saved(picture(0, mode), "TIFF", **options)


def heif(count: int = 1, *, mode: str = "RGB", thumbnail: bool = False, **options: object) -> bytes:
    file = pillow_heif.HeifFile()
    for i in range(count):
        file.add_from_pillow(picture(i, mode, (128, 96)))
        if thumbnail:
            file[i].info["thumbnails"] = [64]
    out = io.BytesIO()
    file.save(out, quality=60, **options)
    return out.getvalue()


def mpo() -> bytes:
    return saved(picture(1), "MPO", save_all=True, append_images=[picture(2)])


def motion_photo() -> bytes:
    film = struct.pack(">I4s4sI", 16, b"ftyp", b"mp42", 0) + b"\0\0\0\x10mdat\xff\xd8\xff\xd9nope"
    note = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" MicroVideoOffset="%d"/>' % len(film)
    return saved(picture(), "JPEG", xmp=note, exif=exif()) + film


def gain_map(*order: str) -> bytes:
    """A picture with another one behind it that MPF points at, its first segments in that order."""
    data, second = photo("JPEG"), photo("JPEG", seed=1)
    jfif, rest = data[2:20], data[20:]
    tags = exif()
    note = b"http://ns.adobe.com/xap/1.0/\0" + XMP
    segments = {
        "jfif": jfif,
        "exif": b"\xff\xe1" + struct.pack(">H", 2 + len(tags)) + tags,
        "xmp": b"\xff\xe1" + struct.pack(">H", 2 + len(note)) + note,
        "mpf": b"",
    }

    def mpf(offset: int, size: int) -> bytes:
        entries = struct.pack(">IIIHH", 0x030000, size, 0, 0, 0)
        entries += struct.pack(">IIIHH", 0, len(second), offset, 0, 0)
        ifd = struct.pack(">H", 3) + b"\xb0\0\0\7\0\0\0\4" + b"0100"
        ifd += struct.pack(">HHII", 0xB001, 4, 1, 2) + struct.pack(">HHII", 0xB002, 7, 32, 50) + bytes(4)
        body = b"MPF\0MM\0*\0\0\0\x08" + ifd + entries
        return b"\xff\xe2" + struct.pack(">H", 2 + len(body)) + body

    if "mpf" in order:
        segments["mpf"] = mpf(0, 0)
        front = b"".join(segments[name] for name in order)
        header = 2 + sum(len(segments[name]) for name in order[: order.index("mpf")]) + 8
        size = 2 + len(front) + len(rest)
        segments["mpf"] = mpf(size - header, size)
        return data[:2] + b"".join(segments[name] for name in order) + rest + second
    return data[:2] + b"".join(segments[name] for name in order) + rest


def jpeg_xt() -> bytes:
    """Boxes of another standard in the segments that C2PA uses too."""
    data = photo("JPEG")
    box = struct.pack(">I4s", 24, b"LCHK") + b"0123456789abcdef"
    segment = b"\xff\xeb" + struct.pack(">H2sHI", 2 + 8 + len(box), b"JP", 7, 1) + box
    return data[:2] + segment + data[2:]


def apng() -> bytes:
    text = PngInfo()
    text.add_text("Title", "kept")
    text.add_itxt("Comment", "gr\u00fc\u00dfe", zip=True)
    frames = [picture(i) for i in range(1, 4)]
    return saved(picture(), "PNG", save_all=True, append_images=frames, pnginfo=text)


def float_tiff() -> bytes:
    """Three floats a pixel: beyond what Pillow reads."""
    width, height = 8, 6
    pixels = struct.pack(f"<{width * height * 3}f", *(i / 7 for i in range(width * height * 3)))
    tags = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, 170), (259, 3, 1, 1), (262, 3, 1, 2),
        (273, 4, 1, 182), (277, 3, 1, 3), (278, 4, 1, height), (279, 4, 1, len(pixels)), (284, 3, 1, 1),
        (339, 3, 3, 176),
    ]  # fmt: skip
    head = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags))
    head += b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4)
    head = head.ljust(170, b"\0") + struct.pack("<3H", 32, 32, 32) + struct.pack("<3H", 3, 3, 3)
    return head + pixels


def chained_tiff(pages: int, order: str = "<") -> bytes:
    """Pages of one pixel each."""
    out = bytearray((b"II*\0" if order == "<" else b"MM\0*") + bytes(4))
    link = 4
    for i in range(pages):
        pixel = len(out)
        out += bytes([i % 251, 0])
        struct.pack_into(order + "I", out, link, len(out))
        tags = ((256, 1), (257, 1), (258, 8), (259, 1), (262, 1), (273, pixel), (277, 1), (278, 1), (279, 1))
        out += struct.pack(order + "H", len(tags))
        for tag, value in tags:
            out += struct.pack(order + "HHII", tag, 4, 1, value)
        link = len(out)
        out += bytes(4)
    return bytes(out)


def sub_picture_tiff() -> bytes:
    """A page with a smaller picture in a directory below it, as DNG and Photoshop have it."""
    page = bytearray(chained_tiff(2))
    (first,) = struct.unpack_from("<I", page, 4)
    (count,) = struct.unpack_from("<H", page, first)
    following = first + 2 + 12 * count
    (second,) = struct.unpack_from("<I", page, following)
    struct.pack_into("<I", page, following, 0)
    struct.pack_into("<HHII", page, first + 2, 254, 4, 1, 0)
    entries = [bytes(page[i : i + 12]) for i in range(first + 2, following, 12)]
    width = struct.pack("<HHII", 256, 4, 1, 1)
    entries = sorted(
        [*entries, width, struct.pack("<HHII", 330, 4, 1, second)], key=lambda e: e[0] + 256 * e[1]
    )
    struct.pack_into("<I", page, 4, len(page))
    return bytes(page) + struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4)


@cache
def film(name: str, *options: str, source: str = "testsrc=d=0.6:s=64x64:r=10", sine: bool = True) -> bytes:
    """What ffmpeg writes under that name."""
    program = require_program("ffmpeg")
    inputs = ["-f", "lavfi", "-i", source, *(("-f", "lavfi", "-i", "sine=d=0.6") if sine else ())]
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        command = [program, "-loglevel", "error", *inputs, *options, str(path)]
        subprocess.run(command, check=True)
        return path.read_bytes()


def two_lists_wav() -> bytes:
    data = sound()
    note = b"LIST" + struct.pack("<I", 22) + b"INFOICMT" + struct.pack("<I", 9) + b"recorded\0\0"
    body = data[8:] + note + b"odd " + struct.pack("<I", 3) + b"abc\0"
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _heif_layouts() -> Iterator[tuple[str, Callable[[], bytes]]]:
    for version in (0, 1, 2):
        for base in (0, 4, 8):
            for index in (0, 4) if version else (0,):
                name = f"iloc_v{version}_base{base}_index{index}.heic"
                yield (
                    name,
                    lambda v=version, b=base, i=index: rebuilt_heif(
                        heif(2, exif=exif(), xmp=XMP), version=v, base_size=b, index_size=i
                    ),
                )
    yield "iloc_base_is_zero.heic", lambda: rebuilt_heif(heif(exif=exif()), base_size=4, base=0)
    yield "iloc_base_at_the_first.heic", lambda: rebuilt_heif(heif(2, exif=exif()), base_size=4, base=-1)
    yield (
        "iloc_wide.heic",
        lambda: rebuilt_heif(heif(2), offset_size=8, length_size=8, base_size=8),
    )
    yield "idat_exif.heic", lambda: rebuilt_heif(heif(exif=exif(), xmp=XMP), idat=(b"Exif", b"mime"))
    yield "idat_all.heic", lambda: rebuilt_heif(heif(2, exif=exif()), idat=(b"hvc1", b"Exif"))
    yield "two_extents.heic", lambda: rebuilt_heif(heif(2, exif=exif()), split=True)
    yield "mdat_wide.heic", lambda: rebuilt_heif(heif(2, exif=exif()), mdat_length="wide")
    yield "mdat_open.heic", lambda: rebuilt_heif(heif(2, exif=exif()), base_size=8, mdat_length="open")
    yield "meta_last.heic", lambda: rebuilt_heif(heif(2, exif=exif()), meta_last=True)


PHOTOS: dict[str, Callable[[], bytes]] = {
    "plain.jpg": photo,
    "exif.jpg": lambda: saved(picture(), "JPEG", exif=exif(), xmp=XMP, icc_profile=b"profile" * 30_000),
    "progressive.jpg": lambda: saved(picture(), "JPEG", progressive=True, comment=b"kept"),
    "cmyk.jpg": lambda: saved(picture(0, "CMYK"), "JPEG"),
    "two_pictures.jpg": mpo,
    "motion.jpg": motion_photo,
    "xt.jpg": jpeg_xt,
    "late_jfif.jpg": lambda: gain_map("exif", "jfif"),
    "gain_map.jpg": lambda: gain_map("xmp", "mpf", "jfif"),
    "gain_map_first.jpg": lambda: gain_map("jfif", "mpf", "xmp"),
    "many_jfif.jpg": lambda: gain_map("jfif", "exif", "mpf", "jfif", "jfif"),
    "plain.png": lambda: photo("PNG"),
    "animated.png": apng,
    "palette.png": lambda: saved(picture(0, "P"), "PNG", transparency=3) + b"behind the end",
    "grey16.png": lambda: saved(picture(0, "I;16"), "PNG"),
    "plain.webp": lambda: photo("WEBP"),
    "lossless.webp": lambda: saved(picture(0, "RGBA"), "WEBP", lossless=True, exif=exif(), xmp=XMP),
    "animated.webp": lambda: saved(picture(), "WEBP", save_all=True, append_images=[picture(1), picture(2)]),
    "plain.tif": lambda: photo("TIFF"),
    "two_pages.tif": lambda: tiff(pages=2),
    "many_pages.tif": lambda: chained_tiff(63),
    "more_pages.tif": lambda: chained_tiff(70, ">"),
    "compressed_pages.tif": lambda: tiff(pages=3, compression="tiff_lzw"),
    "jpeg.tif": lambda: tiff(compression="jpeg"),
    "exif.tif": lambda: tiff(pages=2, exif_too=True),
    "grey_float.tif": lambda: tiff(mode="F"),
    "rgb_float.tif": float_tiff,
    "cmyk.tif": lambda: tiff(mode="CMYK", pages=2),
    "sub_picture.tif": sub_picture_tiff,
    "plain.heic": heif,
    "three.heic": lambda: heif(3, exif=exif(), xmp=XMP),
    "alpha.heic": lambda: heif(2, mode="RGBA", thumbnail=True, exif=exif()),
    "plain.avif": lambda: photo("AVIF"),
    "alpha.avif": lambda: saved(picture(0, "RGBA"), "AVIF", exif=exif(), xmp=XMP),
    "animated.avif": lambda: saved(picture(), "AVIF", save_all=True, append_images=[picture(1), picture(2)]),
    **dict(_heif_layouts()),
}
FILMS: dict[str, Callable[[], bytes]] = {
    "plain.wav": sound,
    "lists.wav": two_lists_wav,
    "film.avi": lambda: film("film.avi"),
    "last.mp4": lambda: film("film.mp4"),
    "first.mp4": lambda: film("film.mp4", "-movflags", "+faststart"),
    "fragments.mp4": lambda: film("film.mp4", "-movflags", "frag_keyframe+empty_moov", "-g", "2"),
    "based_fragments.mp4": lambda: film("film.mp4", "-movflags", "frag_keyframe", "-g", "2"),
    "indexed.mp4": lambda: film("film.mp4", "-movflags", "dash+global_sidx+frag_keyframe", "-g", "2"),
    "film.mov": lambda: film("film.mov", "-c:v", "mjpeg", "-metadata", "title=kept"),
    "sound.m4a": lambda: film("sound.m4a", "-map", "1:a", "-metadata", "title=kept"),
}
