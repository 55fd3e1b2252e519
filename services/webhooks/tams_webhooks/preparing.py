"""Makes events of the log ready to be sent: their values where only narrow rows were read, and what segments adds."""

from collections.abc import Mapping, Sequence

from tams_common.store import Store
from tams_webhooks import history
from tams_webhooks.attempts import Dressed
from tams_webhooks.courier import Target
from tams_webhooks.dressing import Dresser
from tams_webhooks.tables import LogRow


async def prepare(rows: Sequence[LogRow], target: Target, *, store: Store, dresser: Dresser) -> Mapping[int, Dressed]:
    """Those of `rows` that the log still has, by number; raises `Unavailable` and the like when tables or segments do
    not answer."""
    kept = rows
    if not all(row.value for row in rows):
        kept = await store.read(lambda tx: history.with_values(tx, rows))
    bodies = await dresser.bodies(target.webhook, kept, base_url=target.base_url)
    return {row.number: Dressed(row, bodies.get(row.number, row.value), target) for row in kept}
