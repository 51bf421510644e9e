"""Connections that switch protocols: WebSocket with a real library at both ends, and raw bytes."""
import asyncio
import os
import socket
import threading
import unittest

import websockets

import harness


class EchoServer:
    """A WebSocket server on a thread of its own that sends every message back."""

    def __init__(self):
        self.loop, self.started, self.codes = asyncio.new_event_loop(), threading.Event(), []
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        self.started.wait(10)

    def run(self):
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self.serve())
        self.loop.close()

    async def serve(self):
        self.ended = asyncio.Event()
        async with websockets.serve(self.echo, "127.0.0.1", 0, max_size=None, subprotocols=["echo"]) as server:
            self.port = server.sockets[0].getsockname()[1]
            self.started.set()
            await self.ended.wait()

    async def echo(self, connection):
        try:
            async for message in connection:
                await connection.send(message)
        except websockets.ConnectionClosed:
            pass
        self.codes.append(connection.close_code)

    def close(self):
        self.loop.call_soon_threadsafe(self.ended.set)
        self.thread.join(10)


class WebSocket(harness.TestCase):
    def setUp(self):
        super().setUp()
        self.server = EchoServer()
        self.addCleanup(self.server.close)
        self.gw = self.gateway({"routes": [{"prefix": "/ws", "forward": "http://127.0.0.1:%d" % self.server.port}], "use": ["request_id"]})

    def converse(self, talk):
        """Runs `talk(connection)` over a WebSocket through the gateway."""

        async def run():
            url = "ws://127.0.0.1:%d/ws/x" % self.gw.port
            async with websockets.connect(url, max_size=None, subprotocols=["echo"], compression=None) as connection:
                return await talk(connection)

        return asyncio.run(run())

    def test_messages_are_echoed(self):
        async def talk(connection):
            self.assertEqual(connection.subprotocol, "echo")
            for message in ("hello", "", "grüße", b"\0\1\2"):
                await connection.send(message)
                self.assertEqual(await connection.recv(), message)

        self.converse(talk)

    def test_a_message_of_1_mib_comes_back_whole(self):
        message = os.urandom(1024 * 1024)

        async def talk(connection):
            for _ in range(3):
                await connection.send(message)
                self.assertEqual(await connection.recv(), message)

        self.converse(talk)

    def test_a_ping_is_answered(self):
        async def talk(connection):
            await asyncio.wait_for(await connection.ping(), 10)

        self.converse(talk)

    def test_the_close_code_reaches_the_other_side(self):
        async def talk(connection):
            await connection.send("x")
            await connection.recv()
            await connection.close(4001, "done")
            return connection.close_code

        self.assertEqual(self.converse(talk), 4001)
        self.assertTrue(harness.eventually(lambda: self.server.codes))
        self.assertEqual(self.server.codes, [4001])

    def test_many_tunnels_do_not_mix(self):
        async def one(n):
            async with websockets.connect("ws://127.0.0.1:%d/ws" % self.gw.port, compression=None) as connection:
                for i in range(10):
                    await connection.send("%d/%d" % (n, i))
                    self.assertEqual(await connection.recv(), "%d/%d" % (n, i))

        async def run():
            await asyncio.gather(*(one(n) for n in range(40)))

        asyncio.run(run())


UPGRADE = [("Connection", "keep-alive, Upgrade"), ("Upgrade", "raw")]
SWITCH = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: raw\r\nX-Kept: 1\r\n\r\n"


class RawTunnel(harness.TestCase):
    def upgraded(self, answer, **config):
        """A client whose connection has become a tunnel."""
        self.backend = self.origin(answer)
        self.gw = self.in_front_of(self.backend, route={"upgrade": "raw"}, **config)
        client = self.client(self.gw)
        client.ask(fields=UPGRADE)
        response = client.head()
        self.assertEqual((response.status, response.get("connection").lower()), (101, "upgrade"))
        self.assertEqual((response.get("upgrade"), response.get("x-kept")), ("raw", "1"))
        return client

    def test_a_client_that_ends_its_half_still_gets_the_answer(self):
        def count(_, peer):
            peer.send(SWITCH)
            peer.send("%d bytes" % sum(len(piece) for piece in peer.reader.to_end()))
            return False

        client = self.upgraded(count)
        client.send(b"x" * 300000)
        client.socket.shutdown(socket.SHUT_WR)
        self.assertEqual(b"".join(client.reader.to_end()), b"300000 bytes")
        request = self.backend.requests[0]
        self.assertEqual((request.get("connection").lower(), request.get("upgrade")), ("upgrade", "raw"))

    def test_an_upstream_that_ends_its_half_still_gets_the_rest(self):
        rest = []

        def end_first(_, peer):
            peer.send(SWITCH + "bye")
            peer.socket.shutdown(socket.SHUT_WR)
            rest.append(b"".join(peer.reader.to_end()))
            return False

        client = self.upgraded(end_first)
        self.assertEqual(b"".join(client.reader.to_end()), b"bye")
        client.send(b"y" * 100000)
        client.close()
        self.assertTrue(self.backend.wait(lambda: self.backend.opened == 0))
        self.assertEqual(rest, [b"y" * 100000])

    def test_bytes_behind_either_head_belong_to_the_tunnel(self):
        def answer(_, peer):
            peer.send(SWITCH + "early ")
            peer.send(next(peer.reader.exactly(5)))
            return False

        backend = self.origin(answer)
        client = self.client(self.in_front_of(backend, route={"upgrade": "raw"}))
        client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: raw\r\n\r\nbytes")
        self.assertEqual(client.head().status, 101)
        self.assertEqual(b"".join(client.reader.to_end()), b"early bytes")

    def test_a_reset_at_one_end_ends_the_other(self):
        def reset(_, peer):
            peer.send(SWITCH)
            peer.reader.fill()
            peer.reset()
            return False

        client = self.upgraded(reset)
        client.send("x")
        self.assertTrue(client.is_closed())

    def test_a_tunnel_where_nothing_moves_is_closed(self):
        def rest(_, peer):
            peer.send(SWITCH)
            peer.wait_gone()
            return False

        client = self.upgraded(rest, timeouts={"client_idle": "300ms"})
        self.assertTrue(client.is_closed())
        self.assertTrue(self.backend.wait(lambda: self.backend.opened == 0))

    def test_a_tunnel_is_cut_when_the_drain_time_is_over(self):
        def rest(_, peer):
            peer.send(SWITCH)
            peer.wait_gone()
            return False

        client = self.upgraded(rest, timeouts={"drain": "300ms"})
        self.gw.signal(harness.signal.SIGTERM)
        self.assertEqual(self.gw.wait(), 0)
        self.assertTrue(client.is_closed())

    def test_an_upstream_that_does_not_switch_answers_as_usual(self):
        backend = self.origin(lambda _, peer: peer.reply(b"no", "426 Upgrade Required"))
        client = self.client(self.in_front_of(backend, route={"upgrade": "raw"}))
        for _ in range(2):
            self.assertEqual(client.request(fields=UPGRADE).status, 426)
        self.assertEqual(client.request().status, 426)
        self.assertEqual([r.get("upgrade") for r in backend.requests], ["raw", "raw", None])


if __name__ == "__main__":
    harness.main()
