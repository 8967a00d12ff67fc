"""JSON-RPC over TCP, a message a line, as jsonrpcserver answers. Says where it serves."""

import socketserver

from jsonrpcserver import Success, dispatch, method


@method
def add(a, b):
    return Success(a + b)


@method
def echo(text):
    return Success(text)


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            answer = dispatch(line.decode())
            if answer:
                self.wfile.write(answer.encode() + b"\n")


with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
    print(":".join(map(str, server.server_address)), flush=True)
    server.serve_forever()
