"""A trial of the detectors that are there: anybody's two folders of pictures, and the numbers in one page."""
