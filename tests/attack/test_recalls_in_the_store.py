"""Whoever operates the store alters, forges, moves, replays or drops recalls of models. What no hospital
of the model signed is heeded nowhere; a recall that is kept back reaches its readers as a file.

Each attack has a control in which it succeeds, or in which the honest recall does.
"""

import shutil

import pytest
from conftest import fixed_identity
from recalling_hospitals import AT, STUDY, WHY, Hospitals

from securefl.errors import NotApprovedError
from securefl.federation import paths
from securefl.learning import model_notices
from securefl.learning.artefact import load_model, save_model
from securefl.learning.model_notices import NOTICES, Recall
from securefl.node.owner.models import plan_recall, recall

ROW = {"age": ["30"], "TSH": ["1"], "sex": ["F"], "sick": ["f"]}
OPERATOR = fixed_identity("Operator", "aggregator")


@pytest.fixture
def those(tmp_path):
    made = Hospitals(tmp_path)
    yield made
    made.close()


def careless(monkeypatch):
    """A reader that leaves the signature out."""
    kept = Recall.open.__func__

    def unverified(cls, data, *, verify, **expected):
        del verify
        return kept(cls, data, verify=lambda *_: True, **expected)

    monkeypatch.setattr(model_notices.Recall, "open", classmethod(unverified))


def test_a_recall_that_the_operator_invents_is_heeded_nowhere(those, monkeypatch):
    forged = Recall(STUDY, those.model("Nord").digest, "Nord", "Use it no more.", AT)
    those.slot("Nord").post(forged.dump(OPERATOR.sign))
    those.turn()
    assert [those.recalled_at(name) for name in those.names] == [[], [], []]
    those.model("Mitte").predict(ROW)
    assert sum("is not heeded" in line for line in those.lines) == 3
    # control: without the signature's check it would count
    careless(monkeypatch)
    those.watches = {name: those.watch() for name in those.names}
    those.turn()
    assert those.recalled_at("Mitte") == ["Nord"]


@pytest.mark.parametrize("part", [b"scale", b"Nord", AT[:10].encode(), STUDY[:12].encode()])
def test_an_altered_recall_is_heeded_nowhere_and_the_true_one_is(those, part):
    true = those.signed("Nord")
    assert part in true
    those.slot("Nord").post(true.replace(part, part[::-1]))
    those.turn()
    assert those.recalled_at("Mitte") == []
    those.slot("Nord").post(true)  # control
    those.turn()
    assert those.recalled_at("Mitte") == ["Nord"]


def test_one_hospital_cannot_recall_in_anothers_name(those):
    """Otherwise one alone would be more than half of three."""
    mine = those.signed("Nord")
    for name in ("Mitte", "West"):
        those.slot(name).post(mine)
        those.turn()
    named = Recall(STUDY, those.model("Nord").digest, "Mitte", WHY, AT)
    those.slot("Mitte").post(named.dump(those.sites["Nord"].identity.sign))
    those.turn()
    assert those.recalled_at("West") == []
    those.model("West").predict(ROW)
    # control: two of three, each in its own name
    for name in ("Nord", "Mitte"):
        those.slot(name).post(those.signed(name))
    those.turn()
    with pytest.raises(NotApprovedError, match="changed its scale"):
        those.model("West").predict(ROW)


@pytest.mark.parametrize("field", ["study", "model"])
def test_a_recall_of_another_model_is_replayed_in_vain(those, field):
    moved = those.signed("Nord", **{field: "cd" * 32})
    those.slot("Nord").post(moved)
    those.turn()
    assert those.recalled_at("Mitte") == []
    # control: on the model that it names it counts
    those.slot("Nord").post(those.signed("Nord"))
    those.turn()
    assert those.recalled_at("Mitte") == ["Nord"]


def test_what_was_kept_stays_whatever_the_store_shows_later(those):
    those.slot("Nord").post(those.signed("Nord"))
    those.turn()
    for later in (b"", b"rubbish", those.signed("Nord", reason="It is good again.")):
        those.slot("Nord").post(later)
        those.turn()
    those.slot("Nord").erase()
    those.watches = {name: those.watch() for name in those.names}
    those.turn()
    (said,) = those.model("Mitte").standing().recalls
    assert said.reason == WHY


def test_a_recall_that_the_operator_drops_reaches_its_reader_as_a_file(those):
    """A drop cannot be prevented, and the page before the recall says so."""
    plan = plan_recall(those.sites["Nord"], "small", WHY)
    sent = recall(those.sites["Nord"], plan, AT)
    assert sent.posted
    those.slot("Nord").erase()
    those.turn()
    assert those.recalled_at("Mitte") == []
    with pytest.raises(NotApprovedError):  # its own hospital heeds it all the same
        those.model("Nord").predict(ROW)
    (those.folder("Mitte") / NOTICES).mkdir()
    shutil.copy(sent.file, those.folder("Mitte") / NOTICES)
    assert those.recalled_at("Mitte") == ["Nord"]
    # sent once more, and not dropped this time: control
    again = plan_recall(those.sites["Nord"], "small", "Another reason.")
    assert again.again is not None
    assert recall(those.sites["Nord"], again, "2026-06-30T12:00:00Z").posted
    those.turn()
    assert those.recalled_at("West") == ["Nord"]
    assert those.model("West").standing().recalls[0].reason == WHY


def test_many_invented_names_cost_one_listing_and_no_read(those, monkeypatch):
    """Forged names of studies and hospitals: the model is read once for all of them."""
    board = those.sites["Mitte"].board
    for number in range(50):
        board.post(paths.recall(STUDY, f"Stranger{number}"), b"x")
        board.post(paths.recall(STUDY[:12] + f"{number:052d}", "Nord"), b"x")
    those.turn()
    read = []
    act = type(board).read_head
    monkeypatch.setattr(type(board), "read_head", lambda *given: read.append(given) or act(*given))
    those.turn()
    assert read == []
    # control: a name that fits is read
    those.slot("Nord").post(those.signed("Nord"))
    those.turn()
    assert {given[1] for given in read} == {paths.recall(STUDY, "Nord")}


def test_a_study_of_the_same_first_digits_hides_no_recall(those):
    """Whoever makes studies can find two whose names end alike."""
    twin = those.folder("Mitte").with_name(f"twin-{STUDY[:12]}")
    shutil.copytree(those.folder("Mitte"), twin)
    facts = load_model(twin).facts.model_copy(update={"study_digest": STUDY[:12] + "0" * 52})
    model = load_model(twin)
    save_model(twin, model.theta, model.spec, model.data, facts)
    assert twin.name > those.folder("Mitte").name
    those.slot("Nord").post(those.signed("Nord"))
    those.turn()
    assert those.recalled_at("Mitte") == ["Nord"]
    assert load_model(twin).standing().recalls == ()


def test_an_object_that_is_too_long_is_not_read(those):
    those.slot("Nord").post(bytes(1 << 20))
    those.turn()
    assert those.recalled_at("Mitte") == []
    assert any("longer than" in line for line in those.lines)
