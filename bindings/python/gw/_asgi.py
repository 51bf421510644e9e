"""Applications of ASGI 3 behind a route (https://asgi.readthedocs.io/en/latest/specs/)."""
from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Optional
from urllib.parse import unquote

from . import _gw
from ._crossing import Crossing
from ._errors import Error
from ._streams import END, Reader, give

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

log = logging.getLogger("gw")
VERSIONS = {"version": "3.0", "spec_version": "2.4"}
LIFESPAN_VERSIONS = {"version": "3.0", "spec_version": "2.0"}  # of a specification of its own
EXPECTS_START, EXPECTS_BODY, STREAMS, DROPS, HAS_ENDED = range(5)


class ClientDisconnected(OSError):
    """An application sends to a client that has left."""

    def __init__(self) -> None:
        super().__init__("the client has left")


class Asgi:
    """Answers calls by an application. `depth`: how many segments of the path lead to it, and are its `root_path`."""

    def __init__(self, application: Application, crossing: Crossing) -> None:
        self.depth = 0
        self._application, self._crossing = application, crossing
        self._lifespan = lifespan_of(application, crossing)
        self._same: dict[str, object] = {"type": "http", "asgi": VERSIONS}

    async def __call__(self, call: _gw.Call) -> None:
        root = unquote("/".join(call.path.split("/", self.depth + 1)[:self.depth + 1])) if self.depth else ""
        scope = call.asgi_scope(self._same, root)
        if self._lifespan.is_supported:
            scope["state"] = self._lifespan.state.copy()
        exchange = Exchange(call, self._crossing)
        try:
            await self._application(scope, exchange.receive, exchange.send)
            exchange.expect_end()
        except BaseException as error:
            if not exchange.fail(error):
                raise
        finally:
            exchange.end()


class Exchange:
    """One request and its response, as messages. It is the stream of the response, too."""

    __slots__ = ("_call", "_crossing", "_state", "_status", "_headers", "_has_begun", "_reader", "_has_read", "_is_gone", "_gone", "_pulling", "_piece", "_taken", "_turn", "_is_cut", "_was_told")

    def __init__(self, call: _gw.Call, crossing: Crossing) -> None:
        self._call, self._crossing = call, crossing
        self._state = EXPECTS_START
        self._status = 0
        self._headers: Any = ()
        self._has_begun = False  # what came with the request was given
        self._reader: Optional[Reader] = None
        self._has_read = False  # the content of the request, to its end
        self._is_gone = False  # the client, or its interest
        self._gone: Optional[asyncio.Event] = None
        self._pulling: Optional[_gw.Call] = None  # a worker waits for a piece
        self._piece: Optional[bytes] = None  # waits for a worker
        self._taken: Any = None  # a future, done when that is taken
        self._turn: Optional[asyncio.Lock] = None  # of those who send at once
        self._is_cut = False
        self._was_told = False  # that the client has left, by an exception

    # From the client.

    async def receive(self) -> Message:
        if not self._has_read and not self._is_gone:
            try:
                return await self._read()
            except Error as error:
                if error.status is None and not self._call.is_gone:
                    raise
                self.close()
        if not self._is_gone:
            await self._wait_until_gone()
        return {"type": "http.disconnect"}

    async def _wait_until_gone(self) -> None:
        if self._gone is None:
            self._gone = asyncio.Event()
        live, number = self._crossing.live, self._call.number
        live[number] = self.close
        try:
            if not self._call.is_gone:
                await self._gone.wait()
        finally:
            live.pop(number, None)
        self._is_gone = True

    async def _read(self) -> Message:
        call = self._call
        if not self._has_begun:
            self._has_begun = True
            piece, self._has_read = call.content, call.has_content
        else:
            if self._reader is None:
                self._reader = Reader(call, self._crossing)
            piece = await self._reader.piece()
            self._has_read = not piece
        return {"type": "http.request", "body": piece, "more_body": not self._has_read}

    # To the client.

    async def send(self, message: Message) -> None:
        kind, state = message["type"], self._state
        if state == EXPECTS_START:
            if kind != "http.response.start":
                raise RuntimeError("expected http.response.start, not %s" % kind)
            self._status, self._headers = message["status"], message.get("headers", ())
            self._state = EXPECTS_BODY
            return
        if kind != "http.response.body":
            raise RuntimeError("expected http.response.body, not %s" % kind)
        if state == HAS_ENDED:
            raise RuntimeError("http.response.body after the response has ended")
        body, has_more = message.get("body", b""), message.get("more_body", False)
        if type(body) is not bytes:
            body = bytes(memoryview(body))  # as other servers do; also what is like bytes, but no number
        if state == EXPECTS_BODY and not has_more:
            self._call.reply(self._status, self._headers, body)  # also if nobody hears it: the worker waits for it
            self._state = HAS_ENDED
            self.close()
            return
        if state == EXPECTS_BODY:
            self._begin()
        if self._state == DROPS:
            if not has_more:
                self._state = HAS_ENDED
            return
        if body:
            await self._put(body)
        if not has_more:
            self._state = HAS_ENDED
            self._settle()

    def _begin(self) -> None:
        try:
            # A response to HEAD, and one with 204 or 304, ends with its head: nobody will pull.
            state = DROPS if self._call.method == "HEAD" or self._status in (204, 304) else STREAMS
            self._crossing.reply_stream(self._call, self._status, self._headers, self)
        except Error:
            self._expect_client(True)
        self._state = state

    def _expect_client(self, is_gone: bool) -> None:
        if is_gone:
            self._was_told = True
            raise ClientDisconnected

    async def _put(self, piece: bytes) -> None:
        if self._turn is None:
            self._turn = asyncio.Lock()
        async with self._turn:
            # One whose task gave up is still there.
            while self._piece is not None and not self._is_gone:
                await asyncio.shield(self._taken)
            self._expect_client(self._is_gone)
            if self._pulling is not None:
                call, self._pulling = self._pulling, None
                return give(call, piece)
            self._piece = piece
            self._taken = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._taken)
            self._expect_client(self._is_gone and self._piece is not None)

    def pull(self, call: _gw.Call) -> None:
        """A worker wants the next piece."""
        self._pulling = call
        if self._piece is not None:
            self._pulling, piece, self._piece = None, self._piece, None
            give(call, piece)
            self._wake()
        else:
            self._settle()

    def _settle(self) -> None:
        """Tells a worker that waits that there will be no more."""
        if self._pulling is not None and (self._is_cut or self._state == HAS_ENDED):
            call, self._pulling = self._pulling, None
            if self._is_cut:
                call.finish(False)
            else:
                give(call, END)

    def _wake(self) -> None:
        if self._taken is not None and not self._taken.done():
            self._taken.set_result(None)

    def close(self) -> None:
        """Nobody wants more of the response: it is sent, or the client has left."""
        self._is_gone = True
        if self._gone is not None:
            self._gone.set()
        self._wake()

    # The end.

    def expect_end(self) -> None:
        if self._state != HAS_ENDED and not self._is_gone:
            raise RuntimeError("the application returned before its response had ended")

    def end(self) -> None:
        """The application has come to its end: the worker has its answer, whatever happened."""
        try:
            if self._state <= EXPECTS_BODY:
                if self._is_gone:
                    self._call.fail()
            elif self._state != HAS_ENDED:
                self._is_cut = True
                self._settle()
        except Error:
            pass  # it has

    def fail(self, error: BaseException) -> bool:
        """The application has raised. False: nothing was sent yet."""
        if self._was_told:  # and passes that on
            return True
        if self._state <= EXPECTS_BODY:
            return False
        log.error("the application behind %s has raised", self._call_text(), exc_info=error)
        return True

    def _call_text(self) -> str:
        try:
            return "%s %s" % (self._call.method, self._call.target)
        except Error:
            return "a request that is over"


