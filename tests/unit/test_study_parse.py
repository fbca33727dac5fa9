"""Every way to break the contract, with the line and the mend that the error must name."""

import re

import pytest
from conftest import PROTOCOL, edited, make_study, protocol_text

from securefl.errors import ExitCode, StudyError
from securefl.study.parse import MAX_BYTES, load_raw, parse_any, parse_protocol, parse_study, plain
from securefl.study.training import training_of

STUDY = make_study()[0]


def line_of(text, fragment):
    lines = [i for i, line in enumerate(text.split("\n"), 1) if fragment in line]
    assert len(lines) == 1, f"{fragment!r} stands on lines {lines}"
    return lines[0]


def fault(parse, text):
    with pytest.raises(StudyError) as caught:
        parse(text)
    return caught.value.what


def test_the_small_protocol_and_study_are_valid():
    assert training_of(parse_protocol(PROTOCOL)).rounds == 4
    assert parse_study(STUDY).cohort == ("STMW", "SVHC", "SVHD", "SVI", "other")


def test_bytes_and_text_are_read_alike():
    assert parse_study(STUDY.encode()) == parse_study(STUDY)


# (what is replaced, by what, where the line is looked for, what the error says)
NEGATIVE = 'negative = ["-", "|", "A", "B", "C", "D", "G", "H", "I", "J", "K"]\n'
NUMBER = f'column = "target"\nkind = "any-of-letters"\npositive = ["E", "F"]\n{NEGATIVE}'
NUMBER_FROM_9 = 'column = "target"\nkind = "above"\nvalue = "9"\nlow = "0"\nhigh = "9"\n'
NUMBER_TURNED = 'column = "target"\nkind = "above"\nvalue = "5"\nlow = "9"\nhigh = "1"\n'
NUMBER_WITHOUT = 'column = "target"\nkind = "above"\nvalue = "5"\nlow = "0"\n'
_DIED = '{ column = "died", kind = "equals", positive = ["yes"], negative = ["no"] }'
TWO_OF_ONE = f'kind = "any-of"\nconditions = [{_DIED}, {_DIED}]\n'
TWO_WITHOUT_NO = (
    'kind = "any-of"\nconditions = [{ column = "x", kind = "equals", positive = ["1"] },'
    f" {_DIED}]\n"
)
TWO_OF_NO_KIND = f'kind = "any-of"\nconditions = [{{ column = "x", kind = "any-of" }}, {_DIED}]\n'
ONE_CONDITION = f'kind = "any-of"\nconditions = [{_DIED}]\n'
BROKEN = [
    # unknown and missing keys
    (
        'lead = "Dr Example"',
        'leed = "Dr Example"',
        "leed",
        r"study\.leed: unknown key \(remove the key, or correct its spelling\)",
    ),
    ('lead = "Dr Example"\n', "", "[study]", r"study\.lead: is missing \(add the key\)"),
    (
        '[quality]\nminimum = "0.5"\nstop_rule = "none"\n',
        "",
        "# a comment",
        r"quality: is missing \(add the table \[quality\]\)",
    ),
    ("[quality]", "[qality]", "[qality]", r"qality: unknown key"),
    (
        'lead = "Dr Example"',
        'lead = "Dr Example"\n"\\u001b[2J" = 1',
        "[study]",
        r"study\.'\\x1b\[2J': unknown key",
    ),
    # numbers that are not whole are texts
    (
        'epsilon = "1"\nnoise_multiplier',
        "epsilon = 1.0\nnoise_multiplier",
        "epsilon = 1.0",
        r'stages\.1\.epsilon: write it as text in quotes, like "1.0"',
    ),
    (
        'clip_norm = "1"',
        "clip_norm = 1",
        "clip_norm",
        r'stages\.1\.clip_norm: write it as text in quotes, like "1"',
    ),
    ('clip_norm = "1"', "clip_norm = true", "clip_norm", r"expected a decimal number in quotes"),
    ('clip_norm = "1"', 'clip_norm = "1,5"', "clip_norm", r"expected a decimal number in quotes"),
    ('clip_norm = "1"', 'clip_norm = "NaN"', "clip_norm", r"expected a decimal number in quotes"),
    (
        'clip_norm = "1"',
        'clip_norm = "Infinity"',
        "clip_norm",
        r"expected a decimal number in quotes",
    ),
    ('clip_norm = "1"', 'clip_norm = "1e999"', "clip_norm", r"expected a decimal number in quotes"),
    ('clip_norm = "1"', 'clip_norm = "+1"', "clip_norm", r"expected a decimal number in quotes"),
    ('clip_norm = "1"', 'clip_norm = " 1"', "clip_norm", r"expected a decimal number in quotes"),
    ('clip_norm = "1"', 'clip_norm = "01"', "clip_norm", r"expected a decimal number in quotes"),
    (
        'clip_norm = "1"',
        'clip_norm = "\u0661"',
        "clip_norm",
        r"expected a decimal number in quotes",
    ),
    (
        'clip_norm = "1"',
        f'clip_norm = "0.{"1" * 40}"',
        "clip_norm",
        r"expected a decimal number in quotes",
    ),
    (
        'sample_rate = "1/5"',
        "sample_rate = 0.2",
        "sample_rate",
        r'stages\.1\.sample_rate: expected a ratio of whole numbers in quotes, like "1/5"',
    ),
    ('sample_rate = "1/5"', 'sample_rate = "0.2"', "sample_rate", r"expected a ratio"),
    ('sample_rate = "1/5"', 'sample_rate = "1/0"', "sample_rate", r"expected a ratio"),
    ('sample_rate = "1/5"', 'sample_rate = "-1/5"', "sample_rate", r"expected a ratio"),
    (
        "bits = 16",
        "bits = 16.0",
        "bits",
        r"stages\.1\.bits: .*integer.* \(write a whole number without quotes\)",
    ),
    (
        "bits = 16",
        'bits = "16"',
        "bits",
        r"stages\.1\.bits: .*\(write a whole number without quotes\)",
    ),
    (
        "bits = 16",
        "bits = true",
        "bits",
        r"stages\.1\.bits: .*\(write a whole number without quotes\)",
    ),
    (
        "round_deadline = 60",
        "round_deadline = nan",
        "round_deadline",
        r"schedule\.round_deadline: ",
    ),
    # texts, names, lists, tables, times
    (
        'id = "small"',
        'id = "../x"',
        'id = "../x"',
        r"study\.id: expected a name: a letter, then letters",
    ),
    ('id = "small"', "id = 7", "id = 7", r"study\.id: .*\(write it as text in quotes\)"),
    ('title = "A small study"', 'title = "a\\nb"', "title", r"study\.title: holds a line break"),
    ('title = "A small study"', 'title = ""', "title", r"study\.title: .*at least 1"),
    ('title = "A small study"', 'title = "\\u202Eevil"', "title", r"cannot be shown"),
    ('title = "A small study"', 'title = "\\u009B2J"', "title", r"cannot be shown"),
    (
        'purpose = "Shows the parts."',
        'purpose = "a\\u001Bb"',
        "purpose",
        r"study\.purpose: holds a character that cannot be shown",
    ),
    ('duo = ["DUO:0000042"]', 'duo = ["DUO:42"]', "duo", r"study\.duo\.1: "),
    (
        'duo = ["DUO:0000042"]',
        'duo = ["DUO:\u0660\u0660\u0660\u0660\u0660\u0664\u0662"]',
        "duo",
        r"study\.duo\.1: ",
    ),
    (
        'duo = ["DUO:0000042"]',
        'duo = "DUO:0000042"',
        "duo",
        r"study\.duo: expected a list \(write a list in square brackets\)",
    ),
    ('[code]\nentrypoint = "declarative"\n', "", "# a comment", r"code: is missing"),
    (
        "opens = 2026-01-01T00:00:00Z",
        'opens = "2026-01-01"',
        "opens",
        r"schedule\.opens: expected a time \(write a time with its zone",
    ),
    (
        "opens = 2026-01-01T00:00:00Z",
        "opens = 2026-01-01",
        "opens",
        r"schedule\.opens: expected a time",
    ),
    (
        "opens = 2026-01-01T00:00:00Z",
        "opens = 2026-01-01T00:00:00",
        "opens",
        r"schedule\.opens: write the time with its zone",
    ),
    (
        "closes = 2999-01-01T00:00:00Z",
        "closes = 2999-01-01T00:00:00",
        "closes",
        r"schedule\.closes: write the time with its zone",
    ),
    (
        "opens = 2026-01-01T00:00:00Z",
        "opens = 2026-01-01T00:00:00.5Z",
        "opens",
        r"schedule\.opens: write whole seconds",
    ),
    (
        "opens = 2026-01-01T00:00:00Z",
        "opens = 0001-01-01T00:00:00+23:59",
        "opens",
        r"of a year from 2000",
    ),
    ("closes = 2999-01-01T00:00:00Z", "closes = 9999-12-31T23:59:59-23:59", "closes", r"to 2999"),
    (
        "opens = 2026-01-01T00:00:00Z",
        "opens = 2999-02-01T00:00:00Z",
        "opens",
        r"schedule\.opens: must lie before closes",
    ),
    (
        'reply_after = "0.2"',
        'reply_after = "60"',
        "reply_after",
        r"schedule\.reply_after: .*below round_deadline",
    ),
    ('reply_after = "0.2"', 'reply_after = "-1"', "reply_after", r"at least 0"),
    (
        'on_dropout = "fail"',
        'on_dropout = "go-on"',
        "on_dropout",
        r"schedule\.on_dropout: Input should be 'fail'",
    ),
    # what this version does not do
    (
        'entrypoint = "declarative"',
        'entrypoint = "model.py"',
        "entrypoint",
        r"code\.entrypoint: .*exported as a graph",
    ),
    (
        'entrypoint = "declarative"',
        f'entrypoint = "declarative"\nsha256 = "{"a" * 64}"',
        "sha256",
        r"code\.sha256: .*remove sha256",
    ),
    (
        'noise = "local"',
        'noise = "central"',
        "noise =",
        r"privacy\.noise: Input should be 'local' or 'distributed'",
    ),
    (
        "max_rows_per_patient = 1",
        "max_rows_per_patient = 101",
        "max_rows",
        r"data\.max_rows_per_patient: .*less than or equal to 100",
    ),
    # model
    (
        'kind = "logistic-regression"',
        'kind = "mlp"',
        "[stages.model]",
        r"stages\.1\.model\.hidden: .*hidden layer sizes",
    ),
    (
        'kind = "logistic-regression"',
        'kind = "logistic-regression"\nhidden = [4]',
        "hidden",
        r'stages\.1\.model\.hidden: .*"logistic-regression" has none',
    ),
    (
        'kind = "logistic-regression"',
        'kind = "mlp"\nhidden = [4, 0]',
        "hidden",
        r"stages\.1\.model\.hidden\.2: .*greater than or equal to 1",
    ),
    (
        'kind = "logistic-regression"',
        f'kind = "mlp"\nhidden = {[4] * 9}',
        "hidden",
        r"stages\.1\.model\.hidden: .*at most 8",
    ),
    # columns
    ('low = "0", high', "high", '"age"', r"data\.columns\.1\.low: is missing \(add the key\)"),
    (', high = "120"', "", '"age"', r"data\.columns\.1\.high: is missing"),
    (
        'low = "0.005", high',
        "low = 0.005, high",
        '"TSH"',
        r"data\.columns\.2\.low: write it as text in quotes",
    ),
    (
        'low = "0.005", high',
        'low = "0", high',
        '"TSH"',
        r"data\.columns\.2\.low: column TSH: a log scale needs low above 0",
    ),
    (
        'low = "0", high = "120"',
        'low = "120", high = "0"',
        '"age"',
        r"data\.columns\.1\.low: column age: low must be below high",
    ),
    ('levels = ["F", "M"]', 'levels = ["F"]', '"sex"', r"data\.columns\.3\.levels: .*at least 2"),
    (
        'levels = ["F", "M"]',
        'levels = ["F", "F"]',
        '"sex"',
        r"data\.columns\.3\.levels: column sex: a level is named twice",
    ),
    (', levels = ["F", "M"]', "", '"sex"', r"data\.columns\.3\.levels: is missing"),
    (
        'true = "t", false = "f"',
        'true = "t", false = "t"',
        '"sick"',
        r"data\.columns\.4\.false: .*same text",
    ),
    (
        'true = "t", false = "f"',
        'true = "t", false = "f", low = "0"',
        '"sick"',
        r"data\.columns\.4\.low: unknown key",
    ),
    (
        'kind = "boolean", ',
        "",
        '"sick"',
        r'data\.columns\.4: needs kind = "numeric", "category" or "boolean"',
    ),
    (
        'kind = "boolean"',
        'kind = "bool"',
        '"sick"',
        r'data\.columns\.4: needs kind = "numeric", "category" or "boolean"',
    ),
    (
        'name = "sick"',
        'name = "age"',
        'true = "t"',
        r"data\.columns\.4: the column age is named twice; remove one",
    ),
    (
        'name = "sick"',
        'name = "target"',
        'true = "t"',
        r"data\.columns\.4: the label and the patient identifier cannot be features",
    ),
    (
        'name = "sick"',
        'name = "patient_id"',
        'true = "t"',
        r"data\.columns\.4: the label and the patient identifier cannot be features",
    ),
    (
        'name = "sick"',
        'name = "si\\nck"',
        'true = "t"',
        r"data\.columns\.4\.name: holds a line break",
    ),
    (
        'column = "target"',
        'column = "patient_id"',
        'column = "patient_id"',
        r"data\.label\.column: the patient identifier cannot be the label",
    ),
    (
        'positive = ["E", "F"]',
        'positive = ["EF"]',
        "positive",
        r"data\.label\.positive: .*single letters",
    ),
    ('positive = ["E", "F"]', "positive = []", "positive", r"data\.label\.positive: .*at least 1"),
    (
        'kind = "any-of-letters"',
        'kind = "threshold"',
        "[data.label]",
        r'data\.label: needs kind = "at-least" \(it was called "threshold"\)',
    ),
    (
        'kind = "any-of-letters"',
        'kind = "letters"',
        "[data.label]",
        (
            r'data\.label: needs kind = "equals", "any-of-letters", "at-least", .* "any-of" or'
            r' "all-of" .*; for an outcome that is not yes or no, "classes" or "count" or "number"'
        ),
    ),
    (
        NEGATIVE,
        "",
        "[data.label]",
        (
            r'data\.label\.negative: is missing \(name what means no, like negative = \["no"\]; a'
            r" row with any other text"
        ),
    ),
    (
        NEGATIVE,
        'negative = ["-", "E"]\n',
        "negative =",
        r"data\.label\.negative: 'E' has another meaning above",
    ),
    (
        NEGATIVE,
        'negative = ["-", "-"]\n',
        "negative =",
        r"data\.label\.negative: '-' is named twice",
    ),
    (NEGATIVE, 'negative = ["no"]\n', "negative =", r"data\.label\.negative: .*single letters"),
    (
        NEGATIVE,
        'negative = ["-"]\nmissing_codes = ["E"]\n',
        "missing_codes =",
        r"data\.label\.missing_codes: 'E' has another meaning above",
    ),
    (NUMBER, NUMBER_FROM_9, 'value = "9"', r"data\.label\.value: must leave room on both sides"),
    (NUMBER, NUMBER_TURNED, 'low = "9"', r"data\.label\.low: low must be below high"),
    (NUMBER, NUMBER_WITHOUT, "[data.label]", r"data\.label\.high: is missing"),
    (
        NUMBER,
        TWO_OF_ONE,
        "conditions",
        r"data\.label\.conditions\.2\.column: the column died has a condition already",
    ),
    (
        NUMBER,
        TWO_WITHOUT_NO,
        "conditions",
        r"data\.label\.conditions\.1\.negative: is missing \(name what means no",
    ),
    (
        NUMBER,
        TWO_OF_NO_KIND,
        "conditions",
        r'data\.label\.conditions\.1: needs kind = "equals", .* or "below"',
    ),
    (NUMBER, ONE_CONDITION, "conditions", r"data\.label\.conditions: .*at least 2"),
    # texts that a table can never hold, or that are the same there
    (
        'levels = ["F", "M"]',
        'levels = ["F ", "M"]',
        '"sex"',
        r"data\.columns\.3\.levels\.1: has blank space at its ends",
    ),
    (
        'levels = ["F", "M"]',
        'levels = ["1", "1.0"]',
        '"sex"',
        r"data\.columns\.3\.levels: column sex: a level is named twice \('1\.0'; numbers",
    ),
    (
        'levels = ["F", "M"]',
        'levels = ["F", "M\ufffd"]',
        '"sex"',
        r"data\.columns\.3\.levels\.2: holds U\+FFFD",
    ),
    (
        'true = "t"',
        'true = "\u00a0t"',
        '"sick"',
        r"data\.columns\.4\.true: has blank space at its ends",
    ),
    (
        'true = "t", false = "f"',
        'true = "1", false = "1.0"',
        '"sick"',
        r"data\.columns\.4\.false: .*same text",
    ),
    (
        'name = "TSH"',
        'name = " TSH"',
        '" TSH"',
        r"data\.columns\.2\.name: has blank space at its ends",
    ),
    (
        'patient = "patient_id"',
        'patient = "patient_id "',
        'patient = "',
        r"data\.patient: has blank space at its ends",
    ),
    (
        'column = "target"',
        'column = "target "',
        "column =",
        r"data\.label\.column: has blank space at its ends",
    ),
    (
        'positive = ["E", "F"]',
        'positive = ["E", " "]',
        "positive",
        r"data\.label\.positive\.2: has blank space at its ends",
    ),
    (
        'levels = ["F", "M"]',
        'levels = ["F", "M"], missing_codes = ["F"]',
        '"sex"',
        r"data\.columns\.3\.missing_codes: column sex: 'F' is a declared value",
    ),
    (
        'high = "120"',
        'high = "120", missing_codes = ["0", "0.0"]',
        '"age"',
        r"data\.columns\.1\.missing_codes: column age: '0\.0' is named twice",
    ),
    (
        'high = "120"',
        'high = "120", outside = "drop"',
        '"age"',
        r"data\.columns\.1\.outside: .*set-aside",
    ),
    ('holdout = "3/10"', 'holdout = "1"', "holdout", r"data\.holdout: must lie between 0 and 1"),
    (
        'holdout = "3/10"',
        'holdout = "11/10"',
        "holdout",
        r"data\.holdout: must lie between 0 and 1",
    ),
    # privacy, training, evaluation
    (
        'epsilon = "1"\nnoise_multiplier',
        'epsilon = "0"\nnoise_multiplier',
        'epsilon = "0"',
        r"stages\.1\.epsilon: must be above 0",
    ),
    (
        'noise_multiplier = "2.14"',
        'noise_multiplier = "-2"',
        'noise_multiplier = "-2"',
        r"stages\.1\.noise_multiplier: must be at least 0\.3 and at most 1000000",
    ),
    (
        'noise_multiplier = "2.14"',
        'noise_multiplier = "0.29"',
        'noise_multiplier = "0.29"',
        r"stages\.1\.noise_multiplier: must be at least 0\.3 .*nobody is hidden",
    ),
    (
        'noise_multiplier = "2.14"',
        'noise_multiplier = "1e7"',
        'noise_multiplier = "1e7"',
        r"stages\.1\.noise_multiplier: .*at most 1000000",
    ),
    (
        'epsilon = "1"\nnoise_multiplier',
        'epsilon = "100.1"\nnoise_multiplier',
        'epsilon = "100.1"',
        r"stages\.1\.epsilon: must be above 0 and at most 100: a larger one promises nothing",
    ),
    (
        'epsilon = "1"\nbound',
        'epsilon = "1e9"\nbound',
        'epsilon = "1e9"',
        r"stages\.2\.epsilon: must be above 0 and at most 100",
    ),
    (
        'noise_multiplier = "3.75"',
        'noise_multiplier = "1e9"',
        'noise_multiplier = "1e9"',
        r"stages\.2\.noise_multiplier: .*at most 1000000",
    ),
    ('delta = "1e-5"', 'delta = "1e-31"', "delta", r"privacy\.delta: must be at least 1e-30"),
    (
        'normaliser = "200"',
        'normaliser = "0"',
        'normaliser = "0"',
        r"stages\.1\.normaliser: must be above 0",
    ),
    ('delta = "1e-5"', 'delta = "0.01"', "delta", r"privacy\.delta: .*at most 1e-3"),
    (
        'delta = "1e-5"',
        'delta = "0"',
        "delta",
        r"privacy\.delta: must be at least 1e-30 and at most 1e-3",
    ),
    (
        'sample_rate = "1/5"',
        'sample_rate = "0"',
        "sample_rate",
        r"stages\.1\.sample_rate: must be above 0 and at most 1",
    ),
    (
        'sample_rate = "1/5"',
        'sample_rate = "6/5"',
        "sample_rate",
        r"stages\.1\.sample_rate: must be above 0 and at most 1",
    ),
    ("steps = 4", "steps = 0", "steps = 0", r"stages\.1\.steps: .*greater than or equal to 1"),
    (
        'local_learning_rate = "1"',
        'local_learning_rate = "0"',
        "local_learning_rate",
        r"stages\.1\.local_learning_rate: must be above 0",
    ),
    (
        'server_learning_rate = "4"',
        'server_learning_rate = "-4"',
        "server_learning_rate",
        r"stages\.1\.server_learning_rate: must be above 0",
    ),
    (
        'server_momentum = "0.8"',
        'server_momentum = "1"',
        "server_momentum",
        r"stages\.1\.server_momentum: must be at least 0 and below 1",
    ),
    (
        'edges = ["0.1", "0.3", "0.5"]',
        'edges = ["0.1", "0.1"]',
        "edges",
        r"stages\.2\.edges: must rise strictly between 0 and 1",
    ),
    (
        'edges = ["0.1", "0.3", "0.5"]',
        'edges = ["0", "0.1"]',
        "edges",
        r"stages\.2\.edges: must rise",
    ),
    (
        'edges = ["0.1", "0.3", "0.5"]',
        'edges = ["0.1", "1"]',
        "edges",
        r"stages\.2\.edges: must rise",
    ),
    ('edges = ["0.1", "0.3", "0.5"]', "edges = []", "edges", r"stages\.2\.edges: must rise"),
    (
        'edges = ["0.1", "0.3", "0.5"]',
        "edges = [0.1]",
        "edges",
        r"stages\.2\.edges\.1: write it as text",
    ),
    (
        'noise_multiplier = "3.75"',
        'noise_multiplier = "1.9"',
        'noise_multiplier = "1.9"',
        r"stages\.2\.noise_multiplier: .*at least 2",
    ),
    (
        'epsilon = "1"\nbound',
        'epsilon = "-1"\nbound',
        'epsilon = "-1"',
        r"stages\.2\.epsilon: must be above 0",
    ),
    ("bits = 16", "bits = 25", "bits", r"stages\.1\.bits: .*less than or equal to 24"),
    ("bits = 16", "bits = 5", "bits", r"stages\.1\.bits: .*greater than or equal to 6"),
    (
        "bits = 16",
        f"bits = 16\nbound = {1 << 60}",
        f"bound = {1 << 60}",
        r"stages\.1\.bound: .*less than or equal to 2147483648",
    ),
    (
        "colluders = 3",
        "colluders = -1",
        "colluders",
        r"secagg\.colluders: .*greater than or equal to 0",
    ),
]


