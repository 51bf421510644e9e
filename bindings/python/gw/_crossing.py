"""The threads and the event loop that do what workers ask of Python."""
from __future__ import annotations

import asyncio
import inspect
import itertools
import logging
import os
import threading
from collections.abc import Callable
from typing import Any, Optional, Union, cast

from . import _gw
from ._message import Context, response_of

Handler = Callable[[Context], Any]
log = logging.getLogger("gw")
THREADS = min(32, (os.cpu_count() or 1) + 4)


class Crossing:
    """Does calls of handlers: plain functions on threads, coroutine functions on an event loop of its own."""

    def __init__(self) -> None:
        self.plain, self.waiting = _gw.Queue(), _gw.Queue()
        self._handlers: list[Handler] = []
        self._streams: dict[int, Any] = {}
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._is_closed = False

    def add(self, handler: Handler) -> tuple[int, _gw.Queue]:
        """The number of a handler, and where its calls go."""
        self._handlers.append(handler)
        is_async = inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None))
        return len(self._handlers) - 1, self.waiting if is_async else self.plain

    def start(self) -> None:
        """Starts threads, unless they run or there is nothing to do for them."""
        with self._lock:
            if self._threads or not self._handlers or self._is_closed:
                return
            work = [(self._run, "gw-%d" % i) for i in range(THREADS)] + [(self._run_loop, "gw-asyncio")]
            self._threads = [threading.Thread(target=target, name=name, daemon=True) for target, name in work]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Ends the threads; requests that wait for them get 500. Not on one of them."""
        self.end()
        for thread in self._threads:
            thread.join()

    def end(self) -> None:
        """The same without waiting for it."""
        with self._lock:
            self._is_closed = True
        self.plain.close()
        self.waiting.close()
        os.eventfd_write(self.waiting.descriptor(), 1)

    # Plain functions, and what they give piece by piece.

    def _run(self) -> None:
        has_done_one = False
        while (item := self.plain.take(has_done_one)) is not None:
            has_done_one = True
            if isinstance(item, _gw.Call):
                try:
                    self._reply(item, self._handlers[item.handler](Context(item)))
                except BaseException:
                    fail(item, "the handler of %s %s" % (item.method, item.target))
            elif isinstance(item, _gw.Pull):
                try:
                    stream = self._streams[item.stream]
                    while (piece := next(stream, None)) is not None and not piece:
                        pass  # an empty piece is not the end
                    self._give(item, piece)
                except BaseException:
                    fail(item, "what gives a response piece by piece")
            else:
                self._drop(item)

    def _reply(self, call: _gw.Call, value: object) -> None:
        if isinstance(value, int) and not isinstance(value, bool):
            call.reply_status(value)
            return
        response = response_of(value)
        if isinstance(response.body, (str, bytes)):
            call.reply(response.status, response.headers, response.body)
            return
        is_async = hasattr(response.body, "__aiter__")
        number = next(self._numbers)
        self._streams[number] = response.body.__aiter__() if hasattr(response.body, "__aiter__") else iter(response.body)
        try:
            call.reply_stream(response.status, response.headers, number, self.waiting if is_async else self.plain)
        except BaseException:
            del self._streams[number]
            raise

    @staticmethod
    def _give(pull: _gw.Pull, piece: Union[str, bytes, None]) -> None:
        if piece is None:
            pull.end()
        else:
            pull.give(piece)

    def _drop(self, drop: _gw.Drop) -> Any:
        stream = self._streams.pop(drop.stream, None)
        close = getattr(stream, "close", None)
        if close is not None:
            try:
                close()
            except Exception:
                log.exception("the end of what gave a response has raised")
        return stream

    # Coroutine functions.

    def _run_loop(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        tasks: set[asyncio.Task[None]] = set()
        over = loop.create_future()

        def drain() -> None:
            for item in self.waiting.take_all():
                task = loop.create_task(self._do(item))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            if self._is_closed and not over.done():
                over.set_result(None)

        loop.add_reader(self.waiting.descriptor(), drain)
        drain()
        await over
        loop.remove_reader(self.waiting.descriptor())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _do(self, item: Union[_gw.Call, _gw.Pull, _gw.Drop]) -> None:
        if isinstance(item, _gw.Call):
            try:
                self._reply(item, await self._handlers[item.handler](Context(item)))
            except BaseException:
                fail(item, "the handler of %s %s" % (item.method, item.target))
        elif isinstance(item, _gw.Pull):
            try:
                self._give(item, await next_piece(self._streams[item.stream]))
            except BaseException:
                fail(item, "what gives a response piece by piece")
        else:
            stream = self._drop(item)
            if hasattr(stream, "aclose"):
                try:
                    await stream.aclose()
                except Exception:
                    log.exception("the end of what gave a response has raised")


def fail(item: Union[_gw.Call, _gw.Pull], what: str) -> None:
    """Logs the exception that is being handled, and lets the request fail."""
    log.exception("%s has raised", what)
    item.fail()


async def next_piece(iterator: Any) -> Optional[Union[str, bytes]]:
    """Nothing: the end."""
    try:
        while not (piece := await iterator.__anext__()):
            pass  # an empty piece is not the end
        return cast(Union[str, bytes], piece)
    except StopAsyncIteration:
        return None
