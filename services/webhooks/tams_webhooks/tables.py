"""The tables that webhooks owns."""

from tams_common.store.table import AnyTable

TABLES: tuple[AnyTable, ...] = ()
