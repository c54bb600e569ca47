"""nats-py as a peer of the tests: python nats-peer.py PORT CERT_DIR

Each connection to 127.0.0.1:PORT is told by lines what to do, answers each
with a line, and has a NATS connection of its own, which ends with it.

    connect URL [NAME=VALUE ...]    "connected", or "failed: WHY"; tls=yes (or
                                    first), cert=NAME of a client certificate
    subscribe SUBJECT [QUEUE]       "subscribed"; then a line for each message:
                                    got SUBJECT [REPLY] {HEADERS}: PAYLOAD
    count SUBJECT [QUEUE]           "subscribed"; messages are only counted
    counted                         how many, and that none came twice
    await N                         the same when N have come
    respond SUBJECT [QUEUE]         "subscribed"; each request gets its payload
                                    and headers back
    respond_late SUBJECT            the same after as many ms as the payload
                                    begins with, meanwhile others
    unsubscribe SUBJECT             "unsubscribed"
    publish SUBJECT [NAME=VALUE ... --] PAYLOAD
                                    "published"
    many SUBJECT N                  "published": N messages, 1, 2, ...
    request SUBJECT [NAME=VALUE ... --] PAYLOAD
                                    "reply {HEADERS}: PAYLOAD", or "failed: WHY"

Python's escapes hold in payloads and values (a blank is \\x20), and what is
not printable is shown by them.
"""

import asyncio
import ssl
import sys

import nats

PORT, CERT_DIR = int(sys.argv[1]), sys.argv[2]
PATIENCE = 60


class Peer:
    """A control connection and its NATS connection."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.nats = None
        self.subscriptions = {}
        self.seen = []

    async def serve(self):
        try:
            while line := await self.reader.readline():
                verb, _, rest = line.decode().rstrip("\n").partition(" ")
                command = getattr(self, "do_" + verb, None)
                if command is None:
                    self.say("no such command: " + verb)
                    continue
                try:
                    await command(rest)
                except Exception as e:
                    self.say("failed: " + (str(e) or type(e).__name__))
        finally:
            if self.nats:
                await self.nats.close()
            self.writer.close()

    def say(self, text):
        self.writer.write(text.encode() + b"\n")

    async def do_connect(self, rest):
        url, *options = rest.split(" ")
        self.nats = await nats.connect(
            url, allow_reconnect=False, connect_timeout=PATIENCE,
            error_cb=self.ignore, **tls_options(pairs(options)))
        self.say("connected")

    async def ignore(self, _error):
        pass

    async def do_subscribe(self, rest):
        await self.subscribe(rest, self.show)

    async def show(self, m):
        reply = f" [{m.reply}]" if m.reply else ""
        self.say(f"got {m.subject}{reply}{shown(m)}")

    async def do_count(self, rest):
        await self.subscribe(rest, self.count)

    async def count(self, m):
        self.seen.append(m.data)

    async def do_await(self, n):
        while len(self.seen) < int(n):
            await asyncio.sleep(0.01)
        await self.do_counted("")

    async def do_counted(self, _rest):
        twice = len(self.seen) - len(set(self.seen))
        self.say(f"{len(self.seen)}, {twice} twice")

    async def do_respond(self, rest):
        await self.subscribe(rest, self.answer)

    async def answer(self, m):
        await self.nats.publish(m.reply, m.data, headers=m.headers)

    async def do_respond_late(self, rest):
        async def later(m):
            await asyncio.sleep(int(m.data.split()[0]) / 1000)
            await self.answer(m)

        async def show(m):
            asyncio.ensure_future(later(m))

        await self.subscribe(rest, show)

    async def subscribe(self, rest, handler):
        subject, _, queue = rest.partition(" ")
        self.subscriptions[subject] = await self.nats.subscribe(
            subject, queue, handler)
        await self.barrier()
        self.say("subscribed")

    async def do_unsubscribe(self, subject):
        await self.subscriptions[subject].unsubscribe()
        await self.barrier()
        self.say("unsubscribed")

    async def do_publish(self, rest):
        subject, headers, payload = message(rest)
        await self.nats.publish(subject, payload, headers=headers)
        await self.barrier()
        self.say("published")

    async def do_many(self, rest):
        subject, n = rest.split(" ")
        for i in range(int(n)):
            await self.nats.publish(subject, b"%d" % (i + 1))
        await self.barrier()
        self.say("published")

    async def do_request(self, rest):
        subject, headers, payload = message(rest)
        m = await self.nats.request(subject, payload, headers=headers,
                                    timeout=PATIENCE)
        self.say("reply" + shown(m))

    async def barrier(self):
        """The server has all that was sent: nats-py's flush() may overtake
        what is still queued, a message to oneself does not."""
        inbox = self.nats.new_inbox()
        sub = await self.nats.subscribe(inbox, max_msgs=1)
        await self.nats.publish(inbox)
        await sub.next_msg(PATIENCE)


def tls_options(options):
    if not options:
        return {}
    context = ssl.create_default_context(cafile=CERT_DIR + "/ca.pem")
    if "cert" in options:
        name = CERT_DIR + "/" + options["cert"]
        context.load_cert_chain(name + ".pem", name + ".key")
    return {"tls": context, "tls_hostname": "test.example",
            "tls_handshake_first": options.get("tls") == "first"}


def message(rest):
    """SUBJECT [NAME=VALUE ... --] PAYLOAD"""
    subject, _, rest = rest.partition(" ")
    headers = None
    if " -- " in rest:
        words, _, rest = rest.partition(" -- ")
        headers = pairs(words.split(" "))
    return subject, headers, unescaped(rest)


def pairs(words):
    return {name: unescaped(value).decode()
            for name, value in (word.split("=", 1) for word in words)}


def unescaped(text):
    return text.encode().decode("unicode_escape").encode("latin-1")


def shown(m):
    headers = ""
    if m.headers:
        words = (f"{k}={escaped(v.encode())}" for k, v in m.headers.items())
        headers = " {" + " ".join(words) + "}"
    return f"{headers}: {escaped(m.data)}"


def escaped(data):
    return data.decode("latin-1").encode("unicode_escape").decode()


async def main():
    async def connected(reader, writer):
        await Peer(reader, writer).serve()

    server = await asyncio.start_server(connected, "127.0.0.1", PORT)
    print("serves", flush=True)
    await server.serve_forever()


asyncio.run(main())
