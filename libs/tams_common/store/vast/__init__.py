"""The store on VAST DB: table metadata from code, shared commits, batched reads (architecture 3)."""

from tams_common.store.vast.place import Place, place_of
from tams_common.store.vast.store import VastStore

__all__ = ["Place", "VastStore", "place_of"]
