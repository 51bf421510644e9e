"""HTTP/1 on a socket, as bytes: what the client and the origin of the tests are made of.

Strict on purpose: what gw sends to either side must be exactly right, and `Malformed` says what is not.
"""
import re
import socket

BLOCK = 256 * 1024

REQUEST_LINE = re.compile(rb"([!-~]+) ([!-~]+) (HTTP/1\.[01])")
STATUS_LINE = re.compile(rb"(HTTP/1\.[01]) ([1-5][0-9][0-9]) ([ -~]*)")
FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([\t -~\x80-\xff]*)")


class Malformed(Exception):
    """The peer sent what HTTP/1 does not allow."""


class Cut(Exception):
    """The connection ended inside a message."""


class Fields(list):
    """Header fields in the order of the wire: pairs of name and value."""

    def all(self, name):
        return [value for key, value in self if key.lower() == name.lower()]

    def get(self, name):
        """The only value of a field, or None; two of them are a mistake."""
        values = self.all(name)
        if len(values) > 1:
            raise Malformed("two fields %s: %r" % (name, values))
        return values[0] if values else None


class Reader:
    """Reads a socket by lines, counts and pieces."""

    def __init__(self, connection):
        self.connection = connection
        self.buffer = b""

    def fill(self):
        """Reads more; False at the end of the stream."""
        more = self.connection.recv(BLOCK)
        self.buffer += more
        return bool(more)

    def until(self, end, limit=1 << 20):
        """The bytes up to `end`, which is dropped. None if the stream ends before the first byte."""
        while end not in self.buffer:
            if len(self.buffer) > limit:
                raise Malformed("no %r in %d bytes" % (end, limit))
            if not self.fill():
                if self.buffer:
                    raise Cut("the connection ended inside %r" % self.buffer[:200])
                return None
        found, self.buffer = self.buffer.split(end, 1)
        return found

    def some(self, limit):
        """At least one byte and at most `limit`; empty at the end of the stream."""
        if not self.buffer:
            return self.connection.recv(min(limit, BLOCK))
        found, self.buffer = self.buffer[:limit], self.buffer[limit:]
        return found

    def exactly(self, count):
        """Pieces of the next `count` bytes."""
        while count:
            piece = self.some(count)
            if not piece:
                raise Cut("%d bytes are missing" % count)
            count -= len(piece)
            yield piece

    def chunked(self, trailers):
        """The pieces of a chunked body; its trailer fields are appended to `trailers`."""
        while True:
            size_line = self.until(b"\r\n")
            if size_line is None:
                raise Cut("no last chunk")
            if not re.fullmatch(rb"[0-9A-Fa-f]+", size_line):
                raise Malformed("chunk size %r" % size_line)
            size = int(size_line, 16)
            if size == 0:
                break
            yield from self.exactly(size)
            if b"".join(self.exactly(2)) != b"\r\n":
                raise Malformed("a chunk is longer than it says")
        while True:
            line = self.until(b"\r\n")
            if line is None:
                raise Cut("no end of the trailers")
            if not line:
                return
            trailers.append(read_field(line))

    def to_end(self):
        while True:
            piece = self.some(BLOCK)
            if not piece:
                return
            yield piece


def read_field(line):
    match = FIELD.fullmatch(line)
    if not match:
        raise Malformed("field %r" % line)
    return match[1].decode("latin-1"), match[2].decode("latin-1")


def read_head(reader, form):
    """The parts of the first line and the fields; None if the stream ends before a message."""
    head = reader.until(b"\r\n\r\n")
    if head is None:
        return None
    first, *lines = head.split(b"\r\n")
    match = form.fullmatch(first)
    if not match:
        raise Malformed("first line %r" % first)
    return [part.decode("latin-1") for part in match.groups()], Fields(read_field(line) for line in lines)


def framing_of(fields):
    """"chunked", a length, or None; anything ambiguous is a mistake."""
    length, coding = fields.get("content-length"), fields.get("transfer-encoding")
    if length is not None and coding is not None:
        raise Malformed("both Content-Length and Transfer-Encoding")
    if coding is not None:
        if coding != "chunked":
            raise Malformed("Transfer-Encoding: " + coding)
        return "chunked"
    if length is not None and not re.fullmatch("[0-9]+", length):
        raise Malformed("Content-Length: " + length)
    return None if length is None else int(length)


def chunk(content):
    return b"%x\r\n%s\r\n" % (len(content), content)


class Response:
    """A response that a client has read; `interim` are the 1xx that came before it."""

    def __init__(self, version, status, reason, fields, interim):
        self.version, self.status, self.reason, self.fields, self.interim = version, int(status), reason, fields, interim
        self.body, self.trailers = b"", Fields()

    def get(self, name):
        return self.fields.get(name)


class Asked:
    """A request that a client has sent, or begun to send. Its `status` and `location` are those of its answer, once that was read."""

    def __init__(self, peer, method, target, version, fields):
        self.peer, self.method, self.target, self.version, self.fields = peer, method, target, version, fields
        self.is_chunked, self.is_whole, self.status, self.location = False, False, None, None

    def __repr__(self):
        return "%s %s %s %r -> %s" % (self.method, self.target, self.version, self.fields, self.status)


