"""Requests and responses as handlers see them."""
from __future__ import annotations

import json
from collections.abc import AsyncIterable, Iterable, Iterator, Mapping
from typing import Any, Optional, Union
from urllib.parse import parse_qs

from . import _gw

Pairs = list[tuple[str, str]]
Content = Union[str, bytes, Iterable[Union[str, bytes]], AsyncIterable[Union[str, bytes]]]


class Headers(Mapping[str, str]):
    """Fields in their order. Names are compared without case; `[]` and `get` give the first of a name."""

    __slots__ = ("_pairs",)

    def __init__(self, pairs: Pairs) -> None:
        self._pairs = pairs

    def __getitem__(self, name: str) -> str:
        wanted = name.lower()
        for known, value in self._pairs:
            if known.lower() == wanted:
                return value
        raise KeyError(name)

    def get_all(self, name: str) -> list[str]:
        wanted = name.lower()
        return [value for known, value in self._pairs if known.lower() == wanted]

    def pairs(self) -> Pairs:
        """All fields, also several of a name."""
        return list(self._pairs)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name.lower() for name, _ in self._pairs))

    def __len__(self) -> int:
        return len({name.lower() for name, _ in self._pairs})

    def __repr__(self) -> str:
        return "Headers(%r)" % self._pairs


class Request:
    """A request of a client. Its content has been read whole, 64 MiB at most."""

    __slots__ = ("_call", "_headers")

    def __init__(self, call: _gw.Call) -> None:
        self._call = call
        self._headers: Optional[Headers] = None

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
        if self._headers is None:
            self._headers = Headers(self._call.headers)
        return self._headers

    @property
    def body(self) -> bytes:
        return self._call.body

    @property
    def text(self) -> str:
        return self._call.body.decode()

    def json(self) -> Any:
        return json.loads(self._call.body)


class Context:
    """One request and what is known about it."""

    __slots__ = ("_call", "req")

    def __init__(self, call: _gw.Call) -> None:
        self._call = call
        self.req = Request(call)

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
    def consumer(self) -> str:
        """Who authenticated; empty if nobody did."""
        return self._call.consumer


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


def _has(pairs: Pairs, name: str) -> bool:
    return any(known.lower() == name for known, _ in pairs)


def response_of(value: object) -> Response:
    """The response that a handler's result stands for."""
    if isinstance(value, Response):
        if not _has(value.headers, "content-type") and value.body != b"":
            kind = "text/plain; charset=utf-8" if isinstance(value.body, str) else "application/octet-stream"
            return Response(value.body, value.status, [*value.headers, ("Content-Type", kind)])
        return value
    if isinstance(value, str):
        return Response(value, headers=[("Content-Type", "text/plain; charset=utf-8")])
    if isinstance(value, (bytes, bytearray, memoryview)):
        return Response(bytes(value), headers=[("Content-Type", "application/octet-stream")])
    if isinstance(value, (dict, list)):
        return Response(json.dumps(value, ensure_ascii=False, separators=(",", ":")), headers=[("Content-Type", "application/json")])
    if hasattr(value, "__aiter__") or hasattr(value, "__next__"):
        return Response(value, headers=[("Content-Type", "application/octet-stream")])  # type: ignore[arg-type]
    raise TypeError("a handler returns str, bytes, dict, list, a status, gw.Response or a generator, not %s" % type(value).__name__)
