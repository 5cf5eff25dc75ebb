"""Many files at once: a folder or an archive, side by side, resumable, with a summary."""
