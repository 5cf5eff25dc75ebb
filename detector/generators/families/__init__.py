"""One family of generators a file, to be read beside its paper."""
