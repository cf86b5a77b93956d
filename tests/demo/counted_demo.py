"""Runs `checkrein demo` with witnesses: what went over the wire, and whether anything left the machine.

Arguments: the file for what the witnesses saw, then the demo's own. The witnesses stand beside the
demo's counting, not in it: they read the bytes that the loopback server sends.
"""

import json
import socket
import sys
from pathlib import Path

from checkrein.demo import server

HOME = {"127.0.0.1", "::1", "localhost"}


def watch_the_network(strangers):
    """Note every name that is looked up and every address that is connected to, outside this machine."""
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def watched_connect(self, address):
        if self.family != socket.AF_UNIX and address[0] not in HOME:
            strangers.append(str(address))
        return connect(self, address)

    def watched_look_up(host, *rest, **options):
        if host not in HOME:
            strangers.append(str(host))
        return look_up(host, *rest, **options)

    socket.socket.connect, socket.getaddrinfo = watched_connect, watched_look_up


def watch_the_servers(halves):
    """Note, for each server that is started, the usage in every answer that it sends."""

    class Watched(server.LoopbackServer):
        def __init__(self, script):
            super().__init__(script)
            self.sent = []
            halves.append(self.sent)

    send = server._Handler._send

    def watched_send(self, status, body, headers):
        usage = body.get("usage", {})
        used = usage.get("prompt_tokens"), usage.get("completion_tokens")
        self.server.owner.sent.append([status, body.get("model"), *used])
        send(self, status, body, headers)

    server.LoopbackServer = Watched
    server._Handler._send = watched_send


def main():
    witness, *arguments = sys.argv[1:]
    seen = {"strangers": [], "halves": []}
    watch_the_network(seen["strangers"])
    watch_the_servers(seen["halves"])
    sys.argv = ["checkrein", "demo", *arguments]
    from checkrein.cli.main import main as checkrein

    try:
        checkrein()
    finally:
        Path(witness).write_text(json.dumps(seen))


if __name__ == "__main__":
    main()
