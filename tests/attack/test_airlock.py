"""Three hospitals and a researcher that share no store: a whole study by bundles, and what somebody
who carries, sends or reviews them could try. Each attack beside a control in which it succeeds, or
in which the same thing without it is taken.
"""

import json
import secrets
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from airlocked_study import LAB, AirlockedStudy, export
from click.testing import CliRunner

from securefl.cli.main import cli
from securefl.cli.main import main as run_main
from securefl.errors import MessageError, UnreadableError, UntrustedError, UsageError
from securefl.federation.offers import Offer
from securefl.federation.study_board import StudyBoard
from securefl.learning.model_notices import Recall
from securefl.node.owner.airlock import charged_only
from securefl.party.airlock.bundle import MANIFEST, OBJECTS, check_bundle, read_manifest
from securefl.party.airlock.channel import Channel, keep_channel, read_channel
from securefl.party.airlock.checks import _CHECKS
from securefl.party.airlock.importing import import_bundle
from securefl.party.airlock.kinds import KINDS, place_of
from securefl.party.airlock.manifest import AirlockManifest, Listed

ME, OTHER = "SVI", "STMW"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The study that ran to its end, carried by bundles alone."""
    with pytest.MonkeyPatch.context() as patch:
        made = AirlockedStudy(tmp_path_factory.mktemp("airlock"), patch=patch)
        made.result = made.run()
        for _ in range(3):
            made.carry_all()
        yield made


@pytest.fixture
def stick(world, tmp_path):
    """A bundle of one hospital with a contribution, on a stick of its own, about to be taken in."""
    giver = [(f, b) for f, b in world.carried if b.manifest.said.party == ME]
    folder, found = next((f, b) for f, b in reversed(giver) if "contribution" in kinds(b))
    said = found.manifest.said
    keep_channel(world.party(LAB).path, "from", ME, Channel(said.number - 1, said.previous))
    return shutil.copytree(folder, tmp_path / "stick")


def kinds(found):
    return {at.kind.word for at in found.places}


def contribution(stick):
    (found,) = (stick / OBJECTS).rglob(f"contributions/{ME}")
    return found


def take_in(world, stick, who=LAB, now=None):
    return import_bundle(world.party(who), stick, now or datetime.now(UTC))


def signed_again(world, stick, signer, **changes):
    """The bundle as it is now under a list that a party's own keys sign."""
    said = AirlockManifest.open(
        (stick / MANIFEST).read_bytes(), verify=lambda *_: True, sender="anybody"
    )
    objects = {}
    for file in sorted((stick / OBJECTS).rglob("*")):
        if file.is_file():
            data = file.read_bytes()
            path = file.relative_to(stick / OBJECTS).as_posix()
            objects[path] = Listed(len(data), sha256(data).hexdigest())
    mine = world.party(signer)
    made = replace(said, party=signer, objects=objects, **changes)
    (stick / MANIFEST).write_bytes(made.dump(mine.identity.sign))


def test_a_whole_study_between_places_that_share_no_store(world):
    world.check_ends()
    world.check_models()
    stores = {str(world.party(n).settings.store) for n in (*world.consortium.names, LAB)}
    assert len(stores) == 4
    for said in world.audits().values():
        assert "Verified" in said
    seen = set().union(*(kinds(found) for _, found in world.carried))
    assert {"request", "contribution", "sum", "opening", "extract", "model", "checkpoint"} <= seen


def test_every_kind_has_its_check():
    assert [kind.word for kind in KINDS] == list(_CHECKS)


def test_the_untouched_bundle_is_taken_once(world, stick):
    assert "contribution" in kinds(take_in(world, stick).bundle)
    with pytest.raises(UntrustedError, match="came before"):
        take_in(world, stick)
    # control: a place that forgot what it took in takes the old one again
    (world.party(LAB).path / "airlock" / f"from-{ME}.json").unlink()
    keep_channel(
        world.party(LAB).path, "from", ME, Channel(0, read_manifest_of(world, stick).said.previous)
    )
    take_in(world, stick)


def read_manifest_of(world, stick):
    return read_manifest(stick, world.party(LAB).book.cards().values())


def test_a_file_smuggled_into_the_bundle(world, stick, tmp_path):
    for name in (f"{OBJECTS}/patients.csv", "patients.csv", f"{OBJECTS}/studies/x"):
        extra = stick / name
        extra.write_text("name,age\n")
        # control: who copies the folder by hand carries it
        copied = shutil.copytree(stick, tmp_path / f"by-hand-{secrets.token_hex(4)}")
        assert (copied / name).exists()
        with pytest.raises(UnreadableError, match="is not on the list"):
            take_in(world, stick)
        extra.unlink()
    take_in(world, stick)


