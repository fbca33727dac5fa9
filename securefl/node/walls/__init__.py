"""Walls round the worker: each kind of kernel door that puts some of them up, and their sum."""
