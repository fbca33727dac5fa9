"""Pages for people: facts in, words and tables out.

Nothing here reads a file, a clock or a private record.
"""
