import pytest
from conftest import fixed_identity

from securefl.study.fields import Fault
from securefl.study.roster import check_distinct

A, B, C = (fixed_identity(n, "hospital").card for n in ("A", "B", "C"))


def checked(*cards):
    check_distinct((("participants", i), card) for i, card in enumerate(cards))


def renamed(card, **changes):
    return type(card)(**{**card.fields(), **changes})


def test_parties_with_names_and_keys_of_their_own_pass():
    checked(A, B, C)
    checked()


@pytest.mark.parametrize(
    ("second", "path"),
    [
        (renamed(B, name="A"), ("participants", 1, "name")),
        (renamed(B, name="a"), ("participants", 1, "name")),
        (renamed(B, signing_public=A.signing_public), ("participants", 1, "signing_public")),
        (renamed(B, sealing_public=A.sealing_public), ("participants", 1, "sealing_public")),
        (renamed(B, signing_public=A.sealing_public), ("participants", 1, "signing_public")),
    ],
)
def test_who_takes_part_twice_is_named_with_the_place(second, path):
    with pytest.raises(Fault, match="A") as caught:
        checked(A, second, C)
    assert caught.value.path == path
