"""A hospital's process imports PySyft without Google's clients and IPython, and can still load them."""

import json
import subprocess
import sys

import pytest

from securefl.datasite.import_stand_ins import UNUSED, LeftOutError, unused_left_out

SCRIPT = """
import json, sys
from pathlib import Path
from securefl.node.request_ways import intake_of
from securefl.node.site import Site
root = Path(sys.argv[1])
site = Site.init(root / "site", name="SVI", legal_name="A", email="a@b.example", store=str(root / "s"))
intake_of(site).exchange(site, print)
site.ledger.close()
loaded = sorted(sys.modules)
from IPython.display import HTML
from googleapiclient.errors import HttpError
print(json.dumps({"loaded": loaded, "later": [HTML.__module__, HttpError.__module__]}))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    root = tmp_path_factory.mktemp("agent")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT, str(root)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_an_exchange_with_pysyft_loads_neither_google_nor_ipython(found):
    loaded = set(found["loaded"])
    assert {"syft", "syft_rds", "syft_notebook_ui"} <= loaded
    assert not loaded & {"IPython", "googleapiclient", "google_auth_oauthlib", "google.oauth2"}
    assert not loaded & {"oauthlib", "httplib2", "requests_oauthlib", "traitlets"}


def test_who_imports_them_later_gets_the_real_ones(found):
    assert found["later"] == ["IPython.core.display", "googleapiclient.errors"]


def test_a_stand_in_that_is_called_refuses_and_is_gone_afterwards(monkeypatch):
    for modules in UNUSED.values():
        for name in modules:
            monkeypatch.delitem(sys.modules, name, raising=False)
    with unused_left_out():
        from googleapiclient.discovery import build
        from googleapiclient.errors import HttpError

        with pytest.raises(LeftOutError, match=r"googleapiclient\.discovery\.build is left out"):
            build("drive", "v3")
        assert issubclass(HttpError, Exception)
    assert not set(UNUSED) & set(sys.modules)


def test_what_is_imported_already_stays(monkeypatch):
    real = object()
    monkeypatch.setitem(sys.modules, "IPython", real)
    with unused_left_out():
        assert sys.modules["IPython"] is real
    assert sys.modules["IPython"] is real
