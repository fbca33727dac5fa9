"""Two people agree before a hospital does: nobody approves alone, sees the other's word before giving
theirs, or signs for the other. Each attack has a control in which it succeeds.
"""

import hashlib
import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from consortium import NAMES, Consortium

from securefl.cli.main import cli
from securefl.errors import NotApprovedError, UnreadableError, UsageError
from securefl.node import decisions, own_policy, people, sealed_words
from securefl.node.owner import people as owner
from securefl.node.owner import policy as owner_policy
from securefl.node.owner import requests
from securefl.node.owner.audit import read_audit
from securefl.node.policy import review
from securefl.signed import canonical, dump_signed
from securefl.study.owner_policy import read_policy

ME = NAMES[0]
ANNA, BELA = "anna", "bela"
PASS = {ANNA: "four words of anna", BELA: "four words of bela"}
AT = "2026-03-01T12:00:00Z"
TWO = read_policy(b'schema = "securefl-policy/1"\napprovers = 2\n')
ONE = read_policy(b'schema = "securefl-policy/1"\n')


@pytest.fixture(scope="module")
def c(tmp_path_factory):
    cost, people._SCRYPT_N = people._SCRYPT_N, 1 << 4
    made = Consortium(tmp_path_factory.mktemp("two"))
    site = made.site(ME)
    for name, passphrase in PASS.items():
        people.add_person(site, name, passphrase, AT)
    site.ledger.close()
    yield made
    people._SCRYPT_N = cost


@pytest.fixture
def here(c):
    site = c.site(ME)
    own_policy.keep_policy(site, TWO)
    yield site
    site.ledger.close()


@pytest.fixture
def study(c, request):
    made = c.new_study("t" + hashlib.sha256(request.node.name.encode()).hexdigest()[:12])
    c.hand_over(made, ME)
    return made


def key(site, name):
    return people.unlock(site, name, PASS[name])


def say(site, study, name, word):
    return sealed_words.give_word(site, study.digest, key(site, name), word)


def reopen(site, study, name):
    return sealed_words.open_word(site, study.digest, key(site, name))


def file_of(site, study, name):
    return site.study_folder(study.digest) / "words" / name


def approve(site, study):
    """The owner's command, and the way below it that a program could take."""
    requests.plan_approval(site, study.digest, datetime.now(UTC))
    return decisions.approve(site, review(site, study.sealed, datetime.now(UTC)))


# --- alone


def test_one_person_does_not_approve_alone(here, study):
    say(here, study, ANNA, "yes")
    with pytest.raises(NotApprovedError, match="gave their word"):
        requests.plan_approval(here, study.digest, datetime.now(UTC))
    with pytest.raises(NotApprovedError, match="gave their word"):
        decisions.approve(here, review(here, study.sealed, datetime.now(UTC)))
    with pytest.raises(NotApprovedError, match="gave their word"):
        say(here, study, ANNA, "yes")
    with pytest.raises(NotApprovedError, match="when both are there"):
        reopen(here, study, ANNA)
    assert study.digest not in here.ledger.state.studies
    # the control: where the policy does not ask two, the same request is approved
    own_policy.keep_policy(here, ONE)
    approve(here, study)
    assert study.digest in here.ledger.state.studies


def test_two_people_approve_and_the_ledger_and_the_audit_say_who(here, study):
    say(here, study, ANNA, "yes")
    given = say(here, study, BELA, "yes")
    assert {word.person.name: word.word for word in given} == {ANNA: None, BELA: "yes"}
    with pytest.raises(NotApprovedError, match="1 of these are opened"):
        approve(here, study)
    reopen(here, study, ANNA)
    approve(here, study)
    assert sorted(here.ledger.state.endorsed[study.digest]) == [ANNA, BELA]
    report = read_audit(here.path).report
    (entry,) = [a for a in report.approvals if a["study"] == study.digest]
    assert sorted(entry["agreed_by"]) == [ANNA, BELA]


def test_one_no_is_enough(here, study):
    say(here, study, ANNA, "no")
    say(here, study, BELA, "yes")
    reopen(here, study, ANNA)
    with pytest.raises(NotApprovedError, match="anna did not"):
        approve(here, study)


def test_nobody_makes_a_second_person_or_takes_the_rule_away_alone(here):
    plan = owner_policy.PolicyPlan(ONE, TWO)
    alone = {ANNA: PASS[ANNA]}
    wrong = {ANNA: PASS[ANNA], BELA: PASS[ANNA]}
    for given in (None, alone, wrong):
        with pytest.raises(NotApprovedError):
            owner.add_person(here, "puppet", "a passphrase of anna", AT, given)
        with pytest.raises(NotApprovedError):
            owner.remove_person(here, BELA, given)
        with pytest.raises(NotApprovedError):
            owner_policy.set_policy(here, plan, given)
        with pytest.raises(NotApprovedError):
            owner_policy.drop_policy(here, given)
    assert [person.name for person in people.people_of(here)] == [ANNA, BELA]
    # the control: both together may
    owner.add_person(here, "third", "a passphrase of third", AT, PASS)
    owner.remove_person(here, "third", PASS)
    owner_policy.set_policy(here, plan, PASS)
    assert own_policy.kept_policy(here).approvers is None


def test_a_policy_of_two_needs_two_people_on_the_list(c):
    site = c.site(NAMES[1])
    with pytest.raises(NotApprovedError, match="fewer than two"):
        owner_policy.set_policy(site, owner_policy.PolicyPlan(TWO, None))
    site.ledger.close()


# --- seeing the other's word


