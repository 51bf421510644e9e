"""Content that crosses piece by piece: of requests to coroutines, of responses to workers."""
from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING, Any, Optional

from . import _gw
from ._errors import Error

if TYPE_CHECKING:
    from ._crossing import Crossing

log = logging.getLogger("gw")
#: What comes behind the last piece of a response.
END: Any = object()


class Reader:
    """Content of a call, for coroutines. A read that its task has given up goes on, and the next one gets what it has read."""

    __slots__ = ("_call", "_crossing", "_pending")

    def __init__(self, call: _gw.Call, crossing: Crossing) -> None:
        self._call, self._crossing = call, crossing
        self._pending: Optional[asyncio.Future[None]] = None

    async def piece(self, whole: bool = False) -> bytes:
        """The next piece, empty at the end; or the whole rest."""
        first = b""
        while True:
            is_old = self._pending is not None
            if self._pending is None:
                self._pending = self._crossing.ask(lambda number: self._call.read(whole, number))
            pending = self._pending
            await asyncio.shield(pending)
            if self._pending is not pending:
                continue  # another task has it
            self._pending = None
            piece = self._call.take_piece()
            # What was given up may have been a piece only.
            if not (whole and is_old and piece):
                return first + piece
            first += piece


class PlainStream:
    """Pieces of a response that come from an iterable, on threads."""

    def __init__(self, pieces: Any) -> None:
        self._iterator = iter(pieces)
        self._lock = threading.Lock()
        self._runs = self._is_dropped = False

    def pull(self, call: _gw.Call) -> None:
        with self._lock:
            self._runs = True
        try:
            while (piece := next(self._iterator, END)) is not END and not piece and isinstance(piece, (str, bytes, bytearray, memoryview)):
                pass  # an empty piece is not the end
            give(call, piece)
        except BaseException as error:
            cut(call, error)
        with self._lock:
            self._runs = False
            is_dropped = self._is_dropped
        if is_dropped:
            self._end()

    def close(self) -> None:
        """Nobody wants more. A generator that runs is closed when it has given its piece."""
        with self._lock:
            self._is_dropped = True
            runs = self._runs
        if not runs:
            self._end()

    def _end(self) -> None:
        close = getattr(self._iterator, "close", None)
        if close is not None:
            try:
                close()
            except BaseException:
                log.exception("the end of what gave a response has raised")


class AsyncStream:
    """Pieces of a response that come from an asynchronous iterable."""

    def __init__(self, crossing: Crossing, pieces: Any) -> None:
        self._crossing, self._iterator = crossing, pieces.__aiter__()
        self._task: Optional[asyncio.Task[None]] = None

    def pull(self, call: _gw.Call) -> None:
        self._task = self._crossing.spawn(self._pull(call))

    async def _pull(self, call: _gw.Call) -> None:
        piece: Any
        try:
            while not (piece := await self._iterator.__anext__()) and isinstance(piece, (str, bytes, bytearray, memoryview)):
                pass  # an empty piece is not the end
        except StopAsyncIteration:
            piece = END
        except asyncio.CancelledError:
            return finish(call, False)
        except BaseException as error:
            return cut(call, error)
        try:
            give(call, piece)
        except BaseException as error:
            cut(call, error)

    def close(self) -> None:
        """Nobody wants more: a generator that waits is woken by a cancellation."""
        self._crossing.spawn(self._close())

    async def _close(self) -> None:
        try:
            if self._task is not None and not self._task.done():
                self._task.cancel()
                await asyncio.wait([self._task])
            if hasattr(self._iterator, "aclose"):
                await self._iterator.aclose()
        except BaseException:
            log.exception("the end of what gave a response has raised")


def give(call: _gw.Call, piece: Any) -> None:
    """Gives a piece of a response, or its end."""
    if piece is END:
        return finish(call, True)
    try:
        call.give(bytes(piece) if isinstance(piece, (bytearray, memoryview)) else piece)
    except Error:
        pass  # the client has left


def finish(call: _gw.Call, is_whole: bool) -> None:
    """The response has ended."""
    try:
        call.finish(is_whole)
    except Error:
        pass


def cut(call: _gw.Call, error: BaseException) -> None:
    """Logs an exception of what gives a response piece by piece, and cuts that."""
    log.error("what gives a response piece by piece has raised", exc_info=error)
    finish(call, False)
