"""An origin that records what reaches it and does what a test tells it to."""
import socket
import struct
import threading

import wire


class Request:
    """A request as it arrived. With `Origin(streams=True)` the body is read by `pieces` alone."""

    def __init__(self, peer, method, target, version, fields):
        self.peer, self.method, self.target, self.version, self.fields = peer, method, target, version, fields
        self.body, self.trailers = b"", wire.Fields()

    def get(self, name):
        return self.fields.get(name)

    def pieces(self):
        """The pieces of the body."""
        framing = wire.framing_of(self.fields)
        if framing == "chunked":
            return self.peer.reader.chunked(self.trailers)
        return self.peer.reader.exactly(framing or 0)

    def read(self):
        self.body = b"".join(self.pieces())


class Peer:
    """A connection that gw made; the `number` counts from 1."""

    def __init__(self, origin, connection, number):
        self.origin, self.socket, self.number = origin, connection, number
        self.reader = wire.Reader(connection)

    def send(self, data):
        self.socket.sendall(data if isinstance(data, (bytes, memoryview)) else data.encode("latin-1"))

    def reply(self, body=b"ok", status="200 OK", fields=()):
        lines = ["HTTP/1.1 " + status, *("%s: %s" % field for field in fields), "Content-Length: %d" % len(body)]
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)

    def reset(self):
        """Ends the connection with a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def wait_gone(self):
        """Waits until gw closes the connection; False if it sends bytes instead."""
        try:
            return not self.reader.buffer and not self.reader.fill()
        except OSError:
            return True


def reply_ok(_request, peer):
    peer.reply()


class Origin:
    """Listens on 127.0.0.1, or on a Unix socket with this path. `answer(request, peer)` runs on a thread of its connection; it returns False to close it.

    `requests` are those whose body arrived whole (with `streams`: whose head did), `cut` counts those that did not, `faults` says
    what was not HTTP. `connections` counts all there were, `opened` those that are open.
    """

    def __init__(self, answer=reply_ok, streams=False, timeout=60, path=None):
        self.answer, self.streams, self.timeout = answer, streams, timeout
        self.requests, self.faults, self.cut, self.connections, self.opened = [], [], 0, 0, 0
        self.changed = threading.Condition()
        self.sockets = set()
        if path:
            self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.listener.bind(path)
            self.listener.listen(512)
            self.address = "unix:" + path
        else:
            self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
            self.port = self.listener.getsockname()[1]
            self.address = "127.0.0.1:%d" % self.port
            self.url = "http://" + self.address
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.settimeout(self.timeout)
            if connection.family != socket.AF_UNIX:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.changed:
                self.connections += 1
                self.opened += 1
                self.sockets.add(connection)
                peer = Peer(self, connection, self.connections)
                self.changed.notify_all()
            threading.Thread(target=self.serve, args=(peer,), daemon=True).start()

    def serve(self, peer):
        try:
            while self.serve_one(peer):
                pass
        except wire.Cut:
            with self.changed:
                self.cut += 1
        except wire.Malformed as e:
            self.faults.append(str(e))
        except OSError:
            pass
        finally:
            peer.socket.close()
            with self.changed:
                self.opened -= 1
                self.sockets.discard(peer.socket)
                self.changed.notify_all()

    def serve_one(self, peer):
        head = wire.read_head(peer.reader, wire.REQUEST_LINE)
        if head is None:
            return False
        request = Request(peer, *head[0], head[1])
        if not self.streams:
            request.read()
        with self.changed:
            self.requests.append(request)
            self.changed.notify_all()
        return self.answer(request, peer) is not False

    def wait(self, what, timeout=10):
        """Waits until `what()` holds; tells whether it does."""
        with self.changed:
            return self.changed.wait_for(what, timeout)

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        with self.changed:
            for connection in self.sockets:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
