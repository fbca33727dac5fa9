"""What is said beside ciphertexts: only signed, well-formed words about this study are read."""

import pytest
from conftest import fixed_identity

from securefl.errors import PUBLIC_CODES, MessageError
from securefl.federation.messages import (
    MAX_ANNOUNCEMENT,
    MAX_SMALL,
    Announcement,
    Call,
    End,
    Invitation,
    Ready,
    Status,
)
from securefl.signed import dump_signed

STUDY, OTHER = "ab" * 32, "cd" * 32
ME = fixed_identity("SVI", "hospital")
STRANGER = fixed_identity("Stranger", "hospital")
SAID = Announcement(
    study=STUDY,
    round=1,
    attempt=1,
    kind="update",
    cohort=("SVI", "other"),
    instances=("5" * 64, "6" * 64),
    length=7,
    parameters=7,
    model_sha256="1" * 64,
    sealed_sha256="2" * 64,
    public_key_sha256="3" * 64,
    round_digest="4" * 64,
)


def statement(kind, /, **fields):
    return dump_signed({"type": kind, **fields}, ME.sign)


def announced(**changes):
    fields = {
        **SAID.__dict__,
        "cohort": list(SAID.cohort),
        "instances": list(SAID.instances),
        **changes,
    }
    return Announcement.open(
        statement("securefl-round-announcement/2", **fields), study=STUDY, verify=ME.card.verify
    )


def test_an_announcement_is_read_as_it_was_said():
    assert Announcement.open(SAID.dump(ME.sign), study=STUDY, verify=ME.card.verify) == SAID


@pytest.mark.parametrize(
    "changes",
    [
        {"round": 0},
        {"round": True},
        {"round": "1"},
        {"attempt": -1},
        {"length": 1 << 31},
        {"parameters": None},
        {"kind": "Training"},
        {"kind": "two words"},
        {"kind": ["update"]},
        {"cohort": "SVI"},
        {"cohort": [1, 2]},
        {"model_sha256": "1" * 63},
        {"sealed_sha256": "G" * 64},
        {"public_key_sha256": 3},
        {"round_digest": "4" * 64 + "\n"},
        {"study": OTHER},
        {"study": 1},
        {"instances": "5" * 64},
        {"instances": ["5" * 64]},
        {"instances": ["5" * 64, 6]},
        {"instances": ["5" * 64, "x"]},
    ],
    ids=str,
)
def test_a_malformed_announcement_is_refused(changes):
    with pytest.raises(MessageError) as refused:
        announced(**changes)
    assert refused.value.whose == "the coordinator"


def test_an_announcement_with_one_field_more_is_refused():
    with pytest.raises(MessageError, match="unknown or missing"):
        announced(hint=1)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda d: d[:-1], "signature"),
        (lambda d: d[:40], "not a signed statement"),
        (lambda d: b"", "not a signed statement"),
        (lambda d: d + b" ", "signature"),
        (lambda d: d.replace(b'"round":1', b'"round":2'), "signature"),
        (lambda d: d + b" " * MAX_ANNOUNCEMENT, "at most"),
    ],
    ids=["truncated", "only a beginning", "empty", "longer", "edited", "oversized"],
)
def test_altered_bytes_are_refused_before_they_are_parsed(spoil, why):
    with pytest.raises(MessageError, match=why):
        Announcement.open(spoil(SAID.dump(ME.sign)), study=STUDY, verify=ME.card.verify)


def test_signed_words_in_another_form_than_the_canonical_one_are_refused():
    payload = SAID.dump(ME.sign).split(b"\n", 1)[1].replace(b'"round":1', b'"round": 1')
    data = b"securefl-signed/1 " + ME.sign(payload).hex().encode() + b"\n" + payload
    with pytest.raises(MessageError, match="canonical"):
        Announcement.open(data, study=STUDY, verify=ME.card.verify)


def test_somebody_elses_signature_is_refused_for_every_kind():
    for data, read in (
        (
            SAID.dump(STRANGER.sign),
            lambda d: Announcement.open(d, study=STUDY, verify=ME.card.verify),
        ),
        (
            Status(STUDY, "SVI", 1, "data").dump(STRANGER.sign),
            lambda d: Status.open(d, study=STUDY, site="SVI", verify=ME.card.verify),
        ),
        (
            End(STUDY, "completed", 5).dump(STRANGER.sign),
            lambda d: End.open(d, study=STUDY, verify=ME.card.verify),
        ),
        (
            Invitation(STUDY, "Researcher").dump(STRANGER.sign),
            lambda d: Invitation.open(d, study=STUDY, verify=ME.card.verify),
        ),
    ):
        with pytest.raises(MessageError, match="signature"):
            read(data)


def test_no_statement_passes_for_one_of_another_kind():
    with pytest.raises(MessageError, match="not a securefl-study-end/2"):
        End.open(Status(STUDY, "SVI", 1, "data").dump(ME.sign), study=STUDY, verify=ME.card.verify)


