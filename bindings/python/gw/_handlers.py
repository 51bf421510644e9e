"""What answers the calls of handlers."""
from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from . import _gw
from ._crossing import Crossing, Plain, Waiting
from ._message import Context, encode

F = TypeVar("F", bound=Callable[..., Any])
#: Gives what becomes the response, or is a coroutine function that does.
Handler = Callable[[Context], Any]


def is_waiting(action: object) -> bool:
    """Whether it is a coroutine function, an asynchronous generator, or an object that is called as one."""
    return any(test(what) for test in (inspect.iscoroutinefunction, inspect.isasyncgenfunction) for what in (action, getattr(action, "__call__", None)))


async def never(call: _gw.Call) -> None:
    """Runs around nothing."""


def plain_action(handler: Handler, crossing: Crossing) -> Plain:
    """Answers calls by a plain function."""
    reply = crossing.reply

    def answer(call: _gw.Call) -> None:
        value = handler(Context(call, crossing))
        if type(value) is dict:  # what handlers mostly give
            call.reply_content("application/json", encode(value))
        else:
            reply(call, value)
    return answer


def waiting_action(handler: Handler, crossing: Crossing) -> Waiting:
    """The same by a coroutine function, or an asynchronous generator."""
    reply = crossing.reply

    async def answer(call: _gw.Call) -> None:
        value = handler(Context(call, crossing, True))
        if inspect.iscoroutine(value):
            value = await value
        if type(value) is dict:
            call.reply_content("application/json", encode(value))
        else:
            reply(call, value)
    return answer
