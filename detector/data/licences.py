"""The allow lists: what may be trained on, each with the licence text that was read for it.

A set of a corpus with an index is trained on only if it has a share for that in ``SETS`` **and** the licence
text of its rows in ``INDEX.csv`` is the one that was read when it was allowed. Every other set is evaluated
on and never trained on.

Pictures of a manifest are allowed by the text of their column ``licence``: ``TERMS``, decision record 0025. A
text that nobody read and put there teaches nothing: it measures.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRule:
    """One folder of the corpus. ``shares`` are the parts of its units per split, in the order of
    ``Split``."""

    folder: str
    name: str
    fake: bool
    licence: str
    shares: tuple[float, float, float]
    why: str
    grid: bool = False  # four independent pictures in one 2 x 2 sheet


_MOST = (0.7, 0.2, 0.1)
_NEVER_TRAINED = (0.0, 0.0, 1.0)

SETS = (
    SetRule(folder="train/photos_openimages", name="openimages", fake=False, licence="CC BY 2.0 (OpenImages)",
            shares=_MOST, why="Attribution licence; photos are measured, none is shipped."),
    SetRule(folder="train/photos_pexels", name="pexels", fake=False, licence="Pexels licence (free use)",
            shares=_MOST, why="Pexels licence allows free use."),
    SetRule(folder="camera/crops768", name="camera_crops", fake=False,
            licence='"free to use however you wish" (README)', shares=_MOST,
            why="Contributors gave the files free for any use."),
    SetRule(folder="camera/exif_samples", name="camera_samples", fake=False,
            licence='"You are free to use these media files however you wish" (README)', shares=_MOST,
            why="Contributors gave the files free for any use."),
    SetRule(folder="fakes_train/sd15_art_grid", name="sd15", fake=True, licence="MIT", shares=_MOST,
            grid=True, why="MIT."),
    SetRule(folder="fakes_train/flux1_dev_grid", name="flux1_dev", fake=True, licence="MIT",
            shares=(0.5, 0.25, 0.25), grid=True, why="MIT."),
    SetRule(folder="fakes_train/midjourney_2025", name="midjourney", fake=True, licence="MIT (repo)",
            shares=(0.0, 0.5, 0.5),
            why="MIT; out of training, so that the calibration describes a generator never trained on."),
    SetRule(folder="train/photos_coco", name="coco", fake=False, licence="", shares=_NEVER_TRAINED,
            why="Licences differ per photo: evaluation only."),
    SetRule(folder="train/photos_bsds", name="bsds", fake=False, licence="", shares=_NEVER_TRAINED,
            why="Non-commercial: evaluation only."),
    SetRule(folder="train/faces256_ffhq", name="ffhq", fake=False, licence="", shares=_NEVER_TRAINED,
            why="Non-commercial: evaluation only."),
    SetRule(folder="camera/prnu_nikon_d70", name="nikon_d70", fake=False, licence="",
            shares=_NEVER_TRAINED, why="Research licence: evaluation only."),
    SetRule(folder="fakes_train/stylegan1_faces", name="stylegan1", fake=True, licence="",
            shares=_NEVER_TRAINED, why="No licence stated: evaluation only."),
    SetRule(folder="fakes_train/stylegan2_tiles", name="stylegan2", fake=True, licence="",
            shares=_NEVER_TRAINED, why="Nvidia non-commercial: evaluation only."),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Licences that are treated alike. ``learn``: weights that ship may be fitted on their pictures."""

    name: str
    learn: bool
    why: str
    licences: tuple[str, ...]


