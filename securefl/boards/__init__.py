"""Boards: places where parties post bytes for one another, whatever carries them (a folder, memory,
any fsspec URL).
"""
