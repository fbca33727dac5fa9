"""No file and no errno gives a traceback: every command, with every file of its folder replaced in
turn.

Commands run in this process, so that thousands of calls take seconds. After each the file is put
back, and the folder must work as before: nothing half-made is left.
"""

import os
import resource
import shutil
import signal
import tempfile
from contextlib import contextmanager
from pathlib import Path

import click
import pytest
from conftest import PROTOCOL, fixed_identity

from securefl.cli.main import cli, main
from securefl.errors import ExitCode

pytestmark = pytest.mark.slow

CODES = {0, *(int(code) for code in ExitCode)} - {int(ExitCode.CRASH)}
#: Command → its words. ``{here}`` is the party's folder, ``{beside}`` the folder with files that a
#: user names.
HOSPITAL = {
    "site approve": "site approve nothing --yes --site {here}",
    "site backup": "site backup {beside}/backup --site {here}",
    "site budget revoke": "site budget revoke clinic --yes --site {here}",
    "site budget set": (
        "site budget set clinic --epsilon 4 --delta 1e-5 --typical {beside}/protocol.toml --yes"
        " --site {here}"
    ),
    "site checkpoint": "site checkpoint --site {here}",
    "site data add": (
        "site data add records {beside}/table.csv --population clinic --columns"
        " {beside}/protocol.toml --yes --site {here}"
    ),
    "site data check": (
        "site data check {beside}/table.csv --columns {beside}/protocol.toml --site {here}"
    ),
    "site data show": "site data show records --site {here}",
    "site data unmap": "site data unmap records --yes --site {here}",
    "site data remove": "site data remove records --yes --site {here}",
    "site patient remove": (
        "site patient remove clinic --file {beside}/table.csv --yes --site {here}"
    ),
    "site data list": "site data list --site {here}",
    "site metrics": "site metrics --site {here}",
    "site model list": "site model list --site {here}",
    "site model recall": "site model recall nothing --reason none --yes --site {here}",
    "site model predict": "site model predict nothing {beside}/table.csv --site {here}",
    "site personalize": "site personalize nothing --site {here}",
    "site model drift": "site model drift nothing {beside}/table.csv --site {here}",
    "site models": "site models --site {here}",
    "model versions": "model versions nothing --folder {here}",
    "site model show": "site model show nothing --site {here}",
    "site notices drop": "site notices drop --yes --site {here}",
    "site notices show": "site notices show --site {here}",
    "site notices test": "site notices test --site {here}",
    "site pause": "site pause --site {here}",
    "site people list": "site people list --site {here}",
    "site policy drop": "site policy drop --yes --site {here}",
    "site policy show": "site policy show --site {here}",
    "site refuse": "site refuse nothing --reason none --site {here}",
    "site restore": "site restore {beside}/backup --yes --site {here}",
    "site review": "site review nothing --site {here}",
    "site rotate-key": "site rotate-key --yes --site {here}",
    "site status": "site status --site {here}",
    "site stop": "site stop --site {here}",
    "site trust": "site trust {beside}/card.json --yes --site {here}",
    "site ask": "site ask nothing why? --site {here}",
    "site counter-offer": "site counter-offer nothing --epsilon 1 --yes --site {here}",
    "site data readiness": "site data readiness records {beside}/protocol.toml --site {here}",
    "site model rounds": "site model rounds --site {here}",
    "site people remove": "site people remove anna --yes --site {here}",
    "site service": "site service {beside}/units --site {here}",
    "site word": "site word nothing --as anna --site {here}",
    "board export": "board export {beside}/bundles --to Nord --site {here}",
    "store check": "store check --folder {here}",
    "store policy": "store policy --folder {here}",
    "store clean": "store clean --yes --folder {here}",
    "site withdraw": "site withdraw nothing --yes --site {here}",
    "audit": "audit --site {here}",
    "consortium check": "consortium check {beside}/ring --site {here}",
    "consortium vouch": "consortium vouch {beside}/ring Nord --yes --site {here}",
    "consortium sign": "consortium sign {beside}/ring --yes --site {here}",
    "consortium enforce": "consortium enforce {beside}/ring --yes --site {here}",
    "consortium leave": "consortium leave {beside}/ring --yes --site {here}",
}
RESEARCHER = {
    "study report": "study report nothing --researcher {here}",
    "study curves": "study curves nothing --json - --researcher {here}",
    "study metrics": "study metrics --researcher {here}",
    "study answer": "study answer nothing Nord 1 because --researcher {here}",
    "study archive": "study archive nothing {beside}/archive --researcher {here}",
    "study offers": "study offers nothing --researcher {here}",
    "study questions": "study questions nothing --researcher {here}",
    "study service": "study service nothing {beside}/units --researcher {here}",
    "study list": "study list --researcher {here}",
    "study cancel": "study cancel nothing --yes --researcher {here}",
    "study attach": "study attach nothing --researcher {here}",
    "study run": "study run nothing --researcher {here}",
    "study request": "study request nothing --researcher {here}",
    "study status": "study status nothing --researcher {here}",
    "study trust": "study trust {beside}/card.json --yes --researcher {here}",
    "study verify": "study verify 1 --folder {here}",
    "study new": (
        "study new {beside}/protocol.toml --hospital Nord --aggregator Agg --researcher {here}"
    ),
}
AGGREGATOR = {
    "aggregator metrics": "aggregator metrics --aggregator {here}",
    "aggregator model": "aggregator model nothing --aggregator {here}",
    "aggregator service": "aggregator service {beside}/units --aggregator {here}",
    "aggregator status": "aggregator status --aggregator {here}",
    "aggregator stop": "aggregator stop --aggregator {here}",
    "aggregator trust": "aggregator trust {beside}/card.json --yes --aggregator {here}",
}
#: Commands whose files are the user's own, and what stands for a file in them.
GIVEN = {
    "study check": "study check {file}",
    "study plan": "study plan {file}",
    "study compare": "study compare {file} {beside}/protocol.toml",
    "study clone": "study clone {file} --out {beside}/cloned.toml",
    "study simulate": "study simulate {file} --mock",
    "study sweep": "study sweep {file} --points learning_rate=1,2",
    "study design": "study design {file} --label target --out {beside}/made.toml",
    "study template": "study template --columns {file} --out {beside}/made.toml",
    "predict": "predict {beside}/model {file}",
    "site policy set": "site policy set {file} --yes --site {here}",
    "model compare": "model compare {beside}/model {beside}/model --table {file}",
    "model export": "model export {file} --to safetensors --out {beside}/model.bin",
    "site notices set": "site notices set {file} --yes --site {here}",
    "study dossier": "study dossier {file} --to {beside}/papers",
    "board check": "board check {beside}/ring --card {file}",
    "site data map": "site data map records --file {file} --yes --site {here}",
    "site trust": "site trust {file} --yes --site {here}",
    "site data check": "site data check {file} --columns {beside}/protocol.toml --site {here}",
    "site data add": (
        "site data add records {beside}/table.csv --population clinic --columns {file} --yes --site"
        " {here}"
    ),
    "audit": "audit --site {here} --checkpoint {file}",
    "consortium join": "consortium join {file} {here}/joined --site {here}",
    "consortium invite": "consortium invite {beside}/ring {file} --country DE",
}
#: The second file that a command reads.
VOUCH = "site trust {beside}/card.json --vouch {file} --yes --site {here}"
ELSEWHERE = {
    "model edit": "tests/unit/test_learning_edited_model.py breaks what it reads",
    "model show": "tests/unit/test_learning_edited_model.py breaks what it reads",
    "completion": "takes no file",
    "site people add": "asks for a passphrase: tests/attack/test_two_approvers.py",
    "examples": "takes no file",
    "study flower": "takes no file",
    "flower": "runs until it is stopped; tests/unit/test_boards_flower.py breaks what it reads",
    "board import": "tests/attack/test_airlock.py breaks what it reads",
    "demo": "makes its own folder",
    "consortium new": "makes its own folder",
    "consortium ready": "tests/unit/test_doctor_study.py breaks what it reads",
    "consortium amend": "every file of a consortium's folder: below",
    "bench round": "takes no file",
    "bench secagg": "takes no file",
    "selftest privacy": "takes no file",
    "site init": "tests/found/test_oserror_traceback.py",
    "study init": "the same",
    "aggregator init": "the same",
    "site start": "runs until it is stopped",
    "site console": "runs until it is stopped; tests/unit/test_console.py breaks what it reads",
    "aggregator start": "runs until it is stopped",
    "site inbox": "opens PySyft: the soak below",
    "study ask": "opens PySyft: the soak below",
    "study datasets": "opens PySyft: the soak below",
    "doctor": "tries everything itself: test_doctor_never_crashes",
}


