"""A LiveKit server of one's own on loopback, for measuring and for the tests that need one."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from livekit import api

KEY, SECRET = "devkey", "secret-of-a-server-on-loopback-only"


@dataclass
class Server:
    """A server that runs, or the one that ``LIVEKIT_URL`` names."""

    url: str
    key: str = KEY
    secret: str = SECRET

    def token(self, room: str, identity: str) -> str:
        """To join a room with."""
        grants = api.VideoGrants(room_join=True, room=room, can_update_own_metadata=True)
        return api.AccessToken(self.key, self.secret).with_identity(identity).with_grants(grants).to_jwt()


class LocalServer(Server):
    """A ``livekit-server`` process. Its ports stay the same when it is started again."""

    def __init__(self, binary: str) -> None:
        self._binary = binary
        self._port, self._tcp, self._udp = (
            _free(socket.SOCK_STREAM),
            _free(socket.SOCK_STREAM),
            _free(socket.SOCK_DGRAM),
        )
        super().__init__(f"ws://127.0.0.1:{self._port}")
        self._process: subprocess.Popen[bytes] | None = None
        self._log = Path(tempfile.mkdtemp(prefix="livekit-server-")) / "log"

    def start(self) -> None:
        """Returns when it listens."""
        config = (
            f"port: {self._port}\nbind_addresses: ['127.0.0.1']\nkeys:\n  {KEY}: {SECRET}\nlogging:\n  level: warn\n"
            f"rtc:\n  udp_port: {self._udp}\n  tcp_port: {self._tcp}\n  node_ip: 127.0.0.1\n  use_external_ip: false\n"
        )
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([self._binary, "--config-body", config], stdout=log, stderr=log)
        until = time.monotonic() + 15
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), timeout=1):
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        raise RuntimeError(f"{self._binary} does not listen: {self._log.read_text()[-2000:]}")

    def kill(self) -> None:
        """Without a word to anybody."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def cpu_seconds(self) -> float:
        """What it has used."""
        if self._process is None:
            return 0.0
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def binary() -> str | None:
    """Where the server is, if it is there."""
    return shutil.which("livekit-server")


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """The server of ``LIVEKIT_URL``, ``LIVEKIT_API_KEY`` and ``LIVEKIT_API_SECRET``, or one of our own.

    Raises:
        FileNotFoundError: there is neither.
    """
    url = os.environ.get("LIVEKIT_URL")
    if url:
        yield Server(url, os.environ.get("LIVEKIT_API_KEY", KEY), os.environ.get("LIVEKIT_API_SECRET", SECRET))
        return
    found = binary()
    if found is None:
        raise FileNotFoundError("no livekit-server in PATH, and LIVEKIT_URL is not set")
    server = LocalServer(found)
    for attempts_left in (2, 1, 0):
        try:
            server.start()
            break
        except RuntimeError:  # somebody took one of its ports meanwhile
            if not attempts_left:
                raise
            server = LocalServer(found)
    try:
        yield server
    finally:
        server.kill()


def _free(kind: int) -> int:
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