@pytest.mark.parametrize(
    ("old", "new", "where", "says"),
    BROKEN,
    ids=[
        f"{i}: {b[1] or 'without ' + b[0]}"[:60].encode("ascii", "replace").decode()
        for i, b in enumerate(BROKEN)
    ],
)
def test_a_broken_protocol_is_refused_with_line_and_mend(old, new, where, says):
    text = protocol_text((old, new))
    what = fault(parse_protocol, text)
    assert re.search(rf"line {line_of(text, where)}: .*{says}", what), what


STYLES = {
    "on one line": (
        'columns = [{ name = "a", kind = "boolean", true = "t", false = "f" }, { name = "b", kind ='
        ' "numeric", low = 1, high = "2" }]\n'
    ),
    "one a line, with comments": (
        'columns = [ # all\n  # first\n  { name = "a", kind = "boolean", true = "t", false = "f" },'
        ' # ]\n\n  { name = "b", kind = "numeric", low = 1, high = "2" }\n]\n'
    ),
    "two a line": (
        'columns = [\n  { name = "a", kind = "boolean", true = "t", false = "f" }, { name = "b",'
        ' kind = "numeric", low = 1, high = "2" }, ]\n'
    ),
    "tables": (
        '[[data.columns]]\nname = "a"\nkind = "boolean"\ntrue = "t"\nfalse ='
        ' "f"\n[[data.columns]]\nname = "b"\nkind = "numeric"\nlow = 1\nhigh = "2"\n'
    ),
}


