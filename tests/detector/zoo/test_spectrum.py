from __future__ import annotations

import numpy as np
import pytest

from detector.core.errors import NotApplicable
from detector.zoo.judging.spectrum import profile_db, ring_powers, spectrum_distance


def grey(picture: np.ndarray) -> np.ndarray:
    return np.repeat(np.clip(picture, 0, 255).round().astype(np.uint8)[None, :, :, None], 3, axis=3)


def noise(n: int, side: int, seed: int, sigma: float = 20.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.normal(128, sigma, (n, side, side, 1))
    return np.repeat(np.clip(values, 0, 255).round().astype(np.uint8), 3, axis=3)


@pytest.mark.parametrize("frequency", [3, 7, 12])
def test_a_wave_stands_in_the_ring_of_its_frequency(frequency: int) -> None:
    x = np.arange(32)
    wave = 128 + 80 * np.cos(2 * np.pi * frequency * x / 32)[None].repeat(32, 0)
    assert int(np.argmax(ring_powers(grey(wave))[0])) + 1 == frequency


def test_white_noise_has_a_flat_profile_at_its_variance() -> None:
    profile = profile_db(ring_powers(noise(300, 32, 0)))
    assert profile[1:] == pytest.approx(10 * np.log10(20.0**2 + 1 / 12), abs=0.5)


def test_ten_times_less_amplitude_is_twenty_decibels() -> None:
    real, fake = noise(200, 32, 0, 40.0), noise(200, 32, 1, 4.0)
    found = spectrum_distance(ring_powers(real), ring_powers(fake))
    assert found.rms_db.value == pytest.approx(20, abs=0.5)
    assert found.high_db.value == pytest.approx(-20, abs=0.5)
    assert found.high_db.low <= found.high_db.value <= found.high_db.high


def test_a_pattern_is_a_surplus_at_high_frequencies_and_blur_a_deficit() -> None:
    real = noise(100, 16, 0)
    powers = ring_powers(real)
    columns = (np.indices((16, 16))[1] % 2 * 30)[None, :, :, None]
    patterned = (real + columns).clip(0, 255).astype(np.uint8)
    shifted = np.roll(real, 1, 1).astype(int) + np.roll(real, 1, 2)
    blurred = ((real + shifted) // 3).astype(np.uint8)
    assert spectrum_distance(powers, ring_powers(patterned)).high_db.low > 0
    assert spectrum_distance(powers, ring_powers(blurred)).high_db.high < 0


def test_the_distance_of_a_set_to_itself_is_zero() -> None:
    powers = ring_powers(noise(20, 16, 0))
    assert spectrum_distance(powers, powers).rms_db.value == 0


def test_pictures_without_a_spectrum_are_refused() -> None:
    with pytest.raises(NotApplicable):
        ring_powers(np.zeros((2, 4, 4, 3), np.uint8))
    with pytest.raises(NotApplicable):
        spectrum_distance(ring_powers(noise(2, 16, 0)), ring_powers(noise(2, 32, 0)))
