"""Signal analyses without learning."""
