"""Reads the fibers out of the memory of a process or core file.

Without types: what is where, the program says itself, in a section of its own. The other side: scheduler/src/dump/debugger.rs.
"""

import re
import struct
import time

import gdb

SECTION = "fibra_debugger"
MAGIC = b"fibra-db"
VERSION = 1


def read(address, size):
    return gdb.selected_inferior().read_memory(address, size).tobytes()


def number(address, size=8):
    return int.from_bytes(read(address, size), "little")


def text(address, length):
    return read(address, length).decode(errors="replace") if length else ""


def is_live():
    """Whether this is a process of this machine, not a core file."""
    connection = gdb.selected_inferior().connection
    return connection is not None and connection.type == "native"


class Build:
    """One version of the scheduler in the program: its descriptor, and with it all that must be known to read fibers."""

    def __init__(self, address):
        version, count = struct.unpack("<II", read(address + 8, 8))
        if version != VERSION:
            raise gdb.GdbError(f"this script reads version {VERSION} of fibra's debugger interface; the program has {version}")
        self.first_listing = address + 16
        fields = struct.iter_unpack("<24sQ", read(address + 24, 32 * count))
        self.fields = {name.rstrip(b"\0").decode(): word for name, word in fields}
        self.reasons = text(self["reason.words"], self["reason.words_len"]).splitlines()
        location, size = self["example.location"], self["example.location.size"]
        self.file, self.file_len = self.example(location, size, "file"), self.example(location, size, "file_len")
        self.line = self.example(location, size, "line", 4)
        self.name, self.name_len = self.example(self["example.name"], 16, "text"), self.example(self["example.name"], 16, "text_len")
        self.places = {}

    def __getitem__(self, field):
        return self.fields[field]

    def example(self, address, size, value, width=8):
        """Where in what std keeps private a value lies, by an example that has it."""
        value = self[f"example.{value}"]
        return next((at for at in range(0, size, width) if number(address + at, width) == value), None)

    def place(self, location):
        """A `Location` as file:line."""
        if None in (self.file, self.file_len, self.line):
            return "?"
        if location not in self.places:
            file = text(number(location + self.file), number(location + self.file_len))
            self.places[location] = f"{file}:{number(location + self.line, 4)}"
        return self.places[location]

    def workers(self):
        listing = number(self.first_listing)
        while listing:
            yield Worker(self, listing)
            listing = number(listing + self["listing.next"])


class Worker:
    def __init__(self, build, listing):
        def word(name):
            return number(listing + build[f"listing.{name}"])

        self.build = build
        self.runtime, self.index, self.live = word("runtime"), word("worker"), word("live")
        self.thread = number(listing + build["listing.thread"], 4)
        self.spawned, self.ended = number(word("spawned")), number(word("ended"))
        # In nanoseconds since the worker began, which was at `start` by the system's clock; 0 if its time is virtual.
        self.now, self.start = number(word("known_now")), word("clock_start")

    def fibers(self):
        first, used = number(self.live + self.build["live.first"]), number(self.live + self.build["live.used"])
        slots = struct.unpack(f"<{used}Q", read(first, 8 * used)) if used else ()
        return [Fiber(self, slot) for slot in slots if slot & 1 == 0]


