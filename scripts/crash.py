#!/usr/bin/env python3
"""Kills processes that spend from one ledger, again and again, and counts afterwards what they billed.

    scripts/crash.py sqlite|redis CALLS [debug]

Four workers, each killed with -9 every 0.3 seconds; a Redis server as well, every few seconds. Ends with an
error if anything was overspent, or if a record that was acknowledged is not in the ledger.
"""

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORKERS = 4
LIFE = 0.3
SERVER_LIFE = 2.0
LINE = 40  # bytes of truth; a call that ends well writes two lines


def build(profile):
    command = ["cargo", "build", "--quiet", "-p", "checkrein-stores", "--features", "redis"]
    optimized = ["--release"] if profile == "release" else []
    subprocess.run([*command, "--example", "crash", *optimized], cwd=ROOT, check=True)
    return ROOT / "target" / profile / "examples" / "crash"


class Redis:
    """A server on loopback that writes to disk before it answers."""

    def __init__(self, folder):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.folder = folder
        self.start()

    def start(self):
        durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        place = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(["redis-server", *place, *durable], **quiet)
        while not self.is_up():
            time.sleep(0.01)

    def is_up(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def crash(program, url, folder, calls, server):
    """Runs workers until they have made so many calls; how often workers and the server were killed."""
    workers, killed, fell = {}, 0, 0
    server_dies = time.monotonic() + SERVER_LIFE
    try:
        # A short run goes on until there was something to survive, however fast the machine is.
        while (
            sum(p.stat().st_size for p in folder.glob("truth-*")) < calls * 2 * LINE
            or killed < WORKERS
            or (server is not None and fell < 1)
        ):
            for name in range(WORKERS):
                born, process = workers.get(name, (0, None))
                if process is not None and process.poll() is not None:
                    raise SystemExit(f"worker {name} ended by itself: {process.returncode}")
                if process is None or time.monotonic() - born > LIFE:
                    if process is not None:
                        process.kill()
                        process.wait()
                        killed += 1
                    command = [program, "worker", url, folder, str(name)]
                    workers[name] = (time.monotonic(), subprocess.Popen(command, cwd=folder))
            if server is not None and time.monotonic() > server_dies:
                server.kill()
                fell += 1
                server.start()
                server_dies = time.monotonic() + SERVER_LIFE
            time.sleep(0.01)
        (folder / "stop").touch()
        for _, process in workers.values():
            if process.wait(120) != 0:
                raise SystemExit("a worker could not end well")
    finally:
        for _, process in workers.values():
            process.kill()
            process.wait()
    return killed, fell


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    store, calls = sys.argv[1], int(sys.argv[2])
    program = build(sys.argv[3] if len(sys.argv) > 3 else "release")
    folder = Path(tempfile.mkdtemp(prefix="checkrein-crash-"))
    server = None
    try:
        if store == "redis":
            server = Redis(folder)
        url = f"redis://127.0.0.1:{server.port}" if server else str(folder / "ledger.db")
        subprocess.run([program, "init", url], cwd=folder, check=True)
        begin = time.monotonic()
        killed, fell = crash(program, url, folder, calls, server)
        print(f"store {store}, {time.monotonic() - begin:.0f} s, killed {killed} workers, {fell} servers")
        sys.stdout.flush()
        return subprocess.run([program, "check", url, folder], cwd=folder).returncode
    finally:
        if server is not None:
            server.kill()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
