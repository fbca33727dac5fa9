"""The binary task: two outcomes, logistic loss, and the ranking of held-out patients."""
