"""Small faults, one at a time, in a module's text: the mutants that the tests are asked to notice.

Faults are spliced into the text at the place of a syntax node, so a mutant is the module with one
edit and the same lines. Left alone: words (docstrings, f-strings, everything handed to an error),
annotations, decorators, imports.
"""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_COMPARE = {
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==",
    ast.In: "not in", ast.NotIn: "in", ast.Is: "is not", ast.IsNot: "is",
}  # fmt: skip
_ARITHMETIC = {
    ast.Add: "-", ast.Sub: "+", ast.Mult: "+", ast.Div: "*", ast.FloorDiv: "*", ast.Mod: "//", ast.Pow: "*",
    ast.LShift: ">>", ast.RShift: "<<", ast.BitAnd: "|", ast.BitOr: "&", ast.BitXor: "&",
}  # fmt: skip
_SIGN = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
    ast.In: "in", ast.NotIn: "not in", ast.Is: "is", ast.IsNot: "is not",
}  # fmt: skip
_CALLS = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list"}
_NO_CONTEXT = '__import__("contextlib").nullcontext()'


@dataclass(frozen=True)
class Mutant:
    """One fault.

    Args:
        where: the function (``Class.method``), or ``module``.
        fault: the old text and the new one; with ``where`` it names the mutant, whatever the line.
        lines: first and last line of the statement (for a compound one, of its head) that has to
            run for the fault to matter.
        at_import: whether it runs when the module is imported.
        text: the whole module with the fault.
    """

    where: str
    fault: str
    lines: tuple[int, int]
    at_import: bool
    text: bytes

    @property
    def name(self) -> str:
        """How the list of explained survivors calls it."""
        return f"{self.where}: {self.fault}"


def mutants(text: str, error_makers: Iterable[str] = ()) -> list[Mutant]:
    """All mutants of a module, in the order of its lines.

    Calls of ``error_makers`` make errors: their words are left alone.
    """
    return _Mutator(text, frozenset(error_makers)).run()


def error_makers(text: str) -> set[str]:
    """The module's functions that are annotated to return an error."""
    return {
        node.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef)
        and node.returns is not None
        and ast.unparse(node.returns).strip('"').endswith("Error")
    }


