"""The allow list: which sets of pictures may be trained on, each with the licence text that was read for it.

A set is trained on only if it has a share for that in ``SETS`` **and** the licence text of its rows in
``INDEX.csv`` is the one that was read when it was allowed. Every other set is evaluated on and never trained
on.
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
