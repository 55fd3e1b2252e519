"""Profiles: made once, never changed, and the technical metadata of flows that name them (PRF)."""

from msgspec import UNSET

from tams_catalog.documents import format_of
from tams_catalog.listing import Ask, Listing, list_profiles
from tams_catalog.tables import PROFILES, ProfileRow
from tams_common.clock import Clock, date_time
from tams_common.errors import InvalidInput, NotFound
from tams_common.events import RESOURCE_LIMIT
from tams_common.http.codec import decode_json, encode_json
from tams_common.http.message import Context
from tams_common.ids import ProfileId
from tams_common.model.profile import NewProfile, Profile
from tams_common.store import Reader, Store, Tx


class Profiles:
    """Profiles, as handlers see them."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create(self, new: NewProfile, *, context: Context) -> bytes:
        """Keeps a profile and returns its JSON; raises `InvalidInput` when there is one with its id (PRF-2)."""
        now = self._clock()
        row = _row(new, now=now, subject=context.principal.subject)

        def run(tx: Tx) -> None:
            if tx.get(PROFILES, (new.id,)) is not None:
                raise InvalidInput(f"profile {new.id} already exists, and profiles do not change (PRF-2)", field="$.id")
            tx.insert(PROFILES, [row])

        await self._store.run(run)
        return row.body

    async def one(self, profile_id: str) -> bytes:
        """The JSON of a profile; raises `NotFound` (PRF-11)."""
        row = await self._store.read(lambda reader: reader.get(PROFILES, (profile_id,)), bounded=True)
        if row is None:
            raise NotFound(f"there is no profile {profile_id}")
        return row.body

    async def page(self, ask: Ask) -> Listing:
        """A page of profiles (PRF-12)."""
        return await self._store.read(lambda reader: list_profiles(reader, ask), bounded=ask.bounded)


def stored_profile(reader: Reader, profile_id: ProfileId) -> Profile:
    """The profile that a flow names; raises `InvalidInput` when there is none (PRF-16)."""
    row = reader.get(PROFILES, (profile_id,))
    if row is None:
        raise InvalidInput(f"profile {profile_id} does not exist (PRF-16) at $.profile_id", field="$.profile_id")
    return decode_json(row.body, Profile)


def _row(new: NewProfile, *, now: int, subject: str) -> ProfileRow:
    profile = Profile(
        id=new.id,
        label=new.label,
        description=new.description,
        created_by=subject or UNSET,
        created=date_time(now),
        tags=new.tags,
        flow_metadata=new.flow_metadata,
    )
    body = encode_json(profile)
    if len(body) > RESOURCE_LIMIT:
        raise InvalidInput(f"the profile's JSON has {len(body)} bytes, at most {RESOURCE_LIMIT} are allowed")
    return ProfileRow(
        id=new.id,
        format=format_of(new.flow_metadata),
        codec=new.flow_metadata.codec,
        label=None if new.label is UNSET else new.label,
        created=now,
        body=body,
    )
