"""Composition root of webhooks."""

from tams_common.inbox import Subscription
from tams_common.runtime.service import Built, Parts, Service
from tams_webhooks.config import WebhooksConfig
from tams_webhooks.consumers import all_events
from tams_webhooks.courier import Courier
from tams_webhooks.deliveries import Deliveries
from tams_webhooks.dispatcher import Dispatcher
from tams_webhooks.dressing import Dresser
from tams_webhooks.handlers.asyncapi import GetAsyncApi
from tams_webhooks.handlers.deliveries import DeliveryHandlers
from tams_webhooks.handlers.events import Events
from tams_webhooks.handlers.keys import GetKeys
from tams_webhooks.handlers.webhooks import Webhooks
from tams_webhooks.lane import Tools
from tams_webhooks.metrics import DeliveryMetrics
from tams_webhooks.outgoing.sender import Sender
from tams_webhooks.outgoing.signing import signer_of
from tams_webhooks.pruning import Pruning
from tams_webhooks.registering import Registrar
from tams_webhooks.rekeying import Rekeying
from tams_webhooks.retry import Schedule
from tams_webhooks.routes import Handlers, routes
from tams_webhooks.secrets import open_vault
from tams_webhooks.stream import EventStream
from tams_webhooks.tables import TABLES
from tams_webhooks.tally import Tally
from tams_webhooks.window import Window


def build(config: WebhooksConfig, parts: Parts) -> Built:
    """Puts the service together."""
    signer, vault = signer_of(config), open_vault(config)
    sender = Sender(config, clock=parts.clock)
    window = Window(parts.store, sweep=config.sweep)
    events = Subscription(parts.store, parts.bus, interest=all_events(parts.clock, window), clock=parts.clock)
    pruning = Pruning(parts.store, config, clock=parts.clock)
    rekeying = Rekeying(parts.store, vault)
    registrar = Registrar(parts.store, vault, check_url=sender.check_url, clock=parts.clock, new_id=parts.new_id)
    tools = Tools(
        store=parts.store,
        window=window,
        courier=Courier(sender, signer, vault=vault, clock=parts.clock),
        dresser=Dresser(parts.peers["segments"], public_url=parts.common.public_url),
        schedule=Schedule.parse(config.delays),
        config=config,
        clock=parts.clock,
        owner=parts.new_id(),
        tally=Tally(),
    )
    dispatcher = Dispatcher(tools, close=sender.close)
    DeliveryMetrics(parts.registry, tools.tally, dispatcher=dispatcher, clock=parts.clock)
    stream = EventStream(parts.store, window, config=config, registry=parts.registry)
    deliveries = Deliveries(parts.store, tools.courier, clock=parts.clock, new_id=parts.new_id)
    handlers = Handlers(
        webhooks=Webhooks(registrar, parts.common, changed=dispatcher.changed),
        get_keys=GetKeys(signer.public_keys),
        events=Events(stream),
        get_asyncapi=GetAsyncApi(parts.bus.access),
        deliveries=DeliveryHandlers(deliveries, parts.common, changed=dispatcher.prompt),
    )
    return Built(routes=routes(handlers), behaviours=(events, window, dispatcher, pruning, rekeying))


SERVICE = Service(name="webhooks", config=WebhooksConfig, build=build, tables=TABLES, peers=("segments",))
