"""A journal checks a study with nothing but its archive and fingerprints; whatever is altered in it,
by an outsider or by the researcher, is noticed.
"""

import hashlib
import json
import shutil
import struct
import tomllib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from whole_study import whole_study

import securefl
from securefl.api import Study
from securefl.cli.main import cli
from securefl.errors import (
    MessageError,
    NotApprovedError,
    RoundError,
    SecureFLError,
    UnreadableError,
    UntrustedError,
)
from securefl.federation.kept_totals import KeptTotals
from securefl.federation.round_plan import card_of
from securefl.federation.study_board import StudyBoard
from securefl.learning.artefact import load_model, save_model
from securefl.learning.model_notices import Recall, recall_model
from securefl.party import study_archive
from securefl.party.audit_extract import AuditExtract
from securefl.party.study_archive import ArchiveManifest, check_archive
from securefl.report.markdown import markdown
from securefl.report.study_archive import archive_page


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    root = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        made = whole_study(root, patch=patch)
        made.study.archive(root / "light")
        made.study.archive(root / "full", contributions=True)
    made.root = root
    return made


@pytest.fixture(params=["light", "full"])
def archive(request, whole, tmp_path):
    """A copy that a test may alter."""
    return shutil.copytree(whole.root / request.param, tmp_path / "archive")


@pytest.fixture
def fingerprints(whole):
    return {p.name: card_of(p).spoken for p in whole.study.file.participants}


def sign_again(whole, folder):
    """The researcher signs the altered files, as one who lies would."""
    names = study_archive.archived_files(folder)
    files = {name: study_archive.archived_sha256(folder / name) for name in names}
    manifest = ArchiveManifest(whole.study.digest, files)
    sign = whole.consortium.lab.folder.identity.sign
    (folder / study_archive.MANIFEST).write_bytes(manifest.dump(sign))


def test_an_archive_holds_without_store_and_without_keys(whole, archive, fingerprints):
    found = check_archive(archive, fingerprints)
    names = set(whole.consortium.names)
    assert set(found.approvals) == set(found.extracts) == names
    assert found.rounds == (3, 3, 3, 3)
    assert found.weights_follow
    assert found.model_digest == whole.result.model.digest
    assert set(found.strangers) == {"researcher", "sums"}
    assert (
        found.added_again
        == (archive / "board" / "studies")
        .joinpath(whole.study.digest, "rounds")
        .joinpath("00001-1", "contributions")
        .exists()
    )


def test_nothing_in_it_is_secret_or_sealed(whole, archive):
    names = study_archive.archived_files(archive)
    assert not [n for n in names if n.endswith(("/opening", "secret")) or "checkpoints" in n]
    own = whole.consortium.lab.folder.path / "keys"
    secrets = [p.read_bytes() for p in own.rglob("*") if p.is_file() and p.name != "card.json"]
    assert secrets
    for name in names:
        data = (archive / name).read_bytes()
        assert not [one for one in secrets if len(one) >= 32 and one in data], name


def some(archive, part):
    """A file of a part of the archive."""
    return max(p for p in archive.rglob("*") if p.is_file() and part in p.as_posix())


PARTS = [
    "/approvals/",
    "/transcript",
    "/announcement",
    "/studies/",
    "/extracts/",
    "/totals/",
    "model.safetensors",
    "model_card.md",
    "result.json",
    "study.toml",
]


@pytest.mark.parametrize("part", PARTS)
def test_one_flipped_bit_anywhere_is_noticed(archive, part, fingerprints):
    file = some(archive, part)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(SecureFLError):
        check_archive(archive, fingerprints)


def test_a_file_more_and_a_file_less_are_noticed(archive):
    (archive / "model" / "more.txt").write_text("x")
    with pytest.raises(UnreadableError, match=r"more.txt is not on the researcher's list"):
        check_archive(archive, {})
    (archive / "model" / "more.txt").unlink()
    (archive / "result.json").unlink()
    with pytest.raises(UnreadableError, match=r"result.json is missing"):
        check_archive(archive, {})


def test_a_recall_that_came_later_is_told_and_breaks_no_archive(whole, archive):
    site = whole.consortium.site(whole.consortium.names[0])
    model = load_model(archive / "model")
    recall_model(archive / "model", model, site.identity, "A new scale.", "2026-06-01T08:00:00Z")
    found = check_archive(archive, {})
    assert found.notices == (f"Recalled by {site.name} on 2026-06-01: A new scale.",)
    assert "A new scale." in markdown(archive_page(found))


def test_another_folder_is_no_archive(tmp_path):
    with pytest.raises(UnreadableError, match="is no archive of a study"):
        check_archive(tmp_path, {})


def test_a_link_out_of_the_archive_is_no_file(archive):
    (archive / "result.json").unlink()
    (archive / "result.json").symlink_to("/etc/hostname")
    with pytest.raises(UnreadableError, match="is no file"):
        check_archive(archive, {})


