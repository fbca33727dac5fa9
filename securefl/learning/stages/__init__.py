"""What a study does, in the order of its file: a stage a module, and what all of them share.

A stage is a schedule of releases. Whatever hospitals release is one of these releases; whatever is
not, cannot leave.
"""
