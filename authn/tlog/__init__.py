"""The transparency log: what was logged can be proved to anybody and cannot be taken back unseen."""
