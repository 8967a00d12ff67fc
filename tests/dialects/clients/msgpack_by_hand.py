"""Calls a server by MessagePack-RPC messages that Python's msgpack packs and unpacks, many at a time.

    python msgpack_by_hand.py HOST PORT
"""

import socket
import sys

import msgpack

with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as connection:
    # Names as str, and as bin; both are in the specification's family.
    for use_bin_type in (True, False):
        packer = msgpack.Packer(use_bin_type=use_bin_type)
        connection.sendall(b"".join(packer.pack([0, id, b"add", [id, 1]]) for id in range(1000)))
        unpacker = msgpack.Unpacker()
        answered = {}
        while len(answered) < 1000:
            unpacker.feed(connection.recv(65536))
            for kind, id, error, result in unpacker:
                assert (kind, error) == (1, None), (kind, error)
                assert id not in answered
                answered[id] = result
        assert answered == {id: id + 1 for id in range(1000)}
print("msgpack: ok")
