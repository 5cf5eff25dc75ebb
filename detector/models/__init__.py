"""A trained detector as it is shipped: card, weights, calibration, score."""
