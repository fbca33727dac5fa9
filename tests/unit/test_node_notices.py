"""Notices to an owner: what is told, once, by which ways, and that no figure of a patient is in any."""

import json
import re
import sys
import threading
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from consortium import NAMES, Consortium
from hospital_folder import hospital, typed
from notice_sinks import certificate, mail_sink, proxy_sink, web_sink

from securefl.errors import StudyError, UnreadableError
from securefl.node import decisions
from securefl.node.notices.notice import Notice
from securefl.node.notices.notice_channels import NotSentError, channels_of
from securefl.node.notices.notice_desk import NoticeDesk, tell
from securefl.node.notices.notice_events import NoticeEvent, notice_events
from securefl.node.notices.notice_outbox import NoticeSender, post_notices, told_keys
from securefl.node.notices.notice_settings import (
    keep_notice_settings,
    kept_notice_settings,
    read_notice_settings,
)
from securefl.node.requests import kept_requests
from securefl.node.site import Site

ME = NAMES[0]
HEAD = 'schema = "securefl-notices/1"\n'
HOOK = '[command]\nrun = ["/usr/bin/true"]\n'
AT = "2026-03-01T12:00:00Z"
NOTICE = Notice("request", "SVI", "first-study-0123456789ab", AT)
DAY = timedelta(hours=24)


def settings(text=HOOK):
    return read_notice_settings((HEAD + text).encode())


def channel(text):
    (found,) = channels_of(settings(text))
    return found


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("tls"))


def secret(path, text="geheim-4711", mode=0o600):
    path.write_text(text + "\n")
    path.chmod(mode)
    return path


# --- settings


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "names no way"),
        ('[command]\nrun = "notify --now"\n', "run"),
        ('[command]\nrun = ["notify"]\n', "whole path"),
        ("[command]\nrun = []\n", "run"),
        (HOOK.replace("true", "tr\\u0000ue"), "run"),
        (HOOK + "shell = true\n", "shell"),
        ('kinds = ["everything"]\n' + HOOK, "kinds"),
        ('[webhook]\nurl = "http://hook.example/x"\n', "url"),
        ('[webhook]\nurl = "https://user:word@hook.example/x"\n', "url"),
        ('[webhook]\nurl = "https://h.example/x"\ntoken_file = "token"\n', "token_file"),
        ('[mail]\nhost = "m.example"\nsender = "a b@c"\nrecipients = ["x@y.z"]\n', "sender"),
        (
            '[mail]\nhost = "m.example"\nsender = "a@c.d"\nrecipients = ["x@y.z\\nBcc: q@r.s"]\n',
            "rec",
        ),
        (
            '[mail]\nhost = "m.example"\nsecurity = "none"\nsender = "a@c.d"\nrecipients = ["x@y.z"]\n',
            "without TLS",
        ),
        (
            '[mail]\nhost = "m.example"\nuser = "u"\nsender = "a@c.d"\nrecipients = ["x@y.z"]\n',
            "go together",
        ),
        ("\x00", "settings"),
    ],
)
def test_settings_that_would_not_be_safe_are_refused_with_the_place(text, why):
    with pytest.raises(StudyError, match=re.escape(why)) as caught:
        settings(text)
    assert caught.value.next_step


@pytest.fixture
def here(tmp_path):
    site = Site.at(hospital(tmp_path))
    yield site
    site.ledger.close()


def test_settings_that_somebody_else_changed_send_nothing(here):
    keep_notice_settings(here, settings())
    assert kept_notice_settings(here) == settings()
    file = here.path / "notices.signed"
    file.write_bytes(file.read_bytes().replace(b"/usr/bin/true", b"/usr/bin/evil"))
    with pytest.raises(UnreadableError, match="somebody else"):
        kept_notice_settings(here)
    post_notices(here, [NoticeEvent("request:a", "request", "a")], ["request"], AT)
    with pytest.raises(UnreadableError):
        NoticeSender(here, print).turn()


# --- ways


