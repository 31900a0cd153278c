"""What a file of figures/ needs: it registers functions with @figure and fills the rows of the table.

    from bench import figure

    @figure("name that words on the command line are looked for in")
    def my_figure(bench):
        row = bench.row("what the table says", target=2)
        for server in bench.servers(users=1):
            with server:
                ... prepare and warm up ...
                for _ in range(bench.runs):
                    with Clock(server) as clock:
                        ...
                    row.clock(server, clock)

A row holds times of both servers (less is better) and prints itself when both are there. The runner imports every file
of figures/ and calls what they registered, in the order of file names and then of registration; those marked last=True
after all others, because they delete many files (see run).
"""
import tempfile

from client import make_maildir, median
from servers import Dovecot, Roost

FIGURES = {}  # name -> function
LAST = []     # names of those that delete so much that others would suffer


def figure(name, last=False):
    def register(function):
        FIGURES[name] = function
        if last:
            LAST.append(name)
        return function
    return register


class Row:
    """One line of the table: values["cpu"]["roost"] is a list, one value a run."""

    def __init__(self, name, target, unit, factor):
        self.name, self.target, self.unit, self.factor = name, target, unit, factor
        self.values = {}

    def add(self, what, server, value):
        """A value that is no time of a clock: what is "memory", "flushes" ..."""
        self.values.setdefault(what, {}).setdefault(server.name, []).append(value)

    def clock(self, server, clock, count=1):
        """The clock's times, a count-th of them."""
        self.add("cpu", server, clock.cpu * self.factor / count)
        self.add("wall", server, clock.wall * self.factor / count)

    def median(self, what, name):
        return median(self.values[what][name]) if name in self.values.get(what, {}) else None

    def ratio(self, what):
        """How many times better Roost is, or None."""
        ours, theirs = self.median(what, "roost"), self.median(what, "dovecot")
        return theirs / ours if ours and theirs else None

    def show(self):
        for what, servers in self.values.items():
            for name, runs in servers.items():
                print(f"  {self.name + ', ' + what:<50} {name:<8} {median(runs):>10.3f} {self.unit:<6} "
                      f"({' '.join(f'{v:.3f}' for v in runs)})")
            if self.ratio(what):
                print(f"  {self.name + ', ' + what:<50} ratio    {self.ratio(what):>10.2f} times", flush=True)

    def markdown(self):
        def both(name):
            return " / ".join(f"{self.median(what, name):.3g}" for what in self.values if self.median(what, name) is not None)
        ratios = " / ".join(f"{self.ratio(what):.1f}" for what in self.values if self.ratio(what))
        return f"| {self.name} | {self.target} | {both('dovecot')} {self.unit} | {both('roost')} {self.unit} | {ratios} |"


class Bench:
    """runs: how often each thing is measured; size(n): n, or a tenth with --quick; rows: the table so far."""

    FACTORS = {"s": 1, "ms": 1e3, "us": 1e6}

    def __init__(self, runs, scale, only):
        self.runs, self.scale, self.only = runs, scale, only
        self.rows = []
        self.boxes = {}

    def size(self, count):
        return max(1, count // self.scale)

    def row(self, name, target="", unit="ms"):
        self.rows.append(Row(name, target, unit, self.FACTORS.get(unit, 1)))
        return self.rows[-1]

    def servers(self, users=1):
        """Roost first: it leaves little behind, and what is deleted makes new files dear on some file systems."""
        for kind in (Roost, Dovecot):
            if self.only in (None, kind.name):
                yield kind(users)

    def maildir(self, count, size=2500):
        """A Maildir of count messages, made once; servers get copies."""
        if (count, size) not in self.boxes:
            self.boxes[count, size] = make_maildir(tempfile.mkdtemp() + "/m", count, size)
        return self.boxes[count, size]
