"""A hospital at work: its folder and keys, the policy on requests, approvals, the agent and its
isolated worker.
"""
