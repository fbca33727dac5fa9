"""Statistics from one noised list of counts: which cell a patient counts in, and what the sum says."""
