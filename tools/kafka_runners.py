"""What runs a Kafka broker: a Java of this machine with jars that Maven fetches, or a container of Apache's image."""

import base64
import os
import re
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


HINT: Final = (
    "start a Docker engine, or install a Java runtime of 17 or later and Maven "
    "(Debian and Ubuntu: apt install openjdk-17-jre-headless maven; macOS: brew install openjdk maven)"
)
_OLDEST_JAVA: Final = 17
_java_version = re.compile(r'version "(?:1\.)?(\d+)').search


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
        """Ends the process at once, a frozen one too."""
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        """Lets it neither work nor end, until `thaw`."""
        self.process.send_signal(signal.SIGSTOP)
        # On a busy machine it works on for a moment.
        os.waitpid(self.process.pid, os.WUNTRACED)

    def thaw(self) -> None:
        """Lets it go on."""
        self.process.send_signal(signal.SIGCONT)

    def remove(self) -> None:
        """Ends it for good; of what it has kept, only the data folder is left."""
        self.kill()

    @abstractmethod
    def command(self) -> Sequence[str]:
        """What is run."""


class Java(Runner):
    """The broker as a Java process. Raises `CannotRun` where there is none, or none that is new enough."""

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
    """The broker in a container of Apache's image, which reads our properties and formats its own storage.

    Raises `CannotRun` where no Docker engine answers or the image cannot be had.
    """

    host = "0.0.0.0"  # noqa: S104 — published on loopback only

    def __init__(self, data: Path) -> None:
        super().__init__(data)
        if not docker_answers():
            raise CannotRun("no Docker engine answers")

    @property
    def log_dirs(self) -> str:
        """Within the container, which stays until `remove`."""
        return "/tmp/kraft-combined-logs"  # noqa: S108 — a path in the container

    def prepare(self) -> None:
        """Makes the container."""
        (self.data / "config").mkdir(exist_ok=True)
        shutil.copy(self.data / "server.properties", self.data / "config" / "server.properties")
        ports = [f"--publish=127.0.0.1:{port}:{port}" for port in dict(advertised(self.data)).values()]
        volume = f"--volume={self.data}/config:/mnt/shared/config:ro"
        made = _docker("create", *ports, "--env=KAFKA_HEAP_OPTS=-Xmx384m", volume, IMAGE)
        if made.returncode:
            raise CannotRun(f"docker create {IMAGE} failed: {made.stderr.strip()}")
        _name_file(self.data).write_text(made.stdout.strip())

    def command(self) -> Sequence[str]:
        """`docker start --attach`, which ends with the container."""
        return ("docker", "start", "--attach", self._name())

    def stop(self) -> None:
        """Stops the container; it can be started again."""
        self._end("stop")

    def kill(self) -> None:
        """Kills what runs in the container."""
        self._end("kill")

    def freeze(self) -> None:
        """Pauses the container. Raises `Failed`."""
        self._tell("pause")

    def thaw(self) -> None:
        """Lets the container go on. Raises `Failed`."""
        self._tell("unpause")

    def remove(self) -> None:
        """Removes the container, and with it what the broker has kept."""
        self._end("rm", "--force", "--volumes")

    def _end(self, *words: str) -> None:
        self._tell(*words)
        self.process.wait()

    def _tell(self, *words: str) -> None:
        done = _docker(*words, self._name())
        if done.returncode and self.process.poll() is None:
            raise Failed(f"docker {words[0]} failed: {done.stderr.strip()}")

    def _name(self) -> str:
        return _name_file(self.data).read_text()


def kept(data: Path) -> Runner:
    """What has run the broker of `data` before. Raises `CannotRun` where it cannot any more."""
    return Container(data) if _name_file(data).exists() else Java(data)


def _name_file(data: Path) -> Path:
    return data / "container"


def _docker(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=False)


def jars() -> Path:
    """The folder with Kafka's jars, fetched if need be. Raises `CannotRun`."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tams"
    folder = cache / f"kafka-{VERSION}"
    _check_java()
    if folder.exists():
        return folder
    if shutil.which("mvn") is None:
        raise CannotRun("there is no `mvn` (Apache Maven), which fetches the jars")
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


def _check_java() -> None:
    if shutil.which("java") is None:
        raise CannotRun("there is no `java`")
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    found = _java_version(said)
    if found is None or int(found[1]) < _OLDEST_JAVA:
        raise CannotRun(f"`java` is {said.partition(chr(10))[0]!r}, and Apache Kafka needs {_OLDEST_JAVA} or later")


def docker_answers() -> bool:
    """Whether a Docker engine can be used."""
    return shutil.which("docker") is not None and _docker("info").returncode == 0


def advertised(data: Path) -> dict[str, int]:
    """The port of each listener for clients, as the properties in `data` have it."""
    for line in (data / "server.properties").read_text().splitlines():
        if line.startswith("advertised.listeners="):
            listeners = [listener.partition("://") for listener in line.partition("=")[2].split(",")]
            return {name: int(place.rpartition(":")[2]) for name, _, place in listeners}
    return {}
