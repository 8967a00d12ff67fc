"""Runs the examples as a user would, in processes of their own, and checks what they say and how they end.

    cargo build --release --examples && cargo build --release -p fibra-example-idl && python3 .ci/examples.py

Everything speaks to 127.0.0.1, on ports that the system picks, and every process is ended by its pid.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

TARGET = os.path.join(os.environ.get("CARGO_TARGET_DIR", "target"), "release", "examples")
CALCULATOR, ECHO, STREAMS = (os.path.join(TARGET, name) for name in ("calculator", "echo", "streams"))
SIMULATE, SWARM, SIMULATED_CALLS = (os.path.join(TARGET, name) for name in ("simulate", "swarm", "simulated_calls"))
IDL = os.path.join(os.path.dirname(TARGET), "idl")  # a package of its own
LIMIT = 60  # seconds, for anything
PREFACE = b"\xc1fibra\x03\x00"  # docs/wire-format.md


class Server:
    """An example that serves, and says where on its first line."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.search(r"on (127\.0\.0\.1:\d+)$", line.strip())
        assert found, f"{command}: {line!r} names no address"
        self.addr = found.group(1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=LIMIT)

    def threads(self):
        return len(os.listdir(f"/proc/{self.process.pid}/task"))


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)


def succeeds(expected, *command):
    done = run(*command)
    assert done.returncode == 0 and done.stdout == expected, f"{command}: {done}"


def fails(code, pattern, *command):
    """It ends with `code`, and says why in one line on standard error."""
    check_failure(code, pattern, command, run(*command))


def check_failure(code, pattern, command, done):
    lines = done.stderr.strip().splitlines()
    assert done.returncode == code and len(lines) == 1 and re.search(pattern, lines[0]), f"{command}: {done}"
    print(f"   exit {code}: {lines[0]}")


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return "127.0.0.1:%d" % listener.getsockname()[1]


def calls_between_processes():
    for mode in ([], ["--workers", "2"], ["--threads"]):
        with Server(CALCULATOR, "serve", "127.0.0.1:0", *mode) as server:
            succeeds("8\n", CALCULATOR, "call", server.addr, "add", "3", "5")
            succeeds("-2\n", CALCULATOR, "call", server.addr, "add", "3", "-5")
            fails(1, "zero", CALCULATOR, "call", server.addr, "divide", "3", "0")