@pytest.mark.parametrize("style", STYLES)
def test_a_column_is_found_in_every_way_to_write_columns(style):
    start, end = PROTOCOL.index("columns = ["), PROTOCOL.index("[data.label]")
    text = PROTOCOL[:start] + STYLES[style] + PROTOCOL[end:]
    what = fault(parse_protocol, text)
    assert (
        f"line {line_of(text, 'low = 1')}: data.columns.2.low: write it as text in quotes" in what
    )


def test_a_table_written_as_a_value_is_refused_with_its_line():
    text = protocol_text(('[code]\nentrypoint = "declarative"\n', "")).replace(
        "[study]", "code = 1\n[study]", 1
    )
    assert "line 4: code: expected a table (write it as a table of keys and values)" in fault(
        parse_protocol, text
    )


def test_every_fault_is_listed_not_only_the_first():
    what = fault(
        parse_protocol,
        protocol_text(
            ("rounds = 4", "rounds = 0"),
            ("bits = 16", "bits = 1"),
            ('clip_norm = "1"', "clip_norm = 1"),
        ),
    )
    assert what.count("line ") == 3


def test_a_file_with_very_many_faults_gives_a_short_answer():
    what = fault(parse_protocol, PROTOCOL + "".join(f"k{i} = 1\n" for i in range(500)))
    assert what.endswith("and 480 more\n")
    assert len(what) < 3000


