"""A server on this machine that nobody should reach."""

from __future__ import annotations

import socket
import threading


class Listener:
    """Counts connections to a port of 127.0.0.1 while it is open."""

    def __enter__(self) -> Listener:
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(0.2)
        self._open = True
        self._thread = threading.Thread(target=self._count, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._open = False
        self._thread.join()
        self._socket.close()

    @property
    def port(self) -> int:
        return self._socket.getsockname()[1]

    def _count(self) -> None:
        while self._open:
            try:
                connection, _ = self._socket.accept()
            except TimeoutError:
                continue
            self.connections += 1
            connection.close()