def commands(command=cli, before=()):
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from commands(command.get_command(context, name), (*before, name))
    else:
        yield " ".join(before)


def test_every_command_is_walked_or_says_why_not():
    assert set(commands()) == {*HOSPITAL, *RESEARCHER, *AGGREGATOR, *GIVEN, *ELSEWHERE}


class Party:
    """A folder with a copy of itself to go back to."""

    def __init__(self, root, role, words):
        self.root, self.role, self.words = root, role, words
        self.here, self.beside, self.copy = root / "party", root / "beside", root / "copy"

    def command(self, text, **more):
        return [w.format(here=self.here, beside=self.beside, **more) for w in text.split(" ")]

    def keep(self):
        shutil.copytree(self.here, self.copy, symlinks=True)

    def restore(self):
        shutil.rmtree(self.here)
        shutil.copytree(self.copy, self.here, symlinks=True)
        shutil.rmtree(self.beside / "backup", ignore_errors=True)

    def files(self):
        return sorted(
            p.relative_to(self.copy).as_posix() for p in self.copy.rglob("*") if p.is_file()
        )


def call(words, capsys):
    """A command's exit code and what it said. It must not wait, and must not crash."""

    def late(_number, _frame):
        raise AssertionError(f"waits for ever: {words}")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(40)
    code = 0
    try:
        main(words)
    except SystemExit as ended:
        code = ended.code
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    out = capsys.readouterr()
    said = " ".join((out.out + out.err).replace("│", " ").split())
    assert "Traceback" not in said, (words, said)
    assert "fault of securefl" not in said, (words, said)
    assert code in CODES, (words, code, said)
    return code, said