def test_a_command_gets_the_notice_on_its_input_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "geheim")
    out = tmp_path / "came.json"
    code = (
        "import json,os,sys; json.dump([json.load(sys.stdin), sys.argv[1:], dict(os.environ)],"
        f" open({str(out)!r}, 'w'))"
    )
    run = json.dumps([sys.executable, "-I", "-c", code, "$(id); rm -rf /"])
    channel(f"[command]\nrun = {run}\n").send(NOTICE)
    said, words, environment = json.loads(out.read_text())
    assert said == NOTICE.to_json()
    assert words == ["$(id); rm -rf /"]
    assert "AWS_SECRET_ACCESS_KEY" not in environment


@pytest.mark.parametrize(
    ("run", "why"), [("/usr/bin/false", "exit code 1"), ("/no/such/program", "cannot be started")]
)
def test_a_command_that_fails_is_not_taken_for_sent(run, why):
    with pytest.raises(NotSentError, match=why):
        channel(f'[command]\nrun = ["{run}"]\n').send(NOTICE)


def mail_text(sink, files, tmp_path, security="starttls"):
    word = secret(tmp_path / "word")
    return (
        f'[mail]\nhost = "127.0.0.1"\nport = {sink.port}\nsecurity = "{security}"\n'
        'sender = "securefl@klinik.example"\nrecipients = ["steward@klinik.example"]\n'
        f'user = "svi"\npassword_file = "{word}"\nca_file = "{files[0]}"\n'
    )


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_mail_goes_by_tls_with_the_institutions_own_authority(files, tmp_path, security):
    with mail_sink(files, at_once=security == "tls") as sink:
        channel(mail_text(sink, files, tmp_path, security)).send(NOTICE)
    (mail,) = sink.came
    assert "Subject: securefl at SVI: a new request" in mail
    assert "To: steward@klinik.example" in mail
    assert NOTICE.about in mail
    assert sink.logins == [b"\0svi\0geheim-4711"]


def test_a_server_whose_certificate_does_not_hold_gets_neither_mail_nor_password(files, tmp_path):
    with mail_sink(files) as sink:
        text = mail_text(sink, files, tmp_path).replace(f'ca_file = "{files[0]}"\n', "")
        with pytest.raises(NotSentError, match="certificate does not hold"):
            channel(text).send(NOTICE)
        assert sink.logins == sink.came == []


def test_a_server_without_starttls_gets_neither_mail_nor_password(files, tmp_path):
    with mail_sink(files) as sink:
        sink.plain = True
        with pytest.raises(NotSentError, match="no STARTTLS"):
            channel(mail_text(sink, files, tmp_path)).send(NOTICE)
        assert sink.logins == sink.came == []


def test_a_refused_login_is_said_without_the_password(files, tmp_path):
    with mail_sink(files) as sink:
        sink.refuse = True
        with pytest.raises(NotSentError, match="refused user or password") as caught:
            channel(mail_text(sink, files, tmp_path)).send(NOTICE)
    assert "geheim" not in str(caught.value)


def test_a_password_that_others_can_read_is_not_used(files, tmp_path):
    with mail_sink(files) as sink:
        text = mail_text(sink, files, tmp_path)
        (tmp_path / "word").chmod(0o644)
        with pytest.raises(NotSentError, match="read by others"):
            channel(text).send(NOTICE)
        assert sink.came == []


def hook_text(sink, files, more=""):
    return f'[webhook]\nurl = "https://127.0.0.1:{sink.port}/in?room=7"\nca_file = "{files[0]}"\n{more}'


def test_a_web_address_gets_json_with_its_token(files, tmp_path):
    token = secret(tmp_path / "token")
    with web_sink(files) as sink:
        channel(hook_text(sink, files, f'token_file = "{token}"\n')).send(NOTICE)
    assert sink.came == [("/in?room=7", "Bearer geheim-4711", NOTICE.to_json())]


def test_a_web_address_is_reached_through_the_houses_proxy(files):
    with web_sink(files) as sink, proxy_sink() as proxy:
        channel(hook_text(sink, files, f'proxy = "127.0.0.1:{proxy.port}"\n')).send(NOTICE)
        assert proxy.tunnels == [f"127.0.0.1:{sink.port}"]
        assert len(sink.came) == 1


def test_a_web_address_is_not_followed_to_another_one(files):
    with web_sink(files) as other:
        to = f"https://127.0.0.1:{other.port}/"
        with web_sink(files, 307, to) as sink, pytest.raises(NotSentError, match="307"):
            channel(hook_text(sink, files)).send(NOTICE)
        assert other.came == []


