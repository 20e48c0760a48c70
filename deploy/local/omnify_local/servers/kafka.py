"""Apache Kafka: the broker of the set `mongo-kafka`, one KRaft node from the jars of Maven."""

import base64
import hashlib
import os
import re
import shutil
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path

from omnify_local import paths
from omnify_local.errors import LocalError
from omnify_local.go import locked
from omnify_local.ports import LOOPBACK, answers
from omnify_local.processes import tail
from omnify_local.servers.base import Server

_POM = Path(__file__).with_name("kafka_pom.xml")
_JDK = 17
_LOGGING = Path(__file__).with_name("kafka_log4j2.xml")


@dataclass(frozen=True)
class Listener:
    """A further listener on `port` that sends clients to `advertised`, where a proxy stands."""

    port: int
    advertised: int


class Kafka(Server):
    """Single node, broker and controller; topics are made on first use with 3 partitions; heap at most 512 MB."""

    name = "Kafka"

    def __init__(self, folder: Path, port: int, controller_port: int, proxied: Listener | None = None) -> None:
        super().__init__(folder, port)
        self.controller_port = controller_port
        self.proxied = proxied
        self._java = ""
        self._jars = Path()

    @property
    def address(self) -> str:
        """host:port."""
        return f"{LOOPBACK}:{self.port}"

    def prepare(self) -> None:
        """See Server: jars into the user's cache, and the storage formatted once."""
        self._java = _java()
        self._jars = _jars()
        properties = self.folder / "server.properties"
        properties.write_text("".join(f"{key}={value}\n" for key, value in self._properties().items()))
        if not (self.folder / "data" / "meta.properties").exists():
            self._format(properties)

    def command(self) -> list[str]:
        """See Server."""
        return [*self._jvm("-Xms128m", "-Xmx512m"), "kafka.Kafka", "server.properties"]

    def ready(self) -> bool:
        """The broker opens its listener last, when it has joined its own quorum."""
        return answers(self.port)

    def _jvm(self, *options: str) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={_LOGGING}"
        return [self._java, *options, "-XX:+UseSerialGC", logging, "-cp", f"{self._jars}{os.sep}*"]

    def _format(self, properties: Path) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        chosen = [f"--cluster-id={cluster}", "-c", str(properties)]  # one word: an id may begin with a dash
        command = [*self._jvm("-Xmx128m"), "kafka.tools.StorageTool", "format", *chosen]
        answer = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        if answer.returncode:
            raise LocalError(
                f"Kafka's storage could not be formatted: {(answer.stderr or answer.stdout).strip()[-400:]}"
            )

    def _properties(self) -> dict[str, str]:
        ports = {"PLAINTEXT": (self.port, self.port)}
        if self.proxied:
            ports["PROXIED"] = (self.proxied.port, self.proxied.advertised)
        listeners = [f"{name}://{LOOPBACK}:{port}" for name, (port, _) in ports.items()]
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@{LOOPBACK}:{self.controller_port}",
            "controller.listener.names": "CONTROLLER",
            "listeners": ",".join([*listeners, f"CONTROLLER://{LOOPBACK}:{self.controller_port}"]),
            "advertised.listeners": ",".join(f"{name}://{LOOPBACK}:{to}" for name, (_, to) in ports.items()),
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": str(self.folder / "data"),
            "num.partitions": "3",
            "auto.create.topics.enable": "true",
            "offsets.topic.num.partitions": "5",
            "offsets.topic.replication.factor": "1",
            "transaction.state.log.num.partitions": "3",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "log.retention.hours": "168",
            "log.segment.bytes": str(64 * 1024 * 1024),
            "log.cleaner.dedupe.buffer.size": str(8 * 1024 * 1024),
            "num.network.threads": "2",
            "num.io.threads": "4",
        }


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    program = shutil.which("java", path=os.path.join(home, "bin")) if home else shutil.which("java")
    hint = f"install a JDK {_JDK} or newer (Debian: apt-get install openjdk-17-jdk-headless)"
    if program is None:
        raise LocalError(f"Kafka needs Java and there is none: {hint}")
    answer = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(\d+)', answer.stderr)
    if found is None or int(found.group(1)) < _JDK:
        raise LocalError(f"Kafka needs Java {_JDK} or newer and {program} is older: {hint}")
    return program


def _jars() -> Path:
    """The broker's jars, fetched once per user and per version of the pom."""
    digest = hashlib.sha256(_POM.read_bytes()).hexdigest()[:12]
    folder = paths.cache() / "kafka" / digest
    with locked(folder.with_suffix(".lock")):
        if not folder.exists():
            _fetch_jars(folder)
    return folder


def _fetch_jars(folder: Path) -> None:
    if shutil.which("mvn") is None:
        raise LocalError("Kafka is fetched by Maven and there is none: install it (Debian: apt-get install maven)")
    print("Fetching Apache Kafka once for this user (43 MB)", flush=True)
    staged = folder.with_name(f".{folder.name}.{os.getpid()}")
    log = folder.with_suffix(".log")
    command = ["mvn", "--batch-mode", "-f", str(_POM), "dependency:copy-dependencies"]
    command += ["-DincludeScope=runtime", f"-DoutputDirectory={staged}"]
    with log.open("wb") as output:
        code = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False).returncode
    if code:
        shutil.rmtree(staged, ignore_errors=True)
        raise LocalError(f"Kafka could not be fetched by Maven; log: {log}, it ends:\n{tail(log, 5)}")
    staged.rename(folder)
