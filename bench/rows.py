"""What is measured: the rows of both tables, and the services they need."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    key: str
    title: str
    service: str
    """The port of a server that the load goes to."""
    load: tuple
    """Mode and options of tcp-load."""
    counts: tuple = ()
    """Two numbers of operations for `instructions`; none: not counted there."""
    fixed: bool = False
    """`run` measures a fixed amount, not as much as the time allows."""


ROWS = [
    Row("echo-10", "echo 10 B, 50 clients", "echo-10",
        ("echo", "--size", "10"), (5000, 25000)),
    Row("echo-1k", "echo 1 KiB, 50 clients", "echo-1k",
        ("echo", "--size", "1024"), (5000, 25000)),
    Row("echo-64k", "echo 64 KiB, 50 clients", "echo-64k",
        ("echo", "--size", "65536"), (1000, 4000)),
    Row("pipelined", "echo 10 B, 16 pipelined, 50 clients", "echo-10",
        ("echo", "--size", "10", "--depth", "16"), (16000, 80000)),
    Row("flood", "echo 10 B, 16 outstanding all the time, 50 clients", "echo-10",
        ("echo", "--size", "10", "--depth", "16", "--sliding"), (16000, 80000)),
    Row("fair", "a message of 10 B each 5 ms, beside 50 clients with 256 outstanding",
        "echo-10", ("fair", "--size", "10", "--depth", "256")),
    Row("fair-64k", "a message of 64 KiB each 5 ms, beside 50 clients with 16 outstanding",
        "echo-64k", ("fair", "--size", "65536", "--depth", "16")),
    Row("line", "line echo, 10 B, 50 clients", "line",
        ("line", "--size", "10"), (5000, 25000)),
    Row("connect", "connect, one request, close; 50 clients", "connect",
        ("connect", "--size", "10"), (1000, 5000)),
    Row("sleep", "sleep wake-up (1 ms), 50 clients", "sleep",
        ("sleep", "--wakes", "100"), (10000, 50000)),
    Row("parked", "parked connection: bytes of memory", "parked",
        ("idle", "--clients", "8000"), fixed=True),
    Row("bulk-down", "1 GiB to one client, per 64 KiB", "bulk",
        ("bulk-down",), fixed=True),
    Row("bulk-echo", "1 GiB through echo, per 64 KiB", "echo-64k",
        ("bulk-echo",), fixed=True),
]


def chosen(keys):
    """The rows named in `keys` (a list with commas), or all."""
    if not keys:
        return ROWS
    known = {row.key: row for row in ROWS}
    wanted = [key for part in keys for key in part.split(",")]
    for key in wanted:
        if key not in known:
            raise SystemExit(f'unknown row "{key}": {", ".join(known)}')
    return [known[key] for key in wanted]
