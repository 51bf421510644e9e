"""Where what workers ask of Python is done: plain functions on threads, coroutines on an event loop."""
from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, Optional

from . import _gw
from ._errors import Error
from ._message import response_of
from ._streams import AsyncStream, PlainStream

log = logging.getLogger("gw")
THREADS = min(32, (os.cpu_count() or 1) + 4)
HANDLE, STAGE, DONE, RESUMED, GONE, PULL, DROP, OVER = _gw.HANDLE, _gw.STAGE, _gw.DONE, _gw.RESUMED, _gw.GONE, _gw.PULL, _gw.DROP, _gw.OVER
#: Answers a call; of a handler that waits, a coroutine that does.
Plain = Callable[[_gw.Call], None]
Waiting = Callable[[_gw.Call], Coroutine[Any, Any, None]]


class Crossing:
    """The handlers and stages of a gateway, and the threads and the loop that run them."""

    def __init__(self) -> None:
        self.plain, self.waiting = _gw.Queue(), _gw.Queue()
        self.streams: dict[int, Any] = {}              # of responses, by number
        self.states: dict[int, dict[str, Any]] = {}    # of requests, by number
        self.live: dict[int, Callable[[], None]] = {}  # what to call when nobody waits any more for a request
        self.lifespans: list[Any] = []                 # of applications
        self._plain: list[Plain] = []
        self._waiting: list[Waiting] = []
        self._done: dict[int, Callable[[_gw.Call], Any]] = {}
        self._numbers = itertools.count()
        self._futures: dict[int, asyncio.Future[None]] = {}
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._tasks: dict[int, asyncio.Task[None]] = {}  # the loop itself would not keep them
        self._outbox = _gw.Outbox()
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._loop_thread: Optional[threading.Thread] = None
        self._is_closed = False

    def add_plain(self, handler: Plain) -> int:
        self._plain.append(handler)
        return len(self._plain) - 1

    def add_waiting(self, handler: Waiting) -> int:
        """A handler or stage that is a coroutine function."""
        self._waiting.append(handler)
        return len(self._waiting) - 1

    def add_done(self, number: int, hook: Callable[[_gw.Call], Any]) -> None:
        """What is told when a request is over, for a stage that has a number."""
        self._done[number] = hook

    # Life.

    def start(self, loop: Optional[asyncio.AbstractEventLoop] = None) -> None:
        """Starts what is needed and does not run yet. Coroutines run on `loop`, the caller's, or on one of their own."""
        with self._lock:
            if self._is_closed or not (self._plain or self._waiting):
                return
            # Both are needed by either: a coroutine may answer with a plain generator, and the other way round.
            if not self._threads:
                self._threads = [threading.Thread(target=self._run, name="gw-%d" % i, daemon=True) for i in range(THREADS)]
                for thread in self._threads:
                    thread.start()
            if loop is not None or self._loop is None:
                self._start_loop(loop)

    def _start_loop(self, loop: Optional[asyncio.AbstractEventLoop]) -> None:
        if loop is None:
            self._loop = asyncio.new_event_loop()
            self._loop_thread = threading.Thread(target=self._run_loop, args=(self._loop,), name="gw-asyncio", daemon=True)
            self._loop_thread.start()
            return
        self._end_own_loop(wait=True)
        self._loop = loop
        self._enter(loop)

    def _enter(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on `loop`, whose thread this is, does what there is to do."""
        flush = self._outbox.flush
        self._outbox.open(lambda: loop.call_soon(flush))  # behind what else the loop has to do now
        loop.add_reader(self.waiting.descriptor(), self._drain)
        loop.call_soon(self._drain)

    def leave_loop(self) -> None:
        """The caller's loop is not used any more. On it."""
        if self._loop is not None:
            self._loop.remove_reader(self.waiting.descriptor())
            self._outbox.close()
        self._loop = None

    def _end_own_loop(self, wait: bool) -> None:
        loop, thread = self._loop, self._loop_thread
        self._loop = self._loop_thread = None
        if loop is None or thread is None:
            return
        with contextlib.suppress(RuntimeError):  # it is closed
            loop.call_soon_threadsafe(loop.stop)
        if wait and thread is not threading.current_thread():
            thread.join()

    def run_lifespans(self, begin: bool) -> None:
        """Begins or ends those of all applications on the loop of their own, and waits for it."""
        if self.lifespans and self._loop is not None and self._loop_thread is not None:
            asyncio.run_coroutine_threadsafe(self.begin_lifespans() if begin else self.end_lifespans(), self._loop).result()

    async def begin_lifespans(self) -> None:
        for lifespan in self.lifespans:
            await lifespan.begin()

    async def end_lifespans(self) -> None:
        for lifespan in reversed(self.lifespans):
            await lifespan.end()

    def close(self, timeout: Optional[float] = None) -> None:
        """Ends threads and loop; requests that wait for them get 500. Not on one of them. Those that do not end in time are left behind."""
        threads = [*self._threads, *([self._loop_thread] if self._loop_thread else [])]
        self.end()
        give_up = None if timeout is None else time.monotonic() + timeout
        for thread in threads:
            thread.join(None if give_up is None else max(0, give_up - time.monotonic()))

    def end(self) -> None:
        """The same without waiting for the threads."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
        self.plain.close()
        self.waiting.close()
        self._end_own_loop(wait=False)

    def runs_here(self) -> bool:
        """Whether the calling thread is one of its own."""
        return threading.current_thread() in (*self._threads, self._loop_thread)

    def forget(self) -> None:
        """This process was forked: the threads do not run here, and what they held stays locked."""
        self._lock = threading.Lock()
        self._is_closed = True
        self._loop = self._loop_thread = None

    # Plain functions, and what they give piece by piece.

    def _run(self) -> None:
        take, hand, handlers = self.plain.take, _gw.Hand(), self._plain
        while (item := take(hand)) is not None:
            kind, number, call = item
            if kind == HANDLE:
                try:
                    handlers[number](call)
                except BaseException as error:
                    fail(call, error)
            elif kind == PULL:
                self.streams[number].pull(call)
            elif kind == DROP:
                self._drop(number)
            call = item = None  # type: ignore[assignment]  # or the request would stay until the next one

    def _drop(self, number: int) -> None:
        stream = self.streams.pop(number, None)  # none: its response was refused
        if stream is not None:
            stream.close()

    # Answers.

    def reply(self, call: _gw.Call, value: object) -> None:
        """Answers with what a handler gave."""
        if isinstance(value, int) and not isinstance(value, bool):
            call.reply_status(value)
            return
        response = response_of(value)
        if isinstance(response.body, (str, bytes)):
            call.reply(response.status, response.headers, response.body)
        elif hasattr(response.body, "__aiter__"):
            self.reply_stream(call, response.status, response.headers, AsyncStream(self, response.body))
        else:
            self.reply_stream(call, response.status, response.headers, PlainStream(response.body))

    def reply_stream(self, call: _gw.Call, status: int, headers: Any, stream: Any) -> None:
        """Answers with what `stream` gives when a worker pulls; it is closed when nobody wants more."""
        number = next(self._numbers)
        self.streams[number] = stream
        try:
            call.reply_stream(status, headers, number, self.plain if isinstance(stream, PlainStream) else self.waiting)
        except BaseException:
            del self.streams[number]
            raise

    # Coroutines.

    def _run_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        self._enter(loop)
        try:
            loop.run_forever()
            loop.remove_reader(self.waiting.descriptor())
            self._outbox.close()
            tasks = asyncio.all_tasks(loop)
            for task in tasks:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    def _drain(self) -> None:
        if self._loop is None:
            return
        loop, waiting, tasks, numbers = self._loop, self._waiting, self._tasks, self._numbers
        for kind, number, call in self.waiting.take_all():
            if kind == HANDLE or kind == STAGE:
                key = next(numbers)
                tasks[key] = asyncio.Task(self._answer(waiting[number], call, key), loop=loop)
            elif kind == RESUMED:
                future = self._futures.pop(number, None)
                if future is not None and not future.done():
                    future.set_result(None)
            elif kind == PULL:
                self.streams[number].pull(call)
            elif kind == DROP:
                self._drop(number)
            elif kind == DONE:
                self._tell_done(number, call)
            elif kind == GONE:
                gone = self.live.get(call.number)
                if gone is not None:
                    gone()
            elif kind == OVER:
                self.states.pop(number, None)

    async def _answer(self, answer: Waiting, call: _gw.Call, key: int) -> None:
        try:
            await answer(call)
        except BaseException as error:
            fail(call, error)
        finally:
            del self._tasks[key]

    def spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Runs something else on the loop. On the loop."""
        assert self._loop is not None
        key = next(self._numbers)
        task = self._tasks[key] = self._loop.create_task(coroutine)
        task.add_done_callback(lambda _: self._tasks.pop(key))
        return task

    def _tell_done(self, number: int, call: _gw.Call) -> None:
        try:
            waiting = self._done[number](call)
        except BaseException:
            log.exception("a done hook has raised")
            waiting = None
        if waiting is None:
            call.end()
        else:
            self.spawn(self._finish_done(waiting, call))

    async def _finish_done(self, waiting: Coroutine[Any, Any, None], call: _gw.Call) -> None:
        try:
            await waiting
        except BaseException:
            log.exception("a done hook has raised")
        finally:
            call.end()

    def ask(self, question: Callable[[int], None]) -> asyncio.Future[None]:
        """Has `question` ask a worker under a number; what is done when the worker has answered."""
        number = next(self._numbers)
        future = self._futures[number] = asyncio.get_running_loop().create_future()
        try:
            question(number)
        except BaseException:
            del self._futures[number]
            raise
        return future

    def state(self, call: _gw.Call) -> dict[str, Any]:
        """What stages and handlers keep for the request."""
        number = call.number
        state = self.states.get(number)
        if state is None:
            call.keep()
            state = self.states.setdefault(number, {})
        return state


def fail(call: _gw.Call, error: BaseException) -> None:
    """Logs an exception of user code, and lets the request fail."""
    try:
        # Content that could not be read has been the client's fault, who is told so.
        if not (isinstance(error, Error) and error.status is not None):
            log.error("an exception behind %s %s", call.method, call.target, exc_info=error)
        call.fail()
    except Error:
        pass  # it is over, or answered