class _Mutator:
    def __init__(self, text: str, makers: frozenset[str]) -> None:
        self._bytes = text.encode()
        self._tree = ast.parse(text)
        self._makers = makers
        starts = [0]
        for line in self._bytes.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        self._starts = starts
        self._found: list[Mutant] = []
        self._locals: set[str] = set()
        self._names: Counter[str] = Counter()
        self._texts = {self._bytes}

    def run(self) -> list[Mutant]:
        self._block(self._tree.body, "module", at_import=True, returns_bool=False)
        return self._found

    # Where things stand

    def _span(self, node: ast.AST) -> tuple[int, int]:
        return (
            self._starts[node.lineno - 1] + node.col_offset,
            self._starts[node.end_lineno - 1] + node.end_col_offset,
        )

    def _source(self, node: ast.AST) -> str:
        start, end = self._span(node)
        return self._bytes[start:end].decode()

    def _add(
        self, node: ast.AST, new: str, *, old: str | None = None, show: str | None = None
    ) -> None:
        """One mutant: ``node``'s text becomes ``new``; ``old`` and ``show`` are how the fault is
        written down.
        """
        start, end = self._span(node)
        text = (
            f"({new})"
            if isinstance(node, ast.Compare | ast.BoolOp | ast.BinOp | ast.UnaryOp | ast.IfExp)
            else new
        )
        whole = self._bytes[:start] + text.encode() + self._bytes[end:]
        if whole in self._texts:
            return
        self._texts.add(whole)
        fault = f"{_short(old or self._source(node))} => {_short(show or new)}"
        self._names[self._where + fault] += 1
        if (count := self._names[self._where + fault]) > 1:
            fault += f" (place {count})"
        self._found.append(
            Mutant(
                self._where,
                fault,
                (self._statement.lineno, node.end_lineno),
                self._at_import,
                whole,
            )
        )

    # Statements

    def _block(
        self, body: list[ast.stmt], where: str, *, at_import: bool, returns_bool: bool
    ) -> None:
        for index, statement in enumerate(body):
            self._where, self._statement, self._at_import, self._returns_bool = (
                where,
                statement,
                at_import,
                returns_bool,
            )
            self._one(statement, alone=len(body) == 1)
            if index:
                self._where, self._statement, self._at_import = where, body[index - 1], at_import
                self._exchange(body[index - 1], statement)

    def _one(self, node: ast.stmt, *, alone: bool) -> None:
        """The faults of a statement, then those of the statements inside it."""
        where, at_import, returns_bool = self._where, self._at_import, self._returns_bool
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            inner = node.name if where == "module" else f"{where}.{node.name}"
            self._definition(node, inner, at_import=at_import)
            return
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            return
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            self._assignment(node)
        elif isinstance(
            node, ast.Raise | ast.Return | ast.Continue | ast.Break | ast.Delete | ast.Expr
        ):
            self._plain(node, alone=alone)
        else:
            self._compound(node)
        for body in _bodies(node):
            self._block(body, where, at_import=at_import, returns_bool=returns_bool)

    def _definition(
        self, node: ast.FunctionDef | ast.ClassDef, inner: str, *, at_import: bool
    ) -> None:
        if isinstance(node, ast.ClassDef):
            self._block(node.body, inner, at_import=at_import, returns_bool=False)
            return
        for default in [*node.args.defaults, *(d for d in node.args.kw_defaults if d)]:
            self._expression(default)
        if node.name not in self._makers:
            self._locals = _stores(node)
            returns_bool = node.returns is not None and ast.unparse(node.returns) == "bool"
            self._block(node.body, inner, at_import=False, returns_bool=returns_bool)

    def _compound(self, node: ast.stmt) -> None:
        match node:
            case ast.If() | ast.While():
                self._add(node.test, "False")
                if isinstance(node, ast.If):
                    self._add(node.test, "True")
                self._expression(node.test, condition=True)
            case ast.For():
                self._expression(node.iter)
            case ast.With():
                for item in node.items:
                    if item.optional_vars is None:
                        self._add(item.context_expr, _NO_CONTEXT, show="no context")
                    self._expression(item.context_expr)
            case ast.Try():
                for handler in node.handlers:
                    if handler.type is not None:
                        self._add(handler.type, "()", show="not caught")

    def _plain(self, node: ast.stmt, *, alone: bool) -> None:
        match node:
            case ast.Raise():
                if not alone:  # else its condition made False is the same
                    self._add(node, "pass")
            case ast.Return(value=None) | ast.Continue() | ast.Break() | ast.Delete():
                self._add(node, "pass")
            case ast.Return():
                if self._returns_bool:
                    self._add(node.value, "True")
                    self._add(node.value, "False")
                self._expression(node.value)
            case ast.Expr(value=ast.Call()):
                self._add(node, "pass")
                self._expression(node.value)

    def _assignment(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "TypeAlias":
            return
        if isinstance(node, ast.AugAssign):
            self._add(node, "pass")
            if (new := _ARITHMETIC.get(type(node.op))) is not None:
                self._add(node, f"{self._source(node.target)} {new}= {self._source(node.value)}")
        elif node.value is not None and _changes(node):
            self._add(node, "pass")
        if node.value is not None and ast.unparse(targets[0]) != "__all__":
            self._expression(node.value)
        if isinstance(node, ast.AnnAssign) and self._source(node.annotation).startswith(
            "Annotated["
        ):
            self._expression(node.annotation)  # a rule stands there, unlike in other annotations

    def _exchange(self, first: ast.stmt, second: ast.stmt) -> None:
        """Two neighbours in the other order: what was written before it was sent, or checked before
        it was done.
        """
        if isinstance(first, ast.If) and _root(second) in self._locals:
            return  # what is done to a variable is gone when the check raises
        if (
            not _order_may_matter(first, second)
            or _stores(first) & _loads(second)
            or _stores(second) & _loads(first)
        ):
            return
        (a, b), (c, d) = self._span(first), self._span(second)
        one, between, other = (self._bytes[x:y].decode() for x, y in ((a, b), (b, c), (c, d)))
        new = other + between + one
        if isinstance(second, ast.Return):
            value = f"({self._source(second.value)})"  # which may go over several lines
            new = f"_returned = {value}{between}{one}{between}return _returned"
        both = ast.Pass(
            lineno=first.lineno,
            col_offset=first.col_offset,
            end_lineno=second.end_lineno,
            end_col_offset=second.end_col_offset,
        )
        self._add(both, new, old=f"{_head(one)} ; {_head(other)}", show="the other order")

    # Expressions

    def _expression(self, node: ast.expr, *, condition: bool = False) -> None:
        """The faults of an expression and its parts.

        A ``condition`` is made True and False by its statement already.
        """
        if isinstance(node, ast.JoinedStr) or (
            isinstance(node, ast.Call) and self._makes_error(node)
        ):
            return
        self._faults(node, condition=condition)
        if isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant):
            return
        for child in _parts(node):
            self._expression(child, condition=condition and isinstance(node, ast.BoolOp))

    def _faults(self, node: ast.AST, *, condition: bool) -> None:  # noqa: C901, PLR0912 - one branch a kind of expression
        match node:
            case ast.Constant(value=bool()):
                self._add(node, str(not node.value))
            case ast.Constant(value=int() | float()):
                self._add(node, repr(node.value + 1))
            case ast.Constant(value=str()):
                self._add(node, repr(node.value + "~"))
            case ast.Constant(value=bytes()):
                self._add(node, repr(node.value + b"~"))
            case ast.Compare():
                for index in range(len(node.ops)):
                    signs = [
                        _COMPARE[type(o)] if i == index else _SIGN[type(o)]
                        for i, o in enumerate(node.ops)
                    ]
                    rest = [
                        f" {sign} {self._part(right)}"
                        for sign, right in zip(signs, node.comparators, strict=True)
                    ]
                    self._add(node, self._part(node.left) + "".join(rest))
            case ast.BoolOp():
                for index in range(len(node.values)):
                    kept = [self._part(value) for i, value in enumerate(node.values) if i != index]
                    self._add(
                        node, (" and " if isinstance(node.op, ast.And) else " or ").join(kept)
                    )
            case ast.BinOp() if type(node.op) in _ARITHMETIC and not isinstance(
                node.left, ast.JoinedStr
            ):
                self._add(
                    node,
                    f"{self._part(node.left)} {_ARITHMETIC[type(node.op)]}"
                    f" {self._part(node.right)}",
                )
            case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert()) if not condition:
                self._add(node, self._part(node.operand))
            case ast.IfExp():
                self._add(node, self._part(node.body))
                self._add(node, self._part(node.orelse))
            case ast.Call(func=ast.Name(id=name)) if name in _CALLS and not (
                name == "sorted" and node.keywords
            ):
                self._add(node.func, _CALLS[name], old=self._source(node))
            case ast.Subscript(slice=ast.Slice() as cut):
                for bound in (cut.lower, cut.upper):
                    if bound is not None and not isinstance(bound, ast.Constant):
                        self._add(
                            bound, "", old=self._source(node), show=f"without {self._source(bound)}"
                        )
            case ast.GeneratorExp() | ast.ListComp() | ast.SetComp() | ast.DictComp():
                for test in (test for generator in node.generators for test in generator.ifs):
                    self._add(test, "True", old=f"if {self._source(test)}", show="no condition")

    def _part(self, node: ast.AST) -> str:
        plain = isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Constant | ast.Subscript)
        return self._source(node) if plain else f"({self._source(node)})"

    def _makes_error(self, node: ast.Call) -> bool:
        name = (
            node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        )
        return name.endswith("Error") or name in self._makers


