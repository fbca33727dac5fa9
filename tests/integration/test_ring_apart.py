"""A consortium of five from nothing to its first approved study, each party on a host of its own."""

from __future__ import annotations

import json
import warnings

import pytest
import ring_apart
from hosts import NoRightError, hosts


@pytest.mark.soak
def test_five_hospitals_reach_an_approved_study_in_an_hour_with_a_store_alone_in_common(tmp_path):
    before = ring_apart.processor_minutes()
    try:
        with hosts(ring_apart.PARTIES, tmp_path) as made:
            strangers = {name: made.strangers(name) for name in made.names}
            figures, screen, end = ring_apart.play(tmp_path / "desks", made)
    except NoRightError as error:
        reason = f"NOT TESTED, a ring apart: this user may make no network namespaces ({error})"
        warnings.warn(reason, stacklevel=1)
        pytest.skip(reason)
    figures["processor_minutes"] = round(ring_apart.processor_minutes() - before, 1)
    # for docs/operation.md
    (tmp_path / "figures.json").write_text(json.dumps(figures))
    # each host reached the store alone
    assert not any(strangers.values())
    for name in ring_apart.HOSPITALS:
        assert f"{name} approved;" in screen
    assert figures["minutes"] < 60
    assert "one sum of 5 hospitals" in end
