"""Cards at the command line: what is none is named by its file, and an address is an address."""

import pytest
from click.testing import CliRunner
from conftest import fixed_identity

from securefl.cli.main import cli
from securefl.errors import MessageError, UntrustedError, UsageError
from securefl.party.folder import PartyFolder


@pytest.fixture
def lab(tmp_path):
    return PartyFolder.create(
        tmp_path / "r",
        name="r",
        role="researcher",
        legal_name="U",
        email="a@example.org",
        store=str(tmp_path / "store"),
    )


@pytest.mark.parametrize(
    "rubbish",
    [b"", b"hello", b"securefl-signed/1 " + b"0" * 128 + b"\n{}", b"x" * 100_000],
    ids=["empty", "text", "unsigned", "long"],
)
def test_a_file_that_is_no_card_is_named(lab, tmp_path, rubbish):
    file = tmp_path / "rubbish.json"
    file.write_bytes(rubbish)
    result = CliRunner().invoke(
        cli, ["study", "trust", str(file), "--yes", "--researcher", str(lab.path)]
    )
    assert isinstance(result.exception, MessageError)
    assert f"{file} is not an identity card" in result.exception.what
    assert "whoever gave you rubbish.json" in result.exception.whose
    assert not lab.book.cards()


def test_of_a_folder_of_cards_ones_own_is_left_out(lab, tmp_path):
    cards = tmp_path / "cards"
    cards.mkdir()
    (cards / "A.json").write_bytes(fixed_identity("A", "hospital").signed_card())
    (cards / "B.json").write_bytes(fixed_identity("B", "hospital").signed_card())
    own = cards / "Own.json"
    own.write_bytes(lab.identity.signed_card())
    words = ["study", "trust", str(own), str(cards / "A.json"), str(cards / "B.json")]
    words += ["--yes", "--researcher", str(lab.path)]
    result = CliRunner().invoke(cli, words)
    assert "r: your own card, left out." in result.output
    assert set(lab.book.cards()) == {"A", "B"}
    # alone it is a mistake, and one of the same name with other keys is somebody else's
    alone = CliRunner().invoke(cli, ["study", "trust", str(own), *words[-3:]])
    assert isinstance(alone.exception, UntrustedError)
    own.write_bytes(fixed_identity("r", "researcher").signed_card())
    other = CliRunner().invoke(cli, words)
    assert isinstance(other.exception, UntrustedError)


@pytest.mark.parametrize("email", ["nonsense", "@", "a@", "@b", "a b@c", "a@b@c"])
@pytest.mark.parametrize("role", ["site", "study", "aggregator"])
def test_what_is_no_address_is_not_taken_for_one(tmp_path, role, email):
    result = CliRunner().invoke(
        cli,
        [
            role,
            "init",
            str(tmp_path / "new"),
            "--name",
            "N",
            "--legal-name",
            "L",
            "--email",
            email,
            "--store",
            str(tmp_path / "store"),
        ],
    )
    assert isinstance(result.exception, UsageError)
    assert "something@something" in result.exception.what
    assert not (tmp_path / "new").exists()


def test_an_aggregator_is_told_what_comes_next(tmp_path):
    result = CliRunner().invoke(
        cli,
        [
            "aggregator",
            "init",
            str(tmp_path / "a"),
            "--name",
            "N",
            "--legal-name",
            "L",
            "--email",
            "a@b",
            "--store",
            str(tmp_path / "store"),
        ],
    )
    assert "Next: securefl aggregator trust CARD" in result.output


def test_a_file_that_was_written_is_said(lab, tmp_path):
    result = CliRunner().invoke(cli, ["doctor", "--json", str(tmp_path / "checks.json")])
    assert f"Wrote {tmp_path / 'checks.json'}." in result.output.replace("\n", "")
