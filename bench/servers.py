"""Starts and ends the servers that are compared, each as one worker.

A server is a context manager: what it starts it ends, by pid, whatever
happens. Its `ports` say which services it has, `worker` is the pid whose work
counts.
"""

import contextlib
import csv
import json
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
LOAD = HERE / "load" / "target" / "release" / "tcp-load"
EPOLL_ECHO = LOAD.with_name("epoll-echo")
NGINX = os.environ.get("NGINX_BINARY", "nginx")
HAPROXY = os.environ.get("HAPROXY_BINARY", "haproxy")
REDIS = os.environ.get("REDIS_BINARY", "redis-server")
MODULE = pathlib.Path(os.environ.get(
    "NGINX_TCP_LUA_MODULE",
    HERE.parent / "target" / "release" / "libngx_tcp_lua_module.so")).resolve()

SERVICES = ["echo-10", "echo-1k", "echo-64k", "line", "connect", "sleep",
            "parked", "bulk", "upstream", "upstream-tls",
            "tls-echo-10", "tls-echo-1k", "tls-connect", "tls-parked"]

# Services that a server without messages of its own gives on its echo port, and on
# that with TLS.
ECHOES = ["echo-10", "echo-1k", "echo-64k", "line", "parked"]
TLS_ECHOES = ["tls-echo-10", "tls-echo-1k", "tls-parked"]

# Below the ports that the kernel gives to clients, and those of the tests.
FIRST_PORT, LAST_PORT = 10000, 19500

START_SECONDS = 60
STOP_SECONDS = 20

# Requests of redis-benchmark, where nobody says how many.
REDIS_REQUESTS = 100000


class Failed(Exception):
    """A server or a load that did not do what it should."""


class Server:
    """One server process, perhaps below another command (`wrapper`)."""

    name = ""
    connects = False
    """Whether it connects to others."""

    def __init__(self, wrapper=()):
        self.wrapper = list(wrapper)
        self.upstreams = {}
        self.ports = {}
        self.process = None
        self.worker = None
        self.scratch = None
        self.stack = contextlib.ExitStack()

    def unavailable(self):
        """Why this server cannot run here, or None."""
        return None

    def __enter__(self):
        try:
            self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="tcp-bench-"))
            self.scratch.chmod(0o755)
            self.stack.callback(shutil.rmtree, self.scratch, ignore_errors=True)
            # Before it chooses ports: theirs are taken then.
            if self.connects:
                self.upstreams = self.start_upstreams()
            command = self.prepare()
            self.start(command)
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *exc):
        self.stack.close()

    def prepare(self):
        """Chooses ports, writes files; gives the command."""
        raise NotImplementedError

    def certificate(self):
        """Makes a key and a certificate; gives the words for a configuration."""
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost",
             "-days", "2", "-keyout", "key.pem", "-out", "cert.pem"],
            cwd=self.scratch, stderr=subprocess.DEVNULL, check=True)
        both = self.scratch / "both.pem"
        both.write_bytes(b"".join((self.scratch / name).read_bytes()
                                  for name in ("cert.pem", "key.pem")))
        return {"CERT": self.scratch / "cert.pem", "KEY": self.scratch / "key.pem",
                "CERT_AND_KEY": both}

    def load_options(self, row):
        """Options of tcp-load for this server alone."""
        del row
        return []

    def start_upstreams(self):
        """The servers that this one connects to; gives their words."""
        echo = self.stack.enter_context(EpollEcho())
        tls = TlsEcho(echo)
        words = {"UPSTREAM_ECHO": echo.ports["echo-10"],
                 "UPSTREAM_CONNECT": echo.ports["connect"],
                 "UPSTREAM_BULK": echo.ports["bulk"],
                 # Without nginx's stream module there is nothing to be served.
                 "UPSTREAM_TLS": 1}
        if not tls.unavailable():
            words["UPSTREAM_TLS"] = self.stack.enter_context(tls).ports["tls"]
        http = self.stack.enter_context(HttpHello())
        words["UPSTREAM_HTTP"] = http.ports["http"]
        return words

    def start(self, command):
        log = open(self.scratch / "output.log", "wb")
        self.stack.callback(log.close)
        # A session of its own: an interrupt from the keyboard is ours to handle.
        self.process = subprocess.Popen(
            self.wrapper + command, stdin=subprocess.DEVNULL, stdout=log,
            stderr=log, start_new_session=True)
        self.stack.callback(self.stop)
        until(lambda: self.alive() and listening(self.ports.values()), START_SECONDS,
              lambda: f"{self.name} does not listen:\n{self.logs()}")
        self.worker = until(self.find_worker, START_SECONDS,
                            lambda: f"{self.name} has no worker:\n{self.logs()}")

    def alive(self):
        if self.process.poll() is not None:
            raise Failed(f"{self.name} ended with status {self.process.returncode}:\n"
                         f"{self.logs()}")
        return True

    def find_worker(self):
        return self.main_pid()

    def main_pid(self):
        """The server's own pid: strace has it as a child, valgrind becomes it."""
        if self.wrapper and self.wrapper[0] == "strace":
            return next(iter(children(self.process.pid)), None)
        return self.process.pid

    def stop(self):
        """Ends the server and waits for it, so that profiles are written."""
        end = time.monotonic() + STOP_SECONDS
        while self.process.poll() is None:
            pids = [self.main_pid() or self.process.pid]
            number = signal.SIGTERM
            if time.monotonic() > end:
                pids = [*descendants(self.process.pid), self.process.pid]
                number = signal.SIGKILL
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            # Again, because nginx without a master sleeps on when the signal
            # comes between its check and epoll_wait().
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(3)

    def logs(self):
        """The ends of what the server wrote."""
        text = ""
        for name in ("output.log", "error.log"):
            path = self.scratch / name
            if path.exists():
                text += path.read_text(errors="replace")[-3000:]
        return text

    def complaints(self):
        """Lines of an nginx error log that nobody should see."""
        path = self.scratch / "error.log"
        if not path.exists():
            return []
        return [line for line in path.read_text(errors="replace").splitlines()
                if re.search(r"\[(error|crit|alert|emerg)\]", line)]


