"""Articles of an agreement, a file each: its table, and what in a study goes beyond it."""
