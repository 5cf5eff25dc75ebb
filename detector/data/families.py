"""Which labels of generators mean one family, so that leaving one out leaves its relatives out.

Collectors name generators as they like: a model, a fine-tune of it, a file of weights. A name belongs to the
first family one of whose words it holds; a name that none knows is a family of its own. Fine-tunes and
distillations go with what they were made from. By names alone: nobody looked into the models.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from detector.data.manifest import Row

# family -> words, as a regular expression over the name in lower case; the first that fits counts
_FAMILIES = {
    "upscaler": r"upscale|esrgan|realsr|swinir|seedvr",
    "inpainting": r"inpaint-anything|lama/|object removal",
    "vqgan": r"vqgan|min-dalle|craiyon",
    "gpt-image": r"gpt-?image|gpt-4o|dall-?e",
    "gemini/imagen": r"gemini|\bimagen\b|nano-?banana|\bveo\b",
    "midjourney": r"midjourney|niji",
    "z-image": r"z-?image|zeta-chroma|-zit-",
    "flux": r"flux|chroma|shuttle|flex\.|cenkrechro",
    "qwen-image": r"qwen",
    "wan": r"\bwan\b|wan-?ai|wan2|chronoedit",
    "cosmos": r"cosmos",
    "anima": r"anima-|anima/|\banima\b",
    "stable diffusion 3": r"diffusion[ -]3|\bsd ?3|stable image",
    "stable cascade": r"cascade|wuerstchen",
    "pixart": r"pixart",
    "sdxl": r"sdxl|-xl-base|stable-diffusion-xl|xl_|xl-|juggernautxl|playground-v2|ssd-1b|vega|koala"
    r"|noobai|illustrious|ponyrealism|tempestbyvlad",
    "stable diffusion 1/2": r"stable[ -]diffusion|\bsd [12]|^lcm$|sd_1_5|v1-5|\.safetensors|\.ckpt"
    r"|dreamshaper|ddpm / sd|tiny-sd|segmoe|juggernaut_reborn|instaflow|playground-v1|blipdiffusion|unclip"
    r"|^svd$|ldm \(compvis\)",
    "stylegan": r"stylegan",
    "progressive gan": r"msg-gan|\bpg?gan|progan",
    "cyclegan": r"cyclegan",
    "biggan": r"biggan",
    "styleswin": r"styleswin",
    "lightweight gan": r"lightweight gan",
    "cips": r"\bcips\b",
    "kandinsky": r"kandinsky",
    "sana": r"\bsana|sana_|sana1",
    "hunyuan": r"hunyuan",
    "hidream": r"hidream",
    "lumina": r"lumina",
    "cogview": r"cogview|glm-image",
    "bria": r"bria|fibo",
    "kolors": r"kolors|kling",
    "seedream": r"seedream|seedance",
    "ltx": r"ltx",
    "minimax": r"minimax|hailuo",
    "vidu": r"vidu",
    "pixverse": r"pixverse",
    "recraft": r"recraft",
    "krea": r"krea",
    "grok": r"grok",
    "ernie": r"ernie",
    "amused": r"amused",
    "infinity/var": r"infinity|\bvar\b",
    "playground": r"playground",
    "step1x": r"step1x",
    "omnigen": r"omnigen",
    "firefly": r"firefly",
    "ideogram": r"ideogram",
    "longcat": r"longcat",
    "ovis": r"ovis",
    "lens": r"microsoft/lens|^lens",
    "boogu": r"boogu",
    "auraflow": r"auraflow",
    "f-lite": r"f-lite",
    "sdxs": r"sdxs",
    "prx": r"\bprx",
    "unipic": r"unipic",
    "joyai": r"joyai",
    "mai-image": r"mai-image",
}  # fmt: skip
_WORDS = tuple((family, re.compile(words)) for family, words in _FAMILIES.items())


def family_of(generator: str) -> str:
    """The family of a generator by its label; an empty string for an empty one, which a real picture has."""
    name = generator.lower()
    return next((family for family, words in _WORDS if words.search(name)), name)


def apart_from(rows: Iterable[Row], *, source: str = "", generator: str = "") -> tuple[Row, ...]:
    """What may be learned where pictures of a source and generator are judged: nothing of that source, and
    nothing of any source by that generator's family."""
    family = family_of(generator)
    return tuple(r for r in rows if r.source != source and not (r.fake and family_of(r.generator) == family))
