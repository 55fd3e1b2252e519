"""Composition root of catalog."""

from tams_catalog.config import CatalogConfig
from tams_catalog.consumers import SEGMENT_EVENTS
from tams_catalog.flows import Flows
from tams_catalog.handlers import Handlers
from tams_catalog.pages import Limits
from tams_catalog.profiles import Profiles
from tams_catalog.properties import Properties
from tams_catalog.routes import routes
from tams_catalog.segments import Segments
from tams_catalog.service_handlers import ServiceHandlers
from tams_catalog.service_info import ServiceInfo
from tams_catalog.sources import Sources
from tams_catalog.sweep import Deletions
from tams_catalog.tables import TABLES
from tams_catalog.transactions import Transactions
from tams_common.inbox import Subscription
from tams_common.outbox import Relay
from tams_common.runtime.service import Built, Parts, Service


def build(config: CatalogConfig, parts: Parts) -> Built:
    """Puts the service together."""
    relay = Relay(parts.store, parts.bus, clock=parts.clock, new_id=parts.new_id)
    segment_events = Subscription(parts.store, parts.bus, interest=SEGMENT_EVENTS, clock=parts.clock)
    segments = Segments(parts.peers["segments"])
    deletions = Deletions(parts.store, segments, interval=config.deletion_sweep)
    transactions = Transactions(parts.store, parts.clock, parts.new_id, relay.prompt)
    flows = Flows(transactions, segments=segments, deletions=deletions)
    sources = Sources(transactions)
    limits = Limits(parts.common.default_limit, parts.common.max_limit)
    info = ServiceInfo(parts.store, config, common=parts.common, access=parts.bus.access)
    service = ServiceHandlers(info, Profiles(parts.store, parts.clock), limits=limits)
    return Built(
        routes=routes(Handlers(flows, sources, limits=limits), Properties(flows, sources), s=service),
        behaviours=(relay, segment_events, deletions),
    )


SERVICE = Service(name="catalog", config=CatalogConfig, build=build, tables=TABLES, peers=("segments",))
