"""A socket that listens, for processes that share it. One process leaves that to the library."""

import errno
import os
import socket
import stat

# As the library has it; the kernel lowers it to its own limit.
BACKLOG = 4096


class Listener:
    """A listening socket. What it made of a path is removed by `close`, if it is still there."""

    def __init__(self, bind):
        self.made = None
        if bind.startswith("unix:"):
            self._listen_at_path(bind[len("unix:"):])
            return
        family, address = resolve(bind)
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        # A server that was just ended leaves connections in TIME_WAIT.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listen(bind, address)

    @property
    def address(self):
        return name(self.socket)

    def _listen(self, bind, address):
        try:
            self.socket.bind(address)
            self.socket.listen(BACKLOG)
        except OSError as error:
            self.socket.close()
            hint = ": another program listens there; choose another address, or end that program"
            raise OSError(
                error.errno,
                "listen at %s: %s%s" % (bind, error.strerror, hint if error.errno == errno.EADDRINUSE else ""),
            ) from None

    def _listen_at_path(self, path):
        if not path:
            raise ValueError("unix: has no path: write it as unix:/run/app.sock")
        make_way(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listen("unix:" + path, path)
        found = os.lstat(path)
        self.made = path, found.st_dev, found.st_ino

    def close(self):
        self.socket.close()
        if self.made is None:
            return
        path, device, inode = self.made
        try:
            found = os.lstat(path)
            # Another server may have replaced it in the meantime; that one is not ours to remove.
            if (found.st_dev, found.st_ino) == (device, inode):
                os.unlink(path)
        except OSError:
            pass


def name(listening):
    """Where a socket listens, as awsgi_server_address says it."""
    where = listening.getsockname()
    if listening.family == socket.AF_UNIX:
        return "unix:" + os.fsdecode(where)
    return "http://%s:%d" % ("[%s]" % where[0] if ":" in where[0] else where[0], where[1])


def resolve(bind):
    malformed = ValueError(
        "%r is no address: write ADDRESS:PORT as 127.0.0.1:8080, [::1]:8080 for IPv6, or unix:PATH" % bind
    )
    host, _, port = bind.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise malformed
    if not host or not port.isdigit() or int(port) > 65535:
        raise malformed
    try:
        found = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
    except OSError:
        raise ValueError("the name %r has no address: check it, or write an IP address" % host) from None
    return found[0][0], found[0][4]


def make_way(path):
    """Removes the socket of a server that is no more. What is in use, or no socket, stays."""
    try:
        found = os.lstat(path)
    except OSError:
        return
    refusal = "listen at unix:%s: " % path
    if not stat.S_ISSOCK(found.st_mode):
        raise ValueError(refusal + "a file that is no socket is there: choose another path, or remove it")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        # A full backlog would keep a blocking connect waiting.
        probe.setblocking(False)
        if probe.connect_ex(path) != errno.ECONNREFUSED:
            raise ValueError(refusal + "a server listens there: choose another path, or end that server")
    os.unlink(path)
