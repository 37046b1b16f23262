"""Graph learning that keeps working at depth."""
