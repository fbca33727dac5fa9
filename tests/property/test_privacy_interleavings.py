"""Whatever owners and agents do, in whatever order: a population is never charged more than its
cap.
"""

import random
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_site import CHARGES, DELTA, HISTOGRAM, STEP, TERMS, approve, digest, new_ledger

from securefl.errors import SecureFLError
from securefl.privacy import ledger_events as ev
from securefl.privacy.accounting import epsilon_of_rdp, rdp_cost
from securefl.privacy.charges import Charge
from securefl.privacy.ledger import Ledger
from securefl.privacy.ledger_state import LedgerState, apply, fold

AT = "2026-01-31T12:00:00Z"
INTERLEAVINGS = 1200
STEPS = 50


def parts(steps, order, attempts=1):
    charges = (Charge("update", STEP.with_count(steps)), CHARGES[1])
    return tuple(
        ev.Part(
            purpose=c.purpose, mechanism=c.mechanism, cost=attempts * rdp_cost(c.mechanism, order)
        )
        for c in charges
    )


SNAPSHOT = {"p": "aa" * 32, "q": "bb" * 32}


def opening():
    events = [ev.Genesis(at=AT, site="SVI", key="0f" * 32)]
    for population, order in (("p", 7), ("q", 5)):
        events += [
            ev.Grant(
                at=AT, population=population, epsilon=Decimal(3), delta=DELTA, order=order, typical="t",
                typical_parts=parts(10, order), reason="",
            ),
            *(ev.Dataset(at=AT, name=f"{population}{i}", population=population, snapshot=SNAPSHOT[population]) for i in range(2)),
        ]  # fmt: skip
    return fold(events)


OPENING = opening()


def random_events(source, state):
    """What one party tries next; often something that must be refused."""
    n = source.randrange(16)
    kind = source.choice(
        ["approve"] * 10
        + ["start"] * 6
        + ["sent"] * 8
        + ["settle", "withdraw", "resume", "answer"] * 2
        + ["grant", "pause", "lonely", "revoke", "checkpoint", "rotate"]
    )
    population = source.choice("pq")
    if kind == "approve":
        order, attempts = state.budgets[population].order, source.choice((1, 2))
        cost = parts(source.choice((5, 20, 40)), order, attempts)
        return [
            ev.Approve(at=AT, study=digest(n), id="s", researcher="r", statement="bb" * 32, cost=sum(p.cost for p in cost)),
            ev.Reserve(
                at=AT, study=digest(n), population=population, dataset=population + source.choice("01"), snapshot=SNAPSHOT[population],
                order=order, attempts=attempts, parts=cost, epsilon=Decimal(1), delta=DELTA, accountants=(), terms=TERMS,
            ),
        ]  # fmt: skip
    if kind == "sent":
        purpose, mechanism = source.choice(
            [("update", STEP.with_count(source.choice((1, 5, 20)))), ("evaluation", HISTOGRAM)]
        )
        return [
            ev.Sent(
                at=AT,
                study=digest(n),
                round=source.randrange(6),
                purpose=purpose,
                mechanism=mechanism,
                sha256="cc" * 32,
            )
        ]
    return {
        "start": lambda: [ev.Start(at=AT, study=digest(n))],
        "settle": lambda: [
            ev.Settle(
                at=AT, study=digest(n), status=source.choice(["completed", "failed", "withdrawn"])
            )
        ],
        "withdraw": lambda: [ev.Withdraw(at=AT, study=digest(n), note="")],
        "pause": lambda: [ev.Pause(at=AT, note="")],
        "resume": lambda: [ev.Resume(at=AT)],
        "grant": lambda: [
            state.budgets[population]
            .grants[0]
            .model_copy(update={"epsilon": Decimal(source.choice(("0.25", "3")))})
        ],
        "answer": lambda: [
            ev.Answer(
                at=AT,
                study=digest(n),
                round=source.randrange(3),
                sha256=source.choice(["cc", "dd"]) * 32,
            )
        ],
        "revoke": lambda: [ev.Revoke(at=AT, population=population, note="")],
        "rotate": lambda: [ev.Rotate(at=AT, key=digest(n), proof="ee" * 64)],
        "checkpoint": lambda: [
            ev.Witness(
                at=AT,
                site=source.choice(["B", "C", "SVI"]),
                size=source.randrange(1, 9),
                head=source.choice(["aa", "bb"]) * 32,
            )
        ],
        "lonely": lambda: [ev.Start(at=AT, study=digest(n)), ev.Start(at=AT, study=digest(n))],
    }[kind]()


