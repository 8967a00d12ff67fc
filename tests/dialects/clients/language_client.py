"""Calls a server as an editor calls a language server: pygls's own client, JSON-RPC with Content-Length.

    python language_client.py HOST PORT
"""

import asyncio
import os
import sys

from pygls.client import JsonRPCClient


async def main():
    client = JsonRPCClient()
    await client.start_tcp(sys.argv[1], int(sys.argv[2]))
    assert await client.protocol.send_request_async("calculator.add", [3, 5]) == 8
    answers = [client.protocol.send_request_async("add", [n, n]) for n in range(100)]
    assert await asyncio.gather(*answers) == [2 * n for n in range(100)]
    client.protocol.notify("calculator.count_up", [])
    assert await client.protocol.send_request_async("calculator.count_up", []) == 2
    # It waits for the server's end when it is stopped: a server of one editor ends with it, this one does not.
    print("pygls: ok", flush=True)
    os._exit(0)


asyncio.run(asyncio.wait_for(main(), 30))
