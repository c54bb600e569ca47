"""The jobs of bench/nats, done by nats-py.

Listens on the loopback port of its first argument; a client sends a line,
"JOB COUNT SIZE", and gets the seconds that the job took. The second argument is
the port of the NATS server. Each job has connections of its own.
"""

import asyncio
import socket
import sys
import time

import nats

# What a wait may take; a message that is lost must not hold the benchmark up.
WAIT_SECONDS = 60


class Connection:
    """A connection, and a subscription to a subject of its own: a message that
    has come back by it shows that the server has all that was sent before."""

    async def __aenter__(self):
        self.nc = await nats.connect(f"nats://127.0.0.1:{server_port}")
        self.subject = self.nc.new_inbox()
        self.barrier = await self.nc.subscribe(self.subject)
        await self.pass_barrier()
        return self

    async def __aexit__(self, *exc):
        await self.nc.close()

    async def pass_barrier(self):
        await self.nc.publish(self.subject)
        await self.barrier.next_msg(WAIT_SECONDS)


async def publish(count, size):
    async with Connection() as client:
        begin = time.monotonic()
        await publish_all(client.nc, "bench.publish", count, size)
        await client.pass_barrier()
        return time.monotonic() - begin


async def publish_all(nc, subject, count, size):
    payload = b"x" * size
    for _ in range(count):
        await nc.publish(subject, payload)


async def subscribe(count, size):
    async with Connection() as publisher, Connection() as subscriber:
        received, done = 0, asyncio.get_running_loop().create_future()

        async def on_message(message):
            nonlocal received
            if len(message.data) != size:
                raise ValueError("message of another size")
            received += 1
            if received == count:
                done.set_result(time.monotonic())

        await subscriber.nc.subscribe(
            "bench.subscribe", cb=on_message,
            pending_msgs_limit=0, pending_bytes_limit=0)
        await subscriber.pass_barrier()
        begin = time.monotonic()
        await publish_all(publisher.nc, "bench.subscribe", count, size)
        return await asyncio.wait_for(done, WAIT_SECONDS) - begin


async def request(count, size, flying=1):
    """Requests, `flying` of them in flight, to a service behind another
    connection."""
    async with Connection() as service, Connection() as client:
        async def on_request(message):
            await service.nc.publish(message.reply, message.data)

        async def ask():
            payload = b"x" * size
            for _ in range(count // flying):
                answer = await client.nc.request("bench.request", payload, WAIT_SECONDS)
                if len(answer.data) != size:
                    raise ValueError("answer of another size")

        await service.nc.subscribe("bench.request", cb=on_request)
        await service.pass_barrier()
        begin = time.monotonic()
        await asyncio.gather(*(ask() for _ in range(flying)))
        return time.monotonic() - begin


async def requests(count, size):
    return await request(count, size, 32)


JOBS = {job.__name__: job for job in (publish, subscribe, request, requests)}


def main(port):
    with socket.create_server(("127.0.0.1", port)) as listening:
        while True:
            client = listening.accept()[0]
            with client, client.makefile("rw") as stream:
                name, count, size = stream.readline().split()
                try:
                    seconds = asyncio.run(JOBS[name](int(count), int(size)))
                    print(seconds, file=stream)
                except Exception as err:  # whatever it is goes to the client
                    print(f"{type(err).__name__}: {err}", file=stream)


if __name__ == "__main__":
    server_port = int(sys.argv[2])
    main(int(sys.argv[1]))
