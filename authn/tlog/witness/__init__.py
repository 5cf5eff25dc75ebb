"""Witnessing the logs of others."""
