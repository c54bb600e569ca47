"""The clients of NATS that are compared, each a server of jobs; the nats-server
they talk to; and the rows of their tables."""

import contextlib
import json
import os
import pathlib
import socket
import sys
import urllib.request
from dataclasses import dataclass

import servers

TARGET = servers.HERE.parent / "target"
PYTHON = TARGET / "nats" / "bin" / "python"
ASYNC_NATS = TARGET / "bench-nats" / "release" / "bench-async-nats"
NATS_SERVER = os.environ.get("NATS_SERVER", "nats-server")

# The longest that a job may take.
ANSWER_SECONDS = 20


@dataclass(frozen=True)
class Row:
    key: str
    title: str
    job: str
    size: int
    """Bytes of a payload."""
    counts: tuple
    """Numbers of messages: of a first run, by which others are measured out or
    from which another one differs."""
    aim: float = 0
    """Of ours, in times async-nats."""
    alternating: bool = False
    """Whether client and server work in turns, never both."""
    published: bool = True
    """Whether each message is published once, else request and answer."""


ROWS = [
    Row("publish", "publish 16 B", "publish", 16, (20000, 120000),
        aim=0.55),
    Row("publish-1k", "publish 1 KiB", "publish", 1024, (20000, 80000),
        aim=0.47),
    Row("subscribe", "publish + subscribe 16 B, two connections", "subscribe", 16,
        (10000, 60000), aim=0.58),
    Row("request", "request/reply 16 B, one after another", "request", 16,
        (640, 6400), aim=0.93, alternating=True, published=False),
    Row("requests", "request/reply 16 B, 32 in flight", "requests", 16,
        (3200, 16000), published=False),
]


class NatsServer(servers.Server):
    """What all clients talk to."""

    name = "nats-server"

    def prepare(self):
        self.ports = dict(zip(("nats", "monitor"), servers.free_ports(2)))
        return [NATS_SERVER, "-a", "127.0.0.1", "-p", str(self.ports["nats"]),
                "-m", str(self.ports["monitor"])]

    def version(self):
        return self.asked("version")

    def received(self):
        """How many messages clients have published."""
        return self.asked("in_msgs")

    def asked(self, name):
        url = f"http://127.0.0.1:{self.ports['monitor']}/varz"
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer:
            return json.load(answer)[name]


class Client:
    """A server of jobs that is a client of the NATS server `nats`."""

    def __init__(self, nats=None, wrapper=()):
        super().__init__(wrapper)
        self.nats = nats

    def take_port(self):
        self.ports = {"jobs": servers.free_ports(1)[0]}
        return [str(self.ports["jobs"]), str(self.nats.ports["nats"])]

    def run(self, row, count):
        """Does `count` messages of a row; gives the seconds it took and those of
        the client on a CPU."""
        place([self.nats.worker, self.worker], row.alternating)
        before = self.nats.received(), self.cpu_seconds()
        address = ("127.0.0.1", self.ports["jobs"])
        # Below valgrind it all takes much longer.
        limit = ANSWER_SECONDS * (10 if self.wrapper else 1)
        with socket.create_connection(address, limit) as stream:
            stream.sendall(f"{row.job} {count} {row.size}\n".encode())
            answer = b"".join(iter(lambda: stream.recv(4096), b"")).decode().strip()
        if not answer.replace(".", "").replace("e-", "").isdigit():
            raise servers.Failed(f"{answer or 'no answer'}\n{self.logs()}")
        received = self.nats.received() - before[0]
        if received < count * (1 if row.published else 2):
            raise servers.Failed(f"the server has got {received} messages of {count}")
        return float(answer), self.cpu_seconds() - before[1]

    def cpu_seconds(self):
        """Of its only thread that works."""
        text = pathlib.Path(f"/proc/{self.worker}/schedstat").read_text()
        return int(text.split()[0]) / 1e9


def place(pids, together):
    """Lets processes, with all their threads, have one CPU together, or all that
    there are. Where they work in turns waking a CPU that sleeps would cost a
    multiple of the work, and the kernel takes now one, now two."""
    cpus = os.sched_getaffinity(0)
    for pid in pids:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(ProcessLookupError):
                os.sched_setaffinity(int(thread), {min(cpus)} if together else cpus)


class Ours(Client, servers.Ours):
    template = "nats.d/ours.conf.in"

    def prepare(self):
        self.take_port()
        return servers.Nginx.prepare(self)

    def words(self):
        return {**super().words(), "NATS_PORT": self.nats.ports["nats"]}


class NatsPy(Client, servers.Server):
    name = "nats-py"

    def unavailable(self):
        return None if PYTHON.exists() else f"no {PYTHON}: scripts/nats-python"

    def prepare(self):
        return [str(PYTHON), "-B", str(servers.HERE / "nats.d" / "nats_py.py"),
                *self.take_port()]


class AsyncNats(Client, servers.Server):
    name = "async-nats"

    def prepare(self):
        return [str(ASYNC_NATS), *self.take_port()]


CLIENTS = {cls.name: cls for cls in (NatsPy, AsyncNats, Ours)}


def chosen_rows(keys, rows=ROWS):
    rows = {row.key: row for row in rows}
    return [rows[key] for key in words(keys, rows, "row")]


def words(given, known, what):
    """The names in a list with commas, or all that are known."""
    names = [name for part in given or known for name in part.split(",")]
    for name in names:
        if name not in known:
            sys.exit(f'unknown {what} "{name}": {", ".join(known)}')
    return names