class EpollEcho(Server):
    name = "epoll"

    def prepare(self):
        echo, connect, bulk = free_ports(3)
        self.ports = dict.fromkeys(ECHOES, echo)
        self.ports.update(connect=connect, bulk=bulk)
        return [str(EPOLL_ECHO), f"echo:{echo}", f"connect:{connect}",
                f"bulk:{bulk}"]


class HAProxy(Server):
    name = "haproxy"
    connects = True

    def unavailable(self):
        return missing(HAPROXY, "openssl")

    def prepare(self):
        self.ports = dict(zip(SERVICES, free_ports(len(SERVICES))))
        folder = HERE / "peers" / "haproxy"
        conf = self.scratch / "haproxy.cfg"
        fill(folder / "haproxy.cfg.in", conf, self.ports, SCRIPTS=folder,
             **self.certificate(), **self.upstreams)
        return [HAPROXY, "-db", "-f", str(conf)]


class Nginx(Server):
    """nginx: with its master, or without when it runs below a wrapper."""

    template = None

    def unavailable(self):
        return missing(NGINX)

    def words(self):
        return {}

    def prepare(self):
        conf = self.scratch / "nginx.conf"
        words = {
            "USER": "user root;" if os.geteuid() == 0 else "",
            "NOFILE": resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        }
        words.update(self.words())
        fill(HERE / self.template, conf, self.ports, **words)
        extra = " master_process off;" if self.wrapper else ""
        return [NGINX, "-p", f"{self.scratch}/", "-c", str(conf), "-e", "error.log",
                "-g", f"daemon off;{extra}"]

    def find_worker(self):
        pid = self.main_pid()
        if self.wrapper:
            return pid
        return next(iter(children(pid)), None)


class Ours(Nginx):
    name = "ours"
    connects = True
    template = "ours/nginx.conf.in"

    def unavailable(self):
        if not MODULE.exists():
            return "NGINX_TCP_LUA_MODULE or target/release has no module"
        return super().unavailable() or missing("openssl")

    def prepare(self):
        services = [*SERVICES, "resp"]
        self.ports = dict(zip(services, free_ports(len(services))))
        # All jobs, not only sleep; those with the libraries of ours.
        self.ports["job"] = self.ports["library"] = self.ports["sleep"]
        return super().prepare()

    def words(self):
        return {"MODULE": MODULE, "SCRIPTS": HERE / "ours", "BENCH": HERE,
                "CONF": HERE.parent / "conf", **self.certificate(), **self.upstreams}


class HttpLua(Nginx):
    """OpenResty's http-lua module, by HTTP: only jobs."""

    name = "http-lua"
    connects = True
    template = "peers/http-lua.conf.in"

    def unavailable(self):
        return super().unavailable() or http_lua_modules()[1]

    def prepare(self):
        self.ports = dict.fromkeys(["job", "sleep"], free_ports(1)[0])
        return super().prepare()

    def words(self):
        return {"LOAD_LUA": http_lua_modules()[0], "BENCH": HERE,
                **self.upstreams}

    def load_options(self, row):
        del row
        return ["--http"]