class Fiber:
    def __init__(self, worker, address):
        self.worker, self.address, build = worker, address, worker.build
        self.block = read(address, build["fiber.size"])
        self.id = self.field("fiber.id")
        self.name = ""
        if None not in (build.name, build.name_len) and self.field("fiber.name", build.name):
            self.name = text(self.field("fiber.name", build.name), self.field("fiber.name", build.name_len))
        self.spawned_at = build.place(self.field("fiber.spawned_at"))
        self.stack_end, self.stack_size = self.field("fiber.stack_end"), self.field("fiber.stack_size")
        self.suspended_at = self.field("fiber.suspended_at")
        self.is_cancelled = self.field("fiber.cancelled", size=1) != 0
        self.waits, self.waited = "", ""
        if self.suspended_at == 0:
            self.state = "running"
        elif self.field("fiber.token", size=1) == build["fiber.parked"]:
            self.state = "parked"
            self.waits = self.reason()
            self.waited = duration(worker.now - self.field("fiber.since")) + ("" if is_live() else "+")
        else:
            self.state = "ready"

    def block_range(self):
        """Where its control block is."""
        return self.address, self.address + len(self.block)

    def field(self, name, within=0, size=8):
        at = self.worker.build[name] + within
        return int.from_bytes(self.block[at : at + size], "little")

    def reason(self):
        """What it waits for, in the words of a dump."""
        reasons, reason = self.worker.build.reasons, self.worker.build["fiber.reason"]
        kind, owner = self.field("reason.kind", reason, 1), self.field("reason.owner", reason)
        words, _, named = (reasons[kind] if kind < len(reasons) else f"waits ({kind})").partition("|")
        return (words + (named if owner else "")).format(
            fiber=self.field("reason.fiber", reason),
            descriptor=self.field("reason.descriptor", reason, 4),
            address=f"{self.field('reason.address', reason):#x}",
            owner=owner,
        )

    def is_running(self):
        return self.state == "running"

    def saved(self, register):
        """Where a fiber that does not run has saved a register; and where it will find its stack, the end of what it has saved."""
        return self.suspended_at + self.worker.build[f"saved.{register}"]

    def stack_in_use(self):
        """Its addresses. Of a fiber that runs, all that there are."""
        return self.stack_end - self.stack_size if self.is_running() else self.suspended_at, self.stack_end

    def has_on_stack(self, address):
        return self.stack_end - self.stack_size <= address <= self.stack_end

    def stack(self):
        size = f"{self.stack_size // 1024} KiB"
        return size if self.is_running() else f"{(self.stack_end - self.suspended_at) / 1024:.1f} of {size}"

    def row(self):
        worker = str(self.worker.index)
        return [str(self.id), self.name, self.state, worker, self.waited, self.stack(), self.spawned_at, self.waits]

    def does(self):
        return {"running": "runs", "ready": "is ready", "parked": f"{self.waits}, for {self.waited}"}[self.state]

    def __str__(self):
        return f"fiber {self.id}" + (f" '{self.name}'" if self.name else "")


def duration(nanos):
    if nanos < 1e9:
        return f"{max(nanos, 0) / 1e6:.1f}ms"
    if nanos < 60e9:
        return f"{nanos / 1e9:.1f}s"
    hours, minutes, seconds = nanos // 3600 // 10**9, nanos // 60 // 10**9 % 60, nanos // 10**9 % 60
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{seconds:02}s"


def builds():
    """Normally one. Found by its section, since there may be no symbols."""
    if not gdb.selected_inferior().pid:
        raise gdb.GdbError("no process and no core file")
    found = []
    for start, end in re.findall(rf"(0x\w+) - (0x\w+) is {SECTION}\b", gdb.execute("info files", to_string=True)):
        start, end = int(start, 16), int(end, 16)
        section = read(start, end - start)
        found += [Build(start + at) for at in range(0, len(section), 8) if section.startswith(MAGIC, at)]
    if not found:
        raise gdb.GdbError("no fibra in this program")
    return found


def runtimes():
    """The workers of each runtime."""
    found = {}
    workers = [worker for build in builds() for worker in build.workers()]
    # Of a core file, all that is known is that it was made after any worker's last look at the clock.
    latest = time.clock_gettime_ns(time.CLOCK_MONOTONIC) if is_live() else 0
    latest = max([latest] + [worker.start + worker.now for worker in workers if worker.start])
    for worker in workers:
        if worker.start:
            worker.now = latest - worker.start
        found.setdefault(worker.runtime, []).append(worker)
    return [sorted(workers, key=lambda worker: worker.index) for workers in found.values()]


def of(workers):
    return sorted((fiber for worker in workers for fiber in worker.fibers()), key=lambda fiber: fiber.id)


def everyone():
    return of(worker for workers in runtimes() for worker in workers)


def find(wanted):
    """The fiber of that number or name."""
    found = [fiber for fiber in everyone() if wanted in (str(fiber.id), fiber.name)]
    if len(found) != 1:
        numbers = ", ".join(str(fiber.id) for fiber in found)
        raise gdb.GdbError(f"no fiber {wanted}" if not found else f"several fibers are named {wanted}: {numbers}")
    return found[0]
