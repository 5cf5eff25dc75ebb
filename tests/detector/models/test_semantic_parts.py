"""A score that is taken apart into patches is put together again, to the last digit that floats keep."""

from __future__ import annotations

import numpy as np
import pytest

from detector.models.semantic_parts import patch_logits

BLOCKS, PATCHES, WIDTH, HEADS = 3, 16, 8, 2


def made(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    draw = lambda *shape: rng.normal(0, 1, shape).astype(np.float32)  # noqa: E731
    return {
        "tokens": draw(BLOCKS, 1 + PATCHES, WIDTH), "mean": draw(BLOCKS, 3, WIDTH) / 4,
        "scale": np.abs(draw(BLOCKS, 3, WIDTH)) + 0.5, "weights": draw(HEADS, BLOCKS, 3, WIDTH) / 4,
        "biases": draw(HEADS),
    }  # fmt: skip


def score(tokens, mean, scale, weights, biases, farthest: float) -> float:
    """As a detector computes it."""
    parts = np.stack([tokens[:, 0], tokens[:, 1:].mean(1), tokens[:, 1:].std(1)], 1)
    standard = np.clip((parts - mean) / scale, -farthest, farthest)
    return float(
        np.logaddexp.reduce([(w * standard).sum() + b for w, b in zip(weights, biases, strict=True)])
    )


@pytest.mark.parametrize("farthest", [100.0, 0.5], ids=["nothing is cut", "much is cut"])
def test_the_mean_over_patches_is_the_score(farthest: float) -> None:
    found = patch_logits(**made(), farthest=farthest)
    assert found.shape == (PATCHES,)
    assert found.mean() == pytest.approx(score(**made(), farthest=farthest), abs=1e-5)


def test_a_patch_that_has_what_the_head_looks_for_stands_out() -> None:
    given = made()
    given["weights"][:] = 0
    given["weights"][:, 1, 1, 4] = 2.0  # the mean of one number of the second block
    given["tokens"][1, 1 + 7, 4] = 9.0
    found = patch_logits(**given, farthest=100.0)
    assert int(found.argmax()) == 7
    others = np.delete(found, 7)
    assert found[7] > others.max() + 5


def test_what_is_about_no_place_is_in_every_patch_alike() -> None:
    given = made()
    given["weights"][:, :, 1:] = 0  # class tokens alone
    found = patch_logits(**given, farthest=100.0)
    assert np.ptp(found) < 1e-6


def test_a_patch_like_all_others_adds_nothing_to_a_deviation() -> None:
    given = made()
    given["weights"][:] = 0
    given["weights"][:, 0, 2, 3] = 1.0
    given["tokens"][0, 1:, 3] = 2.0
    given["tokens"][0, 1 + 5, 3] = 6.0
    found = patch_logits(**given, farthest=100.0)
    assert int(found.argmax()) == 5
    assert np.ptp(np.delete(found, 5)) < 1e-6
