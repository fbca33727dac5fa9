import inspect

import pytest

from securefl import errors
from securefl.errors import PUBLIC_CODES, ExitCode, MessageError, SecureFLError, StudyError

KINDS = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, SecureFLError)]


def test_an_error_reads_as_what_whose_and_next():
    error = SecureFLError("The key is short.", whose="SVI", next_step="Send it again.")
    assert str(error) == "The key is short. Who can mend it: SVI. Next: Send it again."
    assert str(SecureFLError("The key is short.")) == "The key is short."


def test_a_kind_of_error_names_its_usual_mender_unless_told_another():
    assert StudyError("x").whose == "the researcher who wrote the study"
    assert StudyError("x", whose="SVI").whose == "SVI"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_public_code_and_a_documented_exit_code(kind):
    assert kind.code in PUBLIC_CODES
    assert isinstance(kind.exit_code, ExitCode)
    assert kind.__doc__


def test_each_kind_that_names_a_code_has_one_of_its_own():
    named = [kind for kind in KINDS if "code" in vars(kind)]
    assert len({kind.code for kind in named}) == len(named)
    # others hear of a broken policy what they hear of every refusal
    assert {kind.__name__ for kind in KINDS} - {kind.__name__ for kind in named} == {"PolicyError"}


def test_what_others_may_hear_is_a_word_without_details():
    assert all(code.replace("-", "").isalpha() and len(code) <= 20 for code in PUBLIC_CODES)
    assert MessageError("row 17 of SVI holds 65526").code == "message"


def test_the_exit_codes_that_scripts_rely_on_do_not_move():
    fixed = {"CRASH": 1, "USAGE": 2, "LEDGER_ALTERED": 3, "UNREADABLE": 4}
    assert fixed.items() <= {c.name: c.value for c in ExitCode}.items()
