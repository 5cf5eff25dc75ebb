"""Makers of aligned fakes that are no family: pictures passed through a network that leaves a trace."""
