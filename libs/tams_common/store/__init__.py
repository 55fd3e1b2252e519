"""Tables: the store port. Its adapters are `store.sqlite` and `store.vast`; services see only what stands here."""

from tams_common.store.port import Page, ProjectionStatus, Query, Reader, Store, TableStatus, Tx
from tams_common.store.table import Guard, Key, Projection, Row, Small, Table, Windowed
from tams_common.store.where import (
    AnyOf,
    Between,
    Compare,
    Condition,
    Contains,
    IsIn,
    IsNull,
    Scalar,
    StartsWith,
    eq,
    ge,
    gt,
    le,
    lt,
)
from tams_common.store.windows import window_width

__all__ = [
    "AnyOf",
    "Between",
    "Compare",
    "Condition",
    "Contains",
    "Guard",
    "IsIn",
    "IsNull",
    "Key",
    "Page",
    "Projection",
    "ProjectionStatus",
    "Query",
    "Reader",
    "Row",
    "Scalar",
    "Small",
    "StartsWith",
    "Store",
    "Table",
    "TableStatus",
    "Tx",
    "Windowed",
    "eq",
    "ge",
    "gt",
    "le",
    "lt",
    "window_width",
]