def others_call_the_calculator():
    with Server(CALCULATOR, "serve", "127.0.0.1:0") as server:
        host, port = server.addr.split(":")
        for path, body, answer in (
            ("/calculator/add", "[3, 5]", b"8"),
            ("/", '{"jsonrpc": "2.0", "method": "add", "params": [3, 5], "id": 1}', b'{"jsonrpc":"2.0","result":8,"id":1}'),
        ):
            request = urllib.request.Request(f"http://{server.addr}{path}", body.encode(), {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=LIMIT) as response:
                assert response.read() == answer, path
        # JSON-RPC and MessagePack-RPC, bare.
        for asked, answer in (
            (b'{"jsonrpc": "2.0", "method": "calculator.add", "params": [3, 5], "id": 1}', b'{"jsonrpc":"2.0","result":8,"id":1}\n'),
            (b"\x94\x00\x07\xa3add\x92\x03\x05", b"\x94\x01\x07\xc0\x08"),
        ):
            with socket.create_connection((host, int(port)), LIMIT) as connection:
                connection.sendall(asked)
                connection.shutdown(socket.SHUT_WR)
                assert connection.makefile("rb").read() == answer


def a_fiber_or_a_thread_a_connection():
    for mode, few in (["--workers", "1"], True), (["--threads"], False):
        with Server(CALCULATOR, "serve", "127.0.0.1:0", *mode) as server:
            host, port = server.addr.split(":")
            # A fibra preface each, so that the server has taken them all once it has answered.
            connections = [socket.create_connection((host, int(port)), LIMIT) for _ in range(100)]
            for connection in connections:
                connection.sendall(PREFACE)
            for connection in connections:
                assert connection.recv(1) == PREFACE[:1]
            threads = server.threads()
            assert (threads < 10) if few else (threads >= 100), f"{mode}: {threads} threads"
            print(f"   serve {' '.join(mode)}: 100 connections on {threads} threads")
            for connection in connections:
                connection.close()


def failures_are_one_clear_line():
    fails(2, "usage", CALCULATOR, "add", "3", "5")
    fails(2, "usage", CALCULATOR, "call", "127.0.0.1:1", "add", "three", "5")
    fails(1, "refused", CALCULATOR, "call", closed_port(), "add", "3", "5")
    with Server(CALCULATOR, "serve", "127.0.0.1:0") as server:
        fails(1, "in use", CALCULATOR, "serve", server.addr)
        fails(1, "in use", CALCULATOR, "serve", server.addr, "--threads")
        # It tries to reach the server again until its deadline, ten seconds after the answer was due.
        command = (CALCULATOR, "call", server.addr, "add_slowly", "3", "5", "3")
        caller = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_for_connection(server)
        server.kill()
        stdout, stderr = caller.communicate(timeout=LIMIT)
        done = subprocess.CompletedProcess(command, caller.returncode, stdout, stderr)
        check_failure(1, "may have run|may or may not|connection", command, done)


def wait_for_connection(server):
    """Until the server holds a connection beside its listener, and the call has had time to arrive on it."""
    fds = f"/proc/{server.process.pid}/fd"
    def sockets():
        links = []
        for fd in os.listdir(fds):
            try:
                links.append(os.readlink(os.path.join(fds, fd)))
            except FileNotFoundError:
                pass
        return sum(link.startswith("socket:") for link in links)
    until = time.monotonic() + LIMIT
    while sockets() < 2 and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.3)


def echo_sends_everything_back():
    fails_with_usage = run(ECHO, "--addr")
    assert fails_with_usage.returncode == 2 and "usage" in fails_with_usage.stderr
    with Server(ECHO, "--addr", "127.0.0.1:0", "--workers", "2") as server:
        host, port = server.addr.split(":")
        connections = [socket.create_connection((host, int(port)), LIMIT) for _ in range(50)]
        for round in range(20):
            for number, connection in enumerate(connections):
                connection.sendall(b"%03d %03d" % (round, number))
            for number, connection in enumerate(connections):
                assert connection.recv(7, socket.MSG_WAITALL) == b"%03d %03d" % (round, number)
        for connection in connections:
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(1) == b""
        second = run(ECHO, "--addr", server.addr)
        assert second.returncode == 1 and "in use" in second.stderr


def an_echo_is_one_recv_and_one_send():
    """In steady state, as strace counts: no eventfd, no futex, no epoll_ctl, no read in vain; and what is left of epoll_wait."""
    if shutil.which("strace") is None:
        print("   not checked: there is no strace")
        return
    connections, rounds = 100, 100
    requests = connections * rounds
    for workers in "1", "2":
        with Server(ECHO, "--addr", "127.0.0.1:0", "--workers", workers) as server:
            host, port = server.addr.split(":")
            clients = [socket.create_connection((host, int(port)), LIMIT) for _ in range(connections)]

            def one_round():
                for client in clients:
                    client.sendall(b"x" * 64)
                for client in clients:
                    assert len(client.recv(64, socket.MSG_WAITALL)) == 64

            one_round()
            tracer = subprocess.Popen(["strace", "-c", "-f", "-U", "name,calls,errors", "-p", str(server.process.pid)],
                                      stderr=subprocess.PIPE, text=True)
            attached = tracer.stderr.readline()
            began = time.monotonic()
            if "attached" not in attached:
                print(f"   not checked: {attached.strip()}")
                return
            time.sleep(0.3)
            for _ in range(rounds):
                one_round()
            tracer.send_signal(signal.SIGINT)
            summary = tracer.communicate(timeout=LIMIT)[1]
            rows = (line.split() for line in summary.splitlines())
            calls = {row[0]: int(row[1]) for row in rows if len(row) >= 2 and row[1].isdigit() and row[0] != "total"}
            reads, writes, waits = (calls.pop(name, 0) for name in ("recvfrom", "sendto", "epoll_wait"))
            print(f"   {workers} workers, {requests} requests: {reads} recv, {writes} send, {waits} epoll_wait, others {calls}")
            assert reads == writes == requests and waits < requests, summary
            # The watchdog's, a few ten times a second, however long it takes.
            watchdog = 40 * (time.monotonic() - began)
            assert sum(calls.values()) < requests / 50 + watchdog, summary


