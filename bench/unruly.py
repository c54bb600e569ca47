"""Clients that send at random times, half-close, reset, stop reading or stay
silent; each one's behaviour follows from a seed and its number. Called by
bench/torture."""

import contextlib
import heapq
import itertools
import random
import re
import selectors
import socket
import struct
import time

RESET = struct.pack("ii", 1, 0)

# What a client sends is part of this text, again and again, from a place that
# depends on its number: torture.d/client.lua has it, too.
PIECE = bytes(10 if i % 83 == 0 else 97 + i * 7 % 26 for i in range(1, 252))
TEXT = PIECE * 40

# What it receives: THREAD NUMBER LENGTH and so many bytes of FILLING.
RECORD = re.compile(rb"([\d.]+) (\d+) (\d+) ")
LONGEST_HEAD = 200
FILLING = b"0123456789abcdef" * 16384

# Seconds that the server may take to end a connection, once its client is done.
PATIENCE = 60


class Client:
    """One connection. `plan` is what it does and when, in seconds from its
    start: the last thing may be to stay until the server ends it."""

    def __init__(self, seed, number, ports):
        chance = random.Random(f"{seed} {number}")
        self.number = number
        self.service = chance.choice(list(ports))
        self.header = f"{seed} {number}\n".encode()
        self.plan = make_plan(chance, len(self.header))
        self.output = bytearray()
        self.sent = number % len(PIECE)
        self.received = 0
        self.input = bytearray()
        self.printed = {}
        self.deaf = False
        self.half_closed = False
        self.wrong = None
        self.socket = socket.socket()
        if any(what == "deaf" for _, what, _ in self.plan):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(("127.0.0.1", ports[self.service]))
        self.socket.setblocking(False)

    def __str__(self):
        return f"client {self.number} ({self.service})"

    def act(self, what, amount):
        """Does one thing of the plan; true if that ends the connection."""
        if what == "header":
            self.output += self.header[:amount]
        elif what == "send":
            at = self.sent % len(PIECE)
            self.output += TEXT[at:at + amount]
            self.sent += amount
        elif what == "half-close":
            self.half_closed = True
        elif what in ("deaf", "hear"):
            self.deaf = what == "deaf"
        elif what == "reset":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        return what in ("close", "reset")

    def flush(self):
        """Sends what it can; true if the server has gone."""
        try:
            if self.output:
                del self.output[:self.socket.send(self.output)]
            if self.half_closed and not self.output:
                self.socket.shutdown(socket.SHUT_WR)
                self.half_closed = False
        except BlockingIOError:
            pass
        except OSError:
            return True
        return False

    def receive(self):
        """Reads what has come; true if the server has gone."""
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return False
        except OSError:
            return True
        self.received += len(data)
        self.input += data
        self.check_records()
        return not data

    def check_records(self):
        """Nothing is missing, and nothing is torn apart."""
        while not self.wrong:
            head = RECORD.match(self.input)
            if not head:
                if len(self.input) > LONGEST_HEAD:
                    self.wrong = f"received {bytes(self.input[:LONGEST_HEAD])}"
                return
            thread, number, length = head[1], int(head[2]), int(head[3])
            begin, end = head.end(), head.end() + length
            if len(self.input) <= end:
                return
            if self.input[begin:end + 1] != FILLING[:length] + b"\n":
                self.wrong = f"print {number} of thread {thread} is not as it was"
            expected = self.printed.get(thread, 0) + 1
            if number != expected:
                self.wrong = (f"print {number} of thread {thread} came, "
                              f"not {expected}")
            self.printed[thread] = number
            del head
            del self.input[:end + 1]


