"""PySyft adapter, both sides: transport, inbox check, peers, data sets, code requests, outputs."""
