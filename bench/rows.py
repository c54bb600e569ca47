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
    batch: int = 0
    """Operations of each job in `run`; 0: not a row of jobs."""
    jobs: int = 1
    """Number of jobs among which `instructions` divides its operations."""
    grown_from: str = ""
    """The row that this one repeats when much has gone before."""

    def batch_of(self, count):
        """The operations of each job that make `count` of all; None: no jobs."""
        return count // self.jobs if self.batch else None


# What a job may cost: so much of what it costs http-lua.
AIM = 0.7


def job(name, clients=1, before=0):
    """Mode and options of tcp-load for a job of jobs.lua."""
    return ("job", "--job", name, "--clients", str(clients), "--before", str(before))


def dict_loop(key, title, grown_from=""):
    """An operation of shared dictionaries in a loop."""
    return Row(f"dict-{key}", f"dictionary: {title}", "job", job(f"dict-{key}"),
               (20000, 120000), batch=1000000, grown_from=grown_from)


def dict_handler(key, title):
    """The same, 20 times in a handler without a loop."""
    name, _, long = key.partition("-")
    name = "-".join(filter(None, ["dict", name, "handler", long]))
    return Row(name, f"dictionary: {title}, in a handler", "job", job(name),
               (1000, 21000), batch=20, jobs=1000)


DICT_OPERATIONS = [
    ("get", "get, 10 B"), ("get-long", "get, 1 KiB"),
    ("set", "set, 10 B"), ("set-long", "set, 1 KiB"), ("incr", "incr"),
    ("add", "add + delete, 10 B"), ("add-long", "add + delete, 1 KiB"),
]


def resp(command, counts=(5000, 25000)):
    """A command of redis, one at a time on each of 50 connections."""
    return Row(f"resp-{command}", f"redis-benchmark: {command.upper()}, 50 clients",
               "resp", ("redis-benchmark", "-t", command.replace("ping", "ping_mbulk")),
               counts, fixed=True)


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
    Row("tls-echo-10", "echo 10 B by TLS, 50 clients", "tls-echo-10",
        ("echo", "--size", "10", "--tls", "full"), (5000, 25000)),
    Row("tls-echo-1k", "echo 1 KiB by TLS, 50 clients", "tls-echo-1k",
        ("echo", "--size", "1024", "--tls", "full"), (5000, 25000)),
    Row("tls-connect", "connect, TLS handshake, one request, close; 50 clients",
        "tls-connect", ("connect", "--size", "10", "--warmup", "2", "--tls", "full"),
        (500, 1500)),
    Row("tls-resumed", "the same, the handshake goes on with a session",
        "tls-connect",
        ("connect", "--size", "10", "--warmup", "2", "--tls", "resumed"), (500, 1500)),
    Row("upstream", "10 B through an upstream's echo, 50 clients", "upstream",
        ("echo", "--size", "10"), (5000, 25000)),
    Row("upstream-tls", "10 B through an upstream's echo by TLS, 50 clients",
        "upstream-tls", ("echo", "--size", "10"), (5000, 25000)),
    Row("upstream-loop", "connect from the pool, send, receive, setkeepalive", "job",
        job("upstream", clients=50), (5000, 25000), batch=500, jobs=50),
    Row("http", "http: new, init from the pool, request, done", "library",
        job("http", clients=50), (5000, 25000), batch=500, jobs=50),
    Row("http-kept", "http: the same with one object", "library",
        job("http-kept", clients=50), (5000, 25000), batch=500, jobs=50),
    resp("ping"),
    resp("set"),
    resp("get"),
    Row("spawn", "spawn + wait, after 10 threads", "job",
        job("spawn", before=10), (1000, 21000), batch=20, jobs=1000),
    Row("spawn-30k", "spawn + wait, after 30,000 threads", "job",
        job("spawn", before=30000), (1000, 21000), batch=20000, grown_from="spawn"),
    Row("spawn-wait", "spawn + wait, the thread waits once; after 10 threads", "job",
        job("spawn-wait", before=10), (1000, 21000), batch=20, jobs=1000),
    Row("semaphore", "semaphore: post + wait that finds it", "job",
        job("semaphore"), (100000, 600000), batch=1000000),
    Row("semaphore-wake", "semaphore: post that wakes + the wait it ends", "job",
        job("semaphore-wake"), (20000, 120000), batch=100000),
    Row("timer", "timer: at(0) + its function's call", "job",
        job("timer"), (20000, 100000), batch=20000),
    Row("wrap", "coroutine.wrap, a value of a generator", "job",
        job("wrap"), (20000, 120000), batch=200000),
    Row("sleep", "sleep wake-up (1 ms), 50 clients", "sleep",
        job("sleep", clients=50), (10000, 50000), batch=500, jobs=50),
    Row("sleep-10k", "sleep wake-up (100 ms), 10,000 clients", "job",
        job("sleep-long", clients=10000), (50000, 250000), batch=20, jobs=10000),
    *(dict_loop(*operation) for operation in DICT_OPERATIONS),
    *(dict_handler(*operation) for operation in DICT_OPERATIONS),
    *(dict_loop(f"{name}-many", f"{title}, a million keys", grown_from=f"dict-{name}")
      for name, title in DICT_OPERATIONS if "-" not in name),
    Row("parked", "parked connection: bytes of memory", "parked",
        ("idle", "--clients", "8000"), fixed=True),
    Row("tls-parked", "parked connection with TLS: bytes of memory", "tls-parked",
        ("idle", "--clients", "2000", "--tls", "full"), fixed=True),
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


def compared(values):
    """Ours to http-lua, of one row's figures by server; None without both."""
    ours, theirs = values.get("ours"), values.get("http-lua")
    return ours / theirs if ours and theirs else None


def growth(figures):
    """Lines on the rows that repeat another one; `figures` has the values of
    each row by server."""
    for row in ROWS:
        now, before = figures.get(row.key, {}), figures.get(row.grown_from, {})
        ratios = [f"{name} {now[name] / before[name]:.2f}"
                  for name in now if before.get(name)]
        if ratios:
            yield f"{row.key} : {row.grown_from}: {', '.join(ratios)}"