def released(state, population):
    """An account of its own: Rényi cost of what really left, release by release."""
    return sum(
        rdp_cost(sent.mechanism, study.reservation.order)
        for study in state.studies.values()
        if study.reservation.population == population
        for sent in study.sent.values()
    )


def added_up(state, population):
    """The charge of a population, from its studies; the state keeps a running sum."""
    return sum(s.charged for s in state.studies.values() if s.reservation.population == population)


def check(state):
    assert state.key == state.keys[-1]
    assert len(set(state.keys)) == len(state.keys)
    assert "SVI" not in state.witnessed
    assert all(s.started for s in state.studies.values() if s.answers)
    for population, budget in state.budgets.items():
        assert state.used(population) == added_up(state, population)
        assert (
            released(state, population) - 100 <= state.used(population) <= budget.cap
        )  # 100: roundings of single steps
        assert epsilon_of_rdp(
            state.used(population), DELTA, budget.order
        ) <= budget.epsilon + Decimal("1e-4")  # rounded up to that


def test_no_interleaving_overspends():
    reached, refused = set(), 0
    for seed in range(INTERLEAVINGS):
        source, state = random.Random(seed), OPENING
        for _ in range(STEPS):
            try:
                state = fold(random_events(source, state), state)
            except SecureFLError:
                refused += 1
                continue
            check(state)
        assert state.pending is None
        reached |= {s.status for s in state.studies.values()}
    assert reached == {"approved", "running", "completed", "failed", "withdrawn"}
    assert refused > INTERLEAVINGS


def test_the_check_would_notice_a_filter_that_does_not_count(monkeypatch):
    monkeypatch.setattr(LedgerState, "used", lambda self, population: 0)
    overspent = 0
    for seed in range(20):
        source, state = random.Random(seed), OPENING
        for _ in range(STEPS):
            try:
                state = fold(random_events(source, state), state)
            except SecureFLError:
                continue
        overspent += any(added_up(state, p) > b.cap for p, b in state.budgets.items())
    assert overspent > 0


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(1, 30))
def test_the_fold_of_a_whole_is_the_fold_of_its_parts(source, length):
    state, accepted = OPENING, []
    for _ in range(length):
        events = random_events(source, state)
        try:
            state = fold(events, state)
        except SecureFLError:
            continue
        accepted += events
    cut = source.randrange(len(accepted) + 1)
    assert fold(accepted[cut:], fold(accepted[:cut], OPENING)) == state
    # the events survive their text, so a reader comes to the same state as the writer
    assert fold((ev.load_event(ev.dump_event(e)) for e in accepted), OPENING) == state


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.randoms(use_true_random=False))
def test_a_refused_event_changes_nothing_and_is_refused_again(source):
    state = OPENING
    for _ in range(15):
        for event in random_events(source, state):
            before = state
            try:
                state = apply(state, event)
            except SecureFLError as error:
                with pytest.raises(type(error)):
                    apply(before, event)
                state = before if before.pending is None else fold([], OPENING)
                break


@settings(
    max_examples=15,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(seed=st.integers(0, 10**6))
def test_the_file_keeps_the_same_promise(tmp_path, seed):
    source, path = random.Random(seed), tmp_path / f"{seed}.sqlite"
    if path.exists():
        return
    first = new_ledger(path)
    second = Ledger.open(path, sign=first._sign, verify=first._verify, now=first._now)
    for _ in range(40):
        ledger, n = source.choice((first, second)), source.randrange(6)
        action = source.choice(
            [
                lambda ledger=ledger, n=n: approve(
                    ledger,
                    n,
                    dataset=source.choice(("visits", "followups")),
                    attempts=source.choice((1, 2)),
                ),
                lambda ledger=ledger, n=n: ledger.start(digest(n)),
                lambda ledger=ledger, n=n: ledger.withdraw(digest(n)),
                lambda ledger=ledger, n=n: ledger.settle(
                    digest(n), source.choice(("completed", "failed"))
                ),
                lambda ledger=ledger, n=n: ledger.sent(
                    digest(n),
                    round_number=source.randrange(3),
                    purpose="update",
                    mechanism=STEP,
                    payload=bytes([source.randrange(2)]),
                ),
            ]
        )
        try:
            action()
        except SecureFLError:
            continue
        state = ledger.state
        assert state.used("thyroid") <= state.budgets["thyroid"].cap
    assert first.state == second.state
    assert first.verify().head == second.head
    first.close()
    second.close()
