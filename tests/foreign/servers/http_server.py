"""JSON-RPC by HTTP POST, as jsonrpclib-pelix serves it. Says where it serves."""

from jsonrpclib.SimpleJSONRPCServer import SimpleJSONRPCServer

server = SimpleJSONRPCServer(("127.0.0.1", 0), logRequests=False)
server.register_function(lambda a, b: a + b, "add")
server.register_function(lambda text: text, "echo")
print(":".join(map(str, server.server_address)), flush=True)
server.serve_forever()
