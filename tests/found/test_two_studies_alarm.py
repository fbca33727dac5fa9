"""Two honest studies of the same hospitals at once: each hospital's log cried tampering 29 times."""

from checkpoint_hospitals import three_hospitals
from ledger_site import digest

from securefl.node.checkpoints import Question, hand_out, kept
from securefl.node.pasts import doubted

COHORT = ("A", "B", "C")
RUNNING = [(digest(1), COHORT), (digest(2), COHORT)]


def test_two_studies_at_once_raise_no_alarm(tmp_path):
    sites, lines = three_hospitals(tmp_path), []
    questions = {name: Question(lines.append) for name in COHORT}
    for turn in range(12):
        for number, (name, site) in enumerate(sites.items()):
            grow = site.ledger.resume if site.ledger.state.paused else site.ledger.pause
            grow()
            # the studies' rounds lie apart: what one study's object holds is older than the other's
            hand_out(site, RUNNING[(turn // 3 + number) % 2][0], COHORT)
            questions[name].turn(site, RUNNING)
    for name, site in sites.items():
        questions[name].turn(site, RUNNING)
        assert doubted(site, COHORT) == []
        for other in set(COHORT) - {name}:
            held, _ = kept(site, sites[other].identity.card)
            assert held.size == sites[other].ledger.size
    assert lines == []
