"""Composition root of segments."""

from tams_common.inbox import Subscription
from tams_common.leases import Lease
from tams_common.objects import Objects
from tams_common.outbox import Relay
from tams_common.runtime.service import Built, Keeper, Parts, Service
from tams_segments.allocating import Allocator
from tams_segments.checking import check_storage
from tams_segments.collector import Collector
from tams_segments.config import SegmentsConfig
from tams_segments.consumers import FLOW_EVENTS
from tams_segments.copier import Copier
from tams_segments.copy_worker import LEASE as COPIES_LEASE
from tams_segments.copy_worker import CopyMetrics, CopyPace, CopyWorker
from tams_segments.deleting import Deleter, Pace
from tams_segments.deletion_requests import Tools
from tams_segments.deletion_worker import DeletionWorker
from tams_segments.facts import FlowDirectory
from tams_segments.handlers.deletions import DeleteFlow, DeleteSegments, GetDeletion, ListDeletions
from tams_segments.handlers.instances import CreateInstance, DeleteInstance
from tams_segments.handlers.internal import GetExtent
from tams_segments.handlers.media import Media
from tams_segments.handlers.objects import GetObject
from tams_segments.handlers.rendered import RenderSegments
from tams_segments.handlers.segments import ListSegments, RegisterSegments
from tams_segments.handlers.storage import AllocateStorage, ListBackends
from tams_segments.identity import store_id
from tams_segments.instancing import Instances
from tams_segments.making_way import Limits
from tams_segments.origins import Origins
from tams_segments.outside import Outside
from tams_segments.routes import Handlers, routes
from tams_segments.tables import TABLES
from tams_segments.upkeep import Upkeep
from tams_segments.urls import UrlWriters
from tams_segments.writing import Registrar


def build(config: SegmentsConfig, parts: Parts) -> Built:
    """Puts the service together."""
    store, backends, common, clock, new_id = parts.store, parts.objects, parts.common, parts.clock, parts.new_id
    labels = frozenset(objects.backend.label for objects in backends if objects.backend.label is not None)
    flows = FlowDirectory(parts.peers["catalog"])
    relay = Relay(store, parts.bus, clock=clock, new_id=new_id)
    collector = Collector(store, backends, clock=clock, common=common, interval=config.collect_interval)
    limits = Limits(page=config.register_page, batch=config.delete_batch)
    registrar = Registrar(store, clock=clock, new_id=new_id, labels=labels, limits=limits)
    allocator = Allocator(store, backends, clock=clock, new_id=new_id, lifetime=common.min_object_timeout)
    pace = Pace(budget=config.delete_budget, interval=config.delete_interval, spare=config.delete_rest)
    tools = Tools(clock, new_id, batch=config.delete_batch, lifetime=config.delete_expiry * 3600)
    deleter = Deleter(store, tools=tools, pace=pace)
    media, writers = Media(backends), UrlWriters(backends, parts.registry)

    def removed() -> None:
        relay.prompt()
        collector.prompt()

    worker = DeletionWorker(store, flows, tools=tools, pace=pace, committed=removed)

    def deleted() -> None:
        removed()
        worker.prompt()

    flow_events = Subscription(store, parts.bus, interest=FLOW_EVENTS, clock=clock)
    copies = _copies(config, parts)
    instances = Instances(store, backends, clock=clock, new_id=new_id)

    def instance_removed() -> None:
        collector.prompt()
        copies.prompt()

    handlers = Handlers(
        list_backends=ListBackends(backends, common),
        allocate_storage=AllocateStorage(flows, allocator, config=config, common=common),
        list_segments=ListSegments(store, writers, common=common),
        register_segments=RegisterSegments(flows, registrar, clock=clock, committed=relay.prompt),
        delete_segments=DeleteSegments(flows, deleter, committed=deleted),
        list_deletions=ListDeletions(store, common=common, clock=clock),
        get_deletion=GetDeletion(store, clock=clock),
        get_object=GetObject(store, writers, common=common),
        create_instance=CreateInstance(instances, requested=copies.prompt),
        delete_instance=DeleteInstance(instances, removed=instance_removed),
        get_media=media.get,
        put_media=media.put,
        delete_flow=DeleteFlow(deleter, committed=deleted),
        get_extent=GetExtent(store),
        render_segments=RenderSegments(store, writers),
    )
    upkeep = Upkeep(store, backends, new_id=new_id)
    return Built(routes=routes(handlers), behaviours=(relay, collector, worker, copies, flow_events, upkeep))


def _copies(config: SegmentsConfig, parts: Parts) -> CopyWorker:
    """What makes copies of objects in other backends."""
    store, clock = parts.store, parts.clock
    backends: dict[str, Objects] = {objects.backend.id: objects for objects in parts.objects}
    lease = Lease(COPIES_LEASE, parts.new_id(), clock=clock)
    origins = Origins(backends, Outside(config.copy_allow))
    copier = Copier(store, backends, origins=origins, lease=lease, new_id=parts.new_id)
    pace = CopyPace(config.copy_parallel, config.copy_interval)
    worker = CopyWorker(store, copier, lease=lease, clock=clock, pace=pace)
    CopyMetrics(parts.registry, worker, copier=copier, clock=clock)
    return worker


SERVICE = Service(
    name="segments",
    config=SegmentsConfig,
    build=build,
    tables=TABLES,
    peers=("catalog",),
    uses_objects=True,
    keeper=Keeper(check_storage, store_id),
)
