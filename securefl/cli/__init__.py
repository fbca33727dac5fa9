"""Command line: one file a role, reading, asking and printing; the rooms below decide."""
