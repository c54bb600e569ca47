"""Reads profiles of callgrind and tells where the instructions of the requests
are: the difference of two runs, divided by the requests between them.

The format is described in valgrind's manual, "Callgrind Format Specification".
callgrind_annotate and kcachegrind read the same files, for one run as a whole.
"""

import collections
import pathlib
import re

from servers import Failed

NAMES = {"ob": "ob", "cob": "ob", "fn": "fn", "cfn": "fn",
         "fl": "fl", "fi": "fl", "fe": "fl", "cfi": "fl", "cfl": "fl"}

CRATE = "ngx_tcp_lua_module::"


class Profile:
    """Instructions by object, source file and function."""

    def __init__(self, path=None):
        self.total = 0
        self.objects = collections.Counter()
        self.files = collections.Counter()
        self.exclusive = collections.Counter()
        self.inclusive = collections.Counter()
        self.calls = collections.Counter()
        if path:
            self.read(path)

    def read(self, path):
        known = {"ob": {}, "fl": {}, "fn": {}}
        here = {"ob": "?", "fl": "?", "fn": "?", "cob": None, "cfn": "?"}
        called = None
        with open(path, errors="replace") as lines:
            for line in lines:
                found = re.match(r"(\w+)=(?:\((\d+)\))? ?(.*)", line)
                if found and found[1] in NAMES:
                    table = known[NAMES[found[1]]]
                    name = found[3] or table.get(found[2], "?")
                    table[found[2]] = name
                    # fi and fe: an inlined function begins and ends.
                    here["fl" if found[1] in ("fi", "fe") else found[1]] = name
                elif found and found[1] == "calls":
                    called = int(found[3].split()[0])
                    callee = (here["cob"] or here["ob"], here["cfn"])
                    here["cob"] = None
                elif re.match(r"[+*\-\d]\S* \d+$", line):
                    cost = int(line.split()[1])
                    caller = self.function(here["ob"], here["fn"])
                    self.inclusive[caller] += cost
                    if called is None:
                        self.total += cost
                        self.exclusive[caller] += cost
                        self.objects[short(here["ob"])] += cost
                        self.files[here["fl"]] += cost
                    else:
                        self.calls[self.function(*callee)] += called
                    called = None

    def function(self, obj, name):
        # Code that LuaJIT compiled lies elsewhere in every run.
        if name.startswith("0x") and obj == "???":
            name = "(compiled Lua)"
        # Our own names without the crate, so that a line holds them.
        return f"{name.replace(CRATE, '')}  [{short(obj)}]"

    def minus(self, other, requests):
        """What one request has of each."""
        result = Profile()
        result.total = (self.total - other.total) / requests
        for name in ("objects", "files", "exclusive", "inclusive", "calls"):
            mine, theirs = getattr(self, name), getattr(other, name)
            counter = collections.Counter({
                key: (n - theirs[key]) / requests for key, n in mine.items()})
            setattr(result, name, counter)
        return result

    def print(self, lines):
        for title, counter, most in (
                ("by object", self.objects, 12),
                ("by function, its own", self.exclusive, lines),
                ("by source file, its own (where functions were inlined from)",
                 self.files, lines // 2),
                ("by function, with what it calls (recursion counts again)",
                 self.inclusive, lines)):
            print(f"\n{title}:")
            for name, n in counter.most_common(most):
                if n < 0.5:
                    break
                calls = self.calls[name]
                times = f"{calls:8.2f} x" if calls >= 0.005 else " " * 10
                print(f"{n:12,.1f} {times}  {name}")


def short(path):
    return pathlib.PurePath(path).name or path


def total(path):
    """The sum of the events of a profile: its "totals:" or "summary:" line."""
    try:
        text = path.read_text(errors="replace")
    except OSError as err:
        raise Failed(f"no profile was written: {err}") from err
    for word in ("totals", "summary"):
        found = re.findall(rf"^{word}: (\d+)", text, re.M)
        if found and int(found[-1]):
            return int(found[-1])
    raise Failed(f"{path} has no total")