class StreamReturn(Nginx):
    name = "stream-return"
    template = "peers/stream-return.conf.in"

    def unavailable(self):
        return super().unavailable() or stream_module()[1]

    def prepare(self):
        self.ports = {"connect": free_ports(1)[0]}
        return super().prepare()

    def words(self):
        return {"LOAD_STREAM": stream_module()[0]}

    def load_options(self, row):
        return ["--expect", "0123456789"] if row.service == "connect" else []


class StreamProxy(Nginx):
    name = "stream-proxy"
    connects = True
    template = "peers/stream-proxy.conf.in"

    def unavailable(self):
        return super().unavailable() or stream_module()[1] or missing("openssl")

    def prepare(self):
        services = ["echo", "upstream-tls", "connect", "bulk", "tls-echo", "tls-connect"]
        self.ports = dict(zip(services, free_ports(len(services))))
        command = super().prepare()
        self.ports.update(dict.fromkeys([*ECHOES, "upstream"], self.ports["echo"]))
        self.ports.update(dict.fromkeys(TLS_ECHOES, self.ports["tls-echo"]))
        return command

    def words(self):
        return {"LOAD_STREAM": stream_module()[0], **self.certificate(),
                **self.upstreams}


class Njs(Nginx):
    """nginx's stream proxy whose data go through JavaScript."""

    name = "njs"
    connects = True
    template = "peers/njs.conf.in"

    def unavailable(self):
        return super().unavailable() or stream_js_modules()[1]

    def prepare(self):
        self.ports = {"upstream": free_ports(1)[0]}
        return super().prepare()

    def words(self):
        return {"LOAD_STREAM": stream_js_modules()[0], "PEERS": HERE / "peers",
                **self.upstreams}


class TlsEcho(Nginx):
    """No peer: `echo` by TLS, to connect to."""

    name = "tls-echo"
    template = "peers/tls-echo.conf.in"

    def __init__(self, echo):
        super().__init__()
        self.echo = echo

    def unavailable(self):
        reason = super().unavailable() or stream_module()[1]
        return reason or missing("openssl")

    def prepare(self):
        self.ports = {"tls": free_ports(1)[0]}
        return super().prepare()

    def words(self):
        return {"LOAD_STREAM": stream_module()[0], **self.certificate(),
                "UPSTREAM_ECHO": self.echo.ports["echo-10"]}


class HttpHello(Nginx):
    """No peer: an HTTP server to connect to."""

    name = "http-hello"
    template = "peers/http-hello.conf.in"

    def prepare(self):
        self.ports = {"http": free_ports(1)[0]}
        return super().prepare()


class Redis(Server):
    name = "redis"

    def unavailable(self):
        return missing(REDIS)

    def prepare(self):
        self.ports = {"resp": free_ports(1)[0]}
        return [REDIS, "--bind", "127.0.0.1", "--port", str(self.ports["resp"]),
                "--save", "", "--appendonly", "no", "--dir", str(self.scratch)]


PEERS = {cls.name: cls for cls in
         (Ours, HttpLua, HAProxy, Njs, StreamReturn, StreamProxy, Redis, EpollEcho)}


def missing(*programs):
    """Which of the programs is not there; None: all are."""
    return next((f"no {name}" for name in programs if not shutil.which(name)), None)


