"""Strategies: how a hospital steps after the noise, and how the sum moves the model. A file each."""
