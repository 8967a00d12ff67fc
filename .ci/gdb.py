"""What tools/gdb/fibra.py says of a process whose fibers are known (examples/waiting.rs), and of its core file.

    cargo build --release --example waiting && python3 .ci/gdb.py

Of the release build, of that without its symbols, and of the debug build if there is one. Without gdb, or where a process
may not be debugged, it says so and checks nothing. Every process is ended by its pid.
"""

import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

TARGET = os.environ.get("CARGO_TARGET_DIR", "target")
SCRIPT = os.path.join("tools", "gdb", "fibra.py")
LIMIT = 120  # seconds, for anything
PR_SET_PTRACER, PR_SET_PTRACER_ANY = 0x59616D61, ctypes.c_ulong(-1)

# What each fiber does, and the function of its own in its backtrace.
FIBERS = {
    "main": ("parked", r"joins fiber {reader}", "main"),
    "holder": ("parked", r"sleeps", "holds"),
    "waiter": ("parked", r"waits for the lock at 0x[0-9a-f]+, which fiber {holder} holds", "waits_for_lock"),
    "joiner": ("parked", r"joins fiber {holder}", "joins"),
    "acceptor": ("parked", r"waits until descriptor \d+ is readable", "accepts"),
    "receiver": ("parked", r"waits on a channel", "receives"),
    "reader": ("running", r"", "keeps_its_worker"),
    "woken": ("ready", r"", "is_woken"),
}
ROW = re.compile(
    r"(?P<id>\d+) +(?P<name>\w+) +(?P<state>parked|ready|running) +(?P<worker>\d) +"
    r"(?P<waited>\d+(?:\.\d)?(?:ms|s)\+?)? +(?:(?P<used>[\d.]+) of )?(?P<size>\d+) KiB +(?P<file>\S+):(?P<line>\d+) *(?P<waits>.*)"
)


class Process:
    """The example, once all its fibers are in place."""

    def __init__(self, program):
        pipe = subprocess.PIPE
        # Where only a parent may debug a process (Yama), gdb, which is not, is allowed to.
        allow = ctypes.CDLL(None).prctl
        self.process = subprocess.Popen(
            [program], stdin=pipe, stdout=pipe, stderr=pipe, text=True,
            preexec_fn=lambda: allow(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0),
        )
        line = self.process.stdout.readline()
        assert "in place" in line, f"{program}: {line!r}"
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=LIMIT)

    def dump(self):
        """Its own dump, up to the last fiber of the worker that answers."""
        os.kill(self.pid, signal.SIGQUIT)
        lines = []
        for line in self.process.stderr:
            lines.append(line)
            if "'receiver'" in line:
                break
        return "".join(lines)

    def end(self):
        """Lets it end, as it does at the end of its input."""
        _, errors = self.process.communicate(timeout=LIMIT)
        assert self.process.returncode == 0, f"the process ended with {self.process.returncode}: {errors}"


def gdb(what, *commands):
    """What gdb prints about a process or a core file: a text for each command."""
    mark = "-- end of command"
    executed = [argument for command in commands for argument in ("-ex", command, "-ex", f"echo {mark}\\n")]
    command = ["gdb", "-nx", "-q", "-batch", *what, "-x", SCRIPT, "-ex", f"echo {mark}\\n", *executed]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
    if "Operation not permitted" in done.stderr:
        print("   skipped: a process may not be debugged here")
        sys.exit(0)
    texts = done.stdout.split(mark + "\n")
    assert len(texts) == len(commands) + 2 and "Python Exception" not in done.stderr, f"{done.stdout}\n{done.stderr}"
    return texts[1:-1]