def test_a_web_address_whose_certificate_does_not_hold_gets_nothing(files):
    with web_sink(files) as sink:
        text = hook_text(sink, files).replace(f'ca_file = "{files[0]}"\n', "")
        with pytest.raises(NotSentError, match="certificate does not hold"):
            channel(text).send(NOTICE)
        assert sink.came == []


# --- what is told


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    return Consortium(tmp_path_factory.mktemp("notices"))


@pytest.fixture
def site(c):
    found = c.site(ME)
    yield found
    found.ledger.close()


def events(site, now=None):
    found = notice_events(site.ledger.state, kept_requests(site), now or datetime.now(UTC), DAY)
    return {(event.kind, event.about) for event in found}


def test_a_study_is_told_from_its_request_to_its_end(c, site):
    study = c.new_study("told")
    c.hand_over(study, ME)
    (request,) = [r for r in kept_requests(site) if r.digest == study.digest]
    early = datetime.fromisoformat(request.received).replace(tzinfo=UTC)
    assert ("request", request.short) in events(site, early)
    assert ("waiting", request.short) not in events(site, early)
    assert ("waiting", request.short) in events(site, early + DAY)
    c.approve(ME, study)
    assert not [e for e in events(site) if e[1] == request.short]
    site.ledger.start(study.digest)
    site.ledger.settle(study.digest, "failed")
    assert ("failure", request.short) in events(site)


def test_a_budget_is_told_at_80_percent_and_not_before():
    budget = SimpleNamespace(cap=1000)

    def told(used):
        state = SimpleNamespace(studies={}, budgets={"p": budget}, used=lambda _: used)
        return [e.kind for e in notice_events(state, (), datetime.now(UTC), DAY)]

    assert told(799) == []
    assert told(800) == ["budget"]


# --- the outbox


def test_each_thing_is_told_once_also_after_a_restart(here):
    first = [NoticeEvent("request:a", "request", "a"), NoticeEvent("failure:b", "failure", "b")]
    assert post_notices(here, first, ["request"], AT) == 1
    assert post_notices(here, first, ["request", "failure"], AT) == 0
    assert told_keys(here) == {"request:a", "failure:b"}
    # what is no more is forgotten
    post_notices(here, first[1:], ["request"], AT)
    assert told_keys(here) == {"failure:b"}


def test_what_was_so_before_notices_are_switched_on_is_not_told(c, site):
    requests = settings('kinds = ["request"]\n' + HOOK)
    study = c.new_study("before")
    c.hand_over(study, ME)
    assert tell(site, requests, silently=True) == 0
    assert tell(site, requests) == 0
    later = c.new_study("after")
    c.hand_over(later, ME)
    assert tell(site, requests) == 1


def test_a_way_that_fails_is_tried_again_and_the_others_do_not_wait_for_it(here, files, tmp_path):
    clock = SimpleNamespace(now=100.0)
    said = []
    with web_sink(files) as sink:
        good = tmp_path / "came"
        run = json.dumps([sys.executable, "-I", "-c", f"open({str(good)!r}, 'a').write('x')"])
        keep_notice_settings(here, settings(f"[command]\nrun = {run}\n" + hook_text(sink, files)))
        sink.refuse = True
        post_notices(here, [NoticeEvent("request:a", "request", "a")], ["request"], AT)
        sender = NoticeSender(here, said.append, lambda: clock.now)
        sender.turn()
        sender.turn()
        assert good.read_text() == "x"
        assert len(sink.came) == 1
        clock.now += 4000
        sink.refuse = False
        sender.turn()
        assert len(sink.came) == 2
    assert not list((here.path / "notices" / "out").iterdir())
    assert said == ["a notice did not get through (webhook): the server answered 500; tried again"]


def test_a_notice_is_given_up_after_three_days(here):
    keep_notice_settings(here, settings('[command]\nrun = ["/usr/bin/false"]\n'))
    post_notices(here, [NoticeEvent("request:a", "request", "a")], ["request"], AT)
    (file,) = (here.path / "notices" / "out").iterdir()
    file.rename(file.with_name("0" * 20 + "-0000"))
    said = []
    NoticeSender(here, said.append).turn()
    assert "given up after three days (command)" in said[-1]
    assert not list((here.path / "notices" / "out").iterdir())


