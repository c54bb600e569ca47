"""Reads what strace -c has counted, and tells how much of it an operation has:
the difference of two runs, divided by the operations between them."""

import re

from servers import Failed

# Less of an operation is not told.
FEW = 0.0005


def counts(text):
    """Calls by name, from the table that strace -c prints."""
    found = {}
    for line in text.splitlines():
        row = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)(?:\s+\d+)?\s+(\w+)$", line)
        if row and row[2] != "total":
            found[row[2]] = found.get(row[2], 0) + int(row[1])
    if not found:
        raise Failed("strace counted nothing")
    return found


def per_operation(totals, done):
    """Calls by name; `totals` and `done` are those of both runs."""
    operations = done[1] - done[0]
    calls = {name: (totals[1].get(name, 0) - totals[0].get(name, 0)) / operations
             for name in {*totals[0], *totals[1]}}
    return {name: n for name, n in calls.items() if abs(n) >= FEW}


def text(calls):
    """Those of the most calls first."""
    return ", ".join(f"{name} {n:.3f}" for name, n in
                     sorted(calls.items(), key=lambda item: -item[1]) if n >= FEW)
