"""Commands that ask for a passphrase, where nothing can be typed."""

import pytest

from securefl.cli.main import main
from securefl.errors import ExitCode
from securefl.node import people
from securefl.node.site import Site


@pytest.mark.parametrize(
    "words", [["people", "add", "anna"], ["people", "remove", "anna", "--yes"]]
)
def test_a_command_without_any_input_says_that_nobody_can_type(
    words, tmp_path, monkeypatch, capsys
):
    """Whom to remove must be on the list, which is looked at before anybody is asked."""
    here = str(tmp_path / "site")
    start = ["site", "init", here, "--name", "P", "--legal-name", "P", "--email", "a@b.example"]
    main([*start, "--store", str(tmp_path / "store")])
    if "remove" in words:
        people.add_person(
            Site.at(tmp_path / "site"), "anna", "a passphrase of hers", "2026-01-05T09:00:00Z"
        )
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(SystemExit) as ended:
        main(["site", *words, "--as", "anna", "--site", here])
    said = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert ended.value.code == ExitCode.USAGE
    assert "Nobody can type a passphrase here" in said
    assert "at a terminal" in said