def make_plan(chance, header):
    """(seconds, what, how much), in the order of time."""
    duration = chance.choice([0, 0.1, 0.5, 1, 2]) * chance.random()
    plan = [(0, "header", header)]
    kind = chance.choices(["talks", "silent", "hasty", "deaf"], [70, 12, 6, 12])[0]
    if kind == "hasty":
        plan = [(0, "header", chance.randrange(header + 1))]
        duration = chance.choice([0, 0.01, 0.1])
    elif kind == "deaf":
        plan.append((0, "deaf", 0))
        if chance.random() < 0.6:
            plan.append((duration * chance.random(), "hear", 0))
    if kind in ("talks", "deaf"):
        for _ in range(chance.choice([1, 4, 15])):
            amount = chance.randint(1, chance.choice([3, 30, 300, 5000]))
            plan.append((duration * chance.random(), "send", amount))
    plan.sort(key=lambda step: step[0])
    end = chance.choices(["stay", "half-close", "close", "reset"], [4, 3, 2, 1])[0]
    if kind == "hasty" and end == "stay":
        end = "close"
    if end != "stay":
        plan.append((duration, end, 0))
    if end == "half-close" and chance.random() < 0.3:
        plan.append((duration + chance.random(), "close", 0))
    elif kind == "deaf":
        # It must see the end of the connection.
        plan.append((duration + 0.6, "hear", 0))
    return plan


class Crowd:
    """So many clients at the same time: one that has ended is followed by the
    next, until the time is over."""

    def __init__(self, seed, ports, patience=PATIENCE):
        self.seed, self.ports, self.patience = seed, ports, patience
        self.selector = selectors.DefaultSelector()
        self.steps = []
        self.order = itertools.count()
        self.clients = set()
        self.failures = []
        self.started = 0
        self.received = 0

    def run(self, numbers, at_once, seconds, look_on=lambda: None):
        """`look_on` is called about once a second. True unless it was long
        after the time when the last clients went."""
        begin = time.monotonic()
        end, next_look = begin + seconds, begin + 1
        numbers = iter(numbers)
        while True:
            now = time.monotonic()
            while now < end and len(self.clients) < at_once:
                number = next(numbers, None)
                if number is None:
                    end = now
                    break
                self.start(number, now)
            if not self.clients and now >= end:
                return
            if now >= next_look:
                next_look = now + 1
                look_on()
            if now > end + self.patience:
                for client in list(self.clients):
                    self.failures.append(f"{client} was not ended by the server")
                    self.end(client)
                return
            self.turn(now)

    def start(self, number, now):
        client = Client(self.seed, number, self.ports)
        self.clients.add(client)
        self.started += 1
        self.selector.register(client.socket, selectors.EVENT_READ, client)
        for seconds, what, amount in client.plan:
            step = (now + seconds, next(self.order), client, what, amount)
            heapq.heappush(self.steps, step)

    def turn(self, now):
        """All that is due, and all that has come."""
        while self.steps and self.steps[0][0] <= now:
            _, _, client, what, amount = heapq.heappop(self.steps)
            if client in self.clients:
                self.settle(client, client.act(what, amount) or client.flush())
        timeout = self.steps[0][0] - now if self.steps else 0.05
        for key, events in self.selector.select(max(0, min(timeout, 0.05))):
            client = key.data
            if client not in self.clients:
                continue
            gone = False
            if events & selectors.EVENT_READ and not client.deaf:
                gone = client.receive()
            if events & selectors.EVENT_WRITE and not gone:
                gone = client.flush()
            self.settle(client, gone)

    def settle(self, client, gone):
        if client.wrong:
            self.failures.append(f"{client}: {client.wrong}")
            gone = True
        if gone:
            return self.end(client)
        events = 0 if client.deaf else selectors.EVENT_READ
        if client.output:
            events |= selectors.EVENT_WRITE
        known = self.selector.get_map().get(client.socket)
        if known and not events:
            self.selector.unregister(client.socket)
        elif not known and events:
            self.selector.register(client.socket, events, client)
        elif known and known.events != events:
            self.selector.modify(client.socket, events, client)
        return None

    def end(self, client):
        with contextlib.suppress(KeyError, ValueError):
            self.selector.unregister(client.socket)
        client.socket.close()
        self.clients.discard(client)
        self.received += client.received

    def close(self):
        for client in list(self.clients):
            self.end(client)
        self.selector.close()
