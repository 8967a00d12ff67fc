"""Shows the stack of a fiber that does not run.

gdb is told, by an unwinder, that the newest frame of the selected thread was called from where the fiber has stopped. So nothing is written
to the process, and nothing is to be restored, whatever fails; and core files, whose registers cannot be written, work as processes do.
"""

import contextlib

import gdb
import gdb.unwinder

from .fibers import number

# What the program calls the registers that a switch saves, and what gdb calls them.
REGISTERS = {
    "i386:x86-64": {"pc": "rip", "frame": "rbp", "base": "rbx"},
    "aarch64": {"pc": "pc", "frame": "x29", "base": "x19"},
}
STACK_POINTER = {"i386:x86-64": "rsp", "aarch64": "sp"}


class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


class Unwinder(gdb.unwinder.Unwinder):
    def __init__(self):
        super().__init__("fibra")
        # The fiber, and the stack pointer and program counter of the thread.
        self.shown = None

    def show(self, shown):
        self.shown = shown
        gdb.invalidate_cached_frames()

    def show_fiber(self, fiber):
        """On the selected thread."""
        self.show(None)
        newest = gdb.newest_frame()
        self.show((fiber, int(newest.read_register("sp")), int(newest.read_register("pc"))))

    def __call__(self, pending):
        if not self.shown:
            return None
        fiber, *newest = self.shown
        sp, pc = pending.read_register("sp"), pending.read_register("pc")
        if [int(sp), int(pc)] != newest:
            return None
        # As if that frame lay on the fiber's stack: gdb takes a stack that grows the wrong way for a broken one.
        unwind = pending.create_unwind_info(FrameId(gdb.Value(fiber.suspended_at).cast(sp.type), pc))
        architecture = pending.architecture().name()
        for saved, register in REGISTERS[architecture].items():
            value = gdb.Value(number(fiber.saved(saved)))
            unwind.add_saved_register(register, value.cast(pending.read_register(register).type))
        unwind.add_saved_register(STACK_POINTER[architecture], gdb.Value(fiber.saved("end")).cast(sp.type))
        return unwind


UNWINDER = Unwinder()
gdb.unwinder.register_unwinder(None, UNWINDER, replace=True)


def deselect(*_):
    """Threads have their own frames again."""
    if UNWINDER.shown:
        UNWINDER.show(None)


# When the process goes on, what was shown is past.
gdb.events.cont.connect(deselect)


def select(fiber):
    """Selects the fiber's newest frame. Returns its level, and the level behind the fiber's oldest one."""
    if fiber.is_running():
        deselect()
        threads = [thread for thread in gdb.selected_inferior().threads() if thread.ptid[1] == fiber.worker.thread]
        if not threads:
            raise gdb.GdbError(f"the thread of {fiber}, {fiber.worker.thread}, is not there")
        threads[0].switch()
    elif gdb.selected_inferior().architecture().name() not in REGISTERS:
        raise gdb.GdbError("the stack of a fiber that does not run: only on x86_64 and aarch64")
    else:
        UNWINDER.show_fiber(fiber)
    newest = gdb.newest_frame()
    # The thread's own, or those of a signal handler.
    while newest and not is_of(fiber, newest):
        newest = newest.older()
    if not newest:
        raise gdb.GdbError(f"no frame on the stack of {fiber}")
    newest.select()
    end, frame = newest.level(), newest
    while frame and is_of(fiber, frame):
        end, frame = end + 1, frame.older()
    return newest.level(), end


def is_of(fiber, frame):
    return fiber.has_on_stack(int(frame.read_register("sp")))


@contextlib.contextmanager
def selection_kept():
    thread, level, shown = gdb.selected_thread(), gdb.selected_frame().level(), UNWINDER.shown
    try:
        yield
    finally:
        thread.switch()
        UNWINDER.show(shown)
        frame = gdb.newest_frame()
        while frame.level() < level and frame.older():
            frame = frame.older()
        frame.select()
