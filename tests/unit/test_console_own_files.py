"""Notices, a table's mapping and checkpoints in the browser: a page before each change, then a yes."""

import pytest
from command_line_hospital import here, hospital, protocol_file
from console_client import ConsoleClient
from consortium import NAMES, Consortium
from small_study import SPEC

from securefl.learning.mock import mock_table
from securefl.node import pasts
from securefl.node.holders import excused
from securefl.node.mappings import kept_mapping
from securefl.node.notices.notice_settings import (
    keep_notice_settings,
    kept_notice_settings,
    read_notice_settings,
)
from securefl.node.site import Site

ME, OTHER = NAMES[:2]
NOTICES, MAPPING = "settings/notices", "data/mapping"
GERMAN = ("accept-language", "de")
MAIL = {
    "kind-request": "yes",
    "kind-failure": "yes",
    "hours": "48",
    "mail-host": "smtp.hospital.example",
    "mail-sender": "securefl@hospital.example",
    "mail-recipients": "a@hospital.example, b@hospital.example",
}
FILE = b"""
schema = "securefl-notices/1"

[command]
run = ["/usr/bin/false"]

[mail]
host = "smtp.hospital.example"
sender = "securefl@hospital.example"
recipients = ["a@hospital.example"]
user = "securefl"
password_file = "/etc/securefl/mail.password"
"""


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    return Consortium(tmp_path_factory.mktemp("console"))


def opened(folder):
    made = ConsoleClient(folder)
    made.open()
    return made


@pytest.fixture(scope="module")
def client(c):
    made = opened(c.root / ME)
    yield made
    made.close()


def own(folder, read):
    site = Site.at(folder)
    try:
        return read(site)
    finally:
        site.ledger.close()


# --- notices


def told(c):
    return own(c.root / ME, kept_notice_settings)


def test_notices_are_set_by_form_read_signed_and_taken_away(client, c):
    assert "Nobody is told of anything" in client.get(NOTICES).words
    page = client.post(f"{NOTICES}/plan", **MAIL)
    assert "smtp.hospital.example:587 (starttls)" in page.words
    assert told(c) is None, "a page before the yes writes nothing"
    assert client.post(f"{NOTICES}/sign", **page.carried).status == 303
    kept = told(c)
    assert (kept.kinds, kept.remind_after_hours) == (("request", "failure"), 48)
    assert kept.mail.recipients == ("a@hospital.example", "b@hospital.example")
    page = client.get(NOTICES, GERMAN)
    assert "eine neue Anfrage" in page.words
    assert 'value="a@hospital.example, b@hospital.example"' in page.text
    page = client.post(f"{NOTICES}/plan-drop")
    assert client.post(f"{NOTICES}/drop", **page.carried).status == 303
    assert told(c) is None
    assert "There is nothing to do." in client.post(f"{NOTICES}/plan-drop").words


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"mail-host": ""},
        {"mail-port": "much"},
        {"mail-security": "none"},
        {"mail-recipients": "a@b.example\r\nBcc: c@d.example"},
        {"webhook-url": "http://hook.example/x"},
        {"hours": "0"},
    ],
)
def test_settings_that_are_none_are_refused(client, c, form):
    sent = {**MAIL, **form} if form else {}
    answer = client.post(f"{NOTICES}/plan", **sent)
    assert answer.status == 409
    assert "These are no settings of notices" in answer.words
    assert client.post(f"{NOTICES}/sign", **sent).status == 409
    assert told(c) is None


def test_a_form_names_no_program_and_sends_no_secret_elsewhere(client, c):
    own(c.root / ME, lambda site: keep_notice_settings(site, read_notice_settings(FILE)))
    program = {"command-run": "/bin/sh", "mail-password_file": "/etc/shadow", "mail-user": "x"}
    page = client.post(f"{NOTICES}/plan", **MAIL, **program)
    client.post(f"{NOTICES}/sign", **page.carried, **program)
    kept = told(c)
    assert kept.command.run == ("/usr/bin/false",)
    assert kept.mail.password_file.endswith("/mail.password")
    assert kept.mail.recipients[1] == "b@hospital.example"
    elsewhere = {**MAIL, "mail-host": "smtp.elsewhere.example"}
    page = client.post(f"{NOTICES}/plan", **elsewhere)
    assert "a secret is never sent elsewhere" in page.words
    client.post(f"{NOTICES}/sign", **page.carried)
    kept = told(c)
    assert (kept.mail.user, kept.mail.password_file) == ("", "")
    assert kept.command.run == ("/usr/bin/false",)


