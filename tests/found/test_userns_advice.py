"""The switch of Ubuntu 23.10 and later that forbids user namespaces was not named."""

import pytest

from securefl.node.isolation import userns_advice


def switches(folder, **values):
    for name, value in values.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{value}\n")
    return folder


@pytest.mark.parametrize(
    ("name", "value", "mend"),
    [
        (
            "kernel__apparmor_restrict_unprivileged_userns",
            1,
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        ("kernel__unprivileged_userns_clone", 0, "sysctl -w kernel.unprivileged_userns_clone=1"),
        ("user__max_user_namespaces", 0, "sysctl -w user.max_user_namespaces=10000"),
    ],
)
def test_the_switch_that_stands_wrong_is_named_and_no_other(name, value, mend, tmp_path):
    right = {
        "kernel__apparmor_restrict_unprivileged_userns": 0,
        "kernel__unprivileged_userns_clone": 1,
        "user__max_user_namespaces": 999,
    }
    said = userns_advice(switches(tmp_path, **{**right, name: value}))
    assert mend in said
    assert said.count("sysctl -w") == 1


def test_where_none_stands_wrong_all_are_named_and_containers_too(tmp_path):
    said = userns_advice(tmp_path)
    for name in (
        "kernel.apparmor_restrict_unprivileged_userns",
        "kernel.unprivileged_userns_clone",
        "user.max_user_namespaces",
        "container",
    ):
        assert name in said
