"""Giving an object another instance, and taking one away (INS): each is one transaction on the object's row."""

from collections.abc import Iterable

import msgspec

from tams_common.clock import Clock
from tams_common.errors import InvalidInput, NotFound
from tams_common.ids import IdSource, StorageId
from tams_common.objects import Copies, Objects
from tams_common.store import Store, Tx
from tams_segments.instances import Controlled, Instance, Uncontrolled, controlled, instances_of, with_instances
from tams_segments.removal import garbage_of
from tams_segments.tables import COPIES, GARBAGE, OBJECTS, CopyJob, MediaObject


class Named(msgspec.Struct, frozen=True):
    """Which instance of an object is meant: by its backend, by its label, or by both."""

    storage_id: str | None
    label: str | None


class Instances:
    """Changes which instances objects have. Init objects are never touched with the objects that need them (INS-7)."""

    def __init__(self, store: Store, backends: Iterable[Objects], *, clock: Clock, new_id: IdSource) -> None:
        self._store = store
        self._backends: dict[str, Objects] = {objects.backend.id: objects for objects in backends}
        self._labels: dict[str, str | None] = {name: known.backend.label for name, known in self._backends.items()}
        self._clock = clock
        self._new_id = new_id

    async def copy_to(self, name: str, storage_id: StorageId) -> None:
        """Has the object copied to a backend (INS-1); it is shown there once it is complete.

        Raises `NotFound`, and `InvalidInput` for a backend that is not known, cannot take it or has it (INS-4).
        """
        job = CopyJob(self._clock(), storage_key=self._new_id(), storage_id=storage_id, object_id=name)
        await self._store.run(lambda tx: self._copy_to(tx, job))

    def _copy_to(self, tx: Tx, job: CopyJob) -> None:
        known = registered(tx, job.object_id)
        objects = self._backends.get(job.storage_id)
        if objects is None:
            raise InvalidInput(f"there is no storage backend {job.storage_id} (INS-4)", field="$.storage_id")
        if not isinstance(objects, Copies):
            raise InvalidInput(f"backend {job.storage_id} takes no copies", field="$.storage_id")
        there = next((one for one in controlled(known) if one.storage_id == job.storage_id), None)
        if there is not None:
            how = "has an instance in" if there.ready else "is being copied to"
            raise InvalidInput(f"the object {how} backend {job.storage_id} already (INS-4)", field="$.storage_id")
        copying = Controlled(job.storage_id, job.storage_key, ready=False)
        tx.update(OBJECTS, [with_instances(known, (*instances_of(known), copying), field="$.storage_id")])
        tx.insert(COPIES, [job])

    async def add(self, name: str, instance: Uncontrolled) -> None:
        """Adds a URL that this store does not control (INS-2); raises `NotFound`, `InvalidInput` (INS-5)."""
        await self._store.run(lambda tx: self._add(tx, name, instance=instance))

    def _add(self, tx: Tx, name: str, *, instance: Uncontrolled) -> None:
        known = registered(tx, name)
        instances = instances_of(known)
        if instance.label in self._labels.values():
            raise InvalidInput(f"the label {instance.label!r} belongs to a storage backend (INS-5)", field="$.label")
        if any(isinstance(one, Uncontrolled) and one.label == instance.label for one in instances):
            raise InvalidInput(f"the object has an instance labelled {instance.label!r} (INS-5)", field="$.label")
        tx.update(OBJECTS, [with_instances(known, (*instances, instance), field="$.url")])

    async def remove(self, name: str, wanted: Named) -> None:
        """Takes an instance away; the bytes of a controlled one go after that (INS-11), a copy on its way is given up.

        Raises `NotFound`, and `InvalidInput` for the last instance that is ready (INS-12).
        """
        await self._store.run(lambda tx: self._remove(tx, name, wanted=wanted))

    def _remove(self, tx: Tx, name: str, *, wanted: Named) -> None:
        known = registered(tx, name)
        instances = instances_of(known)
        found = self._find(instances, wanted)
        left = [instance for instance in instances if instance != found]
        if not any(instance.ready for instance in left):
            raise InvalidInput(
                "this is the object's last instance; to remove the object, delete the segments that use it (INS-12)"
            )
        tx.update(OBJECTS, [with_instances(known, left)])
        if isinstance(found, Controlled) and found.ready:
            tx.insert(GARBAGE, [garbage_of(known, found, due=self._clock())])

    def _find(self, instances: Iterable[Instance], wanted: Named) -> Instance:
        """The one instance that is `wanted`; a label of one that is not controlled goes before that of a backend."""
        if wanted.storage_id is None:
            named = [one for one in instances if self._label_of(one) == wanted.label]
            named.sort(key=lambda one: isinstance(one, Controlled))
        else:
            named = [one for one in instances if isinstance(one, Controlled) and one.storage_id == wanted.storage_id]
        if not named:
            raise NotFound("the object has no such instance (INS-13)")
        if wanted.label is not None and self._label_of(named[0]) != wanted.label:
            raise InvalidInput("storage_id and label name different instances (T-63)", field="label")
        return named[0]

    def _label_of(self, instance: Instance) -> str | None:
        if isinstance(instance, Uncontrolled):
            return instance.label
        return self._labels.get(instance.storage_id)


def registered(tx: Tx, name: str) -> MediaObject:
    """The object, if segments refer to it (INS-9); raises `NotFound`."""
    known = tx.get(OBJECTS, (name,))
    if known is None or known.state == "allocated":
        raise NotFound(f"there is no object {name!r} that a segment refers to")
    return known
