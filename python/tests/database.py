"""A server that speaks as much of PostgreSQL's protocol (version 3) as the client in the examples needs."""

import socket
import socketserver
import struct
import threading

from support import PATIENCE


class Server(socketserver.ThreadingTCPServer):
    """It knows one table and two statements. `gate` holds back answers while it is not set; `asked` counts queries."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, password=None):
        super().__init__(("127.0.0.1", 0), Session)
        self.password = password
        self.lock = threading.Lock()
        self.rows = []
        self.connections = set()
        self.sessions = 0
        self.gate = threading.Event()
        self.gate.set()
        self.asked = threading.Semaphore(0)
        self.thread = threading.Thread(target=self.serve_forever)
        self.thread.start()

    def end_sessions(self):
        """Ends them as a server does that is restarted; they have ended when this returns."""
        with self.lock:
            for connection in self.connections:
                connection.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.gate.set()
        self.shutdown()
        self.end_sessions()
        self.thread.join(PATIENCE)
        self.server_close()

    def handle_error(self, request, client_address):
        pass                    # a client that goes away in the middle


class Session(socketserver.StreamRequestHandler):
    def handle(self):
        with self.server.lock:
            self.server.sessions += 1
            self.server.connections.add(self.connection)
        try:
            self.serve()
        finally:
            with self.server.lock:
                self.server.connections.discard(self.connection)

    def serve(self):
        if not self.begin():
            return
        statement, values, failed = "", [], False
        while True:
            kind, body = self.message()
            if kind == b"P":
                statement = body.split(b"\0")[1].decode()
                self.write(b"1")
            elif kind == b"B":
                values = values_of(body)
                self.write(b"2")
            elif kind == b"E":
                failed = not self.execute(statement, values)
            elif kind == b"S":
                self.write(b"Z", b"E" if failed else b"I")
            else:
                return

    def begin(self):
        length = struct.unpack("!i", self.read(4))[0]
        if struct.unpack_from("!i", self.read(length - 4))[0] != 196608:
            return False
        if self.server.password is not None:
            self.write(b"R", struct.pack("!i", 3))
            if self.message() != (b"p", self.server.password.encode() + b"\0"):
                self.error("28P01", "password authentication failed")
                return False
        self.write(b"R", struct.pack("!i", 0))
        self.write(b"S", b"server_version\0tests\0")
        self.write(b"K", struct.pack("!ii", 1, 2))
        self.write(b"Z", b"I")
        return True

    def execute(self, statement, values):
        self.server.asked.release()
        self.server.gate.wait(PATIENCE)
        if statement.startswith("INSERT INTO notes"):
            with self.server.lock:
                row = (len(self.server.rows) + 1, values[0])
                self.server.rows.append(row)
            self.row(row)
            self.write(b"C", b"INSERT 0 1\0")
        elif statement.startswith("SELECT id, body FROM notes WHERE id > $1"):
            if not values[0].isdigit():
                self.error("22P02", 'invalid input syntax for type integer: "%s"' % values[0])
                return False
            with self.server.lock:
                rows = [row for row in self.server.rows if row[0] > int(values[0])]
            for row in rows:
                self.row(row)
            self.write(b"C", b"SELECT %d\0" % len(rows))
        else:
            self.error("42601", "syntax error")
            return False
        return True

    def row(self, values):
        fields = [str(value).encode() for value in values]
        self.write(b"D", struct.pack("!h", len(fields)) + b"".join(struct.pack("!i", len(f)) + f for f in fields))

    def error(self, code, message):
        self.write(b"E", b"SERROR\0C%s\0M%s\0\0" % (code.encode(), message.encode()))

    def message(self):
        kind, length = struct.unpack("!ci", self.read(5))
        return kind, self.read(length - 4)

    def read(self, count):
        data = self.rfile.read(count)
        if len(data) < count:
            raise ConnectionError("the client has left")
        return data

    def write(self, kind, body=b""):
        self.wfile.write(kind + struct.pack("!i", 4 + len(body)) + body)


def values_of(body):
    """The parameters of a Bind."""
    at = body.index(b"\0", body.index(b"\0") + 1) + 1       # after the portal and the statement
    formats = struct.unpack_from("!h", body, at)[0]
    at += 2 + 2 * formats
    count = struct.unpack_from("!h", body, at)[0]
    at += 2
    values = []
    for _ in range(count):
        length = struct.unpack_from("!i", body, at)[0]
        at += 4
        values.append(None if length < 0 else body[at : at + length].decode())
        at += max(length, 0)
    return values
