"""Watching somebody's log, and one's own devices in it."""
