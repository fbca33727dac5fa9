"""The documentation's site: every page has its place, and links lead where they led."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import docs_reference  # noqa: E402
import docs_site  # noqa: E402


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    target = tmp_path_factory.mktemp("site")
    docs_site.collect(target)
    return target


def named(nav):
    """Pages of a tree of headings."""
    if isinstance(nav, str):
        return [nav]
    if isinstance(nav, dict):
        return [page for below in nav.values() for page in named(below)]
    return [page for item in nav for page in named(item)]


def test_every_page_has_one_place_and_every_place_a_page(collected):
    there = {page.relative_to(collected).as_posix() for page in collected.rglob("*.md")}
    nav = named(docs_site.configuration(collected)["nav"])
    assert sorted(nav) == sorted(there)
    assert {p.relative_to(ROOT).as_posix() for p in (ROOT / "docs").rglob("*.md")} <= there


def test_a_link_to_code_leads_to_its_heading_in_the_reference(collected):
    text = (collected / "docs" / "glossary.md").read_text("utf-8")
    links = re.findall(r"\]\(\.\./(reference/[\w.]+)#(\w+)\)", text)
    assert len(links) > 100
    for page, anchor in set(links):
        assert f"\n## {anchor}\n" in (collected / page).read_text("utf-8"), (page, anchor)


def test_no_link_leads_to_a_file_that_was_left_behind(collected):
    for page in collected.rglob("*.md"):
        if page.parent.name == "reference":
            continue
        text = docs_site.FENCE.sub("", page.read_text("utf-8"))
        for _, address in docs_site.LINK.findall(text):
            path = address.partition("#")[0]
            if path and "://" not in path:
                assert (page.parent / path).is_file(), (page.name, address)


@pytest.mark.parametrize("gone", ["../securefl-gone.txt", "gone.md"])
def test_a_link_that_leads_nowhere_stops_the_build(gone, tmp_path):
    with pytest.raises((FileNotFoundError, SystemExit)):
        docs_site.with_links(f"[gone]({gone})", "docs/names.md", tmp_path)


def test_what_is_shown_as_code_is_left_as_it_is(tmp_path):
    text = "```\n[a](../gone.py)\n```\n"
    assert docs_site.with_links(text, "docs/names.md", tmp_path) == text


def test_the_reference_tells_signatures_arguments_and_examples():
    source = '''
def told(x: int, *, y: str = "a") -> str:
    """Tells :class:`a.B` of ``x`` and *y*.

    >>> told(1)
    'a'

    Args:
        x: a number,
            never below 0.
    """

def _hidden():
    """Is hidden."""
'''
    lines = docs_reference.module_lines("m", ast.parse(source))
    text = "\n".join(lines)
    assert "def told(x: int, *, y: str='a') -> str" in text
    assert r"Tells `a.B` of `x` and \*y\*." in text
    assert "```pycon\n>>> told(1)\n'a'\n```" in text
    assert "- `x`: a number,\n  never below 0." in text
    assert "hidden" not in text


def test_every_room_of_the_package_has_its_page(collected):
    pages = {page.name for page in (collected / "reference").iterdir()}
    assert {"securefl.md", "securefl.study.md", "securefl.learning.tasks.binary.md"} <= pages


def test_a_page_that_loads_from_elsewhere_is_named(tmp_path):
    (tmp_path / "a.html").write_text('<a href="https://example.org">x</a><img src="b.svg">')
    assert docs_site.loads_from_elsewhere(tmp_path) == []
    (tmp_path / "b.html").write_text('<script src="https://example.org/s.js"></script>')
    assert docs_site.loads_from_elsewhere(tmp_path) == ["https://example.org/s.js"]


@pytest.mark.soak
def test_the_site_is_built_and_strict(tmp_path, monkeypatch):
    for name in ("SOURCE", "SITE"):
        monkeypatch.setattr(docs_site, name, tmp_path / name.lower())
    monkeypatch.setattr(docs_site, "ROOT", ROOT)
    docs_site.collect(docs_site.SOURCE)

    def build():
        import json

        config = docs_site.SOURCE.with_suffix(".yml")
        config.write_text(json.dumps(docs_site.configuration(docs_site.SOURCE)))
        command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(config)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    done = build()
    assert done.returncode == 0, done.stderr
    assert docs_site.loads_from_elsewhere(docs_site.SITE) == []
    with (docs_site.SOURCE / "docs" / "names.md").open("a") as page:
        page.write("\n[nowhere](glossary.md#nowhere)\n")
    assert build().returncode != 0
