"""The versions of VAST DataBase that the emulator can pass for."""

from dataclasses import dataclass

from vast_emulator.refusals import refusal

DEFAULT = "5.5"


@dataclass(frozen=True)
class Version:
    """What the `Server` header announces, and what follows from it."""

    name: str
    sends_sorting_in_fields: bool
    """From 5.5 on a list of columns carries the sorting key; before, `?sorted-columns` has to be asked."""
    column_list_bytes: int | None = None
    """The longest list of columns that is sent; a client then asks for fewer at once."""
    checks_sorting_key: bool = True
    """From 5.5 on a sorting key of columns that are not there is the client's mistake; before, it is a 500."""

    @property
    def server_header(self) -> str:
        """`vast` and four numbers, exactly as the SDK's pattern wants it."""
        return f"vast {self.name}.0.1"


VERSIONS = {
    "5.4": Version("5.4", sends_sorting_in_fields=False, column_list_bytes=2 << 20, checks_sorting_key=False),
    "5.5": Version("5.5", sends_sorting_in_fields=True),
}


def version(name: str) -> Version:
    """Raises a refusal for a version that is not emulated."""
    found = VERSIONS.get(name)
    if found is None:
        raise refusal(501, "NotImplemented", message=f"no such version: {name}; there are {', '.join(VERSIONS)}")
    return found
