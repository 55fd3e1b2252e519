"""What a check of the index against the stored bytes finds, in both directions: `tams storage check`."""

from typing import Literal, TypeAlias

import msgspec

from tams_common.objects.port import Owner

Kind: TypeAlias = Literal["missing", "damaged", "orphaned", "abandoned"]


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One disagreement (`size` in bytes, `modified` in ns since the epoch).

    `missing`: an instance without bytes. `damaged`: bytes that cannot be read, in `file`; without a `key` it cannot be
    told whose they are. `orphaned`: bytes without an instance. `abandoned`: an upload that was cut off long ago.
    `removed` tells whether the repair has removed the bytes.
    """

    kind: Kind
    storage_id: str
    key: str = ""
    object_id: str | None = None
    file: str = ""
    size: int = 0
    modified: int = 0
    removed: bool = False


class Sums(msgspec.Struct, kw_only=True):
    """What was counted in one backend: instances of the index, and stored objects by what they are.

    `waiting` bytes are to be removed by the service itself, `young` ones may belong to a request that is under way,
    `foreign` ones are not this store's: they have keys that it never draws, or lie where another store has left its
    mark. `unfinished` are uploads that are not complete. None of them is a disagreement. `unknown` says why the backend
    could not be compared, where that is so, and `refused` why nothing was removed.
    """

    storage_id: str
    label: str = ""
    instances: int = 0
    stored: int = 0
    bytes: int = 0
    missing: int = 0
    damaged: int = 0
    orphaned: int = 0
    orphaned_bytes: int = 0
    abandoned: int = 0
    removed: int = 0
    waiting: int = 0
    young: int = 0
    foreign: int = 0
    unfinished: int = 0
    unknown: str = ""
    refused: str = ""


class Report(msgspec.Struct, frozen=True):
    """The outcome of one check: `checked` is its moment (RFC 3339)."""

    checked: str
    backends: list[Sums]
    findings: list[Finding]

    @property
    def agrees(self) -> bool:
        """Whether index and bytes agree now in every backend."""
        return not any(sums.unknown for sums in self.backends) and all(finding.removed for finding in self.findings)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How to check: bytes are young for `grace` seconds.

    `repair` removes orphans that are older and uploads that were cut off; `force` also when these orphans are many.
    """

    grace: int
    repair: bool = False
    force: bool = False


def whose(found: Owner, ours: Owner) -> str:
    """Words for a mark that is not ours."""
    if found.store == ours.store:
        return f"backend {found.backend} of this store"
    return f"another store ({found.store}; this one is {ours.store or 'yet to be started'})"