def streams_end_as_they_should():
    done = run(STREAMS)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["mean: 21", "warmest of 100000: 33", "smoothed: 1000"], done.stdout


def a_simulation_finds_the_bug_and_its_fix_passes():
    done = run(SIMULATE)
    assert done.returncode == 0, done.stderr
    found, fixed = done.stdout.split("deposits at most once:")
    assert "money is made" in found and "FIBRA_SIM_SEED=" in found, found
    assert fixed.strip().startswith("10000 cases pass"), fixed
    print(f"   {fixed.strip()}")
    case = re.search(r"FIBRA_SIM_CASE='([^']*)'", found).group(1)
    print(f"   the smallest case: {case}")
    again = subprocess.run([SIMULATE], capture_output=True, text=True, timeout=LIMIT, env=os.environ | {"FIBRA_SIM_CASE": case})
    assert re.search(r"^hash: .*$", found, re.M).group() in again.stdout, again.stdout


def a_swarm_finds_nothing():
    # Behind the seeds that the tests go through.
    done = run(SWARM, "--from", "10000000", "--seconds", "5", "--jobs", "2", "--forget")
    assert done.returncode == 0 and " 0 failures" in done.stdout, f"{done.stdout}{done.stderr}"
    print(f"   {done.stdout.strip().splitlines()[-2].strip()}")


def simulated_calls_are_counted():
    done = run(SIMULATED_CALLS, "50000")
    assert done.returncode == 0, done.stderr
    rates = re.findall(r"^ *\d+ callers a client: 50000 calls in .*, (\d+) calls/s;", done.stdout, re.M)
    assert len(rates) == 4, done.stdout
    print(f"   {', '.join(rates)} calls/s")


def a_service_of_a_proto_file():
    sold = ["lamp: 30 in stock", "order 1: 2 of lamp, due 2026-01-02T00:00:00Z", "after 3600s: PLACE_PACKED",
            "after 28800s: PLACE_ON_THE_ROAD", "after 86400s: PLACE_DELIVERED"]
    succeeds("\n".join([*sold, "lamp: 28 in stock", "refused: 28 left", ""]), IDL)
    with Server(IDL, "serve", "127.0.0.1:0") as server:
        succeeds("\n".join([*sold, ""]), IDL, "order", server.addr, "lamp", "2")
        fails(1, "refused: 28 left", IDL, "order", server.addr, "lamp", "2000")
        fails(1, "there is no sofa", IDL, "order", server.addr, "sofa", "1")
    fails(1, "refused", IDL, "order", closed_port(), "lamp", "2")
    fails(2, "usage", IDL, "order", "127.0.0.1:1", "lamp", "many")


def main():
    for check in (calls_between_processes, others_call_the_calculator, a_fiber_or_a_thread_a_connection, failures_are_one_clear_line,
                  echo_sends_everything_back, an_echo_is_one_recv_and_one_send, streams_end_as_they_should,
                  a_simulation_finds_the_bug_and_its_fix_passes, a_swarm_finds_nothing, simulated_calls_are_counted,
                  a_service_of_a_proto_file):
        print(check.__name__.replace("_", " "))
        check()
    print("the examples do what they say")


if __name__ == "__main__":
    sys.exit(main())
