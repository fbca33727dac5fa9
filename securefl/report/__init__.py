"""Pages for people: facts in, a page out, drawn for a terminal, a browser or as Markdown.

Nothing here reads a clock, a private record, or a file but the package's own stylesheets and
templates.
"""
