"""Stands between a server and an application of ASGI 3, and checks both.

https://asgi.readthedocs.io/en/latest/specs/main.html, www.html, lifespan.html
"""
import re
from urllib.parse import unquote_to_bytes

TOKEN = re.compile(rb"[a-z0-9!#$%&'*+.^_`|~-]+")
VALUE = re.compile(rb"[^\0\r\n]*")
DIGITS = re.compile(rb"[0-9]+")
HTTP_VERSIONS = ("2.0", "2.1", "2.2", "2.3", "2.4", "2.5")
LIFESPAN_VERSIONS = ("1.0", "2.0")


class Fault(AssertionError):
    """What the specification does not allow."""


def is_bytes(value):
    return type(value) is bytes


def is_text(value):
    return type(value) is str


def is_bool(value):
    return type(value) is bool


def is_map(value):
    return type(value) is dict and all(type(key) is str for key in value)


def is_number(value):
    return type(value) is int


def are_fields(value):
    try:
        pairs = [tuple(pair) for pair in value]
    except TypeError:
        return False
    return all(len(pair) == 2 and is_bytes(pair[0]) and is_bytes(pair[1]) and TOKEN.fullmatch(pair[0]) and VALUE.fullmatch(pair[1]) for pair in pairs)


def is_address(may_lack_port):
    def check(value):
        if value is None:
            return True
        host, port = value
        return is_text(host) and host != "" and (is_number(port) and 0 <= port < 65536 or may_lack_port and port is None)
    return check


def versions(known):
    return lambda value: is_map(value) and value.get("version") == "3.0" and value.get("spec_version", known[0]) in known


# Key: (whether it must be there, what its value must be).
SCOPES = {
    "http": {
        "type": (True, is_text),
        "asgi": (True, versions(HTTP_VERSIONS)),
        "http_version": (True, lambda value: value in ("1.0", "1.1", "2")),
        "method": (True, lambda value: is_text(value) and value != "" and value == value.upper()),
        "scheme": (False, lambda value: value in ("http", "https")),
        "path": (True, lambda value: is_text(value) and (value.startswith("/") or value == "*")),
        "raw_path": (False, lambda value: value is None or is_bytes(value) and value.isascii() and b"?" not in value),
        "query_string": (True, lambda value: is_bytes(value) and value.isascii() and b"#" not in value),
        "root_path": (False, lambda value: is_text(value) and not value.endswith("/")),
        "headers": (True, are_fields),
        "client": (False, is_address(False)),
        "server": (False, is_address(True)),
        "state": (False, is_map),
        "extensions": (False, lambda value: is_map(value) and all(map(is_map, value.values()))),
    },
    "lifespan": {
        "type": (True, is_text),
        "asgi": (True, versions(LIFESPAN_VERSIONS)),
        "state": (False, is_map),
    },
}
MESSAGES = {
    "http.request": {"body": (False, is_bytes), "more_body": (False, is_bool)},
    "http.disconnect": {},
    "http.response.start": {"status": (True, lambda value: is_number(value) and 200 <= value <= 599), "headers": (False, are_fields), "trailers": (False, is_bool)},
    "http.response.body": {"body": (False, is_bytes), "more_body": (False, is_bool)},
    "lifespan.startup": {},
    "lifespan.shutdown": {},
    "lifespan.startup.complete": {},
    "lifespan.startup.failed": {"message": (False, is_text)},
    "lifespan.shutdown.complete": {},
    "lifespan.shutdown.failed": {"message": (False, is_text)},
}


class Validator:
    """An application that checks what its server tells another one, and what that answers. `faults` has what both have done wrong; it is raised, too."""

    def __init__(self, application, raises=True):
        self.faults = []
        self.state = None  # of the lifespan
        self._application, self._raises = application, raises

    async def __call__(self, scope, receive, send):
        self.expect(is_map(scope), "the scope is no dict")
        kind = scope.get("type")
        self.expect(kind in SCOPES, "a scope of the type %r" % (kind,))
        self.expect_map("the scope", scope, SCOPES[kind])
        talk = Exchange(self, scope) if kind == "http" else Lifespan(self, scope)

        async def checked_receive():
            message = await receive()
            self.expect_message(message)
            talk.received(message["type"], message)
            return message

        async def checked_send(message):
            self.expect_message(message)
            talk.sends(message["type"], message)
            try:
                await send(message)
            except OSError:
                talk.is_gone = True
                raise

        await self._application(scope, checked_receive, checked_send)
        talk.returned()

    def expect(self, holds, text):
        if not holds:
            self.faults.append(text)
            if self._raises:
                raise Fault(text)

    def expect_map(self, what, value, table):
        for key in value:
            self.expect(key in table, "%s has an unknown key %r" % (what, key))
        for key, (is_required, check) in table.items():
            self.expect(key in value or not is_required, "%s lacks %r" % (what, key))
            if key in value:
                self.expect(check(value[key]), "%s has a wrong %r: %r" % (what, key, value[key]))

    def expect_message(self, message):
        self.expect(is_map(message), "a message is no dict")
        kind = message.get("type")
        self.expect(kind in MESSAGES, "a message of the type %r" % (kind,))
        self.expect_map(kind, message, {"type": (True, is_text), **MESSAGES[kind]})


