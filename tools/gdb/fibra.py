"""gdb commands for programs that use fibra: their fibers, what each waits for, and backtraces also of those that do not run.

    gdb -p PID -x tools/gdb/fibra.py -batch -ex 'fibra fibers'

For running processes and for core files; for debug builds and release builds, stripped ones, too. For gdb 12 or newer with Python, on
x86_64 and aarch64. Needs the folder fibra_gdb beside it. See docs/debugging.md, or "help fibra".
"""

import os
import re
import sys

import gdb

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from fibra_gdb import core, fibers, frames


def one_argument(argument):
    arguments = gdb.string_to_argv(argument)
    if len(arguments) != 1:
        raise gdb.GdbError('which fiber? Its number, or its name: see "fibra fibers"')
    return arguments[0]


class Prefix(gdb.Command):
    """The fibers of a program that uses fibra."""

    def __init__(self):
        super().__init__("fibra", gdb.COMMAND_STACK, prefix=True)


class Fibers(gdb.Command):
    """List all fibers, and what each waits for.

Usage: fibra fibers

A fiber is running, ready (it waits for its turn), or parked: for how long and for what. In a core file nobody knows when it was made, so
there it is how long at least. Fibers that no worker has started yet are only counted, and those that plain threads have spawned and
no worker has seen not even that.

Many fibers: "pipe fibra fibers | grep lock"."""

    def __init__(self):
        super().__init__("fibra fibers", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        runtimes = fibers.runtimes()
        if not runtimes:
            print("no fibra runtime runs")
        for index, workers in enumerate(runtimes):
            if len(runtimes) > 1:
                print(f"runtime {index}:")
            self.list(workers)

    def list(self, workers):
        found = fibers.of(workers)
        heads = ["Id", "Name", "State", "Worker", "For", "Stack", "Spawned at", "Waits"]
        rows = [heads] + [fiber.row() for fiber in found]
        widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
        for row in rows:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
        unstarted = sum(worker.spawned - worker.ended for worker in workers) - len(found)
        more = f", {unstarted} not started" if unstarted > 0 else ""
        print(f"fibers: {len(found)}{more}; workers: {len(workers)}")


class Fiber(gdb.Command):
    """Tell what is known of one fiber.

Usage: fibra fiber ID

ID is its number, or its name."""

    def __init__(self):
        super().__init__("fibra fiber", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        fiber = fibers.find(one_argument(argument))
        stopped = "" if fiber.is_running() else f"; stopped with stack pointer {fiber.suspended_at:#x}"
        print(f"{fiber} {fiber.does()}")
        print(f"  spawned at {fiber.spawned_at}")
        print(f"  on worker {fiber.worker.index}, thread {fiber.worker.thread}")
        print(f"  stack {fiber.stack()}, down from {fiber.stack_end:#x}{stopped}")
        print(f"  {'cancelled' if fiber.is_cancelled else 'not cancelled'}; control block at {fiber.address:#x}")


class Backtrace(gdb.Command):
    """Print the backtrace of a fiber, or of all.

Usage: fibra bt ID [OPTION]...
       fibra bt all [OPTION]...

ID is its number, or its name. Options are those of "backtrace", such as -full. The selected thread and frame stay."""

    def __init__(self):
        super().__init__("fibra bt", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        wanted, *options = gdb.string_to_argv(argument) or [one_argument(argument)]
        if wanted != "all":
            return self.print(fibers.find(wanted), options)
        for fiber in fibers.everyone():
            try:
                self.print(fiber, options)
            except (gdb.error, gdb.GdbError) as error:
                print(f"{fiber}: {error}")
            print()

    def print(self, fiber, options):
        with frames.selection_kept():
            first, end = frames.select(fiber)
            lines = gdb.execute(f"backtrace {' '.join(options)} {end}", to_string=True).splitlines()
        print(f"{fiber} {fiber.does()}")
        level = 0
        for line in lines:
            numbered = re.match(r"#(\d+) +(.*)", line)
            level = int(numbered[1]) if numbered else level
            if level >= first and not line.startswith("(More stack frames"):
                print(f"#{level - first:<3} {numbered[2]}" if numbered else line)


class Select(gdb.Command):
    """Make a fiber's frames those that "bt", "up", "info locals" and alike are about.

Usage: fibra select ID
       fibra select

ID is its number, or its name. The frames of a fiber that does not run appear behind the newest one of the selected thread, until
the process goes on, or "fibra select" is called without an ID. What gdb says of that newest one means nothing meanwhile."""

    def __init__(self):
        super().__init__("fibra select", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        if argument:
            frames.select(fibers.find(one_argument(argument)))
        else:
            frames.deselect()
        gdb.execute("frame")


class Core(gdb.Command):
    """Write a core file of the process, as "generate-core-file" does, with the stacks of its fibers.

Usage: fibra core [FILE]

On Linux 6.13 and newer the guards between stacks are unreadable places within one mapping. gdb gives up a mapping at the first of them, so that
the core files of "generate-core-file" and of gcore have no stacks of fibers. Those that the kernel writes have."""

    def __init__(self):
        super().__init__("fibra core", gdb.COMMAND_FILES)

    def invoke(self, argument, from_tty):
        core.write(*gdb.string_to_argv(argument) or [f"core.{gdb.selected_inferior().pid}"])


for command in (Prefix, Fibers, Fiber, Backtrace, Select, Core):
    command()
