"""A WebSocket server as a process of its own, so that a test can kill it. It says its port, and how connections ended, on standard error.

What a connection is for is its path:
/echo      sends every message back
/pieces    the same, in fragments
/both      sends a message of 1 MiB at once, and the digest of each that it gets
/ping      sends a ping, and "ponged" when that is answered
/close     closes with code 4002 and a reason
"""
import asyncio
import hashlib
import sys

import websockets

MIB = 1024 * 1024


def say(*words):
    print(*words, file=sys.stderr, flush=True)


async def echo(connection):
    async for message in connection:
        await connection.send(message)


async def pieces(connection):
    async for message in connection:
        await connection.send([message[at:at + 1000] for at in range(0, len(message), 1000)] or [message])


async def both(connection):
    sending = asyncio.ensure_future(connection.send(bytes(i % 251 for i in range(MIB))))
    async for message in connection:
        await sending
        await connection.send(hashlib.sha256(message).hexdigest())


async def ping(connection):
    await (await connection.ping())
    await connection.send("ponged")
    await connection.wait_closed()


async def close(connection):
    await connection.close(4002, "enough")


async def serve(connection):
    handler = {"/echo": echo, "/pieces": pieces, "/both": both, "/ping": ping, "/close": close}[connection.path]
    try:
        await handler(connection)
    except websockets.ConnectionClosed:
        pass
    await connection.wait_closed()
    say("closed", connection.path, connection.close_code, connection.close_reason)


async def main():
    async with websockets.serve(serve, "127.0.0.1", 0, max_size=None, subprotocols=["talk"], ping_interval=None, backlog=1024) as server:
        say("port", server.sockets[0].getsockname()[1])
        await asyncio.Future()


if __name__ == "__main__":
    asyncio.run(main())
