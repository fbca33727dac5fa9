"""The command line: one file a role; it reads, asks, prints, and leaves every decision to the rooms
below.
"""
