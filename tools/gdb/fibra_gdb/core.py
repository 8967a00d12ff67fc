"""Core files of living processes that have the stacks and control blocks of their fibers.

gdb copies a mapping in steps of a megabyte and gives it up at the first that it cannot read. Stacks of fibers have guards between
them, which no one can read, in the same mapping; and control blocks may lie in a neighbour that the kernel has joined to it. So what gdb has left empty is filled in, page by page.
"""

import struct

import gdb

from . import fibers

PAGE = 4096
LOAD = 1


def write(file):
    if not fibers.is_live():
        raise gdb.GdbError("no process to make a core file of")
    everyone = fibers.everyone()
    # What it says about mappings that it has not read would alarm without need.
    print(gdb.execute(f"generate-core-file {file}", to_string=True).strip().splitlines()[-1])
    with open(file, "r+b") as core:
        segments = list(loaded(core))
        for fiber in everyone:
            for begin, end in (fiber.stack_in_use(), fiber.block_range()):
                for page in range(begin & -PAGE, end, PAGE):
                    copy(page, core, segments)


def loaded(core):
    """The segments: address, size, and where they are in the file."""
    header = struct.unpack("<16sHHIQQQIHHHHHH", core.read(64))
    offset, size, count = header[5], header[9], header[10]
    core.seek(offset)
    table = core.read(size * count)
    for at in range(0, len(table), size):
        kind, _, place, address, _, length, _, _ = struct.unpack_from("<IIQQQQQQ", table, at)
        if kind == LOAD:
            yield address, length, place


def copy(page, core, segments):
    try:
        content = fibers.read(page, PAGE)
    except gdb.MemoryError:
        return
    for address, length, place in segments:
        if address <= page and page + PAGE <= address + length:
            core.seek(place + page - address)
            core.write(content)
