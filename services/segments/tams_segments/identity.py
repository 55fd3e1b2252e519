"""Whose the bytes in a backend are: every store has an id, and leaves its mark where its media lies."""

from typing import Final

from tams_common.ids import IdSource
from tams_common.store import Reader, Tx
from tams_segments.tables import IDENTITY, Identity

_STORE: Final = "store"


def store_id(tx: Reader) -> str | None:
    """The id of the store, None before its first start."""
    known = tx.get(IDENTITY, (_STORE,))
    return None if known is None else known.id


def settle_id(tx: Tx, new_id: IdSource) -> str:
    """The id of the store; it is drawn once and for ever."""
    known = store_id(tx)
    if known is not None:
        return known
    drawn = Identity(_STORE, new_id())
    tx.insert(IDENTITY, [drawn])
    return drawn.id
