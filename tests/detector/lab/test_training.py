from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from detector.core.errors import FileDamaged, LabError
from detector.core.metrics import auc
from detector.generators.aligned.autoencoders import UPSAMPLERS, reconstruct, train_autoencoder
from detector.lab.steps.calibrate import conformal_quantile, operating_point
from detector.lab.steps.regions import random_regions
from detector.lab.steps.training import read_log, total_loss, train
from detector.lab.steps.training_set import CODECS, TrainingOptions, TrainingSet, batch_of
from detector.models.inference import read
from detector.models.weights import shipped_tensors
from detector.networks.traces import TraceNet, fake_score, reverse_gradient
from detector.pixels.augment import resize
from detector.pixels.preprocess import crops_of
from tests.detector.made import photo_like, runnable

QUICK = TrainingOptions(epochs=2, steps_per_epoch=3, pairs_per_batch=3, crop_side=64, width=12)


def enlarged(seed: int, side: int = 160):
    """A "generated" picture: enlarged from half its size, the crudest trace there is."""
    return resize(photo_like(side // 2, side // 2, seed), 2.0, "linear")


@pytest.fixture(scope="module")
def data() -> TrainingSet:
    """Six whole fakes beside six photos of two sources, and six fakes with a twin."""
    return TrainingSet(
        real=np.stack([photo_like(160, 160, s) for s in range(12)]),
        source=np.array([0, 1] * 6),
        single=np.array([True] * 6 + [False] * 6),
        fake=np.stack([enlarged(100 + s) for s in range(12)]),
        family=np.array([0] * 6 + [1] * 6),
        twin=np.array([-1] * 6 + list(range(6, 12))),
        families=("whole", "aligned"),
        sources=("a", "b"),
        share=(0.5, 0.5),
        digest="d",
    )


def weights_of(net) -> list[float]:
    return [float(p.double().sum()) for p in net.state_dict().values()]


def test_the_same_seed_trains_the_same_network(data, tmp_path):
    first, second = (train(data, QUICK, tmp_path / n) for n in "ab")
    assert weights_of(first) == weights_of(second)


def test_an_interrupted_run_resumes_to_the_same_network(data, tmp_path):
    whole = train(data, QUICK, tmp_path / "whole")

    def interrupt(done: int, total: int) -> None:
        if done == total - 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(data, QUICK, tmp_path / "cut", progress=interrupt)
    assert len(read_log(tmp_path / "cut")) == 1
    assert weights_of(train(data, QUICK, tmp_path / "cut")) == weights_of(whole)
    assert len(read_log(tmp_path / "cut")) == 2


def test_a_finished_run_is_not_trained_again(data, tmp_path):
    net = train(data, QUICK, tmp_path)
    steps = []
    again = train(data, QUICK, tmp_path, progress=lambda done, _total: steps.append(done))
    assert steps == []
    assert weights_of(again) == weights_of(net)


def test_a_run_folder_of_other_options_is_refused(data, tmp_path):
    train(data, QUICK, tmp_path)
    with pytest.raises(LabError, match="other options"):
        train(data, TrainingOptions(seed=1, epochs=2), tmp_path)


def test_a_log_line_cut_short_by_a_crash_is_left_out(data, tmp_path):
    train(data, QUICK, tmp_path)
    log = tmp_path / "log.jsonl"
    log.write_text(log.read_text()[:-20])
    assert len(read_log(tmp_path)) == 1


def test_options_lie_beside_the_result(data, tmp_path):
    train(data, QUICK, tmp_path)
    assert json.loads((tmp_path / "options.json").read_text())["crop_side"] == 64


@pytest.mark.slow
def test_a_short_training_separates_a_crude_generator_from_a_camera(data, tmp_path):
    options = TrainingOptions(epochs=1, steps_per_epoch=30, pairs_per_batch=6, crop_side=64, width=12)
    net = runnable(train(data, options, tmp_path))
    real = np.array([read(net, crops_of(photo_like(160, 160, 500 + s))).logit for s in range(10)])
    fake = np.array([read(net, crops_of(enlarged(600 + s))).logit for s in range(10)])
    assert auc(real, fake) > 0.9


def test_a_run_folder_of_other_pictures_is_refused(data, tmp_path):
    train(data, QUICK, tmp_path)
    with pytest.raises(LabError, match="other options or pictures"):
        train(replace(data, digest="e"), QUICK, tmp_path)


def test_a_batch_is_two_views_of_reals_and_then_fakes(data):
    batch = batch_of(data, QUICK, np.random.default_rng(0))
    assert batch.pixels.shape == (12, 3, 64, 64)
    assert batch.family[:3].tolist() == [0, 0, 0]
    assert (batch.family[3:6] > 0).all()
    assert batch.family[:6].tolist() == batch.family[6:].tolist()
    assert (batch.source[:3] >= 0).all()
    assert (batch.source[3:6] == -1).all()


def test_an_identical_pair_is_seen_identically(data):
    same = replace(data, fake=data.real, family=np.array([1] * 12), twin=np.arange(12), share=(0.0, 1.0))
    batch = batch_of(same, QUICK, np.random.default_rng(1))
    views = batch.pixels.view(2, 2, 3, 3, 64, 64)
    assert torch.equal(views[:, 0], views[:, 1])
    assert batch.aligned.all()
    assert torch.equal(batch.codec[:3], batch.codec[3:6])


def test_the_codec_is_no_label(data):
    """Over many batches both classes get the same mixture of encodings."""
    rng = np.random.default_rng(2)
    counts = np.zeros((2, CODECS))
    for _ in range(60):
        batch = batch_of(data, QUICK, rng)
        for fake in (0, 1):
            codec = batch.codec[(batch.family > 0) == bool(fake)].numpy()
            counts[fake] += np.bincount(codec, minlength=CODECS)
    shares = counts / counts.sum(1, keepdims=True)
    assert np.abs(shares[0] - shares[1]).max() < 0.06


def test_a_family_without_a_share_is_not_drawn(data):
    only = replace(data, share=(0.0, 1.0))
    batch = batch_of(only, QUICK, np.random.default_rng(3))
    assert set(batch.family[3:6].tolist()) == {2}


def test_whole_fakes_without_photos_to_stand_beside_are_refused(data):
    with pytest.raises(LabError, match="without a twin"):
        replace(data, single=np.zeros(12, bool))


def test_a_set_without_a_share_for_every_family_is_refused(data):
    with pytest.raises(LabError, match="share"):
        replace(data, share=(1.0,))


def test_the_adversary_pushes_the_features_the_other_way():
    x = torch.ones(3, requires_grad=True)
    (reverse_gradient(x, 0.5) * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [-0.5, -1.0, -1.5]


def test_disagreeing_views_cost_more_than_agreeing_ones(data):
    batch = batch_of(data, QUICK, np.random.default_rng(4))
    net = TraceNet(2, 12, sources=2, codecs=CODECS).eval()
    heads = net.heads(batch.pixels)
    logits = torch.zeros(12, 3)
    agreeing = total_loss(replace(heads, family=logits), batch, QUICK)
    split = logits.clone()
    split[:6, 0], split[6:, 0] = 1.0, -1.0
    only_agreement = replace(QUICK, margin_weight=0.0, agreement_weight=50.0)
    gap = total_loss(replace(heads, family=split), batch, only_agreement) - total_loss(
        replace(heads, family=split), batch, replace(only_agreement, agreement_weight=0.0)
    )
    assert float(gap.detach()) == pytest.approx(50.0 * 4.0, rel=1e-3)
    assert float(agreeing.detach()) > 0


@pytest.mark.parametrize("upsampler", UPSAMPLERS)
def test_an_autoencoder_learns_to_copy_and_keeps_the_size(upsampler):
    photos = [photo_like(64, 64, s) for s in range(3)]
    net = train_autoencoder(upsampler, photos, steps=45, seed=0, short=False)
    out = reconstruct(net, photos[0])
    assert out.shape == photos[0].shape
    assert np.abs(out.astype(int) - photos[0]).mean() < 30


def test_regions_of_a_small_picture_do_not_exist():
    assert random_regions(photo_like(200, 300), 4, np.random.default_rng(0)) == []


def test_the_score_is_the_log_odds_of_all_families_together():
    logits = torch.tensor([[0.0, 0.0, 0.0], [5.0, 0.0, 0.0]])
    assert fake_score(logits).tolist() == pytest.approx([np.log(2), np.log(2) - 5])


def test_the_network_does_not_see_constant_brightness():
    net = TraceNet(2, 12).eval()
    x = torch.from_numpy(photo_like(64, 64)).permute(2, 0, 1)[None].float() * 0.5 + 20
    inner = slice(4, 60)
    moved = net.residuals(x + 30)[..., inner, inner]
    assert torch.allclose(net.residuals(x)[..., inner, inner], moved, atol=1e-4)


def test_the_network_takes_odd_sides():
    assert TraceNet(2, 12).eval()(torch.zeros(1, 3, 131, 129)).shape == (1, 3)


def test_the_operating_point_is_that_of_the_worst_source_and_the_worst_generator():
    rng = np.random.default_rng(0)
    real = {"quiet": rng.normal(0, 1, (40, 3)), "loud": rng.normal(1, 1, (40, 3))}
    fake = {"easy": rng.normal(4, 1, (40, 3)), "hard": rng.normal(2, 1, (40, 3))}
    point = operating_point(real, fake)
    for scores in real.values():
        assert (scores >= point.supports_logit).mean() <= 0.05
    for scores in fake.values():
        assert (scores <= point.against_logit).mean() <= 0.05
    alone = operating_point({"quiet": real["quiet"]}, fake)
    assert alone.supports_logit < point.supports_logit


def test_too_few_scores_for_a_quantile_give_the_largest():
    assert conformal_quantile(np.array([3.0, 1.0, 2.0]), 0.05) == 3.0
    assert conformal_quantile(np.arange(1.0, 40.0), 0.05) == 38.0


def test_training_goes_on_from_weights_that_are_there_and_says_so(data, tmp_path):
    torch.manual_seed(5)
    begun = {k: v.numpy() for k, v in shipped_tensors(TraceNet(7, 12, sources=3, codecs=2)).items()}
    still = replace(QUICK, epochs=1, steps_per_epoch=1, learning_rate=0.0, start="of those weights")
    net = train(data, still, tmp_path / "still", start=begun).state_dict()
    assert np.allclose(net["stem.weight"].numpy(), begun["stem.weight"]), "nothing was learned at rate zero"
    assert net["family.weight"].shape[0] == 3, "the last layer is of the new families"
    with pytest.raises(LabError, match="other options"):
        train(data, replace(still, start=""), tmp_path / "still")


def test_weights_of_another_shape_are_no_start(data, tmp_path):
    other = {k: v.numpy() for k, v in shipped_tensors(TraceNet(2, 8)).items()}
    for n, start in enumerate((other, {}, {"family.weight": np.zeros((3, 4), np.float32)})):
        with pytest.raises(FileDamaged, match="not those of a trace network"):
            train(data, QUICK, tmp_path / str(n), start=start)


def test_a_start_that_holds_a_part_of_the_network_is_refused_with_what_it_lacks(data, tmp_path):
    whole = {k: v.numpy() for k, v in shipped_tensors(TraceNet(2, 12)).items()}
    for lacking in ("stem.weight", "blocks.2.conv2.weight", "norm.running_mean"):
        part = {k: v for k, v in whole.items() if k != lacking}
        with pytest.raises(FileDamaged, match=f"a part of a trace network: {lacking} lack"):
            train(data, QUICK, tmp_path / lacking, start=part)
    with pytest.raises(FileDamaged, match=r"stem\.weight and \d+ more lack"):
        train(data, QUICK, tmp_path / "two", start={"norm.weight": whole["norm.weight"]})
