"""Flower as a carrier: parties' objects travel in the messages of a SuperLink and its SuperNodes.

Each party has a spool, a folder of its own with a copy of the board. Its runner answers the
messages that its SuperNode pulls. The ServerApp keeps what was posted and hands it on.
"""
