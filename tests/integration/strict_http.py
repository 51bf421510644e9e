"""A strict reader of HTTP/1 requests, written from the RFCs and docs/http1.md and not from the code of gw: a second opinion.

It has no leniency that the table there does not name, so what it reads, every parser reads alike.
"""
import ipaddress
import re

METHODS = set("""GET HEAD POST PUT DELETE OPTIONS TRACE PATCH COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH UNLOCK BIND REBIND UNBIND
    ACL REPORT MKACTIVITY CHECKOUT MERGE MKCALENDAR LINK UNLINK PURGE NOTIFY SUBSCRIBE UNSUBSCRIBE""".encode().split())
NO_TRAILERS = set(b"""connection content-length host keep-alive proxy-connection te trailer transfer-encoding upgrade http2-settings proxy
    age authorization cache-control content-encoding content-range content-type cookie date expect expires forwarded if-match
    if-modified-since if-none-match if-range if-unmodified-since location max-forwards pragma proxy-authenticate proxy-authorization range retry-after
    set-cookie vary via warning www-authenticate x-forwarded-for x-forwarded-host x-forwarded-port x-forwarded-prefix
    x-forwarded-proto""".split())
LARGEST_BODY = 1 << 30
LARGEST_EXTENSION = 4096

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
REQUEST_LINE = re.compile(rb'(%s) ([!"$-~]+) (HTTP/1\.[01])' % TOKEN)
FIELD = re.compile(rb"(%s):([ \t]*)([!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?|)([ \t]*)" % TOKEN)
URL = re.compile(rb"(?i:https?)://([^/?]*)([^?]*)(\?.*)?")
HOST = re.compile(rb"(?:\[([0-9A-Fa-f:.]+)\]|(?:[!$&'()*+;=._~0-9A-Za-z-]|%[0-9A-Fa-f]{2})+)(?::([0-9]{0,5}))?")
PATH = re.compile(rb"/(?:[!$&-\[\]-~\"]|%(?!0|1|5[cC]|7[fF])[0-9A-Fa-f]{2})*")
LENGTH = re.compile(rb"0|[1-9][0-9]{0,18}")
QUOTED = rb'"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"'
CHUNK_HEAD = re.compile(rb"([0-9A-Fa-f]{1,16})((?:;%s(?:=(?:%s|%s))?)*)" % (TOKEN, TOKEN, QUOTED))


class Refused(Exception):
    """No request: a rule is broken."""


class Incomplete(Exception):
    """No request yet: bytes are missing."""


def need(holds, rule):
    if not holds:
        raise Refused(rule)


class Request:
    """A request at the front of `data[at:]`; `end` is where it ends."""

    def __init__(self, data, at=0):
        self.data, self.end = data, at
        if data.startswith(b"\r\n", at):
            self.end += 2
        start_line = self.line()
        self.fields = self.read_fields()
        match = REQUEST_LINE.fullmatch(start_line)
        need(match, "request line")
        self.method, target, version = match.groups()
        self.is_http10 = version == b"HTTP/1.0"
        need(self.method in METHODS, "method")
        self.check_fields()
        self.read_target(target)
        self.body, self.trailers = b"", []
        self.read_body()

    def line(self):
        end = self.data.find(b"\r\n", self.end)
        if end < 0:
            raise Incomplete
        found, self.end = self.data[self.end:end], end + 2
        return found

    def read_fields(self):
        fields = []
        while True:
            line = self.line()
            if not line:
                return fields
            match = FIELD.fullmatch(line)
            need(match, "field")
            fields.append(match.groups())

    def all(self, name):
        return [value for key, _, value, _ in self.fields if key.lower() == name]

    def check_fields(self):
        for name, before, value, behind in self.fields:
            hyphened = name.lower().replace(b"_", b"-")
            if hyphened in (b"content-length", b"transfer-encoding"):
                need(b"_" not in name and before in (b"", b" ") and not behind, "plain framing field")
        hosts, lengths, codings = self.all(b"host"), self.all(b"content-length"), self.all(b"transfer-encoding")
        need(len(hosts) == 1 or (self.is_http10 and not hosts), "one Host")
        need(all(map(is_host, hosts)), "Host")
        need(len(lengths) <= 1 and all(LENGTH.fullmatch(l) and int(l) < 1 << 63 for l in lengths), "Content-Length")
        need(not codings or [c.lower() for c in codings] == [b"chunked"], "Transfer-Encoding")
        need(not codings or not (lengths or self.is_http10), "Transfer-Encoding stands alone, in 1.1")
        self.length, self.is_chunked = int(lengths[0]) if lengths else 0, bool(codings)
        need(self.method not in (b"HEAD", b"TRACE") or not (self.length or self.is_chunked), "no content")
        need(self.is_http10 or all(e.lower() == b"100-continue" for e in self.all(b"expect")), "expectation")
        options = {o.strip(b" \t").lower() for c in self.all(b"connection") for o in c.split(b",")}
        self.is_last = b"close" in options or (self.is_http10 and b"keep-alive" not in options)

    def read_target(self, target):
        """`query` is what stands behind "?", or None; `has_path` tells whether a route may be found for it."""
        url = URL.fullmatch(target)
        if target == b"*":
            need(self.method == b"OPTIONS", "*")
        elif url:
            need(is_host(url[1]), "URL")
            target = (url[2] or (b"*" if self.method == b"OPTIONS" and url[3] is None else b"/")) + (url[3] or b"")
        else:
            need(target.startswith(b"/"), "target")
        path, mark, query = target.partition(b"?")
        self.query = query if mark else None
        self.has_path = bool(PATH.fullmatch(path))

    def read_body(self):
        need(self.length <= LARGEST_BODY, "size")
        while self.is_chunked:
            match = CHUNK_HEAD.fullmatch(self.line())
            need(match and len(match[2]) <= LARGEST_EXTENSION, "chunk head")
            size = int(match[1], 16)
            need(size + len(self.body) <= LARGEST_BODY, "size")
            if size == 0:
                self.trailers = self.read_fields()
                need(not any(name.lower().replace(b"_", b"-") in NO_TRAILERS for name, *_ in self.trailers), "trailer")
                return
            self.body += self.take(size)
            # Half of it may be there, and wrong.
            need(b"\r\n".startswith(self.data[self.end:self.end + 2]), "end of chunk")
            self.take(2)
        self.body = self.take(self.length)

    def take(self, size):
        if len(self.data) - self.end < size:
            raise Incomplete
        found, self.end = self.data[self.end:self.end + size], self.end + size
        return found

    def __repr__(self):
        return "%s ?%s, content %r, trailers %r" % (self.method, self.query, self.body, self.trailers)


def is_host(text):
    match = HOST.fullmatch(text)
    if not match or int(match[2] or 0) > 65535:
        return False
    try:
        return not match[1] or bool(ipaddress.IPv6Address(match[1].decode()))
    except ValueError:
        return False


def read_all(data):
    """The requests in a row that `data` begins with, and what comes behind them: None, Refused or Incomplete."""
    found, at = [], 0
    while at < len(data):
        try:
            found.append(Request(data, at))
        except (Refused, Incomplete) as e:
            return found, e
        at = found[-1].end
        if found[-1].is_last:
            break
    return found, None
