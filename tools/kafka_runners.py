"""What runs a Kafka broker: a Java of this machine with jars that Maven fetches, or a container of Apache's image."""

import base64
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Final

VERSION: Final = "4.4.0"
LOG4J: Final = "2.25.5"
IMAGE: Final = f"apache/kafka:{VERSION}"

_POM: Final = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tams</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
      <version>{VERSION}</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId>
      <version>{LOG4J}</version></dependency>
  </dependencies>
</project>
"""
_COPY: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
_LOGGING: Final = """rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
logger.server.name=kafka.server.KafkaRaftServer
logger.server.level=info
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{ISO8601} %p %m (%c)%n
"""
# A serial collector, one compiler and few threads: the broker shares two cores with what is tested against it.
_JAVA: Final = (
    "java",
    "-Xms64m",
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
)


class CannotRun(Exception):
    """There can be no broker here; the text says what is missing."""


class Failed(Exception):
    """There is what a broker needs, and still it does not run."""


class Runner(ABC):
    """How a broker becomes a process; its output goes to `broker.log`."""

    host = "127.0.0.1"

    def __init__(self, data: Path) -> None:
        self.data = data
        self._seen = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log_dirs(self) -> str:
        """Where the server keeps its logs, as it sees that place."""
        return str(self.data / "logs")

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """The process of the last start."""
        if self._process is None:
            raise Failed("the broker has not been started")
        return self._process

    @abstractmethod
    def prepare(self) -> None:
        """Makes a new data folder ready."""

    def start(self) -> None:
        """Starts the process."""
        path = self.data / "broker.log"
        self._seen = path.stat().st_size if path.exists() else 0
        with path.open("ab") as log:
            self._process = subprocess.Popen(self.command(), stdout=log, stderr=subprocess.STDOUT)

    def said(self) -> str:
        """What it has said since this start."""
        with (self.data / "broker.log").open("rb") as log:
            log.seek(self._seen)
            return log.read().decode(errors="replace")

    def stop(self) -> None:
        """Ends the process in order."""
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        self.process.wait()

    def kill(self) -> None:
        """Ends the process at once."""
        self.process.kill()
        self.process.wait()

    @abstractmethod
    def command(self) -> Sequence[str]:
        """What is run."""


class Java(Runner):
    """The broker as a Java process."""

    def __init__(self, data: Path) -> None:
        super().__init__(data)
        self._jars = jars()

    def prepare(self) -> None:
        """Formats the storage, as a quorum of one."""
        cluster = base64.urlsafe_b64encode(b"TAMS" + secrets.token_bytes(12)).decode().rstrip("=")
        properties = str(self.data / "server.properties")
        self._run(*self._java("kafka.tools.StorageTool"), "format", "--standalone", "-t", cluster, "-c", properties)

    def command(self) -> Sequence[str]:
        """`java … kafka.Kafka server.properties`."""
        return (*self._java("kafka.Kafka"), str(self.data / "server.properties"))

    def _java(self, program: str) -> tuple[str, ...]:
        logging = self.data / "log4j2.properties"
        logging.write_text(_LOGGING)
        return (*_JAVA, f"-Dlog4j2.configurationFile={logging}", "-cp", f"{self._jars}/*", program)

    def _run(self, *command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"{' '.join(command[-5:])} failed:\n{done.stdout}{done.stderr}")
        return done.stdout


class Container(Runner):
    """The broker in a container of Apache's image, which reads our properties and formats its own storage."""

    host = "0.0.0.0"  # noqa: S104 — published on loopback only

    @property
    def log_dirs(self) -> str:
        """Within the container, which stays until `stop`."""
        return "/tmp/kraft-combined-logs"  # noqa: S108 — a path in the container

    def prepare(self) -> None:
        """Makes the container."""
        (self.data / "config").mkdir(exist_ok=True)
        shutil.copy(self.data / "server.properties", self.data / "config" / "server.properties")
        ports = [f"--publish=127.0.0.1:{port}:{port}" for port in dict(advertised(self.data)).values()]
        made = subprocess.run(
            [
                "docker",
                "create",
                *ports,
                "--env=KAFKA_HEAP_OPTS=-Xmx384m",
                f"--volume={self.data}/config:/mnt/shared/config:ro",
                IMAGE,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise CannotRun(f"docker create {IMAGE} failed: {made.stderr}")
        (self.data / "container").write_text(made.stdout.strip())

    def command(self) -> Sequence[str]:
        """`docker start --attach`, which ends with the container."""
        return ("docker", "start", "--attach", self._name())

    def stop(self) -> None:
        """Stops the container; it can be started again."""
        self._tell("stop")

    def kill(self) -> None:
        """Kills what runs in the container."""
        self._tell("kill")

    def _tell(self, verb: str) -> None:
        subprocess.run(["docker", verb, self._name()], capture_output=True, check=False)
        self.process.wait()

    def _name(self) -> str:
        return (self.data / "container").read_text()


def jars() -> Path:
    """The folder with Kafka's jars, fetched if need be. Raises `CannotRun`."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tams"
    folder = cache / f"kafka-{VERSION}"
    for program, package in (("java", "a Java runtime, 17 or later"), ("mvn", "Apache Maven")):
        if shutil.which(program) is None and (program == "java" or not folder.exists()):
            raise CannotRun(f"there is neither a Docker engine nor `{program}` ({package})")
    if folder.exists():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as scratch:
        (Path(scratch) / "pom.xml").write_text(_POM)
        print(f"kafka: fetching the jars of Apache Kafka {VERSION} into {folder}", file=sys.stderr)
        maven = ["mvn", "-q", "-B", "-C", _COPY, "-DincludeScope=runtime", f"-DoutputDirectory={scratch}/jars"]
        done = subprocess.run(maven, cwd=scratch, capture_output=True, text=True, check=False)
        if done.returncode:
            said = "\n".join(done.stdout.splitlines()[:5])
            raise CannotRun(f"Maven could not fetch Apache Kafka {VERSION}: {said}")
        try:
            (Path(scratch) / "jars").rename(folder)
        except OSError:
            if not folder.exists():
                raise
    return folder


def docker_answers() -> bool:
    """Whether a Docker engine can be used."""
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


def advertised(data: Path) -> dict[str, int]:
    """The port of each listener for clients, as the properties in `data` have it."""
    for line in (data / "server.properties").read_text().splitlines():
        if line.startswith("advertised.listeners="):
            listeners = [listener.partition("://") for listener in line.partition("=")[2].split(",")]
            return {name: int(place.rpartition(":")[2]) for name, _, place in listeners}
    return {}
