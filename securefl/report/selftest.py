"""The self-test's outcome for people: what was tried, what it shows, and what it cannot show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from securefl.learning.selftest import SAMPLED
from securefl.report.page import Paragraph, Span, Table, Tone, bullets, facts, page, section

if TYPE_CHECKING:
    from securefl.learning.selftest import SelfTest
    from securefl.privacy.worker_answers import WorkerFinding
    from securefl.report.page import Facts, Page

_TONES = {"PASS": Tone.GOOD, "FAIL": Tone.BAD, "INCONCLUSIVE": Tone.WARN}
_MEANINGS = {
    "PASS": (
        "Nothing was found against the noise of this installation, and every broken mechanism was"
        " recognised."
    ),
    "FAIL": "What leaves tells more than is claimed. Do not run studies with this installation.",
    "INCONCLUSIVE": (
        "These trials could not have shown a fault of this size. Take more of them (--trials)."
    ),
}
_BROKEN = {
    "noise off": "no noise is added",
    "half noise": "half the noise that was paid for",
    "clipping off": "nobody's gradient is shortened",
    "size-derived normaliser": "normaliser and sampling rate taken from the number of rows",
    "sampling off": "everybody is drawn in every step",
    "one batch for all steps": "who is drawn once is drawn all through the round",
}


def _worker(found: WorkerFinding | None) -> list[tuple[str, str | Span]]:
    """Findings on its answers, where it was asked."""
    if found is None:
        return []
    seen = Span("nothing against it", Tone.GOOD)
    if found.faults:
        seen = Span("; ".join(found.faults), Tone.BAD)
    rows: list[tuple[str, str | Span]] = [
        (
            "asked",
            (
                "two processes on invented patients whose sums are known: is the noise fresh at"
                " every step, round and start, of the promised size and shape, and who is drawn?"
            ),
        ),
        ("seen", seen),
        ("its noise", f"{found.deviation:.3f} of the promised standard deviation"),
    ]
    if found.missed:
        rows.append(("not recognised", Span(", ".join(found.missed), Tone.BAD)))
    return rows


def selftest_page(outcome: SelfTest) -> Page:
    """The outcome as a page."""
    worker = outcome.worker
    return page(
        "Self-test of the noise",
        Span(f"{outcome.verdict}  {_MEANINGS[outcome.verdict]}", _TONES[outcome.verdict]),
        section("Noised steps on invented patients, with and without one of them", _steps(outcome)),
        section("Broken mechanisms, tried in the same way", _controls(outcome)),
        section("The worker process itself", facts(_worker(worker))),
        section(
            "What this means",
            bullets(_LIMITS),
            Paragraph("Bounds: Clopper and Pearson, 95 %, over four ways of looking.", Tone.QUIET),
        ),
    )


_SEEN = {True: Span("yes", Tone.GOOD), False: Span("NO", Tone.BAD)}
_LIMITS = (
    (
        "The product's own clipping, grid, sum, noise, rounding and normalisation ran; no private"
        " data was read."
    ),
    (
        "Guessing shows how much leaks at least. That no more leaks is not shown by trials but by"
        " the accounting."
    ),
)


def _steps(outcome: SelfTest) -> Facts:
    found = outcome.finding
    fit = "no noise"
    if found.mu_fit is not None:
        fit = f"{found.mu_fit:.3f}, where {outcome.claimed_mu:.3f} is claimed"
    claimed = (
        f"epsilon {outcome.claimed_epsilon:.3f} at most (noise multiplier"
        f" {1 / outcome.claimed_mu:g}, nobody left out)"
    )
    shown = (
        f"epsilon {found.lower_bound:.2f} at least, by {outcome.trials:,} guesses a look, fewer at"
        " whole updates"
    )
    sampled = (
        f"epsilon {outcome.claims['sampling']:.3f} at most is claimed,"
        f" {found.bounds['sampling']:.2f} at least was shown ({SAMPLED.local_steps} steps, each"
        f" patient drawn with chance {SAMPLED.sample_rate}, noise multiplier"
        f" {SAMPLED.noise_multiplier})"
    )
    possible = f"epsilon {outcome.max_detectable_epsilon:.2f}, had every guess been right"
    return facts(
        [
            ("claimed", claimed),
            ("shown", shown),
            ("could have shown", possible),
            ("fit of mu", fit),
            ("with sampling", sampled),
        ]
    )


def _controls(outcome: SelfTest) -> Table:
    return Table(
        ("broken on purpose", "what is wrong", "shown", "seen"),
        tuple(
            (
                name,
                _BROKEN.get(name, ""),
                f"{control.lower_bound:.2f}",
                _SEEN[control.verdict == "FAIL"],
            )
            for name, control in outcome.controls.items()
        ),
        right=frozenset({2}),
        least=24,
    )
