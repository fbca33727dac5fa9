"""The page protocols/wire/curve-edit.md, held to its vectors by securefl and by a reader that knows
only the page.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from conftest import fixed_identity
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from kinds_of_models import some_model

import securefl
from securefl.errors import MessageError
from securefl.learning.curve_edits import HIGHEST, applied, curves_of
from securefl.learning.edit_statement import CurveEdit, open_edit
from securefl.learning.models import family_of

WIRE = Path(securefl.__file__).parents[1] / "protocols" / "wire"
VECTORS = json.loads((WIRE / "curve-edit-vectors.json").read_text("utf-8"))
PAGE = (WIRE / "curve-edit.md").read_text("utf-8")
SIGNER = fixed_identity("Nord", "hospital")
EDITS = [bytes.fromhex(edit["bytes"]) for edit in VECTORS["edits"]]


def by_why(section):
    return [pytest.param(bytes.fromhex(r["bytes"]), id=r["why"]) for r in VECTORS[section]]


# securefl

MODEL = some_model("binary", "additive")
FAMILY = family_of(MODEL.spec, MODEL.data)
PLACE = [column.name for column in MODEL.data.columns].index(VECTORS["column"])


def with_heights(heights):
    """The weights of a model whose curve has these heights."""
    return FAMILY.with_curve(MODEL.theta, PLACE, np.array([heights], dtype=float))


UNEDITED = with_heights(VECTORS["curve"])


def after(*files):
    """Heights of the curve after these edits, as securefl works them out."""
    theta = UNEDITED
    for file in files:
        theta = applied(theta, MODEL.spec, MODEL.data, UNEDITED, open_edit(file))
    return curves_of(theta, MODEL.spec, MODEL.data, UNEDITED)[VECTORS["column"]].heights[0]


def test_securefl_writes_exactly_the_vectors():
    for edit, data in zip(VECTORS["edits"], EDITS, strict=True):
        fields = {**edit["fields"], "old": tuple(edit["fields"]["old"])}
        fields["new"] = tuple(edit["fields"]["new"])
        assert CurveEdit(**fields).dump(SIGNER.sign) == data


def test_securefl_comes_to_the_heights_of_the_vectors():
    for number, edit in enumerate(VECTORS["edits"], 1):
        np.testing.assert_allclose(after(*EDITS[:number]), edit["after"], atol=1e-9)


@pytest.mark.parametrize("data", by_why("refused"))
def test_what_the_page_refuses_is_refused(data):
    with pytest.raises(MessageError):
        open_edit(data)


@pytest.mark.parametrize("data", by_why("misfits"))
def test_an_edit_that_does_not_fit_the_curve_is_read_and_never_applied(data):
    assert open_edit(data).model == VECTORS["model"]
    with pytest.raises(MessageError):
        after(data)


# a reader that knows only the page

TEXT = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]{1,400}")
FORMS = {
    "type": re.compile(r"securefl-curve-edit/1"),
    "before": re.compile(r"([0-9a-f]{64})?"),
    "at": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
    "way": re.compile("flat|straight|rising|falling"),
    "role": re.compile("hospital|researcher|aggregator"),
    **dict.fromkeys(("model", "signing_public", "sealing_public"), re.compile(r"[0-9a-f]{64}")),
    **dict.fromkeys(("column", "low", "high", "who", "why"), TEXT),
    **dict.fromkeys(("party", "legal_name", "email"), TEXT),
}
HEIGHT = re.compile(r"-?[0-9]{1,3}\.[0-9]{6}")


def read_2(data):
    """The fields of an edit; None for what the page refuses."""
    first_line = re.match(rb"securefl-signed/1 ([0-9a-f]{128})\n", data)
    if len(data) > 16_384 or first_line is None:
        return None
    payload = data[first_line.end() :]
    try:
        body = json.loads(payload, parse_float=lambda _: 1 / 0)
        again = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(body["signing_public"]))
        key.verify(bytes.fromhex(first_line[1].decode()), payload)
    except (ValueError, KeyError, TypeError, ZeroDivisionError, InvalidSignature):
        return None
    numbers = ("score", "first", "last")
    lists = ("old", "new")
    if again.encode() != payload or set(body) != {*FORMS, *numbers, *lists}:
        return None
    if not all(isinstance(body[n], str) and form.fullmatch(body[n]) for n, form in FORMS.items()):
        return None
    if not all(type(body[name]) is int and 0 <= body[name] < 1 << 31 for name in numbers):
        return None
    for name in lists:
        if len(body[name]) != body["last"] - body["first"] + 1 or not body[name]:
            return None
        if not all(isinstance(text, str) and HEIGHT.fullmatch(text) for text in body[name]):
            return None
    return body


def apply_2(curve, body):
    """Heights after an edit; None where it does not fit."""
    part = slice(body["first"], body["last"] + 1)
    found = curve[part]
    if body["score"] != 0 or body["last"] >= len(curve) or body["column"] != VECTORS["column"]:
        return None
    if any(abs(a - float(b)) > 1e-6 for a, b in zip(found, body["old"], strict=True)):
        return None
    new = [float(text) for text in body["new"]]
    if max(map(abs, new)) > 50:
        return None
    return [*curve[: part.start], *new, *curve[part.stop :]]


def test_a_reader_that_knows_only_the_page_comes_to_the_same():
    mean = sum(VECTORS["curve"]) / len(VECTORS["curve"])
    curve = [height - mean for height in VECTORS["curve"]]
    before = ""
    for edit, data in zip(VECTORS["edits"], EDITS, strict=True):
        body = read_2(data)
        assert body == {"type": "securefl-curve-edit/1", **edit["fields"]}
        assert (body["model"], body["before"]) == (VECTORS["model"], before)
        curve = apply_2(curve, body)
        np.testing.assert_allclose(curve, edit["after"], atol=1e-9)
        before = hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("data", by_why("refused"))
def test_the_second_reader_refuses_the_same(data):
    assert read_2(data) is None


@pytest.mark.parametrize("data", by_why("misfits"))
def test_the_second_reader_applies_no_misfit(data):
    mean = sum(VECTORS["curve"]) / len(VECTORS["curve"])
    assert apply_2([height - mean for height in VECTORS["curve"]], read_2(data)) is None


# the page


def test_the_page_lists_exactly_the_fields_that_travel():
    table = PAGE.split("## Reading")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    names = [name for row in rows for name in re.findall("`([a-z_]+)`", row)]
    assert sorted(names) == sorted(VECTORS["edits"][0]["fields"])


def test_the_page_states_the_constants():
    for text in (CurveEdit.TYPE, f"{CurveEdit.MAX_BYTES:,} bytes", f"above {HIGHEST:g}"):
        assert text in PAGE