def test_rubbish_in_the_outbox_holds_nothing_up(here):
    keep_notice_settings(here, settings())
    post_notices(here, [NoticeEvent("request:a", "request", "a")], ["request"], AT)
    for name, text in (("000", b"{"), ("0-1", b"[]"), ("1-1", b'{"notice": {}, "gone": []}')):
        (here.path / "notices" / "out" / name).write_bytes(text)
    NoticeSender(here, print).turn()
    assert not list((here.path / "notices" / "out").iterdir())


def test_a_way_that_hangs_does_not_hold_up_the_agent(here, monkeypatch):
    hanging, let_go = threading.Event(), threading.Event()

    class Hanging:
        name = "mail"

        def send(self, _):
            hanging.set()
            let_go.wait(60)

    monkeypatch.setattr("securefl.node.notices.notice_outbox.channels_of", lambda _: (Hanging(),))
    keep_notice_settings(here, settings())
    desk = NoticeDesk(here, print, lambda: 0.0)
    post_notices(here, [NoticeEvent("request:a", "request", "a")], ["request"], AT)
    desk.sender.start()
    assert hanging.wait(60)
    # the agent's own turn and its end come while the other thread hangs
    desk.turn(here)
    desk.sender.stop()
    assert not let_go.is_set()
    let_go.set()


# --- what is in a notice


def test_no_figure_and_no_word_of_a_patient_is_in_any_notice(c, site, files):
    """Everything that this hospital could tell is told, and planted values are looked for."""
    planted = ["Miller-1951", "0.8125", "4711"]
    study = c.new_study("planted")
    c.hand_over(study, ME)
    c.approve(ME, study)
    site.ledger.start(study.digest)
    folder = site.study_folder(study.digest)
    (folder / "counts.json").write_text(json.dumps({"rows": 4711, "kept": 4711}))
    (folder / "failure.json").write_text(json.dumps({"reason": "Miller-1951 has TSH 0.8125"}))
    for name in ("refused", "open"):
        c.hand_over(c.new_study(name), ME)
    (refused,) = [r for r in kept_requests(site) if r.study_id == "refused"]
    decisions.refuse(site, refused, "Miller-1951")
    site.ledger.settle(study.digest, "failed")
    with web_sink(files) as sink:
        keep_notice_settings(site, settings(hook_text(sink, files)))
        (site.path / "notices" / "told.json").unlink(missing_ok=True)
        now = datetime.now(UTC) + timedelta(days=9)
        found = notice_events(site.ledger.state, kept_requests(site), now, DAY)
        post_notices(site, found, ["request", "waiting", "budget", "failure"], AT)
        NoticeSender(site, print).turn()
    assert {body["kind"] for _, _, body in sink.came} >= {"failure", "request", "waiting"}
    for _, _, body in sink.came:
        assert set(body) == {"type", "kind", "site", "about", "at", "text"}
        assert not [value for value in planted if value in json.dumps(body)]
    # the control: the values stand at home, where a careless notice would have found them
    assert "4711" in (folder / "counts.json").read_text()
    assert any("Miller-1951" in r.note for r in site.ledger.state.refusals)


# --- the command


def test_the_owner_sets_tries_and_drops_notices(here, tmp_path):
    file = tmp_path / "notices.toml"
    file.write_text(HEAD + HOOK)
    at = ("--site", here.path)
    assert "Nobody is told of anything" in typed("site", "notices", "show", *at).words
    assert "--yes" in typed("site", "notices", "set", file, *at).mend
    assert kept_notice_settings(here) is None
    assert typed("site", "notices", "set", file, "--yes", *at).code == 0
    assert "/usr/bin/true" in typed("site", "notices", "show", *at).words
    assert "command it was taken" in typed("site", "notices", "test", *at).words
    file.write_text(HEAD + HOOK.replace("true", "false"))
    typed("site", "notices", "set", file, "--yes", *at)
    failed = typed("site", "notices", "test", *at)
    assert failed.error.startswith("The test did not get through: command")
    assert "exit code 1" in failed.words
    assert typed("site", "notices", "drop", "--yes", *at).code == 0
    assert "set FILE" in typed("site", "notices", "test", *at).mend
    assert ((here.path / "notices").stat().st_mode & 0o777) == 0o700
