"""A card that came by mail: line ends of Windows, an empty line more, a byte order mark."""

import pytest
from command_line_hospital import hospital, securefl

from securefl.errors import MessageError
from securefl.identity import Identity, as_it_was_sent, read_card

CARD = Identity.generate("Nord", "hospital", "Nord hospital", "n@b.example").signed_card()
BY_MAIL = {
    "windows": CARD.replace(b"\n", b"\r\n"),
    "newline": CARD + b"\n",
    "both": b"\xef\xbb\xbf" + CARD.replace(b"\n", b"\r\n") + b"\r\n\r\n",
    "as it was": CARD,
}


@pytest.mark.parametrize("way", BY_MAIL)
def test_what_mail_adds_changes_nothing(way):
    assert as_it_was_sent(BY_MAIL[way]) == CARD
    assert read_card(as_it_was_sent(BY_MAIL[way])).name == "Nord"


@pytest.mark.parametrize(
    "data",
    [
        CARD.replace(b"Nord hospital", b"Nord Hospital"),
        CARD[:-2],
        b"",
        b"\r\n",
        CARD + b"x",
        b" " + CARD,
    ],
)
def test_what_mail_breaks_stays_refused(data):
    with pytest.raises(MessageError):
        read_card(as_it_was_sent(data))


def test_the_command_takes_it(tmp_path):
    folder, file = hospital(tmp_path), tmp_path / "nord.json"
    file.write_bytes(BY_MAIL["both"])
    done = securefl("site", "trust", file, "--yes", "--site", folder)
    assert done.returncode == 0, done.stderr
    assert "Trusted here: Nord (hospital)" in done.stdout
