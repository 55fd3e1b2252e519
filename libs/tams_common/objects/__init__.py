"""Media bytes: the object port. Its adapters are `objects.local` and `objects.s3`."""

from tams_common.objects.port import Backend, ObjectInfo, Objects, ServesBytes, Signer

__all__ = ["Backend", "ObjectInfo", "Objects", "ServesBytes", "Signer"]
