"""Applications of WSGI behind a route (PEP 3333)."""
from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, Optional
from urllib.parse import unquote_to_bytes

from . import _gw
from ._crossing import Crossing
from ._streams import END, PlainStream

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Wsgi:
    """Answers calls by an application. `depth`: how many segments of the path lead to it, and are its SCRIPT_NAME."""

    def __init__(self, application: Application, crossing: Crossing) -> None:
        self.depth = 0
        self._application, self._crossing = application, crossing

    def __call__(self, call: _gw.Call) -> None:
        answer = Answer()
        result = self._application(environ_of(call, self.depth), answer.start)
        try:
            if isinstance(result, (list, tuple)):
                return self._reply(call, answer, b"".join(result))
            pieces = iter(result)
            # The head waits for the first piece: until then the application may think better of it.
            first = next((piece for piece in pieces if piece), None)
            if first is None or (isinstance(first, bytes) and answer.length == len(first)):
                return self._reply(call, answer, first or b"")
            status, headers = answer.head()
            self._crossing.reply_stream(call, status, headers, PlainStream(Pieces(answer.written, chain([first], pieces), result)))
            result = []  # closed with the stream
        finally:
            if hasattr(result, "close"):
                result.close()

    @staticmethod
    def _reply(call: _gw.Call, answer: Answer, content: bytes) -> None:
        status, headers = answer.head()
        call.reply(status, headers, b"".join(answer.written) + content)


class Answer:
    """What an application says of its response: start_response."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self._head: Optional[tuple[int, list[tuple[str, str]]]] = None

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
        if self._head is not None and exc_info is None:
            raise AssertionError("start_response was called twice")
        self._head = int(status.split(" ", 1)[0]), list(headers)
        return self.written.append

    def head(self) -> tuple[int, list[tuple[str, str]]]:
        if self._head is None:
            raise AssertionError("the application has not called start_response")
        return self._head

    @property
    def length(self) -> Optional[int]:
        """What is left to come of the announced Content-Length."""
        if self._head is None:
            return None
        length = next((value for name, value in self._head[1] if name.lower() == "content-length"), None)
        return None if length is None else int(length) - sum(map(len, self.written))


class Pieces:
    """The pieces of a response, with what is written meanwhile, and what has to be closed behind them."""

    def __init__(self, written: list[bytes], pieces: Iterator[bytes], result: Any) -> None:
        self._written, self._pieces, self._result = written, pieces, result
        self._next: Any = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> Any:
        # What is written comes before the piece that the application gives then.
        if self._next is None:
            self._next = next(self._pieces, END)
        if self._written:
            piece = b"".join(self._written)
            self._written.clear()
            return piece
        piece, self._next = self._next, None
        if piece is END:
            raise StopIteration
        if not isinstance(piece, bytes):
            raise TypeError("an application of WSGI gives bytes, not %s" % type(piece).__name__)
        return piece

    def close(self) -> None:
        if hasattr(self._result, "close"):
            self._result.close()


class Input(io.RawIOBase):
    """The content of a request: wsgi.input."""

    def __init__(self, call: _gw.Call) -> None:
        self._call, self._left, self._has_ended = call, call.content, call.has_content

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._left and not self._has_ended:
            self._left = self._call.read_now(False)
            self._has_ended = not self._left
        piece, self._left = self._left[:len(buffer)], self._left[len(buffer):]
        buffer[:len(piece)] = piece
        return len(piece)


def environ_of(call: _gw.Call, depth: int) -> dict[str, Any]:
    path = unquote_to_bytes(call.path).decode("latin-1")
    script = ""
    if depth:
        script = unquote_to_bytes("/".join(call.path.split("/", depth + 1)[:depth + 1])).decode("latin-1")
        path = path[len(script):]
    host, colon, port = call.authority.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = call.authority, "443" if call.client_scheme == "https" else "80"
    environ: dict[str, Any] = {
        "REQUEST_METHOD": call.method, "SCRIPT_NAME": script, "PATH_INFO": path, "QUERY_STRING": call.query, "REQUEST_URI": call.target,
        "SERVER_NAME": host or "localhost", "SERVER_PORT": port, "SERVER_PROTOCOL": "HTTP/1.%d" % call.minor_version, "REMOTE_ADDR": call.client_address,
        "wsgi.version": (1, 0), "wsgi.url_scheme": call.client_scheme, "wsgi.input": io.BufferedReader(Input(call)), "wsgi.errors": sys.stderr,
        "wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False, "wsgi.input_terminated": True,
    }
    for name, value in call.headers:
        # "X_User" would be taken for "X-User", and "Proxy" for the setting of that name.
        if "_" in name or name.lower() == "proxy":
            continue
        key = name.upper().replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = "HTTP_" + key
        environ[key] = environ[key] + ("; " if key == "HTTP_COOKIE" else ",") + value if key in environ else value
    return environ
