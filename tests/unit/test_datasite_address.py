import pytest

from securefl.datasite.address import check_email, is_email, site_email, site_name
from securefl.errors import UsageError


@pytest.mark.parametrize("name", ["other", "SVI", "a-b_c", "A" * 40])
def test_site_and_address_map_to_each_other(name):
    assert site_email(name) == f"{name}@securefl.invalid"
    assert site_name(site_email(name)) == name
    assert is_email(site_email(name))


@pytest.mark.parametrize("name", ["", "1a", "a b", "a@b", "../x", "A" * 41, "a\n"])
def test_what_is_no_site_name_is_refused(name):
    with pytest.raises(UsageError):
        site_email(name)


def test_a_foreign_address_is_its_own_name():
    assert site_name("ann@example.org") == "ann@example.org"


@pytest.mark.parametrize(
    "text",
    [
        "*@securefl.invalid",
        "a@b",
        "a/b@c.d",
        "..@c.d",
        "a@c..d",
        "a@c.d/",
        "a@c.d\n",
        "x" * 130 + "@a.b",
        "USER",
    ],
)
def test_what_could_mean_something_in_a_path_or_a_rule_is_no_address(text):
    assert not is_email(text)
    with pytest.raises(UsageError):
        check_email(text)
