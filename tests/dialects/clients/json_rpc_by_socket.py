"""Calls a server by JSON-RPC 2.0 over TCP with the messages that jsonrpcclient makes and reads.

    python json_rpc_by_socket.py HOST PORT
"""

import json
import socket
import sys

from jsonrpcclient import Error, Ok, notification_json, parse_json, request_json

with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as connection:
    lines = connection.makefile("r", encoding="utf-8")

    def call(method, params):
        connection.sendall(request_json(method, params=params).encode() + b"\n")
        return parse_json(lines.readline())

    assert call("calculator.add", [3, 5]).result == 8
    assert call("add", {"b": 5, "a": 3}).result == 8
    note = {"text": "gruezi €", "ratio": 0.1, "tags": ["a", "b"]}
    assert call("Calculator.Echo", {"note": note}).result == note
    connection.sendall(notification_json("calculator.count_up").encode() + b"\n")
    assert call("calculator.count_up", ()).result == 2
    failed = call("calculator.divide", [7, 0])
    assert isinstance(failed, Error) and failed.code == 1, failed
    assert failed.data == {"ByZero": {"dividend": 7}}, failed
    failed = call("subtract", [1, 2])
    assert isinstance(failed, Error) and failed.code == -32601, failed
    batch = [json.loads(request_json("add", params=[n, n], id=n)) for n in range(100)]
    connection.sendall(json.dumps(batch).encode() + b"\n")
    answers = {answer.id: answer.result for answer in parse_json(lines.readline())}
    assert answers == {n: 2 * n for n in range(100)}, answers
print("jsonrpcclient: ok")
