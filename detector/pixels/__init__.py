"""Bytes to pixels, and what becomes of pixels on their way: containers, decoding, crops, re-encoding."""
