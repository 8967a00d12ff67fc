"""Calls a server through pynvim's MessagePack-RPC session: the client with which Neovim's plugins talk.

    python pynvim_session.py HOST PORT
"""

import sys

from pynvim.msgpack_rpc import tcp_session

session = tcp_session(sys.argv[1], int(sys.argv[2]))
assert session.request("add", 3, 5) == 8
assert session.request("calculator.add", 2**40, -1) == 2**40 - 1
note = {"text": "gruezi €", "ratio": 0.5, "tags": ["a", "b"]}
assert session.request("Calculator.Echo", note) == note
session.request("calculator.count_up", async_=True)  # a notification
# One connection, one worker: what was sent first has begun first.
assert session.request("calculator.count_up") == 2
try:
    session.request("calculator.divide", 7, 0)
    raise AssertionError("it divided by zero")
except Exception as error:
    assert "the method's own error" in str(error), error
try:
    session.request("calculator.subtract", 7, 0)
    raise AssertionError("there is no such method")
except Exception as error:
    assert "no method `calculator.subtract`" in str(error), error
assert session.request("add", 3, 5) == 8
session.close()
print("pynvim: ok")
