"""The contract: what a study file may say, its digest, and who approved it.

Pure: texts in, objects out.
"""
