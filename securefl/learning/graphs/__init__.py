"""Graphs of listed operations: a researcher's own model as data.

A graph is read, sized and shown without torch (:mod:`securefl.learning.graphs.graph`); it is made
of a ``model.py`` at the researcher's (:mod:`securefl.learning.graphs.graph_export`) and runs on
blocks of records in a hospital's worker (:mod:`securefl.learning.graphs.lifted_graph`).
"""
