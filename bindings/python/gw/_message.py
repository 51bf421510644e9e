"""Requests and responses as handlers see them."""
from __future__ import annotations

import json
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any, Optional, Union
from urllib.parse import parse_qs

from . import _gw
from ._errors import Error
from ._streams import Reader

if TYPE_CHECKING:
    from ._crossing import Crossing

Pairs = list[tuple[str, str]]
Content = Union[str, bytes, bytearray, memoryview, dict[str, Any], Iterable[Union[str, bytes]], AsyncIterable[Union[str, bytes]]]


class Headers(MutableMapping[str, str]):
    """Fields in their order. Names are compared without case; `[]` and `get` give the first of a name, setting it replaces all of them."""

    __slots__ = ("_pairs", "_is_changed")

    def __init__(self, pairs: Union[Pairs, None] = None) -> None:
        self._pairs = pairs if pairs is not None else []
        self._is_changed = False

    def __getitem__(self, name: str) -> str:
        wanted = name.lower()
        for known, value in self._pairs:
            if known.lower() == wanted:
                return value
        raise KeyError(name)

    def __setitem__(self, name: str, value: str) -> None:
        wanted = name.lower()
        places = [i for i, (known, _) in enumerate(self._pairs) if known.lower() == wanted]
        if not places:
            return self.add(name, value)
        self._pairs[places[0]] = (self._pairs[places[0]][0], value)
        for i in reversed(places[1:]):
            del self._pairs[i]
        self._is_changed = True

    def __delitem__(self, name: str) -> None:
        wanted = name.lower()
        left = [(known, value) for known, value in self._pairs if known.lower() != wanted]
        if len(left) == len(self._pairs):
            raise KeyError(name)
        self._pairs[:] = left
        self._is_changed = True

    def add(self, name: str, value: str) -> None:
        """Adds a field, beside others of the name."""
        self._pairs.append((name, value))
        self._is_changed = True

    def get_all(self, name: str) -> list[str]:
        wanted = name.lower()
        return [value for known, value in self._pairs if known.lower() == wanted]

    def pairs(self) -> Pairs:
        """All fields, also several of a name."""
        return list(self._pairs)

    def edits(self) -> Optional[Pairs]:
        """All fields if they were changed."""
        return self._pairs if self._is_changed else None

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name.lower() for name, _ in self._pairs))

    def __len__(self) -> int:
        return len({name.lower() for name, _ in self._pairs})

    def __repr__(self) -> str:
        return "Headers(%r)" % self._pairs