def test_a_refusal_says_whose_it_is_what_next_and_has_its_exit_code():
    with pytest.raises(StudyError) as caught:
        parse_protocol(protocol_text(("bits = 16", "bits = 0")))
    assert caught.value.whose == "the researcher who wrote the study"
    assert "securefl study check" in caught.value.next_step
    assert caught.value.exit_code == ExitCode.INVALID


# size, encoding, syntax, depth


def test_a_file_of_the_largest_size_is_read_and_a_larger_one_is_not():
    pad = "#" * (MAX_BYTES - len(PROTOCOL.encode()))
    assert parse_protocol(PROTOCOL + pad)
    assert "at most 262144 are read" in fault(parse_protocol, PROTOCOL + pad + "#")
    assert "at most 262144 are read" in fault(parse_protocol, "é" * (MAX_BYTES // 2 + 1))


@pytest.mark.parametrize(
    "data", [b"\xff", PROTOCOL.encode() + b"\xc3", "a = 1".encode("utf-16"), "a = '\ud800'"]
)
def test_a_file_that_is_no_utf8_is_refused(data):
    assert "not UTF-8 text" in fault(parse_protocol, data)


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "a = ",
        "a = 1\na = 2",
        "[a]\n[a]",
        "a = 01",
        "\ufeff\ufeffa = 1",
        "a = 2026-13-01",
        "a = 1" + "0" * 5000,
        "a = " + "[" * 100_000,
        'a = "\x00"',
    ],
)
def test_a_file_that_is_no_toml_is_refused_and_nothing_else_escapes(text):
    assert "not valid TOML" in fault(load_raw, text)


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 9 + "]" * 9,
        "a." * 9 + "b = 1",
        "[" + "a." * 9 + "b]",
        "a." * 100_000 + "b = 1",
        "[" + " 'a' . " * 30_000 + "b]",
        'x = { "a"' + ' . "a"' * 40_000 + " = 1 }",
    ],
)
def test_deep_nesting_is_refused_before_it_costs_time(text):
    assert "nests tables or lists more than 8 deep" in fault(load_raw, text)


