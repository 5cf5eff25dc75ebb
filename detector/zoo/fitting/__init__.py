"""The one training loop of the zoo and what it keeps on disk."""
