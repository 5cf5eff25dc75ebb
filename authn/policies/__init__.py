"""Policies: files of statements over both kinds of evidence, side by side, and what a report says of each."""
