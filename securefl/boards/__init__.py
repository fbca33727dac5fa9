"""Boards: places where parties post bytes for one another, whatever carries them.

A folder, memory, any fsspec URL.
"""