class Request:
    """A request of a client. Usable until the request is over; then everything raises `gw.Error`."""

    __slots__ = ("_call", "_reader", "_headers", "_content")

    def __init__(self, call: _gw.Call, reader: Optional[Reader]) -> None:
        self._call, self._reader = call, reader
        self._headers: Optional[Headers] = None
        self._content: Optional[bytes] = None

    @property
    def method(self) -> str:
        return self._call.method

    @property
    def target(self) -> str:
        """Path and query as received."""
        return self._call.target

    @property
    def path(self) -> str:
        """The path that was matched: normalised, still percent-encoded."""
        return self._call.path

    @property
    def query(self) -> str:
        """What follows the "?"."""
        return self._call.query

    @property
    def args(self) -> dict[str, list[str]]:
        """The query as parameters, decoded; names may come several times."""
        return parse_qs(self._call.query, keep_blank_values=True)

    @property
    def authority(self) -> str:
        """Host and port that the request is for."""
        return self._call.authority

    @property
    def headers(self) -> Headers:
        """The fields. What a middleware changes before `next()` is what those behind it see."""
        if self._headers is None or self._call.is_over:
            self._headers = Headers(self._call.headers)
        return self._headers

    @property
    def body(self) -> bytes:
        """The content. In middleware, and in handlers of a route with `stream()`, coroutines have to `await c.req.read()` before."""
        if self._content is None or self._call.is_over:
            if self._call.has_content:
                self._content = self._call.content
            elif self._reader is None:
                self._content = self._call.content + self._call.read_now(True)
            else:
                raise Error("the content has not been read: await c.req.read() first")
        return self._content

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return json.loads(self.body)

    async def read(self) -> bytes:
        """Reads the content, or what is left of it, 64 MiB at most, for coroutines. Those behind a middleware get it, too."""
        if self._reader is None:
            raise Error("a plain function has c.req.body")
        if self._content is None and not self._call.has_content:
            rest = await self._reader.piece(whole=True)
            if self._content is None:  # or another task has read it
                self._content = self._call.content + rest
        return self.body

    def __iter__(self) -> Iterator[bytes]:
        """The content piece by piece, for plain handlers."""
        if self._reader is not None:
            raise Error("a coroutine says `async for`")
        if first := self._call.content:
            yield first
        if self._call.has_content:
            return
        while piece := self._call.read_now(False):
            yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The same for coroutines."""
        if self._reader is None:
            raise Error("a plain function says `for`")
        if first := self._call.content:
            yield first
        while not self._call.has_content and (piece := await self._reader.piece()):
            yield piece


class Context:
    """One request and what is known about it. Usable until the request is over; then everything raises `gw.Error`."""

    __slots__ = ("_call", "_crossing", "_is_waiting", "_req")

    def __init__(self, call: _gw.Call, crossing: Crossing, is_waiting: bool = False) -> None:
        self._call, self._crossing, self._is_waiting = call, crossing, is_waiting
        self._req: Optional[Request] = None

    @property
    def req(self) -> Request:
        if self._req is None:
            self._req = Request(self._call, Reader(self._call, self._crossing) if self._is_waiting else None)
        return self._req

    @property
    def params(self) -> dict[str, str]:
        """The path parameters of the route, decoded."""
        return self._call.params

    @property
    def route(self) -> str:
        """The name of the route that was taken."""
        return self._call.route

    @property
    def id(self) -> str:
        """The id of the request."""
        return self._call.id

    @property
    def client_address(self) -> str:
        """Who the client is, for every decision; empty for `dispatch`."""
        return self._call.client_address

    @property
    def peer_address(self) -> str:
        """The other end of the connection; empty for `dispatch`."""
        return self._call.peer_address

    @property
    def client_scheme(self) -> str:
        return self._call.client_scheme

    @property
    def is_peer_trusted(self) -> bool:
        """Whether the listener trusts the peer: then it may say who the client is."""
        return self._call.is_peer_trusted

    @property
    def consumer(self) -> str:
        """Who authenticated; empty if nobody did."""
        return self._call.consumer

    @property
    def elapsed(self) -> float:
        """Seconds since the request began, when it came here."""
        return self._call.elapsed

    @property
    def state(self) -> dict[str, Any]:
        """What middleware and handlers keep for this request, and tell each other."""
        return self._crossing.state(self._call)


class Response:
    """A response. `body` is a text, bytes, or gives pieces of them one after the other (also asynchronously)."""

    __slots__ = ("status", "headers", "body")

    def __init__(self, body: Content = b"", status: int = 200, headers: Union[Mapping[str, str], Pairs, None] = None) -> None:
        self.status = status
        self.headers: Pairs = list(headers.items()) if isinstance(headers, Mapping) else list(headers or [])
        self.body = body

    @property
    def text(self) -> str:
        if not isinstance(self.body, (str, bytes)):
            raise TypeError("the content is a stream")
        return self.body if isinstance(self.body, str) else self.body.decode()

    def json(self) -> Any:
        return json.loads(self.text)

    def header(self, name: str) -> Optional[str]:
        """The first field of that name."""
        return Headers(self.headers).get(name)

    def __repr__(self) -> str:
        return "Response(status=%d, headers=%r, body=%r)" % (self.status, self.headers, self.body)


#: The JSON text of a value. JSON knows no NaN.
encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def _has(pairs: Pairs, name: str) -> bool:
    return any(known.lower() == name for known, _ in pairs)


def response_of(value: object) -> Response:
    """The response that a handler's result stands for."""
    if isinstance(value, Response):
        if isinstance(value.body, dict) and not _has(value.headers, "content-type"):
            return Response(encode(value.body), value.status, [*value.headers, ("Content-Type", "application/json")])
        if isinstance(value.body, (bytearray, memoryview)):
            value = Response(bytes(value.body), value.status, value.headers)
        if not _has(value.headers, "content-type") and value.body != b"":
            kind = "text/plain; charset=utf-8" if isinstance(value.body, str) else "application/octet-stream"
            return Response(value.body, value.status, [*value.headers, ("Content-Type", kind)])
        return value
    if isinstance(value, str):
        return Response(value, headers=[("Content-Type", "text/plain; charset=utf-8")])
    if isinstance(value, (bytes, bytearray, memoryview)):
        return Response(bytes(value), headers=[("Content-Type", "application/octet-stream")])
    if isinstance(value, (dict, list)):
        return Response(encode(value), headers=[("Content-Type", "application/json")])
    if hasattr(value, "__aiter__") or hasattr(value, "__next__"):
        return Response(value, headers=[("Content-Type", "application/octet-stream")])  # type: ignore[arg-type]
    raise TypeError("a handler returns str, bytes, dict, list, a status, gw.Response or a generator, not %s" % type(value).__name__)
