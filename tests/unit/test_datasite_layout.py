import pytest

from securefl.datasite.layout import is_event_path, is_job_name, split_job_path

ME = "r@securefl.invalid"


def test_a_request_path_gives_its_job_and_the_path_inside():
    assert split_job_path(f"app_data/job/inbox/{ME}/v1/st/code/a.toml", ME) == (
        "st",
        ("code", "a.toml"),
    )


@pytest.mark.parametrize(
    "path",
    [
        f"app_data/job/inbox/{ME}/v1/st",
        f"app_data/job/inbox/{ME}/st/run.sh",
        f"app_data/job/inbox/{ME}/v1/v2/run.sh",
        f"app_data/job/inbox/{ME}/v1/../x/run.sh",
        f"app_data/job/inbox/{ME}/v1/st/../../../s@x.y/v1/a/run.sh",
        f"/app_data/job/inbox/{ME}/v1/st/run.sh",
        "app_data/job/inbox/s@securefl.invalid/v1/st/run.sh",
        f"app_data/job/review/{ME}/v1/st/state.yaml",
        f"app_data/job/inbox/{ME}/v1/st/.hidden",
        f"app_data/job/inbox/{ME}/v1/st/a b",
        f"app_data/job/inbox/{ME}/v1/st/a\n",
        f"app_data/job/inbox/{ME}/syft.pub.yaml",
        "",
    ],
)
def test_any_other_path_is_none(path):
    assert split_job_path(path, ME) is None


@pytest.mark.parametrize(
    ("path", "good"),
    [
        (f"app_data/job/review/{ME}/v1/st/state.yaml", True),
        (f"app_data/job/inbox/{ME}/v1/st/code/a", True),
        (f"app_data/job/review/{ME}/syft.pub.yaml", True),
        ("app_data/job/review/s@securefl.invalid/v1/st/state.yaml", False),
        (f"app_data/job/review/{ME}/../x", False),
        (f"app_data/job/review/{ME}", False),
        ("public/x", False),
    ],
)
def test_a_datasite_may_speak_of_this_researchers_requests_only(path, good):
    assert is_event_path(path, ME) is good


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("study-1", True),
        ("v1", False),
        ("v1x", True),
        (".a", False),
        ("a..b", False),
        ("a" * 81, False),
        ("a/b", False),
    ],
)
def test_job_names(name, good):
    assert is_job_name(name) is good
