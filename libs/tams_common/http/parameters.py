"""Query parameters, answers and headers that operations of several services have in common."""

from collections.abc import Sequence
from typing import Final

from tams_common.http.openapi import TIMERANGE, UUID, Answer, Json, Parameter

BOOLEAN: Final[Json] = {"type": "boolean"}
INTEGER: Final[Json] = {"type": "integer"}
TEXT: Final[Json] = {"type": "string"}
LABELS: Final[Json] = {"type": "string", "pattern": "^([^,]+(,[^,]+)*)?$"}
UUIDS: Final[Json] = {"type": "string", "pattern": rf"^({UUID['pattern'][1:-1]}(,{UUID['pattern'][1:-1]})*)?$"}

PAGE: Final = Parameter("page", "Where the page begins: a `X-Paging-NextKey`, for the same query.", TEXT)
LIMIT: Final = Parameter("limit", "Items on a page; more than the store's maximum means the maximum.", INTEGER)
REVERSE: Final = Parameter("reverse_order", "Turns the order around.", BOOLEAN | {"default": False})
TIME: Final = Parameter("timerange", "Only what shares time with this TimeRange.", TIMERANGE | {"default": "_"})

URLS: Final = (
    Parameter("accept_get_urls", "Labels of the URLs to show; empty shows none.", LABELS),
    Parameter("accept_storage_ids", "Ids of the storage backends whose URLs to show.", UUIDS),
    Parameter("presigned", "Only presigned URLs, or only others.", BOOLEAN),
    Parameter("verbose_storage", "Whether URLs tell about their storage backends.", BOOLEAN | {"default": False}),
)

PAGE_HEADERS: Final = ("Link", "X-Paging-Limit", "X-Paging-NextKey")
LIST_HEADERS: Final = (*PAGE_HEADERS, "X-Paging-Count", "X-Paging-Reverse-Order")

DONE: Final = Answer("Done.")


def tags(prefix: str, of: str) -> tuple[Parameter, Parameter]:
    """The two families of filters by the tags of what `of` names."""
    values = f"Only {of} whose tag {{name}} has one of these values, with commas between them."
    presence = f"Only {of} that have a tag {{name}} (true), or have none (false)."
    return Parameter(f"{prefix}.{{name}}", values, LABELS), Parameter(f"{prefix}_exists.{{name}}", presence, BOOLEAN)


def choice(words: Sequence[str], default: str) -> Json:
    """One of `words`."""
    return {"type": "string", "enum": list(words), "default": default}
