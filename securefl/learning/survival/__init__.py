"""Survival curves of groups of patients, read off one noised list of counts."""
