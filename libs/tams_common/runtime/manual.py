"""The manual of the configuration: every key with its default and what its struct's docstring says of it."""

import inspect
import re
import textwrap
from typing import Final

import msgspec

WIDTH: Final = 110
"""Characters of a line at most."""
_ENTRY: Final = re.compile(r"(\w+(?:, \w+)*): (.*)", re.DOTALL)


def page(title: str, prefix: str, *, kind: type[msgspec.Struct]) -> str:
    """One page: the keys of `kind` in its order, those that are explained together under each other."""
    explained, fields = meanings(kind), msgspec.structs.fields(kind)
    lines = [title if fields else f"{title}: no keys of its own"]
    for at, field in enumerate(fields):
        default = "required" if field.required else f"[{'empty' if field.default == '' else field.default}]"
        lines.append(f"  {prefix}{field.name.upper()} {default}")
        meaning = explained[field.name]
        if at + 1 == len(fields) or explained[fields[at + 1].name] != meaning:
            lines.append(textwrap.fill(meaning, WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6))
    return "\n".join(lines)


def meanings(kind: type[msgspec.Struct]) -> dict[str, str]:
    """What the docstring of `kind` says of each field: `name: …` or `name, name: …`, and what is indented below."""
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?! )", inspect.getdoc(kind) or ""):
        if match := _ENTRY.fullmatch(entry):
            found |= dict.fromkeys(match[1].split(", "), " ".join(match[2].split()))
    return found
