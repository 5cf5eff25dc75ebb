"""Generators that make fakes for training. Importing this package loads torch; ``import detector`` does
not."""