def test_a_link_out_of_the_bundle(world, stick, tmp_path):
    data = contribution(stick).read_bytes()
    secret = tmp_path / "secret"
    secret.write_bytes(data)
    contribution(stick).unlink()
    link = stick / OBJECTS / f"studies/{world.study.digest}/rounds/00001-1/contributions/{ME}"
    place = contribution_path(world, stick)
    place.symlink_to(secret)
    assert place.read_bytes() == data  # control: whoever follows links reads it
    with pytest.raises(UnreadableError, match="is no file"):
        take_in(world, stick)
    assert link.name == ME


def contribution_path(world, stick):
    listed = read_manifest_of(world, stick).said.objects
    return stick / OBJECTS / next(p for p in listed if p.endswith(f"contributions/{ME}"))


def test_a_changed_byte(world, stick):
    file = contribution(stick)
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(UnreadableError, match="is not the object that the sender signed"):
        take_in(world, stick)
    # by the sender itself, under a new list: the frame's own hashes still refuse it
    signed_again(world, stick, ME)
    with pytest.raises(MessageError, match="contributions"):
        take_in(world, stick)
    data[-1] ^= 1
    file.write_bytes(data)
    signed_again(world, stick, ME)
    take_in(world, stick)  # control


def test_a_changed_list_and_a_strangers(world, stick, tmp_path):
    other = shutil.copytree(stick, tmp_path / "other")
    data = (other / MANIFEST).read_bytes()
    (other / MANIFEST).write_bytes(data.replace(b'"number":', b'"numbes":'))
    with pytest.raises(UntrustedError, match="signed by nobody"):
        take_in(world, other)
    signed_again(world, stick, OTHER, number=999, previous="")
    with pytest.raises(MessageError, match="hands out its own alone"):
        take_in(world, stick)


def test_bundles_out_of_turn_for_others_and_old(world, stick, tmp_path):
    path = world.party(LAB).path
    said = read_manifest_of(world, stick).said
    with pytest.raises(UntrustedError, match=f"is for {LAB}"):
        take_in(world, stick, OTHER)
    keep_channel(path, "from", ME, Channel(said.number - 1, "0" * 64))
    with pytest.raises(UntrustedError, match="does not follow"):
        take_in(world, stick)
    keep_channel(path, "from", ME, Channel(said.number - 1, said.previous))
    for days in (15, -1):
        with pytest.raises(UntrustedError, match="within 14 days"):
            take_in(world, stick, now=datetime.now(UTC) + timedelta(days=days))
    take_in(world, stick)  # control: in its turn, in time
    # a lost stick: everything again, under a number of its own
    whole = export(world.party(ME), LAB, tmp_path / "whole", whole=True)
    assert whole.manifest.said.previous == ""
    take_in(world, tmp_path / "whole")


def test_no_plaintext_leaves_under_a_sealed_name(world, tmp_path):
    mine = world.party(ME)
    path = f"studies/{world.study.digest}/checkpoints/{ME}/{OTHER}"
    own = mine.board.read(path, 1 << 20)
    rows = "".join(f"P{n},{40 + n},yes\n" for n in range(60)).encode()
    for data in (rows, bytes(400), b"\x00\x01" * 300, json.dumps({"a": [1] * 200}).encode()):
        mine.board.post(path, data)
        with pytest.raises(MessageError, match="can be made shorter"):
            export(world.party(ME), LAB, tmp_path / "out", whole=True)
        assert not (tmp_path / "out").exists()
    # control, and the limit that the page states: what looks like ciphertext passes
    mine.board.post(path, secrets.token_bytes(len(own)))
    export(world.party(ME), LAB, tmp_path / "out", whole=True)
    mine.board.post(path, own)


def test_nothing_of_another_name_leaves(world, tmp_path):
    mine = world.party(ME)
    for name in ("notes", "rounds/00001-1/weights", "rounds/00001-2/contributions/SVI"):
        path = f"studies/{world.study.digest}/{name}"
        mine.board.post(path, b"x" * 100)
        with pytest.raises(MessageError, match="nothing of that name passes"):
            export(world.party(ME), LAB, tmp_path / "out", whole=True)
        mine.board.erase(path)
    export(world.party(ME), LAB, tmp_path / "out", whole=True)  # control


def test_a_contribution_that_the_ledger_does_not_know(world, stick):
    mine = world.party(ME)
    at = place_of(contribution_path(world, stick).relative_to(stick / OBJECTS).as_posix())
    listed = read_manifest_of(world, stick).said.objects[at.path]
    check = charged_only(mine)
    check(at, listed.sha256)  # control
    with pytest.raises(MessageError, match="never charged"):
        check(at, "0" * 64)
    mine.ledger.close()


def test_an_unapproved_study_lets_nothing_of_patients_out(world, stick):
    (approval,) = (stick / OBJECTS).rglob(f"approvals/{ME}")
    kept = approval.read_bytes()
    approval.unlink()
    signed_again(world, stick, ME)
    with pytest.raises(MessageError, match="has not approved"):
        take_in(world, stick)
    approval.write_bytes(kept)
    signed_again(world, stick, ME)
    take_in(world, stick)  # control


