"""The one writer of a log, its storage, and the asking of witnesses."""
