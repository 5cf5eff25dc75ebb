"""A classifier that learns from few labels and from what a generator draws."""
