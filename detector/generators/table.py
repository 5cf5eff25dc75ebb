"""The table of families, and how a family is made from a row. The table is data: listing it loads no torch,
making a family does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from detector.core.errors import ModelUnavailable, OptionRefused
from detector.generators.spec import (
    BigganSpec,
    CycleganSpec,
    DbmSpec,
    DipSpec,
    FlowmatchSpec,
    GanSpec,
    R3ganSpec,
    RealnvpSpec,
    ReconSpec,
    Spec,
    WganSpec,
)

if TYPE_CHECKING:
    from detector.generators.family import Family


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The spec of a family's recipe for one CPU core. The family ``name`` is the class ``Name`` of the module
    ``detector.generators.families.name``. ``heritage``: why it earns a detector nothing, by the rule of
    decision 0050; empty where it may earn something."""

    spec: Spec
    about: str
    heritage: str = ""

    @property
    def module(self) -> str:
        return f"detector.generators.families.{self.spec.family}"


_GREY = "grey: no detector learns from it"

# Being listed is enough to be tested: tests/detector/generators/test_every_family.py runs over every row.
_ROWS = (
    Row(
        about="transposed convolutions and batch norm",
        spec=GanSpec(
            family="dcgan", latent=100, width=32, batch=32, learning_rate=5e-4, ema=0.99,
            upsampler="transposed", normaliser="batch", loss="non-saturating", paper="arXiv 1511.06434",
        ),
    ),
    Row(
        about="relativistic pairs with two penalties, no normaliser",
        spec=R3ganSpec(
            family="r3gan", width=16, batch=32, ema=0.995, upsampler="bilinear",
            loss="relativistic, R1, R2", paper="arXiv 2501.05441",
        ),
    ),
    Row(
        about="pixel shuffle and a penalty on the critic's slope",
        spec=WganSpec(
            family="wgan", batch=96, ema=0.99, upsampler="shuffle", normaliser="batch",
            loss="Wasserstein, gradient penalty", paper="arXiv 1704.00028",
        ),
    ),
    Row(
        about="class-conditional, nearest neighbours, spectral norm; infers labels with few_labels",
        spec=BigganSpec(
            family="biggan", width=16, classes=10, batch=32, learning_rate=1e-3, ema=0.99,
            upsampler="nearest", normaliser="conditional batch", loss="hinge",
            paper="arXiv 1809.11096; few_labels: arXiv 1903.02271",
        ),
    ),
    Row(
        about="one small GAN for each band of a Laplacian pyramid",
        spec=GanSpec(
            family="lapgan", learning_rate=1e-3, batch=32, ema=0.99, upsampler="bilinear",
            normaliser="batch", loss="non-saturating", paper="arXiv 1506.05751",
        ),
    ),
    Row(
        about="gives pictures back with its trace in them, or translates between two sources",
        spec=CycleganSpec(
            family="cyclegan", width=16, batch=32, learning_rate=1e-3, ema=0.99, upsampler="transposed",
            normaliser="instance", loss="least squares, cycle", paper="arXiv 1703.10593, 1907.06515",
        ),
    ),
    Row(
        about="two sources, one code: autoencoders that share layers translate, or give pictures back",
        spec=CycleganSpec(
            family="unit", latent=16, width=16, batch=32, learning_rate=1e-3, ema=0.99,
            upsampler="transposed", normaliser="instance", loss="least squares, elbo, cycle",
            paper="arXiv 1703.00848",
        ),
    ),
    Row(
        about="the GAN of 2014: two perceptrons, for 28 x 28 grey pictures",
        heritage=_GREY,
        spec=GanSpec(
            family="gan", side=28, channels=1, latent=100, width=128, learning_rate=1e-3, ema=0.99,
            loss="non-saturating", paper="arXiv 1406.2661",
        ),
    ),
    Row(
        about="variational autoencoder; smooth, short of high frequencies",
        spec=Spec(
            family="vae", latent=32, width=16, ema=0.99, upsampler="nearest", loss="elbo",
            paper="arXiv 1312.6114",
        ),
    ),
    Row(
        about="flow matching, the diffusion of today, by a small U-Net",
        spec=FlowmatchSpec(
            family="flowmatch", width=24, patch=1, batch=32, ema=0.998, upsampler="nearest",
            normaliser="group", loss="velocity", paper="arXiv 2210.02747",
        ),
    ),
    Row(
        about="invertible, its likelihood exact; with a discriminator Flow-GAN",
        spec=RealnvpSpec(
            family="realnvp", width=32, batch=16, ema=0.99, upsampler="shuffle", loss="likelihood",
            paper="arXiv 1605.08803",
        ),
    ),
    Row(
        about="autoencoder; passes a picture through itself and leaves its trace",
        spec=ReconSpec(
            family="recon", latent=6, width=24, batch=32, ema=0.99, upsampler="nearest",
            loss="absolute error", paper="arXiv 2112.10752",
        ),
    ),
    Row(
        about="an untrained network fitted to one picture at a time",
        heritage="minutes for a picture: no detector learns from it",
        spec=DipSpec(
            family="dip", width=32, latent=16, batch=1, upsampler="bilinear", normaliser="instance",
            loss="squared error", paper="arXiv 1711.10925",
        ),
    ),
    Row(
        about="pixel by pixel, its likelihood exact; grey",
        heritage=_GREY,
        spec=Spec(
            family="pixelcnn", side=28, channels=1, width=32, batch=8, ema=0.99, loss="likelihood",
            paper="arXiv 1606.05328",
        ),
    ),
    Row(
        about="deep Boltzmann machine; black and white",
        heritage=_GREY,
        spec=DbmSpec(
            family="dbm", side=28, channels=1, width=256, latent=128, loss="contrastive divergence",
            paper="AISTATS 2009",
        ),
    ),
)  # fmt: skip
FAMILIES: dict[str, Row] = {row.spec.family: row for row in _ROWS}