def status(**changes):
    fields = {
        "study": STUDY,
        "site": "SVI",
        "round": 0,
        "code": "data",
        "cause": "",
        "cause_code": "",
        **changes,
    }
    return Status.open(
        statement("securefl-study-status/2", **fields),
        study=STUDY,
        site="SVI",
        verify=ME.card.verify,
    )


BAD_CAUSES = [
    ("other", ""),
    ("", "data"),
    ("the patient", "data"),
    ("other", "Mrs Miller"),
    (1, "data"),
    ("other", ["data"]),
]


@pytest.mark.parametrize("cause", BAD_CAUSES, ids=str)
def test_a_cause_is_a_party_by_its_name_and_a_code_or_nothing(cause):
    followed = {"cause": "other", "cause_code": "data"}
    assert (status(**followed).cause, status(**followed).cause_code) == ("other", "data")
    assert ended(outcome="round", quality="", **followed).cause == "other"
    for read in (status, lambda **more: ended(outcome="round", quality="", **more)):
        with pytest.raises(MessageError, match="cause"):
            read(cause=cause[0], cause_code=cause[1])


def test_a_call_and_an_answer_to_it_are_for_one_study_and_one_hospital():
    call, ready = Call(STUDY, "7" * 64), Ready(STUDY, "SVI", "8" * 64, "7" * 64)
    assert Call.open(call.dump(ME.sign), study=STUDY, verify=ME.card.verify) == call
    assert Ready.open(ready.dump(ME.sign), study=STUDY, site="SVI", verify=ME.card.verify) == ready
    for bad in (Call(OTHER, "7" * 64), Call(STUDY, "7" * 63)):
        with pytest.raises(MessageError):
            Call.open(bad.dump(ME.sign), study=STUDY, verify=ME.card.verify)
    for bad in (
        Ready(OTHER, "SVI", "8" * 64, "7" * 64),
        Ready(STUDY, "other", "8" * 64, "7" * 64),
        Ready(STUDY, "SVI", "", "7" * 64),
        Ready(STUDY, "SVI", "8" * 64, ""),
    ):
        with pytest.raises(MessageError):
            Ready.open(bad.dump(ME.sign), study=STUDY, site="SVI", verify=ME.card.verify)


@pytest.mark.parametrize("code", sorted(PUBLIC_CODES))
def test_a_status_carries_a_code_of_the_fixed_list(code):
    assert status(code=code).code == code


@pytest.mark.parametrize(
    "changes",
    [
        {"code": "12 rows are missing"},
        {"code": ["data"]},
        {"code": {}},
        {"code": None},
        {"round": -1},
        {"round": True},
        {"site": "other"},
        {"study": OTHER},
    ],
    ids=str,
)
def test_a_status_that_says_anything_else_is_refused(changes):
    with pytest.raises(MessageError):
        status(**changes)


def ended(**changes):
    fields = {
        "study": STUDY,
        "outcome": "completed",
        "rounds": 5,
        "quality": "met",
        "cause": "",
        "cause_code": "",
        **changes,
    }
    return End.open(statement("securefl-study-end/2", **fields), study=STUDY, verify=ME.card.verify)


def test_an_end_is_completed_or_a_code():
    assert ended().outcome == "completed"
    assert ended(outcome="round", rounds=0, quality="").outcome == "round"


@pytest.mark.parametrize("word", ["", "met", "not-met", "cannot-be-judged"])
def test_the_end_of_a_completed_study_judges_its_quality_rule_in_fixed_words(word):
    assert ended(quality=word).quality == word
    if word:
        with pytest.raises(MessageError, match="words of its own"):
            ended(outcome="round", quality=word)


@pytest.mark.parametrize("word", ["good", "MET", None, True, ["met"], {}], ids=str)
def test_an_end_that_judges_in_other_words_is_refused(word):
    with pytest.raises(MessageError):
        ended(quality=word)


@pytest.mark.parametrize(
    "changes",
    [{"outcome": "fine"}, {"outcome": []}, {"rounds": "5"}, {"rounds": -1}, {"study": OTHER}],
    ids=str,
)
def test_a_malformed_end_is_refused(changes):
    with pytest.raises(MessageError):
        ended(**changes)


@pytest.mark.parametrize("changes", [{"study": OTHER}, {"coordinator": 1}], ids=str)
def test_a_malformed_invitation_is_refused(changes):
    fields = {"study": STUDY, "coordinator": "Researcher", **changes}
    with pytest.raises(MessageError):
        Invitation.open(
            statement("securefl-study-invitation/1", **fields), study=STUDY, verify=ME.card.verify
        )


def test_small_statements_have_a_small_cap():
    with pytest.raises(MessageError, match=f"at most {MAX_SMALL}"):
        Status.open(b" " * (MAX_SMALL + 1), study=STUDY, site="SVI", verify=ME.card.verify)
