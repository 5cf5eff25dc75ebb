"""What a recipe is made of: regions, sets, training, calibration, evaluation, cards, plots."""
