"""How the catalog's use cases reach its tables."""

from collections.abc import Callable
from typing import TypeVar

from msgspec import Struct

from tams_catalog.changes import Changes
from tams_common.clock import Clock
from tams_common.ids import IdSource
from tams_common.store import Store, Tx

T = TypeVar("T")


class Transactions(Struct, frozen=True):
    """Changes to `store`, at the moments of `clock`. `prompt` tells the relay that events are staged."""

    store: Store
    clock: Clock
    new_id: IdSource
    prompt: Callable[[], None]

    async def change(self, rule: Callable[[Changes], T]) -> T:
        """Runs `rule` as one transaction, events included."""
        now = self.clock()

        def run(tx: Tx) -> T:
            changes = Changes(tx, now=now, new_id=self.new_id)
            result = rule(changes)
            changes.flush()
            return result

        result = await self.store.run(run)
        self.prompt()
        return result
