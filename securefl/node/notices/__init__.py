"""Notices to a hospital's owner: what happened, by a command, by mail, or to a web address."""
