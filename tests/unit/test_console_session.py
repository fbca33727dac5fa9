"""A link opens one session, once; a session ends by itself, by its person, or by the next one."""

import pytest

from securefl.console.session import IDLE_SECONDS, LINK_SECONDS, LONGEST_SECONDS, Sessions


class Clock:
    now = 500.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def sessions(clock):
    return Sessions(clock)


def found(sessions, session):
    return sessions.find(session.room, session.cookie)


def test_a_link_opens_a_session_once(sessions):
    link = sessions.new_link()
    session = sessions.open(link)
    assert found(sessions, session) is session
    assert sessions.open(link) is None


def test_nothing_opens_before_there_is_a_link(sessions):
    assert sessions.open("") is None
    assert sessions.find("", "") is None


def test_a_link_is_good_for_minutes(sessions, clock):
    link = sessions.new_link()
    clock.now += LINK_SECONDS + 1
    assert sessions.open(link) is None
    link = sessions.new_link()
    clock.now += LINK_SECONDS
    assert sessions.open(link) is not None


def test_a_new_link_voids_the_one_before(sessions):
    first = sessions.new_link()
    second = sessions.new_link()
    assert sessions.open(first) is None
    assert sessions.open(second) is not None


def test_a_wrong_link_does_not_use_up_the_right_one(sessions):
    link = sessions.new_link()
    assert sessions.open(link[:-1]) is None
    assert sessions.open(f"{link}x") is None
    assert sessions.open("ü") is None
    assert sessions.open(link) is not None


def test_room_and_cookie_are_both_asked_for(sessions):
    session = sessions.open(sessions.new_link())
    assert sessions.find(session.room, "") is None
    assert sessions.find("", session.cookie) is None
    assert sessions.find(session.cookie, session.room) is None


def test_a_session_ends_when_nobody_was_there(sessions, clock):
    session = sessions.open(sessions.new_link())
    clock.now += IDLE_SECONDS
    assert found(sessions, session) is session
    sessions.touch(session)
    clock.now += IDLE_SECONDS + 1
    assert found(sessions, session) is None
    clock.now -= IDLE_SECONDS
    assert found(sessions, session) is None  # over is over


def test_a_session_ends_after_a_working_day_in_any_case(sessions, clock):
    session = sessions.open(sessions.new_link())
    end = clock.now + LONGEST_SECONDS
    while clock.now + IDLE_SECONDS < end:
        clock.now += IDLE_SECONDS
        sessions.touch(session)
    clock.now = end + 1
    sessions.touch(session)
    assert found(sessions, session) is None


def test_the_next_session_ends_the_one_before(sessions):
    first = sessions.open(sessions.new_link())
    second = sessions.open(sessions.new_link())
    assert found(sessions, first) is None
    assert not sessions.alive(first)
    sessions.end(first)  # ends nothing any more
    assert found(sessions, second) is second


def test_a_form_is_of_its_own_session(sessions):
    first = sessions.open(sessions.new_link())
    second = sessions.open(sessions.new_link())
    assert second.may_post(second.form)
    assert not second.may_post(first.form)
    assert not second.may_post("")


def test_secrets_differ_and_stay_out_of_what_is_printed(sessions):
    session = sessions.open(sessions.new_link())
    assert len({session.room, session.cookie, session.form}) == 3
    assert session.cookie not in repr(session)
    assert session.form not in repr(session)