def _short(text: str) -> str:
    return " ".join(text.split())


def _parts(node: ast.AST) -> Iterator[ast.expr]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            yield child
        elif isinstance(child, ast.comprehension) or (
            isinstance(child, ast.keyword) and child.arg != "strict"
        ):
            yield from _parts(child)  # "strict" says what holds anyway


def _bodies(node: ast.stmt) -> list[list[ast.stmt]]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return []
    handlers = [handler.body for handler in getattr(node, "handlers", [])]
    return [
        getattr(node, "body", []),
        *handlers,
        getattr(node, "orelse", []),
        getattr(node, "finalbody", []),
    ]


def _head(text: str) -> str:
    """A statement as it is written down: an ``if`` by its condition alone."""
    return text.split("\n", 1)[0] if text.startswith("if ") else text


def _is_simple(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr | ast.Assign | ast.AnnAssign | ast.AugAssign)


def _acts(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)


def _changes(node: ast.stmt) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return _is_simple(node) and any(
        isinstance(target, ast.Attribute | ast.Subscript) for target in targets
    )


def _calls(node: ast.AST | None) -> bool:
    return node is not None and any(isinstance(part, ast.Call) for part in ast.walk(node))


def _order_may_matter(first: ast.stmt, second: ast.stmt) -> bool:
    """One acts (calls for its effect) or changes an object, the other calls, acts, checks or
    returns what a call gave.
    """
    if not _calls(first) or (isinstance(first, ast.Expr) and not _acts(first)):
        return False
    if isinstance(second, ast.Return):
        return _acts(first) and _calls(second.value)
    if isinstance(first, ast.If):
        return (
            isinstance(first.body[-1], ast.Raise)
            and not first.orelse
            and (_acts(second) or _changes(second))
        )
    return (
        _is_simple(first)
        and _is_simple(second)
        and _calls(second)
        and (_acts(first) or _acts(second))
    )


def _root(node: ast.stmt) -> str:
    """The variable that an assignment or a call for its effect begins with."""
    part: ast.AST = (
        node.value
        if isinstance(node, ast.Expr)
        else node.targets[0]
        if isinstance(node, ast.Assign)
        else getattr(node, "target", node)
    )
    while isinstance(part, ast.Attribute | ast.Subscript | ast.Call):
        part = part.func if isinstance(part, ast.Call) else part.value
    return part.id if isinstance(part, ast.Name) else ""


def _names(node: ast.AST, context: type[ast.expr_context]) -> set[str]:
    return {
        part.id
        for part in ast.walk(node)
        if isinstance(part, ast.Name) and isinstance(part.ctx, context)
    }


def _loads(node: ast.AST) -> set[str]:
    return _names(node, ast.Load)


def _stores(node: ast.AST) -> set[str]:
    return _names(node, ast.Store)
