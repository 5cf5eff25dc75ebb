"""A service's home as one file, and a home out of it whose log contradicts nothing that was signed."""
