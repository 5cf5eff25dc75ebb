"""Pictures with their origin: the index of a corpus, licences, splits."""
