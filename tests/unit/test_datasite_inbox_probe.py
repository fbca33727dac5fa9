"""What waits for a site in the store, seen without PySyft."""

from securefl.boards.opening import open_board
from securefl.datasite.address import site_email
from securefl.datasite.inbox_probe import waiting
from securefl.datasite.layout import datasite

ME, OTHER = site_email("SVI"), site_email("researcher")


def test_messages_and_parties_that_ask_are_seen_and_other_sites_are_not(tmp_path):
    store = open_board(str(tmp_path))
    assert waiting(store, ME) == ()
    store.post(datasite(ME, "peers", f"{OTHER}.json"), b"{}")
    store.post(datasite(ME, "inbox", OTHER, "message"), b"sealed")
    store.post(datasite(OTHER, "inbox", ME, "another"), b"sealed")
    store.post(datasite(ME, "log", "event"), b"sealed")
    assert waiting(store, ME) == (f"{OTHER}.json", f"{OTHER}/message")
    store.erase(datasite(ME, "inbox", OTHER, "message"))
    assert waiting(store, ME) == (f"{OTHER}.json",)
