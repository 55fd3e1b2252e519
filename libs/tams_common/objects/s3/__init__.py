"""Media in a bucket of an S3 store. Clients reach it by presigned URLs; no media byte passes through the services."""

from tams_common.objects.s3.store import S3Objects

__all__ = ["S3Objects"]
