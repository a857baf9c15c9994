"""Conditions of a user: one-line expressions over the numbers of a window's report.

``simpleeval`` evaluates them. Only numbers, names, calls, comparisons, ``+ - * /`` and ``and``,
``or``, ``not`` are accepted, so that a condition neither reaches an attribute nor takes long.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from math import inf, isfinite
from typing import Any, Final, NamedTuple

from simpleeval import DEFAULT_OPERATORS, SimpleEval

from detectors.decisions.checks.base import COLUMNS
from detectors.decisions.condition_numbers import (
    OF_TYPES,
    OF_WINDOW,
    VALUES,
    WindowNumbers,
    of_features,
    written_types,
)
from detectors.errors import ConditionInvalid
from detectors.faults import did_you_mean
from detectors.phrases import number
from detectors.violation import Violation

CONDITION_CHECK: Final = "condition_check"
"""The check of the violations that conditions make."""
ROWS: Final = "(rows)"
"""The feature of a condition over the numbers of rows alone."""
EXPECTED_ROWS: Final = "expected_rows"
ABSOLUTE: Final = "abs"
ARITHMETIC: Final = (ast.Add, ast.Sub, ast.Mult, ast.Div)
OPERATORS: Final = (
    *(*ARITHMETIC, ast.USub, ast.UAdd, ast.Not),
    *(ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq),
)
NODES: Final = (
    *(ast.Expr, ast.Constant, ast.Name, ast.Call),
    *(ast.UnaryOp, ast.BinOp, ast.BoolOp, ast.Compare),
)
MOST_NESTED: Final = 150
"""The greatest depth of a tree: far below that at which Python stops, and above a sum of as many
columns as a condition has room for."""
_SIGNS: Final = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "=="}
_TURNED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


class Use(NamedTuple):
    """One number in a condition: its name, the arguments in its parentheses, and how it reads."""

    name: str
    arguments: tuple[str, ...]
    text: str


class Condition(NamedTuple):
    """A condition that can be evaluated: its text, its tree, and the numbers that it names."""

    text: str
    tree: ast.expr
    uses: tuple[Use, ...]

    @property
    def features(self) -> tuple[str, ...]:
        """The features that it names, in order, each once."""
        return tuple(dict.fromkeys(use.arguments[-1] for use in self.uses if use.arguments))

    @property
    def subject(self) -> str:
        """The feature of its violations: the first that it names, else the rows or all columns."""
        if self.features:
            return self.features[0]
        return COLUMNS if any(use.name == "violations" for use in self.uses) else ROWS

    @property
    def names_values(self) -> bool:
        """Whether it compares values of a feature: its smallest or largest number."""
        return any(use.name in VALUES for use in self.uses)


class Undefined(Exception):
    """A number without which a condition cannot be evaluated: how it reads (``text``)."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(text)


@lru_cache(maxsize=1_000)
def condition(text: str) -> Condition:
    """Read a condition; raises :class:`~detectors.errors.ConditionInvalid` for any other text.

    >>> condition("abs(mean(area) - 2) > 1 or rows < 10").features
    ('area',)
    >>> condition("mean(area) > 1 and").uses
    Traceback (most recent call last):
    detectors.errors.ConditionInvalid: condition: cannot be read at character 18 (invalid syntax)...
    """
    text = " ".join(text.split("\n")).strip()
    tree = _tree(text)
    reading = _Reading(text)
    if reading.kind(tree) != "truth":
        raise ConditionInvalid("compares nothing: add a comparison, such as `> 0.05`")
    if not reading.uses:
        raise ConditionInvalid("names no number of a window, such as `rows` or `mean(COLUMN)`")
    return Condition(text, tree, tuple(reading.uses))


