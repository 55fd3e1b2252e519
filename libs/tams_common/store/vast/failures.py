"""What VAST DB and its SDK raise, in the house's words."""

from collections.abc import Iterator
from contextlib import contextmanager

from urllib3.exceptions import HTTPError
from vastdb import errors

from tams_common.errors import TamsError, Unavailable
from tams_common.store.group_commit import Collided


class Overloaded(Unavailable):
    """VAST DB asks for patience; nothing was done."""


class Broken(Unavailable):
    """The connection broke, or the transaction is gone: a rerun in a new transaction may succeed."""


class Missing(Unavailable):
    """The bucket, schema or table does not exist."""


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Raises the house's errors in place of those that the SDK raises for the tables of `name`."""
    try:
        yield
    except TamsError:
        raise
    except Exception as error:
        raise _translated(error, name) from error


def _translated(error: Exception, name: str) -> TamsError:
    match error:
        case errors.Conflict():
            return Collided(f"the tables of {name}: another transaction writes the same ({error.message})")
        case errors.Slowdown():
            return Overloaded(f"the tables of {name} are overloaded")
        case errors.NotFound() if error.code is not None and "ransaction" in error.code:
            return Broken(f"the tables of {name} gave up the transaction")
        case errors.NotFound() | errors.Missing():
            return Missing(f"the tables of {name} are not there; has `tams tables migrate` been run? ({error})")
        case errors.Forbidden():
            return Unavailable(f"the tables of {name} refuse the key in TAMS_VAST_ACCESS_KEY ({error.message})")
        case errors.ConnectionError() | errors.RequestTimeout() | HTTPError() | OSError() | EOFError():
            return Broken(f"the tables of {name} do not answer: {type(error).__name__}")
        case errors.HttpError():
            return Unavailable(f"the tables of {name} answer {error.status} {error.code}: {error.message}")
    return Unavailable(f"the tables of {name} do not answer: {type(error).__name__}: {error}")
