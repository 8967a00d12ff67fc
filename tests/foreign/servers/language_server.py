"""JSON-RPC behind Content-Length headers, as pygls serves it. Says where it is going to serve."""

import socket

from pygls.lsp.server import LanguageServer

server = LanguageServer("calculator", "1")


@server.feature("add")
def add(params):
    return params.a + params.b


@server.feature("echo")
def echo(params):
    return params.text


# It serves one client, so nobody tries whether it listens.
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    address = free.getsockname()
print(":".join(map(str, address)), flush=True)
server.start_tcp(*address)