def _tree(text: str) -> ast.expr:
    """The tree of a text that Python can read, and of which a walk does not run out of stack."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", SyntaxWarning)  # `1or 2`, which it would print
            tree = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise ConditionInvalid(_syntax(text, error)) from None
    except (RecursionError, MemoryError, ValueError):
        raise ConditionInvalid("is nested too deeply, or holds a null character") from None
    level: list[ast.AST] = [tree]
    for _ in range(MOST_NESTED):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    if level:
        raise ConditionInvalid("is nested too deeply: divide it into several")
    return tree


def _syntax(text: str, error: SyntaxError) -> str:
    reason = f"cannot be read at character {error.offset or len(text)} ({error.msg})"
    if re.search(r"(?<![<>=!])=(?!=)", text):
        return f"{reason}; write `==`"
    if "&&" in text or "||" in text:
        return f"{reason}; write `and`, `or`"
    if "(" in text and '"' not in text and "'" not in text:
        return f"{reason}; a column whose name is not one plain word is put in quotes"
    return reason


class _Reading:
    """Checks a tree from its root, and collects the numbers in it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.uses: list[Use] = []

    def kind(self, node: ast.expr) -> str:
        """``number`` or ``truth``; raises for anything that a condition cannot hold."""
        match node:
            case ast.Constant(value=bool() | str() | bytes() | None):
                raise self._refused(node, "stands where a number is expected")
            case ast.Constant(value=int() | float() as value):
                return self._constant(node, value)
            case ast.Name():
                return self._name(node)
            case ast.Call():
                return self._call(node)
        operands, wanted, result = self._operands(node)
        for operand in operands:
            if self.kind(operand) != wanted:
                expected = "a number" if wanted == "number" else "a comparison"
                raise self._refused(operand, f"stands where {expected} is expected")
        return result

    def _constant(self, node: ast.Constant, value: float) -> str:
        """A number that is written; integers of any size would become numbers of any size."""
        try:
            node.value = float(value)
        except OverflowError:
            node.value = inf
        if not isfinite(node.value):
            raise self._refused(node, "is too large a number")
        return "number"

    def _operands(self, node: ast.expr) -> tuple[Sequence[ast.expr], str, str]:
        """What an operator is applied to, the kind that each must be of, and that of the result."""
        match node:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return [operand], "truth", "truth"
            case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
                return [operand], "number", "number"
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div()):
                return [left, node.right], "number", "number"
            case ast.BoolOp(values=values):
                return values, "truth", "truth"
            case ast.Compare(left=left, ops=ops) if all(type(op) in OPERATORS for op in ops):
                return [left, *node.comparators], "number", "truth"
        valid = "+ - * / < <= > >= == != and or not, numbers and their names"
        raise self._refused(node, f"is not part of a condition; valid: {valid}")

    def _name(self, node: ast.Name) -> str:
        if node.id in (*of_features(), *OF_TYPES):
            raise self._refused(node, f"is of a column: write {node.id}(COLUMN)")
        if node.id not in OF_WINDOW:
            raise self._unknown(node, node.id, (*OF_WINDOW, *_functions()))
        self.uses.append(Use(node.id, (), node.id))
        return "number"

    def _call(self, node: ast.Call) -> str:
        if not isinstance(node.func, ast.Name) or node.keywords:
            raise self._refused(node, "is not part of a condition")
        name = node.func.id
        if name == ABSOLUTE and len(node.args) == 1:
            if self.kind(node.args[0]) != "number":
                raise self._refused(node.args[0], "stands where a number is expected")
            return "number"
        if name in OF_WINDOW:
            raise self._refused(node, f"is of the whole window: write {name}")
        if name not in (*_functions(), ABSOLUTE):
            raise self._unknown(node.func, name, (*_functions(), *OF_WINDOW))
        wanted = ("TYPE", "COLUMN") if name in OF_TYPES else ("COLUMN",)
        if len(node.args) != len(wanted):
            raise self._refused(node, f"has other arguments than {name}({', '.join(wanted)})")
        arguments = tuple(self._column(argument) for argument in node.args)
        if name in OF_TYPES and arguments[0] not in written_types():
            raise self._unknown(node.args[0], arguments[0], written_types())
        node.args = [ast.Constant(argument) for argument in arguments]
        self.uses.append(Use(name, arguments, f"{name}({', '.join(map(_quoted, arguments))})"))
        return "number"

    def _column(self, node: ast.expr) -> str:
        """The name in parentheses: a plain word, or text in quotes."""
        match node:
            case ast.Name(id=name):
                return name
            case ast.Constant(value=str() as name):
                return name
        raise self._refused(node, "is no plain word: put the name of the column in quotes")

    def _refused(self, node: ast.expr, why: str) -> ConditionInvalid:
        return ConditionInvalid(f"{self._place(node)} {why}")

    def _unknown(self, node: ast.expr, name: str, valid: tuple[str, ...]) -> ConditionInvalid:
        near = did_you_mean(name, valid) or ""
        reason = f"unknown name {self._place(node)}{near}"
        return ConditionInvalid(reason, name=name, valid=valid)

    def _place(self, node: ast.expr) -> str:
        """The text of a node, and where it begins."""
        start = len(self._text.encode()[: node.col_offset].decode()) + 1
        return f"`{ast.get_source_segment(self._text, node)}` at character {start}"


def _functions() -> tuple[str, ...]:
    return (*of_features(), *OF_TYPES)


def _quoted(name: str) -> str:
    return name if name.isidentifier() else f'"{name}"'


def expects_rows(texts: Sequence[str]) -> bool:
    """Whether one of these conditions names the number of rows that are expected."""
    return any(use.name == EXPECTED_ROWS for text in texts for use in condition(text).uses)


class Verdict(NamedTuple):
    """What conditions say of a window: violations of those that are met, and notes on others."""

    violations: tuple[Violation, ...] = ()
    notes: tuple[str, ...] = ()


