"""A terminal that draws a page: the width of each character is that of the C library, as terminals
take it.
"""

import ctypes
import locale

_LIBC = ctypes.CDLL(None)
_LIBC.wcwidth.argtypes = [ctypes.c_wchar]
BAR = "│"


def c_locale():
    """Let the C library count in UTF-8; returns the locale to put back."""
    before = locale.setlocale(locale.LC_CTYPE)
    locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    return before


def drawn_width(char):
    """Columns of one character; -1 where the library does not know it."""
    return _LIBC.wcwidth(char)


def draw(text, width):
    """The lines that a terminal of that many columns draws, each as text: what does not fit begins
    the next in column 0.
    """
    screen = []
    for line in text.split("\n"):
        column, now = 0, ""
        for char in line:
            wide = max(drawn_width(char), 0)
            if column + wide > width:
                screen.append(now)
                column, now = 0, ""
            now += char
            column += wide
        screen.append(now)
    return screen


def unmarked(screen, words):
    """The drawn lines that hold any of these words and no bar before them."""
    return [
        line for line in screen if any(w in line and BAR not in line.partition(w)[0] for w in words)
    ]
