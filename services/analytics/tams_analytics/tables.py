"""The tables that analytics owns."""

from tams_common.store.table import AnyTable

TABLES: tuple[AnyTable, ...] = ()
