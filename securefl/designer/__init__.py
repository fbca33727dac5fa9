"""Design of a study file from public facts: a question, published descriptions and sizes in, a
complete and commented file out, each figure by a rule that stands beside it.
"""
