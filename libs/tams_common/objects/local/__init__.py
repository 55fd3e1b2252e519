"""Media in a local directory: the embedded default. Its URLs point back at the store (`/media/…`) and are signed."""

from tams_common.objects.local.store import LocalObjects

__all__ = ["LocalObjects"]
