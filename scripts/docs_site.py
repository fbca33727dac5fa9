"""Builds the documentation site in ``build/site``, without network: ``make docs``.

``python scripts/docs_site.py [--pages-only]``. The pages are those of the repository, where they lie.
They are copied beside each other, a reference is made from docstrings, links to code lead into it,
and mkdocs draws them with the material theme. It is strict: a link or an anchor that leads nowhere
fails the build.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from docs_reference import reference_pages

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "build" / "site-source"
SITE = ROOT / "build" / "site"

#: Pages in the order in which they are read. A page of ``docs`` that is not here comes under "More";
#: decisions and the reference are listed by themselves.
NAV: dict[str, list[str]] = {
    "Tutorial": ["docs/demo.md", "docs/by-hand.md", "docs/from-others.md"],
    "Data owner": [
        "docs/data-owner.md",
        "docs/audit.md",
        "docs/stores.md",
        "docs/operation.md",
    ],
    "Researcher": [
        "docs/researcher.md",
        "docs/design.md",
        "docs/simulate.md",
        "docs/protocol.md",
        "docs/statistics.md",
        "docs/evaluation.md",
        "docs/strategies.md",
        "docs/poisoning.md",
        "docs/models.md",
        "docs/archive.md",
    ],
    "Other roles": ["docs/aggregator.md", "docs/consortium.md"],
    "Concepts": [
        "docs/pictures.md",
        "docs/threat-model.md",
        "docs/secure-aggregation.md",
        "docs/key-additive-sum.md",
        "docs/glossary.md",
    ],
    "Papers": [
        "docs/compliance/README.md",
        "docs/compliance/gdpr.md",
        "docs/compliance/hipaa.md",
        "docs/compliance/ehds-and-ai-act.md",
        "docs/compliance/provisioning.md",
    ],
    "Reference": ["docs/exit-codes.md", "docs/names.md"],
    "Developing": [
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "SECURITY.md",
        "MAINTAINERS.md",
        "docs/layout.md",
        "docs/walks.md",
    ],
}
#: Folders whose pages are listed by themselves: heading, heading below it.
LISTED = {
    "protocols/studies": ("Reference", "Example studies"),
    "protocols/wire": ("Reference", "Formats"),
    "benchmarks": ("Reference", "Measured"),
    "docs/extending": ("Developing", "Extending"),
    "docs/decisions": ("Developing", "Decisions"),
}
#: Diagrams of letters are 100 columns wide.
STYLE = ".md-grid { max-width: 78rem; } .md-typeset pre > code { font-size: .62rem; }\n"
LINK = re.compile(r"(!?\[[^\]]*\])\(([^)\s]+)\)")
FENCE = re.compile(r"(^```.*?^```)", re.MULTILINE | re.DOTALL)


def main() -> int:
    """Collect the pages, and draw them unless only they are asked for."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    collect(SOURCE)
    config = SOURCE.with_suffix(".yml")
    config.write_text(json.dumps(configuration(SOURCE), indent=1))
    if "--pages-only" in sys.argv[1:]:
        return 0
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(config)]
    # the theme's makers announce a successor at each build
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, check=False, env=quiet)
    if done.returncode:
        return done.returncode
    if found := loads_from_elsewhere(SITE):
        print(f"A page would load something from elsewhere: {found}")
        return 1
    print(f"Open {SITE.relative_to(ROOT)}/index.html in a browser. To search in it, serve it:")
    print(f"  python -m http.server --bind 127.0.0.1 --directory {SITE.relative_to(ROOT)}")
    return 0


def loads_from_elsewhere(site: Path) -> list[str]:
    """Addresses that a browser would fetch from another host by opening a page."""
    fetched = re.compile(r"<(?:script|img|iframe|link rel=.?stylesheet)[^>]*?(https?://[^\"'\s>]+)")
    return sorted({a for page in site.rglob("*.html") for a in fetched.findall(page.read_text())})


def pages() -> list[str]:
    """All pages by their place in the repository, without the README, which is the first."""
    listed = [page for heading in NAV.values() for page in heading]
    for folder in LISTED:
        found = sorted((ROOT / folder).rglob("*.md"))
        listed += [page.relative_to(ROOT).as_posix() for page in found]
    return [*listed, *more_pages()]


def more_pages() -> list[str]:
    """Pages of ``docs`` that nobody put in their place yet."""
    placed = {page for heading in NAV.values() for page in heading}
    beside = sorted((ROOT / "docs").glob("*.md")) + sorted((ROOT / "docs/compliance").glob("*.md"))
    found = [page.relative_to(ROOT).as_posix() for page in beside]
    return [page for page in found if page not in placed]


