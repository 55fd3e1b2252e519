"""Media bytes: the object port. Its adapters are `objects.local` and `objects.s3`."""

from tams_common.objects.port import Backend, Copies, Lists, ObjectInfo, Objects, Offered, ServesBytes, Signer, Upload

__all__ = ["Backend", "Copies", "Lists", "ObjectInfo", "Objects", "Offered", "ServesBytes", "Signer", "Upload"]