def test_nobody_brings_a_hospital_its_own_words(world, tmp_path):
    stick = tmp_path / "back"
    export(world.party(LAB), ME, stick, whole=True)
    own = f"studies/{world.study.digest}/ready/{ME}"
    said = read_channel(world.party(ME).path, "from", LAB)
    target = stick / OBJECTS / own
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(world.party(ME).board.read(own, 4096))
    signed_again(world, stick, LAB)
    with pytest.raises(MessageError, match=f"is of {ME} itself"):
        take_in(world, stick, ME)
    assert read_channel(world.party(ME).path, "from", LAB) == said
    target.unlink()
    signed_again(world, stick, LAB)
    take_in(world, stick, ME)  # control


@pytest.mark.parametrize("word", ["recall", "offer"])
def test_what_a_hospital_says_after_the_rounds_is_carried_to_the_others(world, tmp_path, word):
    mine, study = world.party(ME), world.study.digest
    said = {
        "recall": Recall(study, "ab" * 32, ME, "A new scale.", "2026-06-01T12:00:00Z"),
        "offer": Offer(study, ME, "0.5", "", "2026-06-01T12:00:00Z"),
    }[word]
    slot = getattr(StudyBoard(mine.board, study), word)(ME)
    slot.post(said.dump(world.party(OTHER).identity.sign))
    with pytest.raises(MessageError, match="signature"):
        export(mine, LAB, tmp_path / "forged", whole=True)
    slot.post(said.dump(mine.identity.sign))  # control
    mine.ledger.close()
    for giver, taker in ((ME, LAB), (LAB, OTHER)):
        folder = tmp_path / f"to {taker}"
        export(world.party(giver), taker, folder, whole=True)
        take_in(world, folder, taker)
    there = getattr(StudyBoard(world.party(OTHER).board, study), word)(ME)
    assert there.read() == slot.read()


def test_a_longer_object_than_the_plan_allows(world, stick):
    (ready,) = [*(stick / OBJECTS).rglob(f"approvals/{ME}")]
    kept = ready.read_bytes()
    ready.write_bytes(kept + b" " * 100_000)
    signed_again(world, stick, ME)
    with pytest.raises(MessageError, match="longer than"):
        take_in(world, stick)
    ready.write_bytes(kept)
    signed_again(world, stick, ME)
    take_in(world, stick)  # control


def test_a_checker_needs_the_card_alone(world, stick, tmp_path, capsys):
    card = world.party(ME).path / "keys" / "card.json"
    words = ["board", "check", str(stick), "--card", str(card)]
    done = CliRunner().invoke(cli, [*words, "--json", "-"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert told["checked"]
    assert {one["holds"] for one in told["objects"]} >= {"signed", "ciphertext"}
    (study,) = told["studies"]
    assert (study["digest"], study["approved_by"]) == (world.study.digest, [ME])
    assert 0 < float(study["epsilon"]) < 1
    done = CliRunner().invoke(cli, [*words, "--html", str(tmp_path / "page.html")])
    shown = " ".join(done.output.split())
    assert "What no check can show" in shown
    assert f"approved, signed by {ME}" in shown
    assert "contribution" in (tmp_path / "page.html").read_text()
    (stick / OBJECTS / "more").write_text("x")
    with pytest.raises(SystemExit) as ended:
        run_main(words)
    assert ended.value.code == UnreadableError.exit_code
    said = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert "objects/more' is not on the list" in said


def test_by_the_commands(world, tmp_path):
    run = CliRunner().invoke
    mine, lab = str(world.party(ME).path), str(world.party(LAB).path)
    stick = str(tmp_path / "stick")
    done = run(cli, ["board", "export", stick, "--to", LAB, "--all", "--site", mine])
    assert done.exit_code == 0, done.output
    assert "is ready for researcher" in done.output
    done = run(cli, ["board", "import", stick, "--researcher", lab])
    assert done.exit_code == 0, done.output
    assert "new objects of SVI are on your store" in done.output
    again = run(cli, ["board", "import", stick, "--researcher", lab])
    assert isinstance(again.exception, UntrustedError)
    nothing = run(cli, ["board", "export", f"{stick}2", "--to", LAB, "--site", mine])
    assert isinstance(nothing.exception, UsageError)
    stranger = run(cli, ["board", "export", f"{stick}2", "--to", "Nobody", "--site", mine])
    assert isinstance(stranger.exception, UsageError)
    offered = ["board", "export", f"{stick}3", "--to", ME, "--all", "--offer", "whole"]
    done = run(cli, [*offered, "--researcher", lab])
    assert done.exit_code == 0, done.output
    assert check_bundle(
        tmp_path / "stick3",
        read_manifest(tmp_path / "stick3", [world.party(LAB).identity.card]),
        {n: c.verify for n, c in world.party(LAB).book.cards().items()},
    ).plans
