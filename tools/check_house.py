"""Checks the house numbers of every Python file: sizes, parameters, file names, open ends.

`python -m tools.check_house [FOLDER…]` prints one line per finding and exits with 1 if there is any. The numbers are
the maxima of the house style; parameters whose names begin with an underscore are not counted, because only a caller's
protocol (a signal handler's, a log processor's) puts such a parameter there.
"""

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

MODULE_LINES = 400
TEST_FILE_LINES = 500
FUNCTION_LINES = 60
PARAMETERS = 5
POSITIONAL = 2
FORBIDDEN_NAMES = frozenset({"base.py", "helper.py", "helpers.py", "util.py", "utils.py"})
BACKUP_SUFFIXES = frozenset({".bak", ".orig", ".rej", ".swp"})
FOLDERS = ("libs", "services", "demo", "bench", "tests", "tools")

_OPEN_END = re.compile(r"\b(TODO|FIXME|XXX)\b")
_ISSUE = re.compile(r"(#|issue )\d+")

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Finding(NamedTuple):
    """One breach of the house numbers, printed as `path:line: text`."""

    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


def check_folder(folder: Path) -> Iterator[Finding]:
    """Findings of every file below a folder, caches and hidden folders left out."""
    for path in sorted(folder.rglob("*")):
        if path.is_dir() or any(
            part.startswith(".") or part == "__pycache__" for part in path.relative_to(folder).parts
        ):
            continue
        if path.suffix in BACKUP_SUFFIXES or path.name.endswith("~"):
            yield Finding(path, 1, "backup files do not belong into the tree")
        elif path.suffix == ".py":
            yield from check_file(path, path.read_text(encoding="utf-8"))


def check_file(path: Path, source: str) -> Iterator[Finding]:
    """Findings of one module with the given source text."""
    is_test = "tests" in path.parts
    if path.name in FORBIDDEN_NAMES:
        yield Finding(path, 1, f"name the module after what it does, not {path.name}")
    lines, allowed = len(source.splitlines()), TEST_FILE_LINES if is_test else MODULE_LINES
    if lines > allowed:
        yield Finding(path, allowed + 1, f"{lines} lines, at most {allowed}")
    yield from _open_ends(path, source)
    try:
        tree = ast.parse(source, filename=str(path))
    except SyntaxError as error:
        yield Finding(path, error.lineno or 1, f"does not parse: {error.msg}")
        return
    for function, is_method in _functions(tree):
        yield from _check_function(
            path, function, is_method=is_method, by_name=is_test and _is_called_by_name(function)
        )


def _functions(tree: ast.AST, *, in_class: bool = False) -> Iterator[tuple[Function, bool]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node, in_class and "staticmethod" not in _decorators(node)
        yield from _functions(node, in_class=isinstance(node, ast.ClassDef))


def _check_function(path: Path, function: Function, *, is_method: bool, by_name: bool) -> Iterator[Finding]:
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    if lines > FUNCTION_LINES:
        yield Finding(path, function.lineno, f"{function.name} has {lines} lines, at most {FUNCTION_LINES}")
    if function.name in {"__exit__", "__aexit__"}:
        return
    positional = [*function.args.posonlyargs, *function.args.args][1 if is_method else 0 :]
    rest = [function.args.vararg, *function.args.kwonlyargs, function.args.kwarg]
    counted = _counted(positional)
    total = counted + _counted([parameter for parameter in rest if parameter is not None])
    if total > PARAMETERS:
        yield Finding(path, function.lineno, f"{function.name} has {total} parameters, at most {PARAMETERS}")
    if counted > POSITIONAL and not by_name:
        text = f"{function.name} takes {counted} parameters by position; after the second they are keyword-only"
        yield Finding(path, function.lineno, text)


def _counted(parameters: Sequence[ast.arg]) -> int:
    return sum(not parameter.arg.startswith("_") for parameter in parameters)


def _is_called_by_name(function: Function) -> bool:
    """Whether pytest calls it, which passes everything by name."""
    return function.name.startswith(("test_", "pytest_")) or "fixture" in _decorators(function)


def _decorators(function: Function) -> set[str]:
    """Last names of a function's decorators: `pytest.fixture(scope="module")` is `fixture`."""
    called = [node.func if isinstance(node, ast.Call) else node for node in function.decorator_list]
    return {ast.unparse(node).rpartition(".")[2] for node in called}


def _open_ends(path: Path, source: str) -> Iterator[Finding]:
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            found = _OPEN_END.search(token.string) if token.type == tokenize.COMMENT else None
            if found and not _ISSUE.search(token.string):
                yield Finding(path, token.start[0], f"{found[0]} without an issue number")
    except (tokenize.TokenError, SyntaxError):
        return  # the parser says what is wrong with the file


def main(arguments: Sequence[str]) -> int:
    """Checks the given folders, or all of ours; the exit status says whether the house is in order."""
    findings = [finding for folder in arguments or FOLDERS for finding in check_folder(Path(folder))]
    for finding in findings:
        print(finding)
    print(f"house: {len(findings)} findings" if findings else "house: in order")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
