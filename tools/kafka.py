"""One Apache Kafka broker on loopback, in KRaft mode, for development and tests: `python -m tools.kafka`.

Where Docker answers and has Apache's image it runs in a container; elsewhere on a Java 17 or later, with jars that
Maven fetches once into the cache folder of the user. A data folder keeps its ports, so that a later start finds its
clients again.
"""

import argparse
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tools.kafka_runners import HINT, VERSION, CannotRun, Container, Failed, Java, Runner, advertised, kept
from tools.ports import free_ports, in_use, is_free

STARTED: Final = "Kafka Server started"
START_SECONDS: Final = 120.0
USUAL_PORT: Final = 9092
"""Below the range from which systems take ports for outgoing connections: a stopped broker finds its port free."""

_SMALL: Final = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "broker.session.timeout.ms": "1500",
    "broker.heartbeat.interval.ms": "300",
    "auto.create.topics.enable": "false",
    "offsets.topic.num.partitions": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "log.segment.bytes": "16777216",
    "log.index.size.max.bytes": "65536",
    "log.cleaner.dedupe.buffer.size": "2097152",
    "num.network.threads": "1",
    "num.io.threads": "2",
    "num.recovery.threads.per.data.dir": "1",
}


class Broker:
    """A broker whose files are in `data`; it can be killed and started again on what it has kept.

    `port` is where clients reach it, 0 for a free one; `extra` are further properties of the server. Both count only
    where `data` is new. Another listener is a property `listeners.NAME`, its value the protocol; `ports` has them all.
    """

    def __init__(self, data: Path, *, port: int = 0, extra: Mapping[str, str] | None = None) -> None:
        self.data = data.absolute()
        self.ports: dict[str, int] = {}
        self._runner: Runner | None = None
        self._port = port
        self._extra = dict(extra or {})

    @property
    def address(self) -> str:
        """`host:port` for clients."""
        return f"127.0.0.1:{self.ports['PLAINTEXT']}"

    @property
    def is_set_up(self) -> bool:
        """Whether its folder has been used before."""
        return self._properties.exists()

    def start(self) -> None:
        """Starts it and returns when it serves. Raises `CannotRun` and `Failed`."""
        runner = self._made()
        self.ports = advertised(self.data)
        runner.start()
        try:
            self._wait(runner)
        except BaseException:
            runner.kill()
            raise

    def stop(self) -> None:
        """Stops it in order."""
        self._made().stop()

    def kill(self) -> None:
        """kill -9."""
        self._made().kill()

    def freeze(self) -> None:
        """Lets it neither answer nor close a connection, until `thaw`."""
        self._made().freeze()

    def thaw(self) -> None:
        """Lets it go on."""
        self._made().thaw()

    def remove(self) -> None:
        """kill -9 for good: it cannot be started again, and nothing of it is left but the data folder."""
        if self._runner is not None:
            self._runner.remove()

    def wait(self) -> int:
        """Waits until it ends; its exit status."""
        return self._made().process.wait()

    def tail(self) -> str:
        """The last things it has said."""
        return "\n".join((self.data / "broker.log").read_text(errors="replace").splitlines()[-20:])

    def _made(self) -> Runner:
        if self._runner is None:
            self.data.mkdir(parents=True, exist_ok=True)
            self._runner = kept(self.data) if self.is_set_up else self._set_up()
        return self._runner

    @property
    def _properties(self) -> Path:
        return self.data / "server.properties"

    def _set_up(self) -> Runner:
        """The first way to run a broker that is open here."""
        reasons: list[str] = []
        for way in (Container, Java):
            try:
                runner = way(self.data)
                self._write_properties(runner)
                runner.prepare()
            except BaseException as error:
                self._properties.unlink(missing_ok=True)
                if not isinstance(error, CannotRun):
                    raise
                reasons.append(str(error))
            else:
                return runner
        raise CannotRun(f"{'; '.join(reasons)}: {HINT}")

    def _write_properties(self, runner: Runner) -> None:
        prefix = "listeners."
        named = {key.removeprefix(prefix): value for key, value in self._extra.items() if key.startswith(prefix)}
        further = {key: value for key, value in self._extra.items() if not key.startswith(prefix)}
        protocols = {"PLAINTEXT": "PLAINTEXT", **named, "CONTROLLER": "PLAINTEXT"}
        ports = dict(zip(protocols, free_ports(len(protocols)), strict=True))
        if self._port:
            ports["PLAINTEXT"] = self._port
        clients = [name for name in protocols if name != "CONTROLLER"]
        places = {name: f"{runner.host if name in clients else '127.0.0.1'}:{port}" for name, port in ports.items()}
        properties = _SMALL | {
            "listeners": ",".join(f"{name}://{place}" for name, place in places.items()),
            "advertised.listeners": ",".join(f"{name}://127.0.0.1:{ports[name]}" for name in clients),
            "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in protocols.items()),
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{ports['CONTROLLER']}",
            "log.dirs": runner.log_dirs,
        }
        text = "".join(f"{key}={value}\n" for key, value in (properties | further).items())
        self._properties.write_text(text)

    def _wait(self, runner: Runner) -> None:
        deadline = time.monotonic() + START_SECONDS
        while STARTED not in runner.said():
            if runner.process.poll() is not None:
                raise Failed(f"the broker ended at its start:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise Failed(f"the broker did not start within {START_SECONDS:.0f} s:\n{self.tail()}")
            time.sleep(0.05)


def main(arguments: Sequence[str]) -> int:
    """Runs a broker until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(prog="make kafka", description="Run one Apache Kafka broker on loopback.")
    parser.add_argument("--data", type=Path, default=Path(".tams/kafka"), help="folder of its data [.tams/kafka]")
    parser.add_argument(
        "--port", type=int, default=USUAL_PORT if is_free(USUAL_PORT) else 0, help="[9092 or a free one]"
    )
    options = parser.parse_args(arguments)
    broker = Broker(options.data, port=options.port)
    if broker.is_set_up and (why := in_use(advertised(options.data).values())):
        print(f"kafka: {why}", file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        broker.start()
        print(f"\n  Apache Kafka {VERSION} listens on {broker.address}, data in {options.data}\n")
        print(f"    export TAMS_BUS_URL=kafka://{broker.address}\n    make run\n\n  Ctrl-C stops it.", flush=True)
        status = broker.wait()
        print(broker.tail(), file=sys.stderr)
        return status or 1
    except (CannotRun, Failed) as error:
        print(f"kafka: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        broker.stop()
        return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