def family_row(name: str) -> Row:
    """Raises ``ModelUnavailable`` for an unknown name."""
    if name not in FAMILIES:
        raise ModelUnavailable(f"there is no family {name!r}; there are {', '.join(sorted(FAMILIES))}")
    return FAMILIES[name]


def make_family(name: str, *, seed: int = 0, spec: Spec | None = None, **overrides: Any) -> Family:
    """A family with fresh weights made from ``seed``; ``overrides`` replace fields of the default spec.

    Raises ``ModelUnavailable`` for an unknown name and ``OptionRefused`` for a setting that does not exist or
    cannot be."""
    row = family_row(name)
    spec = spec or row.spec
    known = _settings_of(spec) - {"family"}
    if unknown := set(overrides) - known:
        raise OptionRefused(f"{name} has no setting {min(unknown)}; it has {', '.join(sorted(known))}")
    import torch

    made = getattr(import_module(row.module), name.capitalize())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        family: Family = made(replace(spec, **overrides))
    return family


# What the data decide, and what only describes the code.
_NOT_SET = {"family", "side", "channels", "classes", "normaliser", "loss", "paper"}
_OTHER_UPSAMPLERS = {"cyclegan", "dip", "recon", "unit", "vae"}


def parse_settings(name: str, texts: Sequence[str]) -> dict[str, Any]:
    """``NAME=VALUE`` for fields of a family's spec. Raises ``ModelUnavailable`` for an unknown family and
    ``OptionRefused`` for a setting that it does not have or another kind of value."""
    spec = family_row(name).spec
    known = _settings_of(spec) - _NOT_SET
    known -= set() if name in _OTHER_UPSAMPLERS else {"upsampler"}
    given: dict[str, Any] = {}
    for text in texts:
        key, equals, told = text.partition("=")
        if not equals or key not in known:
            raise OptionRefused(
                f"{text!r} is no setting of {name}; {', '.join(sorted(known))} are, as NAME=VALUE"
            )
        kind = type(getattr(spec, key))
        value = _setting(kind, told)
        if value is None:
            wanted = "true or false" if kind is bool else f"of the kind {kind.__name__}"
            raise OptionRefused(f"{key} is {wanted}, not {told!r}")
        given[key] = value
    return given


def _setting(kind: type, told: str) -> Any:
    """A value of this kind, or None."""
    if kind is bool:
        return {"true": True, "false": False}.get(told)
    try:
        value = kind(told)
    except ValueError:
        return None
    return value if kind is not float or math.isfinite(value) else None


def parse_spec(raw: dict[str, Any]) -> Spec:
    """The spec in a card. Raises ``OptionRefused`` for fields that the family does not have, ``TypeError``
    for no mapping, ``KeyError`` for one without a family."""
    spec = family_row(raw["family"]).spec
    known = _settings_of(spec)
    if set(raw) != known:
        raise OptionRefused(f"a spec of {raw['family']} has exactly the fields {', '.join(sorted(known))}")
    return type(spec)(**raw)


def _settings_of(spec: Spec) -> set[str]:
    return {f.name for f in fields(spec)}
