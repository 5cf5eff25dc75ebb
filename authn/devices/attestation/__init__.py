"""What the makers of devices say about the keys in them. Pure rules: no network, no clock, no registry."""
