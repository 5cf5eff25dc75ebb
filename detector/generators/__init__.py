"""Generators that make fakes for training. The table is data: listing it loads no torch, making a family
does. ``import detector`` does not."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from detector.errors import CorpusError, ModelUnavailable
from detector.generators.spec import R3ganSpec, Spec

if TYPE_CHECKING:
    from detector.generators.family import Family


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Where a family is, and the spec of its recipe for one CPU core."""

    module: str
    name: str
    spec: Spec
    about: str


# Being listed is enough to be tested: tests/detector/generators/test_every_family.py runs over every row.
FAMILIES: dict[str, Row] = {
    "dcgan": Row(
        module="detector.generators.dcgan",
        name="Dcgan",
        spec=Spec(
            family="dcgan",
            latent=100,
            width=32,
            ema=0.99,
            upsampler="transposed",
            normaliser="batch",
            loss="non-saturating",
            paper="arXiv 1511.06434",
        ),
        about="transposed convolutions and batch norm",
    ),
    "r3gan": Row(
        module="detector.generators.r3gan",
        name="R3gan",
        spec=R3ganSpec(
            family="r3gan", width=16, ema=0.995, upsampler="bilinear", loss="relativistic, R1, R2",
            paper="arXiv 2501.05441",
        ),
        about="relativistic pairs with two penalties, no normaliser",
    ),
    "vae": Row(
        module="detector.generators.vae",
        name="Vae",
        spec=Spec(
            family="vae",
            latent=128,
            width=32,
            ema=0.99,
            upsampler="nearest",
            loss="elbo",
            paper="arXiv 1312.6114",
        ),
        about="variational autoencoder; smooth, short of high frequencies",
    ),
}


def make_family(name: str, *, seed: int = 0, spec: Spec | None = None, **overrides: Any) -> Family:
    """A family with fresh weights made from ``seed``; ``overrides`` replace fields of the default spec.

    Raises ``ModelUnavailable`` for an unknown name and ``CorpusError`` for a setting that does not exist or
    cannot be."""
    row = family_row(name)
    spec = spec or row.spec
    known = {f.name for f in fields(spec)} - {"family"}
    if unknown := set(overrides) - known:
        raise CorpusError(f"{name} has no setting {min(unknown)}; it has {', '.join(sorted(known))}")
    import torch

    made = getattr(import_module(row.module), row.name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        family: Family = made(replace(spec, **overrides))
    return family


def family_row(name: str) -> Row:
    if name not in FAMILIES:
        raise ModelUnavailable(f"there is no family {name!r}; there are {', '.join(sorted(FAMILIES))}")
    return FAMILIES[name]


def parse_spec(raw: dict[str, Any]) -> Spec:
    """The spec in a card. Raises ``CorpusError`` for fields that the family does not have, ``TypeError`` for
    no mapping, ``KeyError`` for one without a family."""
    kind = type(family_row(raw["family"]).spec)
    known = {f.name for f in fields(kind)}
    if set(raw) != known:
        raise CorpusError(f"a spec of {raw['family']} has exactly the fields {', '.join(sorted(known))}")
    return kind(**raw)