@pytest.fixture(scope="module", params=["hospital", "researcher", "aggregator"])
def party(request):
    """A party with a partner, a hospital also with a data set and a budget.

    Other users may enter the place itself.
    """
    root = Path(tempfile.mkdtemp())
    root.chmod(0o711)
    group, words = {
        "hospital": ("site", HOSPITAL),
        "researcher": ("study", RESEARCHER),
        "aggregator": ("aggregator", AGGREGATOR),
    }[request.param]
    made = Party(root, request.param, words)
    made.beside.mkdir()
    (made.beside / "protocol.toml").write_text(PROTOCOL)
    (made.beside / "table.csv").write_text(
        "patient_id,age,TSH,sex,sick,target\nP1,50,1,F,t,E\nP2,60,2,M,f,-\n"
    )
    (made.beside / "card.json").write_bytes(fixed_identity("Nord", "hospital").signed_card())
    (made.beside / "model").mkdir()

    def run(*words):
        try:
            main([str(w) for w in words])
        except SystemExit as ended:
            assert ended.code == 0, words  # noqa: PT017

    run(
        group,
        "init",
        made.here,
        "--name",
        "P",
        "--legal-name",
        "P",
        "--email",
        "a@b.example",
        "--store",
        root / "store",
    )
    run(*made.command(words[f"{group} trust"]))
    if request.param == "hospital":
        for name in ("site data add", "site budget set"):
            run(*made.command(words[name]))
        found_a_ring(made.beside, made.here / "keys" / "card.json", run)
    made.keep()
    yield made
    shutil.rmtree(root)


def found_a_ring(beside, own_card, run):
    """A consortium's folder with this hospital, one that it trusts, and two strangers."""
    made = (
        *[
            "consortium",
            "new",
            "--id",
            "ring",
            "--title",
            "R",
            "--population",
            "clinic",
            "--country",
            "DE",
        ],
    )
    run(*made, "--hospitals", "2", beside / "ring")
    others = (fixed_identity("Uni", "researcher"), fixed_identity("Sums", "aggregator"))
    cards = [own_card, beside / "card.json"]
    for other in others:
        cards.append(beside / f"{other.card.name}.json")
        cards[-1].write_bytes(other.signed_card())
    run("consortium", "invite", beside / "ring", *cards, "--country", "DE")


def rubbish(path):
    path.write_bytes(b"\xff\x00rubbish\n" * 20)


def empty(path):
    path.write_bytes(b"")


def folder(path):
    path.unlink()
    path.mkdir()


def pipe(path):
    path.unlink()
    os.mkfifo(path, 0o600)


def missing(path):
    path.unlink()


#: Commands that open all that a party has: they stand for the others where time is short.
FIRST = (
    "site status",
    "site trust",
    "audit",
    "study trust",
    "study verify",
    "aggregator status",
    "aggregator trust",
)


