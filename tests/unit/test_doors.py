import pytest

import securefl
from securefl import study
from securefl.doors import lazy_door


def test_a_door_fetches_the_name_from_its_module():
    from securefl.study.schema import Study

    assert study.Study is Study


@pytest.mark.parametrize(
    "name",
    [
        "Approval",
        "Protocol",
        "Study",
        "check_consistency",
        "open_approval",
        "parse_protocol",
        "parse_study",
        "seal_study",
        "study_digest",
    ],
)
def test_every_name_that_the_study_room_offers_exists(name):
    assert callable(getattr(study, name))


def test_an_unknown_name_is_an_ordinary_attribute_error():
    with pytest.raises(AttributeError, match=r"'securefl\.study' has no attribute 'nothing'"):
        study.nothing  # noqa: B018 - the look-up is the test
    with pytest.raises(AttributeError, match="'securefl' has no attribute 'nothing'"):
        securefl.nothing  # noqa: B018


def test_completion_shows_what_a_room_offers_and_nothing_else():
    from securefl import federation

    assert dir(securefl) == ["Study", "__version__", "connect", "load_model"]
    assert all(hasattr(securefl, name) for name in dir(securefl))
    assert "Study" in dir(study)
    assert not {"Any", "annotations", "lazy_door"} & {*dir(study), *dir(federation)}


def test_a_door_to_a_missing_module_says_which():
    with pytest.raises(ModuleNotFoundError, match=r"securefl\.nowhere"):
        lazy_door("securefl", {"thing": "nowhere"})("thing")
