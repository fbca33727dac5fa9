"""The task of a time to an event: hazards of public intervals, C-index and Brier score by time."""
