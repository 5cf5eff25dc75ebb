"""Whether a picture is a photo of a screen or a print: from photos of both to weights."""