def setup(build=True):
    """What all commands need first: limits, signals, the load generator."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    if build:
        subprocess.run(["cargo", "build", "--release", "--quiet", "--locked"],
                       cwd=HERE / "load", check=True)


def chosen(names):
    """The classes of the peers named, or of all that can run here."""
    wanted = [name for part in names or PEERS for name in part.split(",")]
    classes = []
    for name in wanted:
        if name not in PEERS:
            raise SystemExit(f'unknown peer "{name}": {", ".join(PEERS)}')
        reason = PEERS[name]().unavailable()
        if reason:
            print(f"# {name} is left out: {reason}", file=sys.stderr)
            continue
        classes.append(PEERS[name])
    if not classes:
        raise SystemExit("no server to measure")
    return classes


def load(server, row, seconds, count=None, pid=None, batch=None):
    """Runs the row's load against `server`; gives what it found. `pid` is whose
    CPU time or memory counts."""
    if row.load[0] == "redis-benchmark":
        return redis_benchmark(server, row, seconds, count or REDIS_REQUESTS, pid)
    options = [*row.load[1:], *server.load_options(row)]
    for name, value in (("count", count), ("pid", pid), ("batch", batch)):
        if value is not None:
            options += [f"--{name}", str(value)]
    # tcp-load ends by itself: after the time, a warm-up and two graces.
    text = output_of(server, row, seconds + 90, [
        str(LOAD), row.load[0], f"127.0.0.1:{server.ports[row.service]}", *options,
        "--json", "--label", server.name, "--seconds", str(seconds)])
    return json.loads(text)


def redis_benchmark(server, row, seconds, count, pid):
    command = ["redis-benchmark", "-h", "127.0.0.1", "-p",
               str(server.ports[row.service]), "--csv"]
    # So that there is something to get.
    output_of(server, row, seconds, [*command, "-c", "1", "-n", "1", "-t", "set"])
    before = cpu_seconds(pid) if pid else 0
    text = output_of(server, row, seconds,
                     [*command, "-c", "50", "-n", str(count), *row.load[1:]])
    cpu = cpu_seconds(pid) - before if pid else 0
    found = next(iter(csv.DictReader(text.splitlines())), None)
    if not found:
        raise Failed(f"{server.name}, {row.key}: redis-benchmark printed {text!r}")
    # It ends with an error where it does not get an answer to each request.
    result = {"label": server.name, "operations": count, "cpu_us": cpu / count * 1e6,
              "per_second": float(found["rps"])}
    for name in ("p50", "p99", "max"):
        result[f"{name}_us"] = float(found[f"{name}_latency_ms"]) * 1e3
    return result


def output_of(server, row, seconds, command):
    """What a load prints that has to end well, and in time."""
    try:
        result = subprocess.run(command, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True,
                                timeout=seconds)
    except subprocess.TimeoutExpired as err:
        raise Failed(f"{server.name}, {row.key}: the load did not end") from err
    if result.returncode != 0:
        raise Failed(f"{server.name}, {row.key}: {result.stderr.strip()}\n"
                     f"{server.logs()}")
    return result.stdout


def cpu_seconds(pid):
    """How long a process was on a CPU."""
    text = pathlib.Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii")
    return int(text.split()[0]) / 1e9


def free_ports(number):
    """Loopback ports on which nothing listens now."""
    ports = []
    while len(ports) < number:
        port = random.randrange(FIRST_PORT, LAST_PORT)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in ports:
            ports.append(port)
    return ports


def fill(template, target, ports, **words):
    """Copies a file with its @WORDS@ replaced."""
    for service, port in ports.items():
        words["PORT_" + service.upper().replace("-", "_")] = port
    target.write_text(re.sub(r"@([A-Z0-9_]+)@", lambda m: str(words[m[1]]),
                             template.read_text()))


def stream_module():
    """The line that loads nginx's stream module, and why that cannot be."""
    arguments = nginx_arguments()
    if re.search(r"--with-stream(\s|$)", arguments):
        return "", None
    return load_modules(arguments, ["ngx_stream_module.so"])


def stream_js_modules():
    """The lines that load njs for streams, and why that cannot be."""
    line, reason = stream_module()
    if reason:
        return "", reason
    js, reason = load_modules(nginx_arguments(), ["ngx_stream_js_module.so"])
    return f"{line}\n{js}", reason


def http_lua_modules():
    """The lines that load http-lua, and why that cannot be."""
    return load_modules(nginx_arguments(),
                        ["ndk_http_module.so", "ngx_http_lua_module.so"])


def nginx_arguments():
    """What nginx was configured with."""
    return subprocess.run([NGINX, "-V"], stderr=subprocess.PIPE, text=True,
                          check=False).stderr


def load_modules(arguments, names):
    folder = re.search(r"--modules-path=(\S+)", arguments)
    lines = []
    for name in names:
        path = pathlib.Path(folder[1] if folder else ".") / name
        if not path.exists():
            return "", f"no {name}"
        lines.append(f"load_module {path};")
    return "\n".join(lines), None


def listening(ports):
    """Whether all are listened on, without a connection that a server would see."""
    wanted = set(ports)
    with open("/proc/net/tcp", encoding="ascii") as table:
        for line in table:
            fields = line.split()
            # 0A is TCP_LISTEN; the address is ADDRESS:PORT in hexadecimal.
            if fields[3] == "0A":
                wanted.discard(int(fields[1].split(":")[1], 16))
    return not wanted


def children(pid):
    try:
        return [int(n) for n in
                pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def descendants(pid):
    """All processes below `pid`, the deepest first."""
    found = []
    for child in children(pid):
        found += descendants(child) + [child]
    return found


def until(attempt, seconds, failure):
    """Repeats `attempt` until it gives something true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = attempt()
        if result:
            return result
        time.sleep(0.02)
    raise Failed(failure())
