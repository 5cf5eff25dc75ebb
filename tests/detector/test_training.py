from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from detector.augment import resize
from detector.errors import CorpusError
from detector.evaluate import operating_point
from detector.generators.recon import UPSAMPLERS, reconstruct, train_autoencoder
from detector.infer import raw_logit
from detector.metrics import auc
from detector.networks.residual import ResidualNet, fake_score
from detector.training import FAMILY_SHARES, TrainingOptions, batch_of, read_log, train
from detector.training_set import FAMILIES, TrainingSet, random_regions
from tests.detector.made import photo_like

QUICK = TrainingOptions(epochs=2, steps_per_epoch=3, pairs_per_batch=3, crop_side=64, width=12)


def enlarged(seed: int, side: int = 160):
    """A "generated" picture: enlarged from half its size, the crudest trace there is."""
    return resize(photo_like(side // 2, side // 2, seed), 2.0, "linear")


@pytest.fixture(scope="module")
def data() -> TrainingSet:
    real = np.stack([photo_like(160, 160, s) for s in range(12)])
    fake = np.stack([enlarged(100 + s) for s in range(12)])
    family = np.array([0] * 6 + [1] * 6)
    return TrainingSet(
        real=real,
        real_set=np.array([0, 1] * 3 + [-1] * 6),
        paired=np.array([False] * 6 + [True] * 6),
        fake=fake,
        family=family,
        twin=np.array([-1] * 6 + list(range(6, 12))),
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
    with pytest.raises(CorpusError, match="other options"):
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
    net = train(data, options, tmp_path)
    real = np.array([raw_logit(net, photo_like(160, 160, 500 + s)) for s in range(10)])
    fake = np.array([raw_logit(net, enlarged(600 + s)) for s in range(10)])
    assert auc(real, fake) > 0.9


def test_a_pair_shares_its_view_and_reals_stand_first(data):
    batch = batch_of(data, QUICK, np.random.default_rng(0))
    assert batch.pixels.shape == (6, 3, 64, 64)
    assert batch.family[:3].tolist() == [0, 0, 0]
    assert (batch.family[3:] > 0).all()


def test_an_identical_pair_is_seen_identically(data):
    same = TrainingSet(
        real=data.real, real_set=data.real_set, paired=data.paired, fake=data.real[6:],
        family=np.array([1] * 6), twin=np.arange(6, 12),
    )  # fmt: skip
    batch = batch_of(same, QUICK, np.random.default_rng(1))
    real, fake = batch.pixels.chunk(2)
    assert torch.equal(real, fake)
    assert batch.aligned.all()


def test_a_set_without_unpaired_reals_is_refused(data):
    with pytest.raises(CorpusError):
        TrainingSet(
            real=data.real, real_set=data.real_set, paired=np.ones(12, bool), fake=data.fake,
            family=data.family, twin=data.twin,
        )  # fmt: skip


def test_every_family_has_a_share():
    assert len(FAMILY_SHARES) == len(FAMILIES)
    assert sum(FAMILY_SHARES) == pytest.approx(1.0)


@pytest.mark.parametrize("upsampler", UPSAMPLERS)
def test_an_autoencoder_learns_to_copy_and_keeps_the_size(upsampler):
    photos = [photo_like(64, 64, s) for s in range(3)]
    net = train_autoencoder(upsampler, photos, steps=45, seed=0)
    out = reconstruct(net, photos[0])
    assert out.shape == photos[0].shape
    assert np.abs(out.astype(int) - photos[0]).mean() < 30


def test_regions_of_a_small_picture_do_not_exist():
    assert random_regions(photo_like(200, 300), 4, np.random.default_rng(0)) == []


def test_the_score_is_the_log_odds_of_all_families_together():
    logits = torch.tensor([[0.0, 0.0, 0.0], [5.0, 0.0, 0.0]])
    assert fake_score(logits).tolist() == pytest.approx([np.log(2), np.log(2) - 5])


def test_the_network_does_not_see_constant_brightness():
    net = ResidualNet(2, 12).eval()
    x = torch.from_numpy(photo_like(64, 64)).permute(2, 0, 1)[None].float() * 0.5 + 20
    inner = slice(4, 60)
    moved = net.residuals(x + 30)[..., inner, inner]
    assert torch.allclose(net.residuals(x)[..., inner, inner], moved, atol=1e-4)


def test_the_network_takes_odd_sides():
    assert ResidualNet(2, 12).eval()(torch.zeros(1, 3, 131, 129)).shape == (1, 3)


def test_the_operating_point_lets_few_calibration_reals_pass():
    rng = np.random.default_rng(0)
    real, fake = rng.normal(0, 1, (40, 3)), rng.normal(2, 1, (40, 3))
    point = operating_point(real, fake)
    assert (real >= point.supports_logit).mean() <= 0.05
    assert (fake <= point.against_logit).mean() <= 0.05
    assert point.against_logit < point.supports_logit