def check_table(table, is_core=False):
    rows = {row["name"]: row for row in map(ROW.fullmatch, table.splitlines()) if row}
    assert rows.keys() == FIBERS.keys(), table
    numbers = {name: row["id"] for name, row in rows.items()}
    for name, (state, waits, _) in FIBERS.items():
        row = rows[name]
        assert row["state"] == state and re.fullmatch(waits.format(**numbers), row["waits"]), row[0]
        assert (row["waited"] is not None) == (state == "parked"), row[0]
        assert state != "parked" or row["waited"].endswith("+") == is_core, row[0]
        assert row["worker"] == ("1" if name in ("reader", "woken") else "0"), row[0]
        assert row["size"] == ("64" if name == "receiver" else "256"), row[0]
        assert row["used"] is None if state == "running" else 0 < float(row["used"]) < 64, row[0]
        assert row["file"] == "examples/waiting.rs" and int(row["line"]) > 0, row[0]
    assert "fibers: 8, 1 not started; workers: 2" in table, table
    return rows


def check_backtraces(texts, has_symbols=True):
    for (name, (_, _, function)), text in zip(FIBERS.items(), texts, strict=True):
        frames = re.findall(r"^#(\d+) ", text, re.M)
        assert frames == [str(level) for level in range(len(frames))] and len(frames) > 3, text
        if has_symbols:
            # As it is called in debug builds, too: with its module.
            assert re.search(rf"\b{function}\b", text), f"{name}: no {function} in\n{text}"
            assert name in ("reader", "main") or "park_" in text, text


def backtraces():
    return [f"fibra bt {name}" for name in FIBERS]


def a_process_tells_what_its_fibers_do(program, has_symbols=True):
    with Process(program) as process:
        registers = "printf \"%#lx %#lx\\n\", $pc, $sp"
        table, before, *traces, everything, after, detail, wrong, selected, up, back = gdb(
            ["-p", str(process.pid)], "fibra fibers", registers, *backtraces(), "fibra bt all", registers,
            "fibra fiber waiter", "fibra bt nobody", "fibra select holder", "bt", "fibra select",
        )
        rows = check_table(table)
        check_backtraces(traces, has_symbols)
        assert everything.replace("\n\n", "\n").count("\n#0 ") == len(FIBERS), everything
        assert before == after, "the selected frame has changed"
        assert f"fiber {rows['waiter']['id']} 'waiter' {rows['waiter']['waits']}, for " in detail and "not cancelled" in detail
        assert wrong == "", wrong
        assert selected.startswith("#1 ") and up.startswith("#0 ") and back.startswith("#0 "), (selected, up, back)
        assert not has_symbols or "holds" in up, up
        # None the worse for it, and of the same opinion.
        dump = process.dump()
        for name, (state, _, _) in FIBERS.items():
            said = f"fiber {rows[name]['id']} '{name}' on worker 0 {rows[name]['waits']}, for "
            assert state != "parked" or said in dump, f"{said!r} is not in\n{dump}"
        process.end()


def a_core_file_tells_the_same(program):
    with Process(program) as process, tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "core")
        gdb(["-p", str(process.pid)], f"fibra core {file}")
        process.end()
        table, *traces, wrong = gdb([program, file], "fibra fibers", *backtraces(), f"fibra core {file}")
        check_table(table, is_core=True)
        check_backtraces(traces)
        assert wrong == "", wrong


def main():
    if not shutil.which("gdb"):
        print("   skipped: there is no gdb")
        return
    release = os.path.join(TARGET, "release", "examples", "waiting")
    debug = os.path.join(TARGET, "debug", "examples", "waiting")
    for program in filter(os.path.exists, (release, debug)):
        a_process_tells_what_its_fibers_do(program)
        a_core_file_tells_the_same(program)
        print(f"   {program}: a process and a core file")
    if shutil.which("strip"):
        with tempfile.TemporaryDirectory() as folder:
            stripped = os.path.join(folder, "waiting")
            subprocess.run(["strip", "-o", stripped, release], check=True)
            a_process_tells_what_its_fibers_do(stripped, has_symbols=False)
            print("   without symbols: a process")


if __name__ == "__main__":
    sys.exit(main())
