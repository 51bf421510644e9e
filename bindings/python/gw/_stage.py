"""Middleware in Python: coroutine functions `f(c, next)`, and objects with hooks."""
from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Optional, Union

from . import _gw
from ._crossing import Crossing, Waiting
from ._errors import Error
from ._message import Context, Headers, Response, response_of

#: Runs the stages behind a middleware, and the handler or upstream.
Next = Callable[[], Awaitable[None]]
#: A stage: a name that a file or `define` knows, what `gw.stage(...)` gives, `async def f(c, next)`, or an object with request(c), response(c), done(c).
Stage = Any
Middleware = Callable[["StageContext", Next], Awaitable[object]]


class Res:
    """The response as middleware sees it, after `next()`. Changes of `status` and `headers` are what the client gets."""

    __slots__ = ("_call", "_crossing", "_status", "_headers", "_content", "_reading")

    def __init__(self, call: _gw.Call, crossing: Crossing) -> None:
        self._call, self._crossing = call, crossing
        self._reading: Optional[asyncio.Future[None]] = None
        self._status: Optional[int] = None
        self._headers: Optional[Headers] = None
        self._content: Optional[bytes] = None

    @property
    def status(self) -> int:
        return self._call.status if self._status is None or self._call.is_over else self._status

    @status.setter
    def status(self, status: int) -> None:
        self._status = status

    @property
    def headers(self) -> Headers:
        if self._headers is None or self._call.is_over:
            self._headers = Headers(self._call.response_headers)
        return self._headers

    async def read(self) -> bytes:
        """The whole content, 64 MiB at most; the client gets it all the same. `c.reply` gives another one."""
        if self._content is None:
            if self._reading is None:
                self._reading = self._crossing.ask(self._call.read_response)
            await asyncio.shield(self._reading)  # it goes on if its task gives up
            if self._content is None:
                self._content = self._call.take_piece()
        return self._content

    def leave(self) -> None:
        """Says what was changed."""
        self._call.leave(self._status, None if self._headers is None else self._headers.edits())


class StageContext(Context):
    """A request on its way through middleware."""

    __slots__ = ("_reply", "_res", "_has_next", "_resumed", "_consumer", "_id")

    def __init__(self, call: _gw.Call, crossing: Crossing) -> None:
        super().__init__(call, crossing, True)
        self._resumed: Optional[asyncio.Future[None]] = None
        self._reply: Union[Response, int, None] = None
        self._res: Optional[Res] = None
        self._has_next = False
        self._consumer: Optional[str] = None
        self._id: Optional[str] = None

    def reply(self, value: object) -> None:
        """Answers with what a handler may give, or a status. Before `next()` nothing behind this middleware runs; after it the response is replaced."""
        self._call.method  # raises if it is over
        self._reply = value if isinstance(value, int) and not isinstance(value, bool) else response_of(value)

    @property
    def has_reply(self) -> bool:
        return self._reply is not None or self._res is not None

    @property
    def res(self) -> Res:
        if self._res is None:
            raise Error("there is no response before next()")
        return self._res

    @property
    def consumer(self) -> str:
        return self._call.consumer if self._consumer is None else self._consumer

    @consumer.setter
    def consumer(self, name: str) -> None:
        self._consumer = name

    @property
    def id(self) -> str:
        return self._call.id if self._id is None else self._id

    @id.setter
    def id(self, id: str) -> None:
        self._id = id

    async def _next(self) -> None:
        self._call.method  # raises if it is over
        if self._reply is not None:
            return
        if self._has_next:
            raise Error("next() was called twice")
        self._resumed = self._crossing.ask(self._go_on)
        await self._take_turn()

    async def _take_turn(self) -> None:
        """Waits for the response, if it is still to come: until then nothing can be said."""
        if self._resumed is not None and self._res is None:
            await asyncio.shield(self._resumed)
            self._res = self._res or Res(self._call, self._crossing)

    def _go_on(self, number: int, is_last: bool = False) -> None:
        self._has_next = True
        self._call.next(number, is_last, None if self._req is None else self._req.headers.edits(), self._consumer, self._id)

    def _finish(self) -> None:
        if self._reply is not None:
            if isinstance(self._reply, Response):
                self._crossing.reply(self._call, self._reply)
            else:
                self._call.reply_status(self._reply)
        elif self._res is not None:
            self._res.leave()
        elif not self._has_next:
            # The pipeline says in its own words that nobody has answered.
            self._call.leave(None, None)


class DoneContext(Context):
    """A request that is over, for `done`."""

    __slots__ = ("_res", "_kept")

    def __init__(self, call: _gw.Call, crossing: Crossing) -> None:
        super().__init__(call, crossing, True)
        # The crossing forgets it before a hook that waits has ended.
        self._kept = crossing.states.get(call.number, {})
        self._res = Res(call, crossing)

    @property
    def state(self) -> dict[str, Any]:
        self._call.method  # raises if it is over
        return self._kept

    @property
    def res(self) -> Res:
        """Status and fields that the client got; 499 if it left before."""
        return self._res

    @property
    def bytes_sent(self) -> int:
        """Bytes of content of the response that were sent."""
        return self._call.bytes_sent

    @property
    def bytes_received(self) -> int:
        """Bytes of content of the request that were read."""
        return self._call.bytes_received

    @property
    def is_complete(self) -> bool:
        """Whether the whole response was handed to the client."""
        return self._call.is_complete


def hooks_of(stage: object) -> tuple[Optional[Callable[..., Any]], Optional[Callable[..., Any]], Optional[Callable[..., Any]]]:
    return tuple(hook if callable(hook) else None for hook in (getattr(stage, name, None) for name in ("request", "response", "done")))  # type: ignore[return-value]


def is_middleware(stage: object) -> bool:
    """Whether it has the shape of one."""
    return any(hooks_of(stage)) or callable(stage)


def runner_of(stage: Any, crossing: Crossing) -> tuple[Optional[Waiting], Optional[Callable[[_gw.Call], Any]]]:
    """What runs around the stages behind it, and what is told when a request is over."""
    request, response, done = hooks_of(stage)
    tell = None if done is None else lambda call: done(DoneContext(call, crossing))
    if inspect.iscoroutinefunction(stage) or inspect.iscoroutinefunction(getattr(stage, "__call__", None)):
        return around(stage, crossing), tell
    if request is None and response is None:
        if tell is None:
            raise TypeError("a middleware is `async def f(c, next)`, or an object with request(c), response(c) or done(c), not %r" % stage)
        return None, tell
    return between(request, response, crossing), tell


def around(stage: Middleware, crossing: Crossing) -> Waiting:
    async def run(call: _gw.Call) -> None:
        c = StageContext(call, crossing)
        try:
            value = await stage(c, c._next)
        finally:
            await c._take_turn()  # it may have given up before the rest had ended
        if value is not None:
            raise TypeError("a middleware answers by c.reply(...), and returns nothing")
        c._finish()
    return run


def between(request: Optional[Callable[..., Any]], response: Optional[Callable[..., Any]], crossing: Crossing) -> Waiting:
    async def run(call: _gw.Call) -> None:
        c = StageContext(call, crossing)
        if request is not None and inspect.isawaitable(waiting := request(c)):
            await waiting
        if response is None and c._reply is None:
            return c._go_on(0, is_last=True)
        if c._reply is None:
            await c._next()
            if response is not None and inspect.isawaitable(waiting := response(c)):
                await waiting
        c._finish()
    return run