def test_a_long_chain_of_names_in_a_text_is_no_deep_nesting_until_it_is_absurd():
    assert load_raw('a = "www.a.b.c.d.e.f.g.h.i.j.k.example.org"')


# the two schemas


def test_a_protocol_is_no_study_and_the_next_step_says_how_it_becomes_one():
    with pytest.raises(StudyError, match='expected "securefl-study/2"') as caught:
        parse_study(PROTOCOL)
    assert "securefl study new" in caught.value.next_step


def test_a_study_is_no_protocol():
    with pytest.raises(StudyError, match='expected "securefl-protocol/2"') as caught:
        parse_protocol(STUDY)
    assert "not edited" in caught.value.next_step


def test_a_file_of_either_schema_is_read_as_what_it_says_it_is():
    assert type(parse_any(STUDY)).__name__ == "Study"
    assert type(parse_any(PROTOCOL)).__name__ == "Template"
    assert 'expected "securefl-protocol/2"' in fault(parse_any, "schema = 3")


@pytest.mark.parametrize(
    "schema",
    [
        "",
        'schema = "securefl-protocol/3"\n',
        "schema = 1\n",
        f'schema = "{"x" * 10_000}"\n',
        'schema = "\\u001B[2J"\n',
    ],
)
def test_another_schema_is_refused_in_few_and_harmless_words(schema):
    what = fault(parse_protocol, edited(PROTOCOL, ('schema = "securefl-protocol/2"\n', schema)))
    assert len(what) < 200
    assert "\x1b" not in what


