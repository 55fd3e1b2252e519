"""What a check of the index against the stored bytes finds, in both directions: `tams storage check`."""

from typing import Literal, TypeAlias

import msgspec

Kind: TypeAlias = Literal["missing", "orphaned"]


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One disagreement: an instance without bytes, or bytes without an instance (`size` in bytes, `modified` in ns).

    `removed` tells whether the repair has removed the bytes.
    """

    kind: Kind
    storage_id: str
    key: str
    object_id: str | None = None
    size: int = 0
    modified: int = 0
    removed: bool = False


class Sums(msgspec.Struct, kw_only=True):
    """What was counted in one backend: instances of the index, and stored objects by what they are.

    `waiting` bytes are to be removed by the service itself, `young` ones may belong to a request that is under way, and
    `foreign` ones have keys that this store never draws: none of them is a disagreement. `unknown` says why the backend
    could not be compared, where that is so.
    """

    storage_id: str
    label: str = ""
    instances: int = 0
    stored: int = 0
    bytes: int = 0
    missing: int = 0
    orphaned: int = 0
    orphaned_bytes: int = 0
    removed: int = 0
    waiting: int = 0
    young: int = 0
    foreign: int = 0
    unknown: str = ""


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
    """How to check: bytes are young for `grace` seconds; `repair` removes orphans that are older."""

    grace: int
    repair: bool = False
