"""A researcher's ``model.py`` run as a module, at the researcher's alone: its class, made."""

from __future__ import annotations

import linecache
import sys
from importlib.abc import InspectLoader
from types import CodeType, ModuleType
from typing import Final

from torch import nn

from securefl.errors import StudyError
from securefl.learning.graphs.graph_nodes import NAME

#: The next step where there is nothing better to say.
NEXT: Final = "Mend model.py and make the study again."


class _Text(InspectLoader):
    """Import of a text as a module: the researcher's own file, on the researcher's machine."""

    def __init__(self, name: str, source: str) -> None:
        self._name = name
        self._source = source

    def get_source(self, fullname: str) -> str:
        """The text of the one module that there is."""
        if fullname != self._name:
            raise ImportError(fullname)
        return self._source

    def get_code(self, fullname: str) -> CodeType:
        """The module's code, whose lines are those of model.py."""
        return self.source_to_code(self.get_source(fullname), NAME)


def module_of(source: str) -> nn.Module:
    """The module that a text defines: the class ``Model``, or its only one."""
    made = ModuleType("securefl_own_model")
    # Tracing asks for the lines of functions, and for the module of classes.
    linecache.cache[NAME] = (
        len(source),
        None,
        source.splitlines(keepends=True),
        NAME,
    )
    sys.modules[made.__name__] = made
    try:
        _Text(made.__name__, source).exec_module(made)
        module: nn.Module = _class_of(made)()
    except StudyError:
        raise
    except Exception as error:
        next_step = NEXT
        if isinstance(error, ImportError):
            next_step = "model.py stands alone: put into it what it takes from files beside it."
        if "__init__() missing" in str(error):
            next_step = "The class is made without arguments: write sizes into __init__."
        raise refused(
            f"model.py ends with an error{line_of_error(error)}: {short(error)}", next_step
        ) from error
    finally:
        sys.modules.pop(made.__name__, None)
    return module


def _class_of(made: ModuleType) -> type[nn.Module]:
    own = [
        found
        for found in vars(made).values()
        if isinstance(found, type)
        and issubclass(found, nn.Module)
        and found.__module__ == made.__name__
    ]
    named = [found for found in own if found.__name__ == "Model"] or own
    if len(named) != 1:
        raise refused(
            f"model.py defines {len(own)} classes of nn.Module, and none is called Model.",
            "Call the model's class Model.",
        )
    return named[0]


def line_of_error(error: BaseException) -> str:
    """The innermost line of model.py in an error's way."""
    trace = error.__traceback__
    line = 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == NAME:
            line = trace.tb_lineno
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and error.filename == NAME:
        line = error.lineno or 0
    return f", line {line}" if line else ""


def short(error: BaseException) -> str:
    """First line of an error."""
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    return f"{type(error).__name__}: {first[:300]}"


def refused(what: str, next_step: str) -> StudyError:
    """Refusal of a model."""
    return StudyError(what, next_step=next_step)