class Questions:
    """Finds the requests in what a client sends, up to the first bytes that are no HTTP. Content is only counted."""

    def __init__(self, found, peer="127.0.0.1"):
        self.found, self.peer, self.mine, self.answered = found, peer, [], 0  # `found` is of all clients
        self.take, self.line, self.lines, self.content = self.take_head, b"", [], 0
        self.has_begun = False

    def feed(self, data):
        view = memoryview(data)
        while view and self.take:
            if self.content:
                count = min(self.content, len(view))
                self.content -= count
                view = view[count:]
                if not self.content and self.take == self.take_head:
                    self.mine[-1].is_whole = True
                continue
            known = len(self.line)
            self.line += bytes(view[:65536])
            end = self.line.find(b"\r\n")
            if end < 0:
                view = view[65536:]
                continue
            line, self.line = self.line[:end], b""
            view = view[end + 2 - known:]
            try:
                self.take(line)
            except Malformed:
                self.take = None

    def take_head(self, line):
        # One empty line may come before a request (RFC 9112 2.2).
        if line or not self.has_begun:
            self.has_begun = True
            self.lines += [line] if line else []
            return
        (first, *lines), self.lines, self.has_begun = self.lines or [b""], [], False
        match = REQUEST_LINE.fullmatch(first)
        if not match:
            raise Malformed("first line %r" % first)
        asked = Asked(self.peer, *(part.decode("latin-1") for part in match.groups()), Fields(read_field(field) for field in lines))
        self.found.append(asked)
        self.mine.append(asked)
        framing = framing_of(Fields((name, value.lower()) for name, value in asked.fields))
        asked.is_chunked = framing == "chunked"
        if asked.is_chunked:
            self.take = self.take_size
        else:
            self.content = framing or 0
            asked.is_whole = not framing

    def take_size(self, line):
        match = re.fullmatch(rb"([0-9A-Fa-f]+)(?:;.*)?", line)
        if not match:
            raise Malformed("chunk size %r" % line)
        # What follows the last chunk are trailers, else content and the end of its line.
        size = int(match[1], 16)
        if size:
            self.content = size + 2
        else:
            self.take = self.take_trailer

    def take_trailer(self, line):
        if not line:
            self.mine[-1].is_whole = True
            self.take = self.take_head

    def answer(self, response):
        """Takes the next answer; one more than there are requests answers bytes that are no HTTP."""
        if self.answered < len(self.mine):
            asked = self.mine[self.answered]
            asked.status, asked.location = response.status, ", ".join(response.fields.all("location"))
        self.answered += 1


# What is asked at these ports is recorded in the lists here.
observed = {}


def note(port, data):
    """Notes what a client that is none of this module's has sent, of which no answer is known."""
    Questions(observed.get(port, [])).feed(data)


class Client:
    """A client connection on which a test writes bytes and reads responses."""

    def __init__(self, port, timeout=10, receive_buffer=None, source=None):
        self.socket = socket.socket()
        if source:
            self.socket.bind((source, 0))
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = Reader(self.socket)
        self.questions = Questions(observed.get(port, []), self.socket.getsockname()[0])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        data = data if isinstance(data, (bytes, memoryview)) else data.encode("latin-1")
        self.questions.feed(data)
        self.socket.sendall(data)

    def ask(self, method="GET", target="/", fields=(), body=None, version="HTTP/1.1"):
        """Sends a request; a body gets a Content-Length."""
        lines = ["%s %s %s" % (method, target, version), "Host: test.example"]
        lines += ["%s: %s" % field for field in fields]
        if body is not None:
            lines.append("Content-Length: %d" % len(body))
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b""))

    def head(self):
        """Reads the head of a response, past interim ones."""
        interim = []
        while True:
            read = read_head(self.reader, STATUS_LINE)
            if read is None:
                raise Cut("no response")
            (version, status, reason), fields = read
            response = Response(version, status, reason, fields, interim)
            if response.status >= 200 or response.status == 101:
                self.questions.answer(response)
                return response
            interim.append(response)

    def pieces(self, response, method="GET"):
        """The pieces of a response's body."""
        framing = framing_of(response.fields)
        if method == "HEAD" or response.status in (204, 304) or response.status < 200:
            return iter(())
        if framing == "chunked":
            return self.reader.chunked(response.trailers)
        return self.reader.to_end() if framing is None else self.reader.exactly(framing)

    def read(self, method="GET"):
        """Reads a whole response."""
        response = self.head()
        response.body = b"".join(self.pieces(response, method))
        return response

    def request(self, method="GET", target="/", fields=(), body=None, version="HTTP/1.1"):
        """Sends a request and reads its response."""
        self.ask(method, target, fields, body, version)
        return self.read(method)

    def is_closed(self):
        """Waits for the end of the stream; False if bytes come instead."""
        try:
            return not self.reader.buffer and not self.reader.fill()
        except ConnectionResetError:
            return True
