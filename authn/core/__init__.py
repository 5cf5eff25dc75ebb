"""What every room stands on: errors, settings, media, the two kinds of evidence, the report as values."""
