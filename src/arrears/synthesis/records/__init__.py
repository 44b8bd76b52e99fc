"""Records from a table: read, fit, sample, and the evidence of quality and privacy."""
