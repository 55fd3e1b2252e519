"""The filters `tag.{name}` and `tag_exists.{name}` of a list (TAG-2 to TAG-7, TAG-10)."""

import re
from typing import Final

from tams_common.errors import InvalidInput
from tams_common.http.query import Params
from tams_common.http.routing import decode
from tams_common.tags import TagQuery

MOST: Final = 100
"""The most tags that one request asks for, and values of each of them: databases bound what a filter may say."""

_LIST: Final = re.compile(r"([^,]+(,[^,]+)*)?")
_ANY: Final = TagQuery()


def tag_query(params: Params, prefix: str) -> TagQuery:
    """Reads `{prefix}.{name}` and `{prefix}_exists.{name}`; raises `InvalidInput`."""
    wanted, presence = params.prefixed(f"{prefix}."), params.prefixed(f"{prefix}_exists.")
    if not wanted and not presence:
        return _ANY
    if len(wanted) + len(presence) > MOST:
        raise InvalidInput(f"query parameters {prefix}.*: expected at most {MOST} tags", field=prefix)
    raw = {name: part.partition("=")[2] for (name, _), part in zip(params.pairs, params.raw, strict=True)}
    return TagQuery(
        {name: _values(raw[f"{prefix}.{name}"], parameter=f"{prefix}.{name}") for name in wanted},
        {name: params.boolean(f"{prefix}_exists.{name}", False) for name in presence},
    )


def _values(raw: str, *, parameter: str) -> frozenset[str]:
    """The values in a list, which is split before it is decoded: an encoded comma is a part of a value (TAG-6).

    The empty list asks for the empty text (T-56).
    """
    if not _LIST.fullmatch(raw):
        raise InvalidInput(
            f"query parameter {parameter}: expected values with single commas between them", field=parameter
        )
    values = frozenset(decode(part.replace("+", " "), f"query parameter {parameter}") for part in raw.split(","))
    if len(values) > MOST:
        raise InvalidInput(f"query parameter {parameter}: expected at most {MOST} values", field=parameter)
    return values
