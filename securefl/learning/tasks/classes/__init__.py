"""Task of several classes: one of 3 to 20 named classes a row."""
