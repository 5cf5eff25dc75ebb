"""Generators that make fakes for training: families with their losses and blocks, and the table of them."""

from detector.generators.table import FAMILIES, Row, family_row, make_family, parse_settings, parse_spec

__all__ = ["FAMILIES", "Row", "family_row", "make_family", "parse_settings", "parse_spec"]