@pytest.mark.parametrize("broken", [empty, folder, pipe, missing])
def test_commands_that_open_everything_with_every_file_replaced(party, broken, capsys):
    for file in party.files():
        for name in party.words.keys() & set(FIRST):
            party.restore()
            broken(party.here / file)
            call(party.command(party.words[name]), capsys)
    party.restore()


@pytest.mark.parametrize(
    "broken",
    [rubbish, *(pytest.param(b, marks=pytest.mark.soak) for b in (empty, folder, pipe, missing))],
)
def test_every_command_with_every_file_replaced(party, broken, capsys):
    for file in party.files():
        for text in party.words.values():
            party.restore()
            broken(party.here / file)
            call(party.command(text), capsys)
    party.restore()
    for text in party.words.values():  # as it was: nothing half-made stands in the way
        code, said = call(party.command(text), capsys)
        assert code != ExitCode.UNREADABLE, (text, said)
        party.restore()


@contextmanager
def limited():
    """A disk that takes no byte more, for this process."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_every_command_on_a_full_disk(party, capsys):
    for text in party.words.values():
        party.restore()
        with limited():
            call(party.command(text), capsys)
        code, said = call(party.command(text), capsys)  # with room again
        assert code != ExitCode.UNREADABLE, (text, said)
    party.restore()


@pytest.mark.soak
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user without rights")
def test_every_command_without_rights_to_each_file(party, capsys):
    user = 54321
    for text in party.words.values():  # every library is loaded while this process may read it
        party.restore()
        call(party.command(text), capsys)
    for file in party.files():
        for text in party.words.values():
            party.restore()
            for path in (
                party.here,
                party.beside,
                *party.here.rglob("*"),
                *party.beside.rglob("*"),
            ):
                os.chown(path, user, user)
            os.chown(party.here / file, 0, 0)
            (party.here / file).chmod(0o600)
            os.seteuid(user)
            try:
                call(party.command(text), capsys)
            finally:
                os.seteuid(0)
    party.restore()


@pytest.mark.parametrize("broken", [rubbish, empty, folder, pipe, missing])
def test_every_file_that_a_user_names(party, broken, capsys):
    if party.role != "hospital":
        return
    for text in (*GIVEN.values(), VOUCH):
        party.restore()
        file = party.root / "given"
        shutil.rmtree(file, ignore_errors=True) if file.is_dir() else file.unlink(missing_ok=True)
        file.write_bytes(b"x")
        broken(file)
        code, said = call(party.command(text, file=file), capsys)
        assert code != 0, text
        assert said, text
    party.restore()


@pytest.mark.parametrize("broken", [rubbish, empty, folder, pipe, missing])
def test_every_file_of_a_consortiums_folder(party, broken, capsys):
    if party.role != "hospital":
        return
    party.restore()
    ring = party.beside / "ring"
    call(party.command(HOSPITAL["consortium sign"]), capsys)
    kept = party.root / "ring.copy"
    shutil.copytree(ring, kept)
    words = [text for name, text in HOSPITAL.items() if name.startswith("consortium")]
    own = ("consortium amend {beside}/ring", "consortium join {beside}/ring --site {here}")
    for file in ("agreement.toml", "agreement.md", "signatures/P.signature"):
        for text in (*words, *own):
            broken(ring / file)
            call(party.command(text), capsys)
            shutil.rmtree(ring)
            shutil.copytree(kept, ring)
    shutil.rmtree(kept)
    party.restore()


def test_doctor_never_crashes(party, capsys):
    """Its exit code 1 is a finding."""
    for file in party.files():
        party.restore()
        rubbish(party.here / file)
        try:
            main(["doctor", "--folder", str(party.here)])
        except SystemExit as ended:
            assert ended.code in {0, 1}  # noqa: PT017
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        assert "fault of securefl" not in said.out + said.err
    party.restore()


@pytest.mark.soak
@pytest.mark.parametrize("broken", [rubbish, empty, folder, pipe, missing])
def test_commands_that_open_pysyft_with_every_file_replaced(party, broken, capsys):
    words = {
        "hospital": ["site inbox --site {here}"],
        "researcher": ["study datasets --researcher {here}", "study ask Nord --researcher {here}"],
    }
    for file in party.files():
        for text in words.get(party.role, []):
            party.restore()
            broken(party.here / file)
            call(party.command(text), capsys)
    party.restore()