def test_a_list_that_somebody_else_signed_is_refused(whole, archive):
    names = study_archive.archived_files(archive)
    files = {name: study_archive.archived_sha256(archive / name) for name in names}
    other = whole.consortium.site("SVI").identity.sign
    manifest = ArchiveManifest(whole.study.digest, files).dump(other)
    (archive / study_archive.MANIFEST).write_bytes(manifest)
    with pytest.raises(MessageError):
        check_archive(archive, {})


def test_a_researcher_who_signs_other_weights_is_found_out(whole, archive):
    model = load_model(archive / "model")
    shutil.rmtree(archive / "model")
    save_model(archive / "model", model.theta + 0.01, model.spec, model.data, model.facts)
    sign_again(whole, archive)
    with pytest.raises(RoundError, match="not what the study's rule makes"):
        check_archive(archive, {})
    # the control: with the true weights the researcher's new signature is taken
    shutil.rmtree(archive / "model")
    save_model(archive / "model", model.theta, model.spec, model.data, model.facts)
    sign_again(whole, archive)
    assert check_archive(archive, {}).weights_follow


def test_a_researcher_who_signs_other_figures_is_found_out(whole, archive):
    told = json.loads((archive / "result.json").read_text())
    told["histogram"][0] += 5
    (archive / "result.json").write_text(json.dumps(told))
    sign_again(whole, archive)
    with pytest.raises(RoundError, match="do not come from an opened sum"):
        check_archive(archive, {})


def test_a_researcher_who_leaves_out_an_approval_is_found_out(whole, archive):
    some(archive, "/approvals/").unlink()
    sign_again(whole, archive)
    with pytest.raises(RoundError, match="approval of SVI is not in the archive"):
        check_archive(archive, {})


def test_a_researcher_who_exchanges_an_extract_is_found_out(whole, archive):
    shutil.copyfile(archive / "extracts" / "SVI", archive / "extracts" / "STMW")
    sign_again(whole, archive)
    with pytest.raises(MessageError):
        check_archive(archive, {})


def test_a_researcher_who_drops_a_round_is_found_out(whole, archive):
    some(archive, "/transcript").unlink()
    sign_again(whole, archive)
    with pytest.raises(RoundError, match="transcript of round"):
        check_archive(archive, {})


def test_a_contribution_that_was_exchanged_is_found_out_where_it_is_there(whole, tmp_path):
    full = shutil.copytree(whole.root / "full", tmp_path / "archive")
    file = some(full, "/contributions/SVI")
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    sign_again(whole, full)
    with pytest.raises(RoundError):
        check_archive(full, {})


def test_opened_sums_of_another_run_do_not_make_this_model(whole, archive):
    totals = KeptTotals(archive / "totals")
    number, total, contributors = next(iter(totals.all()))
    totals.keep(number, np.asarray(total) + 1000, contributors)
    sign_again(whole, archive)
    with pytest.raises(RoundError, match="not what the study's rule makes"):
        check_archive(archive, {})


def test_a_fingerprint_of_somebody_else_is_refused(archive, fingerprints):
    for given in (
        fingerprints | {"SVI": fingerprints["STMW"]},
        fingerprints | {"SVI": fingerprints["SVI"][:8]},
    ):
        with pytest.raises(UntrustedError, match="SVI in this archive has another fingerprint"):
            check_archive(archive, given)
    with pytest.raises(UntrustedError, match="no party called Elsewhere"):
        check_archive(archive, {"Elsewhere": fingerprints["SVI"]})


def run(*arguments):
    return CliRunner().invoke(cli, [str(one) for one in arguments], env={"COLUMNS": "120"})


def test_the_commands_write_and_check_an_archive(whole, tmp_path, fingerprints):
    lab = whole.consortium.lab.folder.path
    made = run("study", "archive", "whole", tmp_path / "out", "--researcher", lab)
    assert made.exit_code == 0, made.output
    given = [f"--fingerprint={name}={text}" for name, text in fingerprints.items()]
    done = run("study", "verify", tmp_path / "out", *given, "--json", tmp_path / "json")
    assert done.exit_code == 0, (done.output, done.exception)
    words = " ".join(done.output.split())
    assert "All 3 hospitals approved exactly this study." in words
    assert "Get the fingerprints of researcher, sums" in words
    assert json.loads((tmp_path / "json").read_text())["verified"] is True
    again = run("study", "archive", "whole", tmp_path / "out", "--researcher", lab)
    assert "nothing is overwritten" in str(again.exception)
    assert "no fingerprint of a party" in str(
        run("study", "verify", tmp_path / "out", "--fingerprint", "SVI").exception
    )


# --- the page protocols/wire/archive.md, read without securefl

WIRE = Path(securefl.__file__).parents[1] / "protocols" / "wire" / "archive.md"


def statement_2(data, key, kind):
    """Fields of a signed statement, or an error of the standard library or the primitive."""
    head, _, body = data.partition(b"\n")
    signature = bytes.fromhex(head.removeprefix(b"securefl-signed/1 ").decode())
    Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(signature, body)
    fields = json.loads(body)
    if fields.pop("type") != kind:
        raise ValueError(kind)
    return fields


