"""A whole study of the product's agents, aggregator and researcher over a real SuperLink with TLS and
SuperNode authentication: ready statements, rounds, checked totals, end.
"""

from __future__ import annotations

import pytest

pytest.importorskip("flwr", reason="Flower is not installed: pip install 'securefl[flower]'")

from consortium import NAMES, Consortium
from flower_processes import flower_network
from killed_hospital import SHORT, invite

from securefl.backoff import poll
from securefl.boards.board import MARKER, MARKER_BYTES
from securefl.boards.opening import open_board

pytestmark = pytest.mark.soak

#: A journey over Flower takes seconds.
LONG = ("round_deadline = 60", "round_deadline = 600")
PATIENCE = 400


def marked(network, name):
    """The store of a party, once the mark of the party that made it has arrived there."""
    if name != "researcher":  # whose folder is made first
        board = open_board(network.url(name))
        assert poll(lambda: board.read(MARKER, MARKER_BYTES), seconds=PATIENCE)
    return network.url(name)


def test_agents_of_three_hospitals_run_a_study_over_flower(tmp_path):
    with flower_network(tmp_path / "n", (*NAMES, "sums", "researcher")) as network:
        root = tmp_path / "parties"
        root.mkdir()
        c = Consortium(root, way_of=lambda name: marked(network, name))
        try:
            study = c.new_study("carried", *SHORT, LONG)
            invite(c, study)
            for name in NAMES:
                c.hand_over(study, name)
                c.approve(name, study)
            c.start_all()
            waits = "all hospitals waiting for the researcher"
            c.until(
                lambda: all("researcher" in c.waits_for(name, study) for name in NAMES),
                waits,
                PATIENCE,
            )
            found = c.run(study)
            c.ended(study, *NAMES, status="completed", seconds=PATIENCE)
        finally:
            c.end_all()
        assert set(found.extracts) <= set(NAMES)
        records = found.outcome.records
        assert [sorted(record.contributions) for record in records] == [list(NAMES)] * len(records)
        for name in NAMES:  # each verified every total, by what lies in its own spool
            assert "its total was verified" in c.log(name)
