"""Calls a server by JSON-RPC 2.0 over HTTP through jsonrpclib-pelix.

    python json_rpc_by_http.py HOST PORT
"""

import sys

import jsonrpclib

server = jsonrpclib.ServerProxy(f"http://{sys.argv[1]}:{sys.argv[2]}/")
assert server.calculator.add(3, 5) == 8
assert server.add(a=3, b=5) == 8
note = {"text": "gruezi €", "ratio": 0.1, "tags": ["a", "b"]}
assert server.Calculator.Echo(note) == note
server._notify.count_up()
assert server.count_up() == 2
batch = jsonrpclib.MultiCall(server)
for n in range(100):
    batch.add(n, n)
assert list(batch()) == [2 * n for n in range(100)]
try:
    server.calculator.divide(7, 0)
    raise AssertionError("it divided by zero")
except jsonrpclib.ProtocolError as error:
    assert error.args[0][0] == 1, error
try:
    server.subtract(1, 2)
    raise AssertionError("there is no such method")
except jsonrpclib.ProtocolError as error:
    assert error.args[0][0] == -32601, error
print("jsonrpclib: ok")
