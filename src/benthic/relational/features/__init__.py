"""Features along foreign-key paths."""
