"""What the engine refuses: an HTTP status, VAST's error code and a sentence, ready for the wire."""


class EngineError(Exception):
    """A refused request; the transaction stays as it was before the statement."""

    def __init__(self, status: int, code: str, *, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message


def invalid(message: str, *, code: str = "InvalidArgument") -> EngineError:
    """400: the request itself is wrong."""
    return EngineError(400, code, message=message)


def missing(kind: str, name: object) -> EngineError:
    """404: no such bucket, schema, table, column, projection or transaction; `kind` is the word of the code."""
    return EngineError(404, f"NoSuch{kind}", message=f"no {kind.lower()} {name}")


def conflict(message: str, *, code: str = "TabularConflict") -> EngineError:
    """409: another transaction has, or had, what this one wants to change; or the name is taken, or not empty."""
    return EngineError(409, code, message=message)


def out_of_space(message: str) -> EngineError:
    """507: the disk takes no more; the transaction is rolled back, and later ones are tried anew."""
    return EngineError(507, "InsufficientCapacity", message=message)
