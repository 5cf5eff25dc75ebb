"""Weights as tensors only, read after their digest was compared with the card. Nothing here runs code from a
file, and nothing imports torch before it is needed."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from detector.core.errors import ModelUnavailable
from detector.core.files import write_whole
from detector.models.card import ModelCard
from detector.models.trace_network import TraceNetwork, network_of

if TYPE_CHECKING:
    from torch import Tensor, nn

    from detector.networks.traces import TraceNet


class ReadableFile(Protocol):
    def read_bytes(self) -> bytes: ...


def load_network(card: ModelCard, path: ReadableFile) -> TraceNet:
    """The network as PyTorch trains it, for the laboratory. Raises ``ModelUnavailable`` for a missing file,
    another digest, or tensors that do not fit."""
    return _build(card, checked_bytes(card, path))


def checked_bytes(card: ModelCard, path: ReadableFile) -> bytes:
    """The file of the weights, compared with the card. Raises ``ModelUnavailable``."""
    try:
        data = path.read_bytes()
    except OSError as e:
        raise ModelUnavailable(f"the weights of {card.model_id} cannot be read") from e
    require_digest(data, card.weights_sha256, f"the weights of {card.model_id}")
    return data


def require_digest(weights: bytes, sha256: str, named: str) -> None:
    """Raises ``ModelUnavailable`` for weights, called ``named``, that are not those of the card."""
    found = hashlib.sha256(weights).hexdigest()
    if found != sha256:
        raise ModelUnavailable(f"{named} have digest {found[:12]}..., the card says {sha256[:12]}...")


def read_weights(card: ModelCard, path: ReadableFile) -> dict[str, NDArray[np.float64]]:
    """Small weights as NumPy arrays. Raises ``ModelUnavailable``."""
    return {k: v.astype(np.float64) for k, v in checked_tensors(card, path).items()}


def checked_tensors(card: ModelCard, path: ReadableFile) -> dict[str, NDArray[np.float32]]:
    """The tensors as NumPy arrays, as they are stored, without torch. Raises ``ModelUnavailable``."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        tensors: dict[str, NDArray[np.float32]] = load(checked_bytes(card, path))
    except (SafetensorError, ValueError) as e:
        raise ModelUnavailable(f"the weights of {card.model_id} are no tensors") from e
    return tensors


def network_at(card: ModelCard, path: ReadableFile) -> TraceNetwork:
    """The network of a card, ready to run, without torch. Raises ``ModelUnavailable`` for a missing file,
    another digest, tensors that do not fit, and where onnxruntime is not installed."""
    _require_traces(card)
    network = network_of(checked_tensors(card, path))
    if len(network.family_bias) != 1 + len(card.families):
        raise ModelUnavailable(f"the weights of {card.model_id} do not fit its network")
    return network


def _build(card: ModelCard, data: bytes) -> TraceNet:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load
    except ImportError as e:
        raise ModelUnavailable(f"PyTorch cannot be loaded: {e}") from e
    net = _network(card)
    try:
        missing, unknown = net.load_state_dict(load(data), strict=False)
    except (SafetensorError, RuntimeError) as e:
        raise ModelUnavailable(f"the weights of {card.model_id} do not fit its network") from e
    if unknown or any(not m.startswith(TRAINING_ONLY) for m in missing):
        raise ModelUnavailable(f"the weights of {card.model_id} do not fit its network")
    return net.eval()


# The adversaries are of no use after training and are not shipped.
TRAINING_ONLY = ("source.", "codec.")


def _require_traces(card: ModelCard) -> None:
    if card.network != "traces":
        raise ModelUnavailable(f"the card names a network {card.network[:40]!r} that is not here")


def _network(card: ModelCard) -> TraceNet:
    _require_traces(card)
    from detector.networks.traces import TraceNet

    return TraceNet(len(card.families), card.width)


def save_tensors(tensors: dict[str, Tensor], path: Path) -> str:
    """Returns the SHA-256 of the file. Raises ``FileFailed``."""
    from safetensors.torch import save

    data = save({k: v.detach().contiguous() for k, v in tensors.items()})
    write_whole(path, data)
    return hashlib.sha256(data).hexdigest()


def shipped_tensors(network: nn.Module) -> dict[str, Tensor]:
    """What a detector needs to score, without what served training alone."""
    return {k: v for k, v in network.state_dict().items() if not k.startswith(TRAINING_ONLY)}
