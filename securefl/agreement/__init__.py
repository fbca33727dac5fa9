"""Agreement of a consortium: the articles that all parties sign, and what in a study goes beyond
them. Pure.
"""
