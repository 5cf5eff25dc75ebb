"""The material of detectors that ship: a corpus with an index, licences and splits of its own."""
