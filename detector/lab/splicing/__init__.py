"""Which places of a picture have another past: from aligned composites of licensed photos to a head."""
