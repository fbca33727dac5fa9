"""A sealed model: length, signature, hash, list and files are checked in this order, whatever the
bytes are.
"""

import json

import pytest
from completed_study import finished

from securefl.errors import MessageError
from securefl.federation import bundle
from securefl.federation.messages import MAX_SMALL
from securefl.federation.sealing import seal_model
from securefl.signed import canonical, dump_signed


@pytest.fixture(scope="module")
def end():
    return finished()


@pytest.fixture(scope="module")
def site(end):
    return end.plan.study.cohort[0]


def signed(end, sealed, **changes):
    """Whatever the coordinator itself might seal and sign."""
    body = {
        "type": bundle.BundleStatement.TYPE,
        "study": end.plan.digest,
        "sha256": bundle._sha256(sealed),
        "bytes": len(sealed),
    }
    return bundle.SealedBundle(dump_signed(body | changes, end.room.researcher.sign), sealed)


def crafted(end, payload):
    return signed(end, seal_model(payload, bundle_readers(end), bundle._context(end.plan)))


def bundle_readers(end):
    return [identity.card for identity in end.room.identities.values()]


def payload(end, listed=None, files=None):
    files = files or end.files
    listed = listed or {
        n: {"bytes": len(files[n]), "sha256": bundle._sha256(files[n])} for n in bundle.FILES
    }
    head = canonical(listed)
    return len(head).to_bytes(4, "big") + head + b"".join(files[n] for n in bundle.FILES)


def test_the_files_come_back_as_they_were(end, site):
    assert end.opened(crafted(end, payload(end)), site) == dict(end.files)
    assert len(end.sealed().sealed) <= bundle.bundle_limit(end.plan)


def right_list(end):
    return {
        n: {"bytes": len(end.files[n]), "sha256": bundle._sha256(end.files[n])}
        for n in bundle.FILES
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda listed: listed.pop("model.json"), "no list of its files"),
        (
            lambda listed: listed.update({"../escape": {"bytes": 1, "sha256": "0" * 64}}),
            "no list of its files",
        ),
        (lambda listed: listed["model.json"].update(bytes=-1), "impossible of model.json"),
        (lambda listed: listed["model.json"].update(bytes=True), "impossible of model.json"),
        (lambda listed: listed["model.json"].update(bytes=1 << 40), "impossible of model.json"),
        (lambda listed: listed["model.json"].update(more=1), "impossible of model.json"),
        (lambda listed: listed["model.json"].update(sha256="x"), "impossible of model.json"),
        (lambda listed: listed.update({"model.json": 1}), "impossible of model.json"),
        (lambda listed: listed["model.json"].update(bytes=1), "does not fit what follows"),
        (
            lambda listed: listed["model.json"].update(sha256="0" * 64),
            "its model.json is not the one in its list",
        ),
    ],
)
def test_a_list_that_lies_is_refused(end, site, change, said):
    listed = right_list(end)
    change(listed)
    with pytest.raises(MessageError, match=said):
        end.opened(crafted(end, payload(end, listed)), site)


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"\0",
        b"\xff\xff\xff\xff",
        b"\0\0\0\x02[]",
        b"\0\0\0\x04nope",
        b"\0\0\x20\0" + b"[" * 8192,
    ],
    ids=repr,
)
def test_whatever_is_inside_is_refused_and_not_run_over(end, site, junk):
    with pytest.raises(MessageError, match="no list of its files"):
        end.opened(crafted(end, junk), site)


def test_the_statement_is_of_this_study_and_of_a_possible_size(end, site):
    sealed = end.sealed().sealed
    for changes in (
        {"study": "0" * 64},
        {"sha256": "x"},
        {"bytes": 0},
        {"bytes": True},
        {"bytes": bundle.bundle_limit(end.plan) + 1},
    ):
        with pytest.raises(MessageError, match="is refused"):
            end.opened(signed(end, sealed, **changes), site)
    with pytest.raises(MessageError, match="at most"):
        bundle.open_statement(b"x" * (MAX_SMALL + 1), end.plan, end.by_coordinator)
    longer = bundle.SealedBundle(end.sealed().statement, bytes(sealed) + b"x")
    with pytest.raises(MessageError, match="not the one that the coordinator signed"):
        end.opened(longer, site)


def test_hashes_of_the_figures_are_not_in_the_open(end):
    statement = end.sealed().statement
    for content in end.files.values():
        assert bundle._sha256(content).encode() not in statement
    assert set(json.loads(statement.split(b"\n", 1)[1])) == {"type", "study", "sha256", "bytes"}


def test_transcripts_come_back_in_order(end):
    found = bundle.read_transcripts(end.files[bundle.TRANSCRIPTS], end.plan, end.by_coordinator)
    assert [t.round for t in found] == list(range(1, end.plan.last_round + 1))
    assert [t.model_sha256 for t in found] == [r.model_sha256 for r in end.outcome.records]
    with pytest.raises(MessageError, match="more transcripts than rounds"):
        bundle.read_transcripts(end.files[bundle.TRANSCRIPTS] + b"x", end.plan, end.by_coordinator)