def test_a_protocol_names_no_parties():
    assert "coordinator: unknown key" in fault(
        parse_protocol, PROTOCOL + "\n[coordinator]\nname = 'x'\n"
    )


# the roster of a study


def keys_of(text):
    study = parse_study(text)
    return {p.name: p for p in (study.coordinator, study.aggregator, *study.participants)}


PARTIES = keys_of(STUDY)


def block(name):
    start = STUDY.index(f'name = "{name}"')
    return STUDY[start : (STUDY + "\n\n").index("\n\n", start)]


@pytest.mark.parametrize(
    ("party", "old", "new", "says"),
    [
        (
            "SVI",
            'name = "SVI"',
            'name = "SVHC"',
            r"participants\.\d\.name: SVHC stands in the study before",
        ),
        ("SVI", 'name = "SVI"', 'name = "svhc"', r"SVHC stands in the study before"),
        ("SVI", 'name = "SVI"', 'name = "Researcher"', r"Researcher stands in the study before"),
        ("SVI", 'name = "SVI"', 'name = "aggregator"', r"Aggregator stands in the study before"),
        (
            "SVI",
            PARTIES["SVI"].signing_public,
            PARTIES["SVHC"].signing_public,
            r"signing_public: this is the key of SVHC",
        ),
        (
            "SVI",
            PARTIES["SVI"].sealing_public,
            PARTIES["SVHC"].sealing_public,
            r"sealing_public: this is the key of SVHC",
        ),
        (
            "SVI",
            PARTIES["SVI"].sealing_public,
            PARTIES["SVHC"].signing_public,
            r"sealing_public: this is the key of SVHC",
        ),
        (
            "SVI",
            PARTIES["SVI"].signing_public,
            PARTIES["Researcher"].signing_public,
            r"this is the key of Researcher",
        ),
        (
            "SVI",
            PARTIES["SVI"].sealing_public,
            PARTIES["Aggregator"].sealing_public,
            r"this is the key of Aggregator",
        ),
        (
            "Aggregator",
            PARTIES["Aggregator"].signing_public,
            PARTIES["Researcher"].signing_public,
            r"aggregator\.signing_public: this is the key of Researcher",
        ),
        (
            "Aggregator",
            PARTIES["Aggregator"].sealing_public,
            PARTIES["Researcher"].sealing_public,
            r"aggregator\.sealing_public: this is the key of Researcher",
        ),
        (
            "SVI",
            PARTIES["SVI"].signing_public,
            "A" * 64,
            r"signing_public: expected 32 bytes as 64 digits",
        ),
        ("SVI", 'weight = "1/5"', 'weight = "0"', r"weight: must be above 0"),
        (
            "SVI",
            'weight = "1/5"',
            'weight = "1/4"',
            r"weight: the participants' weights must add up to exactly 1",
        ),
        ("SVI", 'weight = "1/5"', "weight = 0.2", r"weight: expected a ratio"),
        ("SVI", 'weight_source = "equal shares"', "", r"weight_source: is missing"),
        (
            "SVI",
            'email = "svi@example.org"',
            'email = "svi@example.org"\nrole = "hospital"',
            r"role: unknown key",
        ),
    ],
)
def test_a_broken_roster_is_refused_with_its_line(party, old, new, says):
    text = edited(STUDY, (block(party), edited(block(party), (old, new))))
    what = fault(parse_study, text)
    assert re.search(rf"line \d+: .*{says}", what), what


