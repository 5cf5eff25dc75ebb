"""The material of a detector of one's own: any folder of photos, and generators fitted on it."""