TERMS = (
    Terms(
        name="public domain",
        learn=True,
        why="Nobody reserves anything.",
        licences=(
            "CC0-1.0", "CC0-1.0 (repo)", "CC0-1.0 / US PD", "PD / CC0-1.0", "Unlicense",
            "Unlicense (public domain)",
            "public domain painting; CC0-1.0 dedication (Standard Ebooks)", "YOLO public domain licence",
        ),
    ),
    Terms(
        name="permissive",
        learn=True,
        why="Use for any purpose is allowed; the notice is owed to copies, and weights hold none.",
        licences=(
            "0BSD-like for the workflows (LICENSE in repo)", "Apache-2.0", "Apache-2.0 (repo)", "BSD",
            "BSD-2-Clause", "BSD-3-Clause", "BSD-style LICENSE.txt (repo)", "HPND", "MIT", "MIT (repo)",
            "MIT (own photos)", "MIT-0", "MIT/Apache-2.0", "MIT/CC", "MIT/CC BY 4.0", "BSD-3 / per file",
            "zlib/libpng (repo)",
            '"free to use however you wish" (README)',
            '"You are free to use these media files however you wish" (README)',
        ),
    ),
    Terms(
        name="attribution",
        learn=True,
        why="Use for any purpose is allowed; the manifest that ships names every source and its licence.",
        licences=(
            "CC BY (site footer i18n: content under CC-BY)", "CC BY 2.0 (OpenImages)",
            "CC BY 2.0 / PD per attribution.md", "CC BY 4.0",
            "CC BY 4.0 (photos.md)", "CC BY 4.0 / Apache-2.0", "CC BY 4.0 / per folder",
            "CC0 / CC BY (credits beside the pictures)",
            "CC BY 4.0 (repo); examples by OpenAI MIT",
            "per picture CC0 / CC-BY-4.0 / CC-BY-SA-4.0 (Attribution file); repo forbids AI art",
        ),
    ),
    Terms(
        name="share alike",
        learn=True,
        why="Alike is shared what holds or adapts the picture; weights hold none and adapt none.",
        licences=(
            "CC BY-SA (Mapillary)", "CC BY-SA 3.0", "CC BY-SA 3.0 / GPL-3", "CC BY-SA 4.0",
            "CC BY-SA 4.0 / GPL", "GPL-2/CC BY-SA", "GPL-2+ / CC BY-SA 4.0", "GPL-2+/CC BY-SA",
            "GPL-3/CC BY-SA", "GPL-3/CC BY-SA 4.0", "GPL-3+/CC BY-SA 4.0/CC0 (copyright file)",
            "GPL-3+/CC BY-SA per file", "GPL-3+/CC BY 3.0+", "GPL-3/CC0", "GPL-2+/PD per stamp",
            "LGPL-3 / CC BY-SA 4.0 per file", "LGPL-2.1/CC", "per file: CC BY/CC BY-SA/PD/Pixabay",
        ),
    ),
    Terms(
        name="copyleft",
        learn=True,
        why="Running and reading is unrestricted; duties begin with giving on a copy or a work based on it.",
        licences=(
            "AGPL-3.0 (repo)", "AGPL/per file", "GFDL", "GPL-2", "GPL-2+", "GPL-2.0",
            "GPL-2.0 (repo test data)", "GPL-3", "GPL-3+", "LGPL-2.1", "MPL-2.0 (repo)", "per copyright",
        ),
    ),
    Terms(
        name="free stock sites",
        learn=True,
        why="An irrevocable licence for any use, under which somebody published them again; both sites'"
        " later terms restrict machine learning. The weakest of the grounds: record 0025.",
        licences=(
            "CC BY 4.0 (Unsplash photos)", "MIT (Unsplash)", "Unsplash licence", "see clic2025/LICENSE",
            "per file (CC0/Unsplash)", "per file (CC0/Unsplash/CC BY-SA)",
            "MIT / BSD (package; stock photos, Unsplash)", "Pexels licence (free use)",
            "Pixabay Content License (data/README.md; repo MIT); images from other authors",
            "0BSD (repo); photos Unsplash (file names)",
            "MIT (repo); photos from Unsplash and Pexels (README)",
            "MIT (repo); stock photos Unsplash (README)",
            "Unsplash licence (credits beside the pictures)",
            "Pexels licence (credits beside the pictures)",
        ),
    ),
    Terms(
        name="of other authors",
        learn=False,
        why="The licence is that of whoever collected them; the authors are others and were not asked.",
        licences=(
            "Apache-2.0 (repo); images from X authors", "Apache-2.0 (repo); pictures from the web",
            "CC BY 4.0 (repo); images from X authors",
            "CC0-1.0 (repo); images from X authors", "MIT (repo); images from X authors",
            "MIT (package)", "0BSD (repo); photo origin not stated",
            "GPL-3.0 (repo); stock photos, origin not stated", "MIT (repo); photo origin not stated",
            "MIT (repo); stock photo origin not stated", "MIT (repo); stock photos, licence not stated apart",
            "Unsplash licence (Unsplash/README.md); images from other authors",
            "Boost (repo; web pictures, PD by README)", "MIT (Unsplash/Flickr CC photos)",
            "MIT (repo); pictures from the web", "GPL-3.0 (repo); pictures from the web",
            "research (repo); pictures from the web", "zlib/libpng (repo); pictures from the web",
        ),
    ),
    Terms(
        name="non-commercial or none",
        learn=False,
        why="Not free for every use, or nobody says what is allowed.",
        licences=(
            "Apache-2.0 (repo; models CC BY-NC)",
            "BSDS: non-commercial research use",
            "COCO: images keep Flickr licences; annotations CC BY 4.0; repo MIT",
            "FFHQ: CC BY-NC-SA 4.0 + per-photo Flickr licences; repo has none",
            "Nvidia Source Code License-NC for most models (per README); repo has no licence",
            "generator outputs; dataset page says other/none; repo has none",
            "none stated (repo)", "none stated (repo); portraits from speakers",
        ),
    ),
    Terms(
        name="not read",
        learn=False,
        why="The text points to further texts that nobody has read.",
        licences=(
            "BSD-2-Clause / per README",
            "CC-BY-SA-3.0 / as in debian/copyright of the package",
            "Debian main; its copyright file was not read",
        ),
    ),
)  # fmt: skip

_OF_LICENCE = {licence: terms for terms in TERMS for licence in terms.licences}


def terms_of(licence: str) -> Terms | None:
    """None for a text that is not in the table."""
    return _OF_LICENCE.get(licence)


def may_learn(licence: str) -> bool:
    """Whether shipped weights may be fitted on pictures under this text, letter by letter. False for a text
    that is not in the table: those pictures measure."""
    terms = terms_of(licence)
    return terms is not None and terms.learn
