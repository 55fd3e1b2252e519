"""How tests wait for what happens beside them: they say what must come true, never how long it takes."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar, overload

T = TypeVar("T")

PATIENCE: Final = 120.0
"""Seconds after which something that must come true is given up: only a broken program takes this long."""
_PAUSE: Final = 0.005


@overload
async def eventually(check: Callable[[], Awaitable[T]], *, patience: float = PATIENCE) -> T: ...
@overload
async def eventually(check: Callable[[], T], *, patience: float = PATIENCE) -> T: ...
async def eventually(check: Callable[[], Awaitable[T] | T], *, patience: float = PATIENCE) -> T:
    """What `check` returns as soon as that is true in a boolean sense; an assertion that fails counts as "not yet"."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    last: object = None
    while loop.time() < deadline:
        try:
            found = check()
            result: T = await found if inspect.isawaitable(found) else found
        except AssertionError as error:
            last = error
        else:
            if result:
                return result
            last = result
        await asyncio.sleep(_PAUSE)
    raise AssertionError(f"did not come true: {last!r}")
