"""A fitted family on disk: tensors and a card, and what can be asked of it afterwards.

``weights.safetensors``  every network of the family, the averaged weights in place
``card.json``            how it was made; holds the SHA-256 of the weights, which is compared before reading
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from detector.core.errors import CorpusError, LabError, ModelUnavailable, NotApplicable, OptionRefused
from detector.core.files import write_whole
from detector.core.threads import one_thread
from detector.generators import make_family, parse_spec
from detector.generators.density import step_noise
from detector.generators.family import Aligned, Family, Likelihood, Translating
from detector.generators.pictures import as_bytes, as_floats
from detector.generators.source import ImageSource, digest_of
from detector.generators.spec import Spec
from detector.models.weights import require_digest
from detector.zoo.fitting.budget import Budget
from detector.zoo.fitting.fit import FitResult

CARD_VERSION = 1
MOST_BYTES = 4 << 30  # of pictures drawn at once
CHUNK = 64  # pictures drawn or passed through at once; part of what a seed means


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorCard:
    """How a generator came about. With the same versions, seed and budget in steps it comes about again."""

    spec: Spec
    seed: int
    budget: Budget
    source: str
    source_sha256: str
    source_pictures: int
    steps: int
    images: int
    cpu_seconds: float
    losses: dict[str, float]
    precision: str
    device: str
    labels_kept: float = 1.0
    weights_sha256: str = ""
    versions: dict[str, str] = field(default_factory=dict)


def card_of(spec: Spec, source: ImageSource, budget: Budget, result: FitResult) -> GeneratorCard:
    """The card of a fit that just ended."""
    return GeneratorCard(
        spec=spec,
        budget=budget,
        source=source.name,
        source_sha256=digest_of(source),
        source_pictures=len(source.images),
        **asdict(result),
        versions={"torch": torch.__version__, "assay": _own_version()},
    )


def _own_version() -> str:
    try:
        return version("assay")
    except PackageNotFoundError:
        return "unknown"


def dump_card(card: GeneratorCard) -> str:
    """Stable text: the same card gives the same bytes."""
    return json.dumps({"card_version": CARD_VERSION, **asdict(card)}, indent=1) + "\n"


def parse_card(text: str) -> GeneratorCard:
    """Raises ``ModelUnavailable`` for anything that is not a generator's card of this version."""
    try:
        raw = json.loads(text)
        found = raw.pop("card_version")
        if found != CARD_VERSION:
            raise ModelUnavailable(
                f"the generator's card has version {found}; this program reads {CARD_VERSION}"
            )
        card = GeneratorCard(
            spec=parse_spec(raw.pop("spec")), budget=Budget(**raw.pop("budget")), **raw
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError, LabError) as e:
        raise ModelUnavailable(f"the generator's card is malformed: {e}") from e
    if not isinstance(card.weights_sha256, str) or len(card.weights_sha256) != 64:
        raise ModelUnavailable("the generator's card names no digest of its weights")
    if not isinstance(card.labels_kept, float) or not 0 < card.labels_kept <= 1:
        raise ModelUnavailable("the generator's card names a part of labels that is not in 0..1")
    return card


def save_family(family: Family, folder: Path, card: GeneratorCard) -> GeneratorCard:
    """Write weights, then the card; returns the card with the digest of the weights. Who reads in between
    finds the old card, and weights that differ from it."""
    tensors = {k: v.detach().cpu().contiguous().clone() for k, v in family.state_dict().items()}
    data = save(tensors)
    card = replace(card, weights_sha256=hashlib.sha256(data).hexdigest())
    write_whole(folder / "weights.safetensors", data)
    write_whole(folder / "card.json", dump_card(card).encode())
    return card


def open_family(folder: Path) -> Fitted:
    """Raises ``ModelUnavailable`` for files that are missing, differ from the card or do not fit the
    family."""
    try:
        card = parse_card((folder / "card.json").read_text(encoding="utf-8"))
        data = (folder / "weights.safetensors").read_bytes()
    except (OSError, UnicodeDecodeError) as e:
        raise ModelUnavailable(f"{folder.name} holds no generator that can be read") from e
    require_digest(data, card.weights_sha256, f"the weights in {folder.name}")
    family = make_family(card.spec.family, spec=card.spec)
    try:
        family.load_state_dict(load(data))
    except (SafetensorError, RuntimeError) as e:
        raise ModelUnavailable(f"the weights in {folder.name} do not fit {card.spec.family}") from e
    return Fitted(family.eval(), card)


