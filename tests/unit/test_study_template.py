"""``securefl study template``: a study file from a table's columns, valid the first time."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from securefl.cli.main import cli
from securefl.errors import UsageError
from securefl.study.parse import parse_protocol


@pytest.fixture
def table(tmp_path):
    """A table of invented patients; what is to be predicted stands last."""
    rng = np.random.default_rng(3)
    rows = ["patient_id,age,sex,tsh,died"]
    for row in range(300):
        age, tsh = rng.integers(20, 90), rng.lognormal()
        rows.append(f"{row},{age},{rng.choice(['F', 'M'])},{tsh:.2f},{rng.choice(['yes', 'no'])}")
    file = tmp_path / "cohort.csv"
    file.write_text("\n".join(rows))
    return file


def run(*words):
    done = CliRunner().invoke(cli, ["study", *map(str, words)])
    if done.exception:
        raise done.exception
    return done.stdout


def test_a_table_alone_gives_a_commented_file_that_passes_the_check(table):
    out = table.with_name("protocol.toml")
    said = run("template", "--columns", table, "--out", out)
    assert "Predicted: died." in said
    assert "It counts patients." in said
    assert "study.lead" in said
    study = parse_protocol(out.read_bytes())
    assert [column.name for column in study.data.columns] == ["age", "sex", "tsh"]
    lines = out.read_text().splitlines()
    assert sum(line.lstrip().startswith("#") for line in lines) > 15
    assert "its figures agree" in run("check", out)
    with pytest.raises(UsageError, match="exists already"):
        run("template", "--columns", table, "--out", out)


def test_with_published_sizes_it_trains_what_is_asked(table):
    out = table.with_name("trains.toml")
    words = ["--label", "sex = M", "--patients", "4000", "--share", "0.5", "--source", "Registry"]
    made = json.loads(run("template", "--columns", table, *words, "--out", out, "--json", "-"))
    assert (made["label"], made["counts_only"]) == ("sex = M", False)
    assert made["text"] == out.read_text()
    kinds = [stage.kind for stage in parse_protocol(out.read_bytes()).stages]
    assert kinds == ["train", "evaluate"]
    assert "its figures agree" in run("check", out)


def test_a_table_with_nothing_to_predict_from_is_refused(tmp_path):
    file = tmp_path / "thin.csv"
    file.write_text(
        "patient_id,died\n" + "\n".join(f"{n},{['yes', 'no'][n % 2]}" for n in range(9))
    )
    with pytest.raises(UsageError, match="one usable column"):
        run("template", "--columns", file, "--out", tmp_path / "made.toml")
    assert not (tmp_path / "made.toml").exists()
