"""The adversarial families learn sixteen pictures by heart, and their parts do what the papers say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from detector.core.errors import CorpusError, NotApplicable, OptionRefused
from detector.generators import make_family
from detector.generators.blocks import pyramid
from detector.generators.families import cyclegan
from detector.generators.families.biggan import Biggan, Discriminator, non_orthogonality
from detector.generators.pictures import as_bytes, as_floats
from detector.generators.source import ImageSource, keep_labels, unpaired
from detector.generators.spec import BigganSpec
from detector.zoo.fitting.budget import Budget
from detector.zoo.fitting.fit import fit
from detector.zoo.store import Fitted
from tests.detector.generators.made import sixteen, train

SIDE = 16


def learned(side: int, channels: int = 3) -> ImageSource:
    labels = np.arange(16) % 2
    return ImageSource(name="sixteen", images=as_bytes(sixteen(side, channels)), labels=labels)


def fitted(name: str, source: ImageSource, steps: int, **overrides) -> Fitted:
    settings = {
        "side": source.images.shape[1],
        "channels": source.images.shape[3],
        "latent": 8,
        "batch": 16,
        "ema": 0.9,
    }
    family = make_family(name, **{**settings, **overrides})
    # Full precision, so that the bound means the same on every processor.
    fit(family, source, Budget(steps=steps), seed=0, precision="float32")
    return Fitted(family)


def energy_distance(a: np.ndarray, b: np.ndarray) -> float:
    """2 E|x - y| - E|x - x'| - E|y - y'| over whole pictures in 0..1: nothing for equal distributions
    (Szekely and Rizzo 2013). Samples that are all alike, or an average of the pictures, are far away."""
    x, y = (v.reshape(len(v), -1) / 255.0 for v in (a, b))

    def mean(u: np.ndarray, v: np.ndarray) -> float:
        return float(np.linalg.norm(u[:, None] - v[None], axis=2).mean())

    return 2 * mean(x, y) - mean(x, x) - mean(y, y)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "side", "steps", "settings"),
    [
        ("dcgan", 8, 400, {"width": 16, "learning_rate": 2e-3}),
        ("r3gan", 8, 300, {"width": 8, "learning_rate": 4e-3}),
        ("wgan", 8, 250, {"width": 16, "batch": 48, "learning_rate": 2e-3}),
        ("lapgan", 12, 300, {"width": 16, "learning_rate": 2e-3}),
    ],
    ids=["dcgan", "r3gan", "wgan", "lapgan"],
)
def test_an_adversarial_family_learns_sixteen_pictures_by_heart(name, side, steps, settings):
    source = learned(side)
    sampled = fitted(name, source, steps, **settings).sample(64, 0)
    grey = np.full_like(sampled, 127)
    near, far = energy_distance(sampled, source.images), energy_distance(grey, source.images)
    assert near < 0.3 * far, (near, far)


@pytest.mark.slow
def test_the_first_gan_comes_near_the_pictures_and_does_not_cover_them_all():
    """Two perceptrons drop modes; that is what the later papers are about."""
    source = learned(8, channels=1)
    one = fitted("gan", source, 500, width=64, latent=16, learning_rate=1e-3)
    fresh = Fitted(make_family("gan", side=8, width=64, latent=16))

    def nearest(pictures: np.ndarray) -> float:
        x, y = (v.reshape(len(v), -1).astype(float) for v in (pictures, source.images))
        return float(np.sqrt(((x[:, None] - y[None]) ** 2).mean(2)).min(1).mean())

    assert nearest(one.sample(64, 0)) < 0.75 * nearest(fresh.sample(64, 0))


def test_a_recorded_step_is_free_of_chance():
    """What a CUDA graph replays: the same draws give the same weights, whatever torch drew in between."""
    outcomes = []
    for other in (1, 2):
        family = make_family("r3gan", side=8, width=4, batch=4)
        optimisers = family.optimisers()
        draws = family.draws(4, torch.Generator().manual_seed(0))
        torch.manual_seed(other)
        family.step(optimisers, torch.zeros(4, 3, 8, 8), None, draws)
        outcomes.append(torch.cat([p.detach().flatten() for p in family.parameters()]))
    assert torch.equal(*outcomes)


def test_a_batch_trains_the_critic_once_for_each_of_its_parts():
    family = make_family("wgan", side=8, width=4, batch=6, critic_steps=3)
    of_generator, of_critic = family.optimisers()
    family.train_step((of_generator, of_critic), torch.zeros(6, 3, 8, 8), None, torch.Generator())
    steps = [int(next(iter(o.state.values()))["step"]) for o in (of_generator, of_critic)]
    assert steps == [1, 3]


def test_the_generators_step_leaves_no_gradient_in_the_discriminator():
    family = make_family("dcgan", side=8, width=4, batch=4)
    family.train_step(family.optimisers(), torch.rand(4, 3, 8, 8), None, torch.Generator())
    before = [p.grad.clone() for p in family.discriminator.parameters()]
    fake = family.fake(family.draws(4, torch.Generator()))
    from detector.generators.steps import frozen

    with frozen(family.discriminator):
        family.judge(fake).sum().backward()
    after = [p.grad for p in family.discriminator.parameters()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert all(p.requires_grad for p in family.discriminator.parameters())


@pytest.mark.parametrize(
    ("side", "smallest", "expected"),
    [(32, 4, (4, 3)), (28, 4, (7, 2)), (64, 4, (4, 4)), (32, 6, (8, 2)), (28, 6, (7, 2)), (24, 4, (6, 2))],
    ids=str,
)
def test_a_side_is_a_small_grid_doubled(side, smallest, expected):
    assert pyramid(side, smallest) == expected


@pytest.mark.parametrize("side", [4, 7, 9, 30, 2], ids=str)
def test_a_side_that_no_doubling_reaches_is_refused(side):
    with pytest.raises(OptionRefused, match="cannot be reached"):
        pyramid(side)


def test_r3gan_weakens_its_penalties_along_a_cosine():
    family = make_family("r3gan", side=8, width=4, gamma_first=2.0, gamma_last=1.0)
    seen = []
    for part in (0.0, 0.5, 1.0):
        family.progress.fill_(part)
        seen.append(float(family.gamma()))
    assert seen == pytest.approx([2.0, 1.5, 1.0])


def test_penalties_on_a_part_of_the_batch_have_the_expectation_of_those_on_all():
    family = make_family("r3gan", side=8, width=4, penalised=1.0)
    x, y = torch.rand(8, 3, 8, 8), torch.rand(8, 3, 8, 8)
    whole = family.discriminator_loss(x, y, None, {})
    part = make_family("r3gan", side=8, width=4, penalised=0.5)
    halves = [part.discriminator_loss(x.roll(k, 0), y.roll(k, 0), None, {}) for k in (0, 4)]
    for name in ("discriminator", "r1", "r2"):
        mean = (halves[0][name] + halves[1][name]) / 2
        torch.testing.assert_close(mean, whole[name])


def test_a_pyramid_of_real_pictures_is_their_averages():
    family = make_family("lapgan", side=24, width=4)
    x = torch.rand(2, 3, 24, 24)
    levels = family._levels(x)
    assert [a.shape[-1] for a, _ in levels] == family.sides == [6, 12, 24]
    torch.testing.assert_close(levels[0][0], nn.functional.avg_pool2d(x, 4))
    assert levels[0][1] is None
    assert all(low.shape == a.shape for a, low in levels[1:])


def test_the_projection_adds_the_product_of_class_and_features():
    torch.manual_seed(0)
    net = Discriminator(make_family("biggan", side=8, width=4, classes=3).spec).eval()
    features = torch.rand(2, 16)
    labels = torch.tensor([2, 0])
    expected = net.logit(features).flatten() + (net.embedding.weight[labels] * features).sum(1)
    torch.testing.assert_close(net.judged(features, labels), expected)


def test_non_orthogonality_counts_what_is_off_the_diagonal():
    weight = torch.tensor([[1.0, 0.0], [3.0, 2.0]]).view(2, 2, 1, 1)
    assert float(non_orthogonality([weight])) == pytest.approx(2 * 9)
    assert float(non_orthogonality([torch.eye(4).view(4, 4, 1, 1)])) == 0


def bright_and_dark(n: int = 40) -> ImageSource:
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 2
    levels = np.where(labels, 200, 55)[:, None, None, None]
    images = np.clip(levels + rng.normal(0, 15, (n, SIDE, SIDE, 3)), 0, 255).astype(np.uint8)
    return ImageSource(name="two", images=images, labels=labels)


def test_biggan_draws_the_class_that_was_asked_for():
    one = fitted("biggan", bright_and_dark(), 60, width=8, learning_rate=2e-3, classes=2)
    dark, bright = (one.sample(16, 0, np.full(16, c)).mean() for c in (0, 1))
    assert dark + 40 < bright


def test_the_s3_mode_names_the_unlabelled_pictures():
    source = bright_and_dark()
    few = keep_labels(source, 0.1, seed=0)
    assert (few.labels >= 0).sum() == 4
    one = fitted("biggan", few, 60, width=8, learning_rate=2e-3, classes=2, few_labels=True)
    with torch.no_grad():
        net = one.family.discriminator
        named = net.classes(net.features(as_floats(source.images))).argmax(1).numpy()
    assert (named == source.labels).mean() > 0.9
    dark, bright = (one.sample(16, 0, np.full(16, c)).mean() for c in (0, 1))
    assert dark + 30 < bright


def test_unknown_labels_are_refused_outside_the_s3_mode():
    few = keep_labels(bright_and_dark(), 0.1, seed=0)
    with pytest.raises(CorpusError, match="few_labels=True infers them"):
        fitted("biggan", few, 1, classes=2)


def test_a_tenth_of_the_labels_is_a_tenth_of_every_class():
    labels = np.repeat([0, 1], [30, 10])
    few = keep_labels(ImageSource(name="x", images=np.zeros((40, 8, 8, 3), np.uint8), labels=labels), 0.1, 0)
    assert np.bincount(few.labels[few.labels >= 0]).tolist() == [3, 1]
    assert (few.labels[few.labels >= 0] == labels[few.labels >= 0]).all()


def test_a_reconstructing_network_gives_pictures_back_of_any_even_side():
    source = learned(SIDE)
    one = fitted("cyclegan", source, 150, width=8, learning_rate=5e-3)
    error = np.abs(one.reconstruct(source.images).astype(float) - source.images).mean()
    assert error < 20
    assert one.reconstruct(np.zeros((1, 20, 34, 3), np.uint8)).shape == (1, 20, 34, 3)
    with pytest.raises(CorpusError, match="multiples of 2"):
        one.reconstruct(np.zeros((1, 21, 34, 3), np.uint8))
    with pytest.raises(NotApplicable, match="draws none"):
        one.sample(1, 0)
    with pytest.raises(NotApplicable, match="does not translate"):
        one.translate(source.images, 1)


def test_unpaired_translation_moves_pictures_to_the_other_source_and_back():
    both = bright_and_dark()
    dark, bright = (
        ImageSource(name=n, images=both.images[both.labels == c]) for n, c in (("dark", 0), ("bright", 1))
    )
    source = unpaired(dark, bright)
    assert source.class_names == ("dark", "bright")
    one = fitted("cyclegan", source, 80, width=8, learning_rate=3e-3, mode="translate", classes=2)
    assert one.translate(dark.images, 1).mean() > 150
    assert one.translate(bright.images, 0).mean() < 105
    assert abs(one.reconstruct(dark.images).mean() - dark.images.mean()) < 30


def test_a_translator_leaves_pictures_of_its_own_kind_nearly_alone(monkeypatch):
    both = bright_and_dark()
    dark, bright = (
        ImageSource(name=n, images=both.images[both.labels == c]) for n, c in (("dark", 0), ("bright", 1))
    )

    def harm() -> float:
        """Mean absolute change, of 255, of bright pictures made bright and of dark ones made dark."""
        one = fitted(
            "cyclegan", unpaired(dark, bright), 80, width=8, learning_rate=3e-3, mode="translate", classes=2
        )
        kinds = ((dark.images, 0), (bright.images, 1))
        return float(np.mean([np.abs(one.translate(x, to) - x.astype(float)).mean() for x, to in kinds]))

    told = harm()
    monkeypatch.setattr(cyclegan, "_IDENTITY", 0.0)
    untold = harm()
    assert told < 15
    assert told < 0.8 * untold


def test_two_sources_of_different_shape_are_not_translated():
    with pytest.raises(CorpusError, match="different shapes"):
        unpaired(learned(8), learned(8, channels=1))
    with pytest.raises(OptionRefused, match="two classes"):
        make_family("cyclegan", mode="translate")
    with pytest.raises(OptionRefused, match="reconstruct or translate"):
        make_family("cyclegan", mode="paint")


def test_the_wasserstein_critic_has_no_norm_and_the_residual_branches_of_r3gan_start_silent():
    critic = make_family("wgan").discriminator
    assert not any(isinstance(m, nn.BatchNorm2d) for m in critic.modules())
    generator = make_family("r3gan", side=8, width=4).generator
    x = torch.rand(2, 16, 4, 4)
    torch.testing.assert_close(generator.stages[0](x), x)
    assert bool(torch.isfinite(generator(torch.randn(2, 64))).all())


@torch.no_grad()
def test_a_level_of_the_pyramid_adds_its_band_to_the_enlarged_picture():
    """With bands of nothing a sample is its coarsest picture, enlarged."""
    family = make_family("lapgan", side=24, width=4).eval()
    for level in family.generators[1:]:
        level.layers[-1].weight.zero_()
        level.layers[-1].bias.fill_(0.25)
    drawn = family.draw(3, torch.Generator().manual_seed(0))
    x = family.generators[0](family.draws(3, torch.Generator().manual_seed(0))["z"])
    for _ in range(2):
        x = nn.functional.interpolate(x.clamp(-1, 1), scale_factor=2.0, mode="bilinear") + 0.25
    torch.testing.assert_close(drawn, x)


def test_no_layer_of_a_discriminator_with_spectral_norm_stretches():
    """Largest singular value of every layer that judges, after steps that would have made it larger."""
    spec = BigganSpec(family="biggan", side=8, width=8, classes=2, learning_rate=0.05)
    judge = train(Biggan, spec, sixteen(8), steps=8)[0].discriminator
    heads = (judge.classes, judge.quarters)
    layers = [m for m in judge.modules() if isinstance(m, (nn.Conv2d, nn.Linear, nn.Embedding))]
    stretch = [
        torch.linalg.matrix_norm(m.weight.detach().flatten(1), 2).item() for m in layers if m not in heads
    ]
    assert stretch == pytest.approx([1.0] * 6, abs=0.1)
