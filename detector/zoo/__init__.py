"""Fitting generators, keeping them, drawing from them, judging what they draw."""
