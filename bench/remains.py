"""A server whose worker is looked at when all connections have gone: what is
left of them, and what memory it uses. Called by bench/leftovers and
bench/torture, whose configurations have the services status (stub_status) and
control (a line asks, the answer goes to the end of the connection)."""

import os
import pathlib
import re
import signal
import socket
import time
from dataclasses import dataclass

import servers

# How much longer things may take below valgrind.
SLOWDOWN = 20

# How long all that has ended may take to be gone.
GONE_SECONDS = 30

QUIT_SECONDS = 5

# The module keeps this many ended coroutines for the next connections: as many
# connections at once make them all, so that they are not taken for leftovers.
KEPT_COROUTINES = 1024


@dataclass
class Figures:
    """What there is after a round."""

    accepted: int
    active: int
    files: int
    timers: str
    heap: int
    malloc: int
    left: int
    kept: int
    pss: int
    trimmed: int
    """PSS without what malloc() holds free."""


class Nginx(servers.Ours):
    """`services` are the ports beside the two."""

    services = ()

    def prepare(self):
        services = ["status", "control", *self.services]
        self.ports = dict(zip(services, servers.free_ports(len(services))))
        return servers.Nginx.prepare(self)

    def ask(self, service, request):
        """The answer of one request, up to the end of the connection."""
        address = ("127.0.0.1", self.ports[service])
        with socket.create_connection(address, GONE_SECONDS * SLOWDOWN) as client:
            client.sendall(request)
            return b"".join(iter(lambda: client.recv(65536), b"")).decode()

    def status(self):
        """Connections that nginx has now, our own not, and has accepted so far."""
        text = self.ask("status", b"GET / HTTP/1.0\r\n\r\n")
        active = re.search(r"Active connections: (\d+)", text)
        accepted = re.search(r"\n (\d+) (\d+) (\d+) \n", text)
        return int(active[1]) - 1, int(accepted[1])

    def figures(self):
        active, accepted = self.status()
        heap, malloc, left, kept = map(int, self.ask("control", b"memory\n").split())
        files, timers, pss = self.files(), self.timers(), self.pss()
        self.ask("control", b"trim\n")
        return Figures(accepted, active, files, timers, heap, malloc, left, kept - 1, pss,
                       self.pss())

    def files(self):
        return len(os.listdir(f"/proc/{self.worker}/fd"))

    def timers(self):
        """Whether nginx, when it has nothing to do, waits without a timeout:
        then it has no timer. "-" where this cannot be seen."""
        for _ in range(200):
            try:
                call = pathlib.Path(f"/proc/{self.worker}/syscall").read_text().split()
            except OSError:
                return "-"
            # epoll_wait, or epoll_pwait: the fourth argument.
            if len(call) > 4 and call[0] in ("232", "281", "22"):
                timeout = int(call[4], 16) & 0xffffffff
                if timeout == 0xffffffff:
                    return "none"
            time.sleep(0.01)
        return "some"

    def pss(self):
        text = pathlib.Path(f"/proc/{self.worker}/smaps_rollup").read_text()
        return int(re.search(r"^Pss:\s+(\d+) kB", text, re.M)[1])

    def quit(self, patience):
        """Seconds from SIGQUIT to the end of nginx."""
        begin = time.monotonic()
        while self.process.poll() is None:
            if time.monotonic() > begin + patience:
                return None
            # Again: without a master it can sleep on, see Server.stop().
            os.kill(self.main_pid(), signal.SIGQUIT)
            end = time.monotonic() + 3
            while self.process.poll() is None and time.monotonic() < end:
                time.sleep(0.005)
        return time.monotonic() - begin

    def gone(self, patience):
        """Waits until there is no connection but ours."""
        servers.until(lambda: self.status()[0] == 0, patience,
                      lambda: f"{self.status()[0]} connections are left\n{self.logs()}")

    def fill(self, service, patience):
        """Makes all the coroutines that the module keeps, by clients that send
        nothing to a service."""
        address = ("127.0.0.1", self.ports[service])
        clients = [socket.create_connection(address) for _ in range(KEPT_COROUTINES)]
        servers.until(lambda: self.status()[0] >= KEPT_COROUTINES, patience,
                      lambda: f"silent clients are not served\n{self.logs()}")
        for client in clients:
            client.close()
        self.gone(patience)


def quit_failures(nginx, slowdown):
    took = nginx.quit(servers.STOP_SECONDS * slowdown)
    if took is None:
        return ["SIGQUIT does not end it"]
    print(f"\nFrom SIGQUIT to the end: {took:.2f} s")
    failures = []
    if nginx.process.returncode != 0:
        failures.append(f"it ended with status {nginx.process.returncode}")
    if took > QUIT_SECONDS * slowdown:
        failures.append(f"SIGQUIT took {took:.1f} s")
    return failures
