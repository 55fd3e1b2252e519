"""The embedded bus: a durable log in one SQLite file, shared by the processes of one machine."""

from tams_common.bus.sqlite.bus import SqliteBus

__all__ = ["SqliteBus"]
