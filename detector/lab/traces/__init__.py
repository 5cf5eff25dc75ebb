"""The trace detector from a corpus with a manifest: aligned pairs, a backbone, a head, and their worth."""
