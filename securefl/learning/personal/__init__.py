"""Models of one hospital's own, made at home after a study from its finished model.

No noise is added and nothing is charged: what is made here may not leave the hospital.
"""