def verdict(
    texts: Sequence[str], numbers: WindowNumbers, rows: int, *, expose_values: bool
) -> Verdict:
    """The violations of the conditions that are met, and a note on each that cannot be evaluated.

    A condition over features that the window does not have is left out. One that needs a number
    that is not defined, divides by zero, or is too large for a number is not met.
    ``expose_values``: whether the smallest and largest numbers of features may be told.
    """
    violations, notes = [], []
    evaluation = _Evaluation(numbers)
    for own in map(condition, texts):
        if not numbers.has(own.features):
            continue
        try:
            if evaluation.value(own.tree):
                violations.append(_violation(own, evaluation, rows, expose_values))
        except Undefined as missing:
            notes.append(f"condition `{own.text}` is not judged: {missing.text} is not defined")
    return Verdict(tuple(violations), tuple(notes))


class _Evaluation:
    """Evaluates trees that :func:`condition` has accepted, over the numbers of one window."""

    def __init__(self, numbers: WindowNumbers) -> None:
        self.numbers = numbers
        evaluator = SimpleEval(
            operators=_OPERATORS,
            functions={ABSOLUTE: abs, **{name: self._reader(name) for name in _functions()}},
            names=self._of_window,
        )
        evaluator.nodes = {node: evaluator.nodes[node] for node in NODES}
        self._evaluator = evaluator

    def value(self, tree: ast.expr) -> float:
        """The value of a tree; raises :class:`Undefined` where one of its numbers is not."""
        try:
            value: float = self._evaluator.eval("", previously_parsed=tree)
        except ArithmeticError:
            raise Undefined("a result in it") from None
        return value

    def _of_window(self, node: ast.Name) -> float:
        return self._defined(Use(node.id, (), node.id))

    def _reader(self, name: str) -> object:
        def read(*arguments: str) -> float:
            text = f"{name}({', '.join(map(_quoted, arguments))})"
            return self._defined(Use(name, arguments, text))

        return read

    def _defined(self, use: Use) -> float:
        value = self.numbers.number(use.name, use.arguments)
        if value is None:
            raise Undefined(use.text)
        return value


def _finite(operator: Callable[[float, float], float]) -> Callable[[float, float], float]:
    """An operator that raises an error where its result is no number, or too large for one."""

    def apply(left: float, right: float) -> float:
        result = operator(left, right)
        if not isfinite(result):
            raise OverflowError
        return result

    return apply


_OPERATORS: Final[Mapping[type[ast.AST], Callable[..., Any]]] = {
    **{each: DEFAULT_OPERATORS[each] for each in OPERATORS},
    **{each: _finite(DEFAULT_OPERATORS[each]) for each in ARITHMETIC},
}


class _Comparison(NamedTuple):
    """A comparison that holds: its sides as they read, their values, and the sign."""

    left: str
    value: float
    sign: str
    right: str
    limit: float


def _violation(
    own: Condition, evaluation: _Evaluation, rows: int, expose_values: bool
) -> Violation:
    told = expose_values or not own.names_values
    comparison = next(_comparisons(own, evaluation), None) if told else None
    return Violation(
        feature=own.subject,
        check=CONDITION_CHECK,
        statistic=comparison.left if comparison else "condition",
        value=comparison.value if comparison else 1.0,
        limit=comparison.limit if comparison else 0.0,
        n=rows,
        description=f"Condition is met: {own.text}",
        summary=_summary(own, evaluation.numbers, comparison) if told else own.text,
    )


def _comparisons(own: Condition, evaluation: _Evaluation) -> Iterator[_Comparison]:
    """The comparisons of a condition that hold, in their order, a constant on the right."""
    for node in ast.walk(own.tree):
        if not isinstance(node, ast.Compare) or len(node.ops) > 1:
            continue
        left, right, sign = node.left, node.comparators[0], _SIGNS.get(type(node.ops[0]), "!=")
        if isinstance(left, ast.Constant):
            left, right, sign = right, left, _TURNED.get(sign, sign)
        texts = [ast.get_source_segment(own.text, side) or "" for side in (left, right)]
        try:
            if evaluation.value(node):
                value, limit = (float(evaluation.value(side)) for side in (left, right))
                yield _Comparison(texts[0], value, sign, texts[1], limit)
        except Undefined:
            continue


def _summary(own: Condition, numbers: WindowNumbers, comparison: _Comparison | None) -> str:
    """``outlier_share(x) = 0.071 > 0.05``; of other conditions the text, then all its numbers."""
    is_plain = comparison is not None and [use.text for use in own.uses] == [comparison.left]
    if comparison is not None and is_plain and own.text.count(comparison.sign) == 1:
        value = number(comparison.value, 3)
        return f"{comparison.left} = {value} {comparison.sign} {comparison.right}"
    values: Mapping[str, float | None] = {
        use.text: numbers.number(use.name, use.arguments) for use in own.uses
    }
    known = (f"{text} = {number(value, 3)}" for text, value in values.items() if value is not None)
    return f"{own.text} ({', '.join(known)})"