def test_the_fault_of_a_participant_names_the_line_of_that_participant():
    text = edited(STUDY, (block("SVI"), edited(block("SVI"), ('name = "SVI"', 'name = "SVHC"'))))
    line = int(re.search(r"line (\d+): participants", fault(parse_study, text)).group(1))
    before = text.split("\n")[:line]
    assert before[-1] == 'name = "SVHC"'
    assert sum(b == 'name = "SVHC"' for b in before) == 2


def test_a_study_without_initial_weights_is_refused():
    assert "initial_sha256; `securefl study new` computes it" in fault(
        parse_study, re.sub(r'\ninitial_sha256 = "[0-9a-f]{64}"', "", STUDY)
    )


def test_a_study_has_at_least_two_participants():
    one = (
        STUDY[: STUDY.index("\n[[participants]]")]
        + "\n[[participants]]\n"
        + block("SVI").replace("1/5", "1")
    )
    assert "participants: a study has at least two participants" in fault(parse_study, one)
    none = STUDY[: STUDY.index("\n[[participants]]")]
    assert "line 1: participants: is missing (add the table [[participants]])" in fault(
        parse_study, none
    )


# plain values for the digest


def test_times_become_utc_text_whatever_their_zone():
    times = load_raw(
        "a = 2026-01-01T01:00:00+01:00\nb = 2026-01-01T00:00:00Z\nc = 2026-01-01\nd = 01:02:03\ne ="
        " 2026-01-01T00:00:00\nf = [1, true, {x = 's'}]"
    )
    assert plain(times) == {
        "a": "2026-01-01T00:00:00Z",
        "b": "2026-01-01T00:00:00Z",
        "c": "2026-01-01",
        "d": "01:02:03",
        "e": "2026-01-01T00:00:00",
        "f": [1, True, {"x": "s"}],
    }