class Fitted:
    """A fitted family, asked from outside: bytes in, bytes out, full precision, one thread, the same seed
    the same bytes."""

    def __init__(self, family: Family, card: GeneratorCard | None = None) -> None:
        self.family = family.eval()
        self.spec = family.spec
        self.card = card

    def sample(self, n: int, seed: int, labels: NDArray[np.int64] | None = None) -> NDArray[np.uint8]:
        """uint8 (n, side, side, channels); ``labels`` (n,) asks for classes. Raises ``LabError``."""
        if n < 1 or seed < 0:
            raise OptionRefused("a sample has at least one picture and a seed from 0")
        if n * self.spec.side**2 * self.spec.channels > MOST_BYTES:
            raise OptionRefused(f"{n} pictures of {self.spec.side} pixels do not fit into memory; draw fewer")
        wanted = self._wanted(n, labels)
        out = []
        for i, at in enumerate(range(0, n, CHUNK)):
            size = min(CHUNK, n - at)
            rng = torch.Generator().manual_seed(int(np.random.SeedSequence([seed, i]).generate_state(1)[0]))
            chunk = None if wanted is None else wanted[at : at + size]
            with one_thread(), torch.no_grad():
                out.append(as_bytes(self.family.draw(size, rng, chunk)))
        return np.concatenate(out)

    def _wanted(self, n: int, labels: NDArray[np.int64] | None) -> Tensor | None:
        if labels is None:
            return None
        if not self.spec.classes:
            raise OptionRefused(f"{self.spec.family} knows no classes")
        if labels.shape != (n,) or labels.min() < 0 or labels.max() >= self.spec.classes:
            raise OptionRefused(f"labels are one of {self.spec.classes} classes for each of {n} pictures")
        return torch.from_numpy(labels.astype(np.int64))

    def reconstruct(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Each picture passed through the family. Raises ``NotApplicable`` when it cannot do that."""
        family = self.family
        if not isinstance(family, Aligned):
            raise NotApplicable(f"{self.spec.family} draws pictures and cannot pass one through itself")
        return self._passed(family.reconstruct, images)

    def translate(self, images: NDArray[np.uint8], to: int) -> NDArray[np.uint8]:
        """Each picture made to look like class ``to``. Raises ``NotApplicable``."""
        family = self.family
        if not isinstance(family, Translating):
            raise NotApplicable(f"{self.spec.family} does not translate pictures")
        return self._passed(lambda x: family.translate(x, to), images)

    def _passed(self, by: Callable[[Tensor], Tensor], images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        with one_thread(), torch.no_grad():
            return np.concatenate([as_bytes(by(x)) for x in self._chunks(images)])

    def log_prob(
        self, images: NDArray[np.uint8], *, noise: torch.Generator | None = None
    ) -> NDArray[np.float64]:
        """Nats per picture (n,); with ``noise``, at the picture plus uniform noise of one step. Raises
        ``NotApplicable`` for a family without a likelihood."""
        family = self.family
        if not isinstance(family, Likelihood):
            raise NotApplicable(f"{self.spec.family} does not know how likely a picture is")
        with one_thread(), torch.no_grad():
            stepped = (
                x if noise is None else x + step_noise(x.shape, noise).to(x) for x in self._chunks(images)
            )
            parts = [family.log_prob(x).double().cpu().numpy() for x in stepped]
        out: NDArray[np.float64] = np.concatenate(parts)
        return out

    def _chunks(self, images: NDArray[np.uint8]) -> Iterator[Tensor]:
        whole = checked_pictures(images, self.spec, self.family.grid)
        for at in range(0, len(whole), CHUNK):
            yield as_floats(whole[at : at + CHUNK]).to(self.family.device)


def checked_pictures(images: NDArray[np.uint8], spec: Spec, grid: int = 0) -> NDArray[np.uint8]:
    """Raises ``CorpusError`` for an array that this spec cannot mean; with ``grid``, any sides that are
    multiples of it will do."""
    if images.dtype == np.uint8 and images.ndim == 4 and len(images) and images.shape[3] == spec.channels:
        sides = images.shape[1:3]
        if sides == (spec.side, spec.side) or (grid and all(s and s % grid == 0 for s in sides)):
            return images
    sides_wanted = f"multiples of {grid}" if grid else f"{spec.side}, {spec.side}"
    raise CorpusError(
        f"{spec.family} wants uint8 (n, {sides_wanted}, {spec.channels}), not {images.dtype} {images.shape}"
    )