def guess(site, study, nonce):
    """The word behind Anna's commitment, by trying both with a nonce; None where neither fits."""
    (given,) = [w for w in sealed_words.words_on(site, study.digest) if w.person.name == ANNA]
    for word in ("yes", "no"):
        body = sealed_words._body(study.digest, ANNA, word, nonce)
        if hashlib.sha256(canonical(body)).hexdigest() == given.hash:
            return word
    return None


@pytest.mark.parametrize("word", ["yes", "no"])
def test_the_first_word_is_not_seen_before_the_second_is_given(here, study, word):
    say(here, study, ANNA, word)
    kept = json.loads(file_of(here, study, ANNA).read_text())
    assert guess(here, study, "00" * 32) is None
    for other in (key(here, BELA),):
        with pytest.raises(UnreadableError):
            other.open(bytes.fromhex(kept["sealed"]), study.digest.encode())
    # yes and no are of one length
    assert len(kept["sealed"]) == 2 * (sealed_words.SEALED_BYTES + 28)
    # the control: with Anna's key the same bytes tell it
    text = key(here, ANNA).open(bytes.fromhex(kept["sealed"]), study.digest.encode())
    assert guess(here, study, json.loads(text)["nonce"]) == word


def test_a_word_cannot_be_changed_after_the_others_was_seen(here, study):
    say(here, study, ANNA, "yes")
    say(here, study, BELA, "no")
    file = file_of(here, study, ANNA)
    kept, anna = json.loads(file.read_text()), key(here, ANNA)
    body = json.loads(anna.open(bytes.fromhex(kept["sealed"]), study.digest.encode()))

    def opened(word):
        signed = dump_signed({**body, "word": word}, anna.sign).decode()
        file.write_text(json.dumps({**kept, "opening": signed}))
        return sealed_words.words_on(here, study.digest)

    with pytest.raises(UnreadableError, match="somebody changed it"):
        opened("no")
    # the control: the word that she committed to is taken
    assert {word.word for word in opened("yes")} == {"yes", "no"}


# --- signing for the other


def test_nobody_signs_for_the_other(here, study):
    with pytest.raises(NotApprovedError, match="not the passphrase of bela"):
        people.unlock(here, BELA, PASS[ANNA])
    say(here, study, ANNA, "yes")
    own, others = file_of(here, study, ANNA), file_of(here, study, BELA)
    # Anna's word under Bela's name
    others.write_bytes(own.read_bytes())
    with pytest.raises(UnreadableError):
        sealed_words.words_on(here, study.digest)
    # a word in Bela's name, signed by Anna's key
    about = {"type": "securefl-commitment/1", "study": study.digest, "person": BELA}
    signed = dump_signed({**about, "hash": "0" * 64}, key(here, ANNA).sign).decode()
    others.write_text(json.dumps({"commitment": signed, "sealed": "00", "opening": ""}))
    with pytest.raises(UnreadableError):
        approve(here, study)
    # the control: Bela's own key signs what is read
    signed = dump_signed({**about, "hash": "0" * 64}, key(here, BELA).sign).decode()
    others.write_text(json.dumps({"commitment": signed, "sealed": "00", "opening": ""}))
    assert len(sealed_words.words_on(here, study.digest)) == 2


def test_a_word_on_another_study_does_not_count(c, here, study):
    other = c.new_study("other-study")
    c.hand_over(other, ME)
    say(here, other, BELA, "yes")
    say(here, study, ANNA, "yes")
    file_of(here, study, BELA).write_bytes(file_of(here, other, BELA).read_bytes())
    with pytest.raises(UnreadableError):
        sealed_words.words_on(here, study.digest)


def test_another_key_in_the_list_is_noticed(here):
    file = here.path / "people.signed"
    before = file.read_bytes()
    anna, bela = (person.signing_public for person in people.people_of(here))
    file.write_bytes(before.replace(bela.encode(), anna.encode()))
    try:
        with pytest.raises(UnreadableError):
            people.people_of(here)
    finally:
        file.write_bytes(before)


def test_the_key_of_a_person_is_encrypted_and_the_owners_alone(here):
    file = here.path / "people" / ANNA
    assert file.stat().st_mode & 0o777 == 0o600
    raw = key(here, ANNA)._key.private_bytes_raw()
    assert raw not in file.read_bytes()
    assert raw.hex() not in file.read_text()


def test_a_short_passphrase_is_refused(here):
    own_policy.keep_policy(here, ONE)
    with pytest.raises(UsageError, match="shorter than 12"):
        owner.add_person(here, "carl", "short", AT)


# --- the commands


def test_the_two_of_them_at_the_screen(here, study):
    def typed(*words, keys=""):
        done = CliRunner().invoke(cli, [*words, "--site", str(here.path)], input=keys)
        return done, " ".join(done.output.split())

    done, words = typed("site", "word", study.digest, "--as", ANNA, keys=f"yes\n{PASS[ANNA]}\n")
    assert done.exit_code == 0
    assert "anna sealed" in words
    assert PASS[ANNA] not in words
    wrong, _ = typed("site", "word", study.digest, "--as", BELA, keys=f"yes\n{PASS[ANNA]}\n")
    assert isinstance(wrong.exception, NotApprovedError)
    alone, _ = typed("site", "approve", study.digest, "--yes")
    assert isinstance(alone.exception, NotApprovedError)
    _, words = typed("site", "word", study.digest, "--as", BELA, keys=f"yes\n{PASS[BELA]}\n")
    assert "anna opens theirs with the same command" in words
    _, words = typed("site", "word", study.digest, "--as", ANNA, keys=f"{PASS[ANNA]}\n")
    assert "Both said yes" in words
    assert typed("site", "approve", study.digest, "--yes")[0].exit_code == 0
    assert "anna" in typed("site", "people", "list")[1]