class Exchange:
    """A request and its response."""

    def __init__(self, validator, scope):
        self.is_gone = False  # the client
        self._expect, self._scope = validator.expect, scope
        self._has_request = self._has_start = self._has_response = False  # to its end
        self._read = self._written = 0
        self._length = self._announced = None
        self._check_path()
        self._check_fields()
        self._check_state(validator)

    def _check_path(self):
        scope, expect = self._scope, self._expect
        root, raw = scope.get("root_path", ""), scope.get("raw_path")
        expect(scope["path"].startswith(root), "path %r does not begin with root_path %r" % (scope["path"], root))
        if raw is not None:
            decoded = unquote_to_bytes(raw).decode("utf-8", "replace")
            # raw_path is what was received; a server may have resolved "//" and dots in the path.
            is_normal = "//" not in decoded and "/." not in decoded
            expect(decoded == scope["path"] or not is_normal, "path %r is not the decoded raw_path %r" % (scope["path"], raw))

    def _check_fields(self):
        names = [name for name, _ in self._scope["headers"]]
        for name in (b"host", b"content-length", b"content-type"):
            self._expect(names.count(name) <= 1, "the request has several %r" % name)
        # RFC 9112, 6.3: one of both says where the content ends.
        self._expect(not (b"content-length" in names and b"transfer-encoding" in names), "the request has a Content-Length and a Transfer-Encoding")
        if b"content-length" in names:
            value = dict(self._scope["headers"])[b"content-length"]
            self._expect(DIGITS.fullmatch(value), "the Content-Length of the request is %r" % value)
            self._length = int(value)
        elif b"transfer-encoding" not in names:
            self._length = 0

    def _check_state(self, validator):
        mine, all_have = self._scope.get("state"), validator.state
        if all_have is not None:
            self._expect(mine is not None, "the scope lacks the state of the lifespan")
            self._expect(mine is not all_have, "the state is the lifespan's itself, not a copy")
            self._expect(mine.keys() == all_have.keys() and all(mine[key] is all_have[key] for key in mine), "the state is not that of the lifespan")

    def received(self, kind, message):
        self._expect(kind in ("http.request", "http.disconnect"), "the server sent %s to a request" % kind)
        if kind == "http.disconnect":
            self.is_gone = True
            return
        self._expect(not self.is_gone, "http.request after http.disconnect")
        self._expect(not self._has_request, "http.request after the request has ended")
        self._read += len(message.get("body", b""))
        self._has_request = not message.get("more_body", False)
        if self._length is not None:
            self._expect(self._read == self._length if self._has_request else self._read <= self._length,
                         "the request has %d bytes of content, not %d" % (self._read, self._length))

    def sends(self, kind, message):
        self._expect(kind in ("http.response.start", "http.response.body"), "the application sent %s to a request" % kind)
        self._expect(not self._has_response, "%s after the response has ended" % kind)
        if kind == "http.response.start":
            self._expect(not self._has_start, "a second http.response.start")
            self._has_start = True
            self._start(message)
        else:
            self._expect(self._has_start, "http.response.body before http.response.start")
            self._has_response = not message.get("more_body", False)
            self._written += len(message.get("body", b""))
            self._check_length()

    def _start(self, message):
        self._expect("trailers" not in message or "http.response.trailers" in self._scope.get("extensions", {}), "trailers that the server does not know")
        lengths = [value for name, value in message.get("headers", ()) if name == b"content-length"]
        self._expect(len(lengths) <= 1, "the response has several Content-Lengths")
        if lengths:
            self._expect(DIGITS.fullmatch(lengths[0]), "the Content-Length of the response is %r" % lengths[0])
            # RFC 9110, 8.6: there it says how long another response would be.
            if self._scope["method"] != "HEAD" and message["status"] != 304:
                self._announced = int(lengths[0])

    def _check_length(self):
        if self._announced is not None:
            self._expect(self._written == self._announced if self._has_response else self._written <= self._announced,
                         "the response has %d bytes of content, not %d" % (self._written, self._announced))

    def returned(self):
        self._expect(self._has_response or self.is_gone, "the application returned before its response had ended")


class Lifespan:
    """Start and end of an application."""

    ORDER = ("lifespan.startup", "lifespan.shutdown")

    def __init__(self, validator, scope):
        self.is_gone = False
        self._validator, self._expect, self._scope = validator, validator.expect, scope
        self._received, self._answered = [], []

    def received(self, kind, message):
        self._received.append(kind)
        self._expect(tuple(self._received) == self.ORDER[:len(self._received)], "the server sent %s" % " then ".join(self._received))
        self._expect(len(self._answered) == len(self._received) - 1, "%s before an answer to lifespan.startup" % kind)

    def sends(self, kind, message):
        asked = kind.rpartition(".")[0]
        self._expect(asked in self._received, "%s without %s" % (kind, asked))
        self._expect(asked not in self._answered, "%s after an answer to %s" % (kind, asked))
        self._answered.append(asked)
        if kind == "lifespan.startup.complete":
            self._validator.state = self._scope.get("state")

    def returned(self):
        pass