def total_2(data):
    """Contributors and numbers of an opened sum."""
    told, body = data[:32], data[32:]
    if hashlib.sha256(body).digest() != told:
        raise ValueError("hash")
    contributors, width = struct.unpack("<IB", body[:5])
    pieces = [body[at : at + width] for at in range(5, len(body), width)]
    return contributors, [int.from_bytes(piece, "little", signed=True) for piece in pieces]


def read_2(folder):
    """Digest, hospitals' epsilons and opened sums of an archive, by the page alone."""
    study = tomllib.loads((folder / "study.toml").read_text("utf-8"))
    key = study["coordinator"]["signing_public"]
    listed = statement_2((folder / "archive.json").read_bytes(), key, "securefl-study-archive/1")
    there = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    del there["archive.json"]
    hashes = {name: hashlib.sha256(p.read_bytes()).hexdigest() for name, p in there.items()}
    if set(listed) != {"study", "files"} or hashes != listed["files"]:
        raise ValueError("files")
    epsilons = {}
    for party in study["participants"]:
        data = (folder / "extracts" / party["name"]).read_bytes()
        found = statement_2(data, party["signing_public"], "securefl-audit-extract/1")
        if (found["study"], found["site"]) != (listed["study"], party["name"]):
            raise ValueError("extract")
        epsilons[party["name"]] = json.loads(found["extract"])["epsilon"]
    totals = [total_2(p.read_bytes()) for p in sorted((folder / "totals").iterdir())]
    return listed["study"], epsilons, totals


def test_the_page_of_the_format_is_enough_to_read_an_archive(archive, fingerprints):
    ours = check_archive(archive, fingerprints)
    digest, epsilons, totals = read_2(archive)
    assert digest == ours.digest
    assert {site: float(epsilon) for site, epsilon in epsilons.items()} == ours.extracts
    assert tuple(contributors for contributors, _ in totals) == ours.rounds
    assert json.loads((archive / "result.json").read_text())["histogram"] in [
        numbers for _, numbers in totals
    ]


@pytest.mark.parametrize("part", ["archive.json", "/extracts/", "/totals/", "study.toml"])
def test_the_second_reader_notices_an_altered_byte_too(archive, part):
    file = some(archive, part)
    data = bytearray(file.read_bytes())
    data[-2] ^= 1
    file.write_bytes(data)
    with pytest.raises((ValueError, InvalidSignature, KeyError)):
        read_2(archive)


def test_the_page_names_every_part_and_the_caps_of_the_code(archive):
    told = WIRE.read_text("utf-8")
    for path in archive.iterdir():
        assert f"| `{path.name}" in told
    for cap in (ArchiveManifest.MAX_BYTES, AuditExtract.MAX_BYTES, study_archive.MAX_FILE):
        assert f" {cap} " in told
    assert f"`{ArchiveManifest.TYPE}`" in told
    assert f"`{AuditExtract.TYPE}`" in told


# --- last, since the notices stay


def test_the_researchers_commands_find_recalls_in_the_store(whole, tmp_path):
    study, folder = whole.study, str(whole.consortium.root / "researcher")
    first, second, _ = whole.consortium.names
    assert (study.report()["notices"], study.report()["usable"]) == ([], True)
    put_recall(whole, first)
    said = study.report()
    assert said["notices"] == [f"Recalled by {first} on 2026-06-01: A new scale."]
    assert said["usable"]
    (version,) = whole.consortium.lab.model_versions(study.name)
    assert version.state == "recalled by some"
    with pytest.warns(UserWarning, match="A new scale"):
        assert continued_from(whole, "while-few-recalled").sealed.study.continues == study.digest
    put_recall(whole, second)
    command = ["study", "report", study.name, "--researcher", folder]
    shown = CliRunner().invoke(cli, [*command, "--html", str(tmp_path / "report.html")])
    assert "The model is not to be used any more." in shown.stdout
    assert "A new scale." in (tmp_path / "report.html").read_text("utf-8")
    assert "notices" not in json.loads((study.folder / "result.json").read_text())
    with pytest.raises(NotApprovedError, match="recalled"):
        continued_from(whole)
    # what the archive is made of now holds both
    study.archive(tmp_path / "archive")
    assert len(check_archive(tmp_path / "archive", {}).notices) == 2


def put_recall(whole, name):
    """What `site model recall` puts into the store."""
    site = whole.consortium.site(name)
    said = Recall(
        whole.study.digest,
        whole.result.model.digest,
        name,
        "A new scale.",
        "2026-06-01T08:00:00Z",
    )
    slot = StudyBoard(whole.consortium.lab.folder.board, whole.study.digest).recall(name)
    slot.post(said.dump(site.identity.sign))


def continued_from(whole, name="later"):
    c = whole.consortium
    return Study.new(
        c.lab,
        c.protocol,
        hospitals=list(c.names),
        aggregator="sums",
        study_id=name,
        continues=whole.study.name,
    )
