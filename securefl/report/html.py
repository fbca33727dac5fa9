"""A page as HTML: one file, for a browser and for paper. Jinja2 draws it with ``templates/``.

Every expression of a template is escaped and spelled out (:func:`securefl.report.markup.escaped`)
unless it is markup already, so outside text can only ever be text. A page has no script, no network
and no picture from elsewhere; its content policy (a meta element) forbids all of them and allows
exactly one stylesheet, by hash, so that even markup that slipped through could load or style
nothing.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, cast

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from securefl.report.charts import small_bar, swatch
from securefl.report.markup import escaped, joined
from securefl.report.page import Block, spans

if TYPE_CHECKING:
    from collections.abc import Callable

    from securefl.report.page import Page, Quoted, Span, Value, Words

_PARAGRAPHS = re.compile(r"\n[ ]*\n")


def html_page(page: Page, language: str = "en") -> str:
    """The page as a file that stands alone, in a language that its reader's screen speaks."""
    return (
        _templates()
        .get_template("page.html")
        .render(
            page=page,
            language=language,
            window=window_title(page),
            policy=content_policy(),
            style=stylesheet(),
        )
    )


def html_blocks(page: Page) -> Markup:
    """What stands below the page's title, as a part of another document; its headings begin at h2."""
    return joined(*(Markup(_draw(block, 2)) for block in page.blocks))  # noqa: S704 - drawn by our templates


def html_words(words: Words) -> Markup:
    """Words in a line, as a part of another document."""
    return _words(words)


def window_title(page: Page) -> str:
    """The title of a browser's window."""
    return page.window or "".join(span.text for span in spans(page.title))


def content_policy() -> str:
    """Content policy of a page that stands alone: our stylesheet by its hash, and nothing else."""
    allowed = base64.b64encode(hashlib.sha256(stylesheet().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{allowed}'; base-uri 'none'; form-action 'none'"


@cache
def stylesheet() -> Markup:
    """The stylesheets, for a screen and for A4. They are ours, never made from outside text."""
    static = files("securefl.report") / "static"
    sheets = ((static / name).read_text("utf-8") for name in ("page.css", "picture.css"))
    return Markup("\n" + "".join(sheets))  # noqa: S704 - files of this package


def environment(package: str) -> Environment:
    """Templates of a package, with the rules of every page of ours: each expression is escaped and
    spelled out, a name that is not given is an error.
    """
    return Environment(
        loader=PackageLoader(package),
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _templates() -> Environment:
    made = environment("securefl.report")
    made.globals.update(
        draw=_draw,
        words=_words,
        value_of=_value,
        quoted_lines=_quoted_lines,
        bar_svg=small_bar,
        swatch=swatch,
    )
    return made


def _finalize(value: object) -> Markup:
    """An expression's value as it stands in the page; Jinja2 escapes nothing twice."""
    if isinstance(value, Markup):
        return value
    return escaped(str(value))


def _macro(part: Span | Block) -> Callable[..., str]:
    """The macro that draws this kind of span or block.

    Raises:
        TypeError: there is none.
    """
    kind = type(part).__name__
    macro = getattr(_templates().get_template("blocks.html").module, kind.lower(), None)
    if macro is None:
        raise TypeError(f"{kind} has no shape in HTML.")
    return cast("Callable[..., str]", macro)


def _draw(block: Block, level: int) -> str:
    return _macro(block)(block, level)


def _words(words: Words) -> Markup:
    return joined(*(_macro(span)(span) for span in spans(words)))


def _value(value: Value, level: int) -> str:
    if isinstance(value, Block):
        return _draw(value, level)
    return _words(value)


def _quoted_lines(quoted: Quoted) -> list[str]:
    """Paragraphs of another party's words, or its lines where they are to break as they did."""
    text = quoted.text.strip("\n").replace("\r\n", "\n")
    if quoted.fill:
        return [" ".join(part.split()) for part in _PARAGRAPHS.split(text)]
    return text.split("\n")