def test_a_test_by_each_way_says_what_came_of_it(client, c):
    settings = b'schema = "securefl-notices/1"\n[command]\nrun = ["/usr/bin/false"]\n'
    own(c.root / ME, lambda site: keep_notice_settings(site, read_notice_settings(settings)))
    page = client.post(f"{NOTICES}/try")
    assert "command it ended with exit code 1" in page.words
    assert "Your yes" not in page.words
    client.post(f"{NOTICES}/drop")
    assert client.post(f"{NOTICES}/try").status == 409


# --- checkpoints of partners


def test_a_doubt_is_settled_after_a_page_that_says_what_it_means(client, c):
    folder = c.root / ME
    assert "Settle a doubt" not in client.get("partners").words
    assert client.post("partners/plan-settle", partner=OTHER).status == 409
    own(folder, lambda site: pasts.doubt(site, OTHER, (b"one", b"another")))
    assert "Settle a doubt about a ledger" in client.get("partners").words
    page = client.post("partners/plan-settle", partner=OTHER)
    assert "two copies of that hospital run at once" in page.words
    assert client.post("partners/settle", **page.carried, typed="x").status == 409
    assert own(folder, lambda site: pasts.doubted(site, (OTHER,))) == [OTHER]
    assert client.post("partners/settle", **page.carried, typed=OTHER).status == 303
    assert own(folder, lambda site: pasts.doubted(site, (OTHER,))) == []


def test_a_silent_hospital_is_excused_by_its_name(client, c):
    page = client.post("partners/plan-excuse", GERMAN, partner=OTHER)
    assert f"Studien ohne ein Wort von {OTHER}" in page.words
    assert client.post("partners/excuse", partner=OTHER, typed="x").status == 409
    assert own(c.root / ME, excused) == set()
    assert client.post("partners/excuse", **page.carried, typed=OTHER).status == 303
    assert own(c.root / ME, excused) == {OTHER}
    assert client.post("partners/plan-excuse", partner="nobody").status == 409


# --- a table's mapping


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A hospital with a registered table."""
    root = tmp_path_factory.mktemp("mapping")
    folder = hospital(root)
    file = root / "table.csv"
    file.write_bytes(mock_table(SPEC, 60, seed=3))
    registered = ("records", file, "--population", "clinic", "--columns", protocol_file(root))
    here("site", "data", "add", *registered, "--site", folder)
    made = opened(folder)
    yield folder, made
    made.close()


def mapped(folder):
    return own(folder, lambda site: kept_mapping(site, "records"))


def test_a_column_is_translated_by_form_and_the_others_stay(table):
    folder, client = table
    assert "Translate a column" in client.get(MAPPING).words
    tsh = {"table": "records", "column": "TSH", "times": "0.5", "missing": "-9\r\n?"}
    page = client.post(f"{MAPPING}/plan", **tsh)
    assert "numbers times 0.5" in page.words
    assert mapped(folder) is None
    assert client.post(f"{MAPPING}/sign", **page.carried).status == 303
    sex = {"table": "records", "column": "sex", "values": "w = F\n\nm=M"}
    page = client.post(f"{MAPPING}/plan", GERMAN, **sex)
    assert "Zuordnung von „records“" in page.words
    assert client.post(f"{MAPPING}/sign", **page.carried).status == 303
    columns = mapped(folder).columns
    assert (columns["TSH"].times, columns["TSH"].missing) == ("0.5", ("-9", "?"))
    assert columns["sex"].values == {"w": "F", "m": "M"}
    # an empty form takes one column out, and the last one goes by a page of its own
    client.post(f"{MAPPING}/sign", table="records", column="sex")
    assert set(mapped(folder).columns) == {"TSH"}
    answer = client.post(f"{MAPPING}/sign", table="records", column="TSH")
    assert (answer.status, "No column would be translated" in answer.words) == (409, True)
    page = client.post(f"{MAPPING}/plan-drop", table="records")
    assert client.post(f"{MAPPING}/drop", **page.carried).status == 303
    assert mapped(folder) is None


@pytest.mark.parametrize(
    ("form", "why"),
    [
        ({"column": "sex", "values": "female"}, "This line is no pair"),
        ({"column": "sex", "values": "w = woman"}, "is no declared value"),
        ({"column": "sex", "from": "Geschlecht"}, "The table has no column"),
        ({"column": "TSH", "times": "-1"}, "That is no mapping"),
        ({"column": "patient_id", "from": "age"}, "tells the patients of"),
        ({"table": "nothing", "column": "sex", "from": "s"}, "is registered here"),
    ],
)
def test_a_translation_that_fits_nothing_is_refused_with_the_reason(table, form, why):
    folder, client = table
    before = mapped(folder)
    answer = client.post(f"{MAPPING}/sign", **{"table": "records", **form})
    assert answer.status == 409
    assert why in answer.words
    assert mapped(folder) == before
