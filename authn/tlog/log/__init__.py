"""A log that is written here: its face, its one writer over tables, its mark, the feeding of witnesses."""