def lifespan_of(application: Application, crossing: Crossing) -> Lifespan:
    """That of an application, which has one also if it is behind several routes."""
    for known in crossing.lifespans:
        if known.application is application:
            return known  # type: ignore[no-any-return]
    crossing.lifespans.append(Lifespan(application))
    return crossing.lifespans[-1]  # type: ignore[no-any-return]


class Lifespan:
    """Start and end of an application."""

    def __init__(self, application: Application) -> None:
        self.state: dict[str, Any] = {}
        self.is_supported = False
        self.application = application
        self._task: Optional[asyncio.Task[None]] = None

    async def begin(self) -> None:
        """Waits until the application is ready. Raises `Error` if it says that it cannot be."""
        if self._task is not None:
            return
        loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._started, self._ended = loop.create_future(), loop.create_future()
        self.state.clear()
        self.is_supported = True
        self._events.put_nowait({"type": "lifespan.startup"})
        self._task = loop.create_task(self._run())
        failure = await asyncio.shield(self._started)
        if failure is not None:
            self._task = None
            raise Error("an application did not start: " + failure)

    async def end(self) -> None:
        """Waits until the application has ended."""
        task, self._task = self._task, None
        if task is None:
            return
        if not self._started.done():
            task.cancel()  # whoever waited for it has given up
        elif self.is_supported:
            self._events.put_nowait({"type": "lifespan.shutdown"})
            failure = await self._ended
            if failure is not None:
                log.error("an application did not shut down: %s", failure)
        await asyncio.wait([task])

    async def _run(self) -> None:
        try:
            await self.application({"type": "lifespan", "asgi": LIFESPAN_VERSIONS, "state": self.state}, self._events.get, self._send)
        except BaseException as error:
            # One that knows no lifespans raises; it is served all the same (specification of the lifespan protocol).
            if self._started.done() and not isinstance(error, asyncio.CancelledError):
                log.error("the lifespan of an application has raised", exc_info=error)
        finally:
            self.is_supported = self.is_supported and self._started.done() and not self._ended.done()
            for future in (self._started, self._ended):
                if not future.done():
                    future.set_result(None)

    async def _send(self, message: Message) -> None:
        kind, text = message["type"], str(message.get("message", ""))
        future = {"lifespan.startup": self._started, "lifespan.shutdown": self._ended}.get(kind.rpartition(".")[0])
        if future is None or future.done():
            raise RuntimeError("unexpected message %s" % kind)
        future.set_result(text or "no reason given" if kind.endswith(".failed") else None)
