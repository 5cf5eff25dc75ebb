"""Architectures of fake detectors. Importing this package loads torch; ``import detector`` does not."""
