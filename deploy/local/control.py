"""Asks the supervisor of a data directory."""

import json
import os
import socket


class NotRunning(Exception):
    """No supervisor answers for this data directory."""


def ask(data, verb, timeout=120, **arguments):
    path = os.path.join(data, "control.sock")
    # A unix address holds 107 bytes; through the directory's descriptor any path fits.
    try:
        directory = os.open(data, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise NotRunning(f"no cluster in {data}") from error
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout)
            try:
                connection.connect(path if len(path) < 100 else f"/proc/self/fd/{directory}/control.sock")
            except OSError as error:
                raise NotRunning(f"no cluster is running in {data}") from error
            connection.sendall((json.dumps({"verb": verb, **arguments}) + "\n").encode())
            reply = b""
            while not reply.endswith(b"\n"):
                part = connection.recv(65536)
                if not part:
                    break
                reply += part
        return json.loads(reply) if reply else {}
    finally:
        os.close(directory)
