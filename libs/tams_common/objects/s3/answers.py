"""What an S3 store answers when it does not do what it is asked, in our own errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import aiohttp
from botocore.exceptions import BotoCoreError, ClientError

from tams_common.errors import NotFound, PreconditionFailed, Unavailable

_MISSING: Final = frozenset({"404", "NoSuchKey", "NoSuchUpload", "NoSuchCORSConfiguration"})
_CHANGED: Final = frozenset({"412", "PreconditionFailed"})


@contextmanager
def asking(place: str) -> Iterator[None]:
    """Raises `NotFound` for a key, upload or rule that is not there, `PreconditionFailed`, and else `Unavailable`.

    A store that refuses our credentials or has lost the bucket is one that cannot be used.
    """
    try:
        yield
    except ClientError as error:
        said = error.response.get("Error", {})
        code, message = str(said.get("Code", "")), str(said.get("Message", ""))
        if code in _MISSING:
            raise NotFound(f"{place} does not have it") from error
        if code in _CHANGED:
            raise PreconditionFailed(f"the object in {place} is another one by now") from error
        raise Unavailable(f"{place} refuses: {code} {message}".rstrip()) from error
    except (BotoCoreError, aiohttp.ClientError, OSError) as error:
        raise Unavailable(f"{place} does not answer: {error or type(error).__name__}") from error
