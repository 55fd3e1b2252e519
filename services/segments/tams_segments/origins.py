"""From where a copy is made: from any instance that is ready, another one at each try."""

from collections.abc import Mapping

from tams_common.errors import Unavailable
from tams_common.objects import Copies, Objects
from tams_segments.copying import InBackend, Origin
from tams_segments.instances import Instance, Stored, Uncontrolled, instances_of
from tams_segments.outside import AtUrl, Outside


class Origins:
    """Opens instances for reading: those in `backends` first, then those `outside`."""

    def __init__(self, backends: Mapping[str, Objects], outside: Outside) -> None:
        self._backends = backends
        self._outside = outside

    async def close(self) -> None:
        """Lets go of connections; nothing can be read any more."""
        await self._outside.close()

    def of(self, known: Stored, *, tries: int) -> Origin:
        """An instance of the object; raises `Unavailable` when there is none that can be read."""
        ready = sorted((one for one in instances_of(known) if one.ready), key=lambda one: isinstance(one, Uncontrolled))
        found = [origin for one in ready if (origin := self._open(one)) is not None]
        if not found:
            raise Unavailable("no instance can be read: their backends are not configured, or take part in no copies")
        return found[tries % len(found)]

    def _open(self, instance: Instance) -> Origin | None:
        if isinstance(instance, Uncontrolled):
            return AtUrl(self._outside, instance.url)
        objects = self._backends.get(instance.storage_id)
        if objects is None or not isinstance(objects, Copies):
            return None
        return InBackend(objects, objects, key=instance.storage_key)
