"""Cell values as plain Python values that order as VAST orders them, and the keys made of them."""

from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

import pyarrow as pa

Plain: TypeAlias = int | float | bytes
Element: TypeAlias = tuple[int] | tuple[int, Plain]
Key: TypeAlias = tuple[Element, ...]
"""One element for each key column: nulls first, then NaN, then values; compares with every other key of its table."""

ABOVE: Element = (3,)
"""Greater than every element: ends the range of keys with one prefix."""

_NULL: Element = (0,)
_NAN: Element = (1,)


def is_ordered(kind: pa.DataType) -> bool:
    """Whether values of this type have a plain form, so that statistics and binary search can work on them."""
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_temporal(kind)
        or pa.types.is_string(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_decimal(kind)
    )


def plain(scalar: pa.Scalar) -> Plain | None:
    """The value of a scalar of an ordered type; None for null. Decimals come as their unscaled integer."""
    return converter(scalar.type)(scalar) if scalar.is_valid else None


@lru_cache
def converter(kind: pa.DataType) -> Callable[[pa.Scalar], Plain]:
    """What makes plain values of the valid scalars of an ordered type."""
    if pa.types.is_temporal(kind):
        return lambda scalar: int(scalar.value)
    if pa.types.is_string(kind) or pa.types.is_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return lambda scalar: bytes(scalar.as_buffer())
    if pa.types.is_decimal(kind):
        return _unscaled
    if pa.types.is_floating(kind):
        return lambda scalar: float(scalar.as_py())
    return lambda scalar: int(scalar.as_py())


def _unscaled(scalar: pa.Scalar) -> int:
    sign, digits, _ = scalar.as_py().as_tuple()
    return int("".join(map(str, digits))) * (-1 if sign else 1)


def element(value: Plain | None) -> Element:
    """A key's element for one value."""
    if value is None:
        return _NULL
    return _NAN if value != value else (2, value)
