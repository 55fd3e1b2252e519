"""Media bytes: the object port. Its adapters are `objects.local` and `objects.s3`."""

from tams_common.objects.port import (
    CHECKSUMS,
    READABLE,
    Backend,
    Copies,
    Lists,
    ObjectInfo,
    Objects,
    Offered,
    ServesBytes,
    Signer,
    Upload,
)

__all__ = [
    "CHECKSUMS",
    "READABLE",
    "Backend",
    "Copies",
    "Lists",
    "ObjectInfo",
    "Objects",
    "Offered",
    "ServesBytes",
    "Signer",
    "Upload",
]
