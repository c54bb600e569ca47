"""Connections that die: each is brought into a state, then ended by close, by
half-close and close, or by RST. Called by bench/leftovers; ours/leftovers.conf.in
has a port for each state."""

import contextlib
import random
import socket
import struct
import time
from dataclasses import dataclass

# Seconds from a half-close to the close.
HALF_CLOSED = 0.02

RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class State:
    title: str
    service: str
    request: bytes = b""
    last: bytes = b""
    """Sent right before the end."""
    reads: bool = True
    """Without: the client's window is so small that output stays queued."""


STATES = [
    State("closed at once", "rushed"),
    State("before the first byte", "first-byte"),
    State("receive(10) with 3 bytes", "receive", b"1abc"),
    State("receive(\"*l\") without line feed", "line", b"1" + b"x" * 100),
    State("receive(\"*a\")", "all", b"1" + b"x" * 5000),
    State("read_timeout", "read-timeout", b"abc"),
    State("sleep", "sleep", b"1"),
    State("sleep, lua_check_client_abort on", "abort-sleep", b"1"),
    State("print to a client that does not read", "print", reads=False),
    State("ended with queued output", "queued", reads=False),
    State("receive with queued output", "queued-receive", reads=False),
    State("parked", "parked", b"0123456789"),
    State("keepalive_timeout", "parked-timeout", b"0123456789"),
    State("sleep in 3 coroutines", "nested-sleep"),
    State("the same, lua_check_client_abort on", "nested-abort"),
    State("receive in 3 coroutines", "nested-receive", b"abc"),
    State("receive, the script has its entry coroutine", "entry-known", b"abc"),
    State("error() in 3 coroutines", "error", b"1"),
    State("receive after a caught error()", "error-caught", b"1"),
    State("exit() in 3 coroutines", "exit", b"1"),
    State("out of budget in receive", "budget", b"1" + b"x" * 2000, b"x" * 4000),
    State("out of budget in print", "budget-print", b"1" + b"x" * 2000, b"x" * 4000),
    State("waiting for its turn", "turn", b"1"),
    State("lingering", "lingering", b"1" + b"x" * 1000),
]

SERVICES = [state.service for state in STATES]


class Client:
    """One connection, from its request to its end."""

    def __init__(self, state, port):
        self.state = state
        self.socket = socket.socket()
        if not state.reads:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self.socket.settimeout(20)
        self.socket.connect(("127.0.0.1", port))
        # The server may have ended it already: by error, exit or timeout.
        with contextlib.suppress(ConnectionError):
            self.socket.sendall(state.request)

    def end(self, how):
        """Ends it; true if it is only half-closed."""
        with contextlib.suppress(ConnectionError):
            self.socket.sendall(self.state.last)
        if how == "half-close":
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)
            return True
        if how == "reset":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.socket.close()
        return False


def batch(ports, each, settled, seed):
    """Lets `each` connections die in every state, all at the same time, in an
    order by `seed`; `settled` waits until they have reached their states."""
    chance = random.Random(seed)
    order = [(state, number) for state in STATES for number in range(each)]
    chance.shuffle(order)

    clients = []
    for state, number in order:
        client = Client(state, ports[state.service])
        how = ("close", "half-close", "reset")[(number + seed) % 3]
        if state.service == "rushed":
            how = how if how == "reset" else "close"
            client.end(how)
        else:
            clients.append((client, how))
    settled()

    chance.shuffle(clients)
    half_closed = [client for client, how in clients if client.end(how)]
    time.sleep(HALF_CLOSED)
    for client in half_closed:
        client.socket.close()
    return len(order)