def collect(target: Path) -> None:
    """Write every page, its pictures and the reference below ``target``."""
    reference = reference_pages(ROOT / "securefl")
    for name, text in reference.items():
        _write(target / "reference" / name, text)
    _write(target / "site.css", STYLE)
    for page in ["README.md", *pages()]:
        text = (ROOT / page).read_text("utf-8")
        _write(target / page, with_links(text, page, target))


def with_links(text: str, page: str, target: Path) -> str:
    """A page whose links to code lead into the reference; other files are copied beside it."""
    parts = FENCE.split(text)
    for place in range(0, len(parts), 2):
        parts[place] = LINK.sub(lambda found: _link(found, page, target), parts[place])
    return "".join(parts)


def _link(found: re.Match[str], page: str, target: Path) -> str:
    words, address = found[1], found[2]
    path = address.partition("#")[0]
    if not path or "://" in path or path.startswith("mailto:"):
        return found[0]
    named = (ROOT / page).parent / path
    inside = named.resolve().relative_to(ROOT).as_posix()
    up = "../" * page.count("/")
    if inside.startswith("securefl/") and inside.endswith(".py"):
        return f"{words}({up}{reference_link(inside)})"
    if inside in known_pages():
        return found[0]
    if named.is_dir():
        return words.strip("[]")
    if inside.endswith(".md"):
        raise SystemExit(f"{page} leads to {inside}, which is no page of the site: see LISTED.")
    shown = inside
    if named.suffix not in {".svg", ".png", ".json"}:
        shown = f"{inside}.txt"  # a browser shows it, and runs or downloads nothing
    _copy(named, target / "files" / shown if named.suffix != ".svg" else target / inside)
    if named.suffix == ".svg":
        return found[0]
    return f"{words}({up}files/{shown})"


def reference_link(module: str) -> str:
    """Page and anchor of a module in the reference: ``reference/ROOM.md#MODULE``."""
    parts = module.removesuffix(".py").split("/")
    if parts[-1] == "__init__":
        return f"reference/{'.'.join(parts[:-1])}.md"
    return f"reference/{'.'.join(parts[:-1])}.md#{parts[-1]}"


def known_pages() -> set[str]:
    """Pages of the site, the first among them."""
    return {"README.md", *pages()}


def configuration(source: Path) -> dict[str, object]:
    """Settings of mkdocs; JSON is YAML."""
    nav: list[object] = [{"securefl": "README.md"}]
    headings: dict[str, list[object]] = {name: list(listed) for name, listed in NAV.items()}
    for folder, (heading, below) in LISTED.items():
        found = sorted(page for page in pages() if page.startswith(f"{folder}/"))
        headings[heading].append({below: found})
    headings["More"] = list(more_pages())
    rooms = sorted(path.name for path in (source / "reference").glob("*.md"))
    headings["Reference"].append({"Python": [f"reference/{name}" for name in rooms]})
    nav += [{heading: listed} for heading, listed in headings.items() if listed]
    return {
        "site_name": "securefl",
        "site_dir": str(SITE),
        "docs_dir": str(source),
        "use_directory_urls": False,
        "nav": nav,
        "theme": {
            "name": "material",
            "font": False,
            "features": ["navigation.tabs", "navigation.top", "content.code.copy", "toc.follow"],
            "palette": [
                {
                    "media": f"(prefers-color-scheme: {scheme})",
                    "scheme": name,
                    "primary": "teal",
                    "toggle": {"icon": icon, "name": f"Show it {other}"},
                }
                for scheme, name, icon, other in (
                    ("light", "default", "material/weather-night", "dark"),
                    ("dark", "slate", "material/weather-sunny", "light"),
                )
            ],
        },
        "plugins": ["material/search"],
        "extra_css": ["site.css"],
        "markdown_extensions": [
            "tables",
            "fenced_code",
            "sane_lists",
            {"toc": {"permalink": True, "toc_depth": 3}},
            {"pymdownx.highlight": {"use_pygments": True}},
            "pymdownx.superfences",
        ],
        "validation": {
            "nav": {"omitted_files": "warn", "not_found": "warn"},
            "links": {"not_found": "warn", "anchors": "warn", "absolute_links": "warn"},
        },
    }


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8")


def _copy(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, target)


if __name__ == "__main__":
    sys.exit(main())
