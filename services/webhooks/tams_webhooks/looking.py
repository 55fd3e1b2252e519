"""One look of a lane at the tables: what waits and is due, and what follows where memory does not reach."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from tams_common.store import Query, Reader, eq
from tams_webhooks import history
from tams_webhooks.log import FIRST, head_of
from tams_webhooks.tables import WEBHOOKS, LogRow, ParkedRow


class Look(Struct, frozen=True):
    """What was found: `version` is that of the webhook, 0 for none, and `oldest` the first number that is kept.

    `backlogs` are the events of the due keys as far as they were asked for, `rows` those after the cursor.
    """

    version: int
    oldest: int = FIRST
    backlogs: Mapping[str, Sequence[LogRow]] = {}
    rows: Sequence[LogRow] = ()


class Question(Struct, frozen=True):
    """What is asked of the tables for the webhook `webhook_id` at `cursor`: the events of `due` keys, up to `limit` for
    each, and with `behind` those after the cursor."""

    webhook_id: str
    cursor: int
    due: Sequence[ParkedRow]
    limit: int
    behind: bool

    def look(self, reader: Reader) -> Look:
        """Answers; a plain function for `Store.read`."""
        oldest = head_of(reader).oldest
        versions = reader.select(WEBHOOKS, ("version",), query=Query((eq("id", self.webhook_id),))).rows
        backlogs = {
            row.key: history.of_key(reader, row.key, first=row.number, last=self.cursor, limit=self.limit)
            for row in self.due
        }
        rows = history.following(reader, max(self.cursor, oldest - 1), limit=history.SCAN) if self.behind else ()
        return Look(int(versions[0][0] or 0) if versions else 0, oldest, backlogs, rows)
