"""The PySyft adapter, both sides: transport, inbox check, peers, data sets with mock data, code
requests, small outputs.
"""
