"""Whole pictures: from a manifest of pictures to heads on an image encoder, each scored by what never saw
its like."""
