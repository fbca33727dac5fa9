"""Folder, keys, locks, log and outbox: what every role needs, whichever it is."""
