"""The pixel laboratory: it knows how the pixels score. Importing this package does not load torch."""
