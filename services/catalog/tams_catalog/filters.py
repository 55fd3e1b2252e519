"""What the query of a list asks for: filters and order (SRC-8 to SRC-11, FLW-2 to FLW-9, PRF-12, SORT)."""

import re
from collections.abc import Mapping
from typing import Final, get_args

from msgspec import Struct

from tams_catalog.entries import collected_by, label_key, overlapping
from tams_common.errors import InvalidInput
from tams_common.http.query import Params
from tams_common.http.tags import tag_query
from tams_common.model.values import AUDIO, DATA, IMAGE, MEDIA_TYPE, MULTI, VIDEO, FlowStatus
from tams_common.store import eq
from tams_common.store.where import Condition

_FORMATS: Final = (VIDEO, AUDIO, DATA, MULTI, IMAGE)
_STATUSES: Final[tuple[str, ...]] = get_args(FlowStatus)
_ASCENDING: Final = "label"
_is_media_type = re.compile(MEDIA_TYPE).match


class Order(Struct, frozen=True):
    """The column by which a list is sorted; `backwards` from its greatest value on."""

    column: str
    backwards: bool


NEWEST_FIRST: Final = Order("created", True)


def order_of(params: Params, columns: tuple[str, ...]) -> Order:
    """`sort_by` one of `columns`, the first unless asked for: date-times from the newest on, text from a to z, each the
    other way round with `reverse_order` (SORT-3 to SORT-10)."""
    column = params.choice("sort_by", columns) or columns[0]
    return Order(column, (column != _ASCENDING) is not params.boolean("reverse_order", False))


def flow_conditions(params: Params) -> tuple[Condition, ...]:
    """The filters of `GET /flows`, each a necessary condition (GEN-14); raises `InvalidInput` for a bad one (FLW-9)."""
    within = params.timerange("timerange")
    return (
        *_equal(
            {
                "source_id": params.uuid("source_id"),
                "profile_id": params.uuid("profile_id"),
                "format": params.choice("format", _FORMATS),
                "codec": _media_type(params, "codec"),
                "label": _label(params),
                "status": params.choice("status", _STATUSES),
                "frame_width": params.integer("frame_width"),
                "frame_height": params.integer("frame_height"),
                "init_segments": params.boolean("init_segments", None),
            }
        ),
        *_collected(params),
        *tag_query(params, "tag").conditions("tags"),
        *(() if within is None else overlapping(within)),
    )


def source_conditions(params: Params) -> tuple[Condition, ...]:
    """The filters of `GET /sources`; raises `InvalidInput` for a bad one (SRC-11)."""
    return (
        *_equal({"format": params.choice("format", _FORMATS), "label": _label(params)}),
        *_collected(params),
        *tag_query(params, "tag").conditions("tags"),
    )


def profile_conditions(params: Params) -> tuple[Condition, ...]:
    """The filters of `GET /service/profiles`; no profile has the format `multi` (PRF-12, T-7)."""
    return _equal(
        {
            "format": params.choice("format", _FORMATS),
            "codec": _media_type(params, "codec"),
            "label": params.text("label"),
        }
    )


def _equal(asked: Mapping[str, str | int | None]) -> tuple[Condition, ...]:
    return tuple(eq(column, value) for column, value in asked.items() if value is not None)


def _label(params: Params) -> str | None:
    label = params.text("label")
    return None if label is None else label_key(label)


def _collected(params: Params) -> tuple[Condition, ...]:
    ids = params.uuid_list("collected_by_ids")
    return () if ids is None else (collected_by(ids),)


def _media_type(params: Params, name: str) -> str | None:
    text = params.text(name)
    if text is not None and not _is_media_type(text):
        raise InvalidInput(f"query parameter {name}: expected a MIME type, found {text[:64]!r}", field=name)
    return text
