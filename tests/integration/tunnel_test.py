"""Connections that switch protocols: WebSocket with a real library at both ends, and raw bytes."""
import asyncio
import hashlib
import os
import pathlib
import re
import resource
import signal
import socket
import struct
import sys
import threading

import websockets

import harness

MIB = 1024 * 1024
MANY = 200 if harness.IS_SANITIZED else 1000

# A client that is killed while it holds a WebSocket: it says so when it has one.
HOLDER = """
import asyncio, sys, websockets
async def hold():
    connection = await websockets.connect(sys.argv[1])
    await connection.send("x")
    await connection.recv()
    print("holding", file=sys.stderr, flush=True)
    await asyncio.Future()
asyncio.run(hold())
"""


class WebSocket(harness.TestCase):
    def setUp(self):
        super().setUp()
        # Each tunnel takes two descriptors of gw, and one of each end.
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        self.server = self.process([sys.executable, "-B", str(pathlib.Path(__file__).with_name("websocket_server.py"))])
        self.address = "127.0.0.1:" + self.server.wait_log(r"port (\d+)")[1]

    def start(self, route=None, **config):
        """gw in front of the server, with an admin listener."""
        config = {"routes": [{"prefix": "/", "forward": "http://" + self.address, **(route or {})}], "admin": {"listen": "127.0.0.1:0"}, **config}
        self.gw = self.gateway(config)
        self.admin = int(self.gw.wait_log(r"admin listener on .*:(\d+)$")[1])

    def open_tunnels(self):
        with harness.wire.Client(self.admin) as client:
            text = client.request(target="/metrics").body.decode()
        return int(re.search(r"^gw_tunnels_open (\d+)$", text, re.M)[1])

    def connect(self, path, **options):
        return websockets.connect("ws://127.0.0.1:%d%s" % (self.gw.port, path), max_size=None, ping_interval=None, open_timeout=60, **options)

    def talk(self, path, conversation, **options):
        """Runs `conversation(connection)` over a WebSocket through gw; what it returns."""

        async def run():
            async with self.connect(path, **options) as connection:
                return await asyncio.wait_for(conversation(connection), 60)

        return asyncio.run(run())

    def test_messages_are_echoed(self):
        self.start()

        async def conversation(connection):
            self.assertEqual(connection.subprotocol, "talk")
            for message in ("hello", "", "grüße", b"\0\1\2", "x" * 100000):
                await connection.send(message)
                self.assertEqual(await connection.recv(), message)

        for compression in ("deflate", None):
            self.talk("/echo", conversation, subprotocols=["other", "talk"], compression=compression)

    def test_a_message_of_1_mib_comes_back_whole(self):
        self.start()
        message = os.urandom(MIB)

        async def conversation(connection):
            for _ in range(3):
                await connection.send(message)
                self.assertEqual(await connection.recv(), message)

        self.talk("/echo", conversation)

    def test_1_mib_goes_both_ways_at_once(self):
        self.start()
        message = os.urandom(MIB)

        async def conversation(connection):
            _, received = await asyncio.gather(connection.send(message), connection.recv())
            self.assertEqual(received, bytes(i % 251 for i in range(MIB)))
            self.assertEqual(await connection.recv(), hashlib.sha256(message).hexdigest())

        self.talk("/both", conversation, compression=None)

    def test_messages_in_fragments(self):
        self.start()

        async def conversation(connection):
            for parts in (["a" * 70000, "b", "", "c" * 3000], [b"\0" * 500, b"\1" * 1500]):
                await connection.send(parts)
                self.assertEqual(await connection.recv(), parts[0][:0].join(parts))

        self.talk("/pieces", conversation)

    def test_pings_are_answered_in_both_directions(self):
        self.start()

        async def conversation(connection):
            await (await connection.ping(b"data"))
            self.assertEqual(await connection.recv(), "ponged")

        self.talk("/ping", conversation)

    def test_close_codes_and_reasons_reach_the_other_side(self):
        self.start()

        async def by_client(connection):
            await connection.close(4001, "done here")
            return connection.close_code, connection.close_reason

        self.assertEqual(self.talk("/echo", by_client), (4001, "done here"))
        self.server.wait_log("closed /echo 4001 done here")

        async def by_server(connection):
            await connection.wait_closed()
            return connection.close_code, connection.close_reason

        self.assertEqual(self.talk("/close", by_server), (4002, "enough"))

    def test_a_thousand_tunnels_at_once_do_not_mix(self):
        self.start()
        handshakes = asyncio.Semaphore(50)

        async def one(number, everybody_is_there, all_open):
            async with handshakes:
                connection = await self.connect("/echo", compression=None)
            try:
                all_open.append(number)
                if len(all_open) == MANY:
                    self.assertEqual(await asyncio.get_running_loop().run_in_executor(None, self.open_tunnels), MANY)
                    everybody_is_there.set()
                await everybody_is_there.wait()
                for i in range(3):
                    await connection.send("%d/%d" % (number, i))
                    self.assertEqual(await connection.recv(), "%d/%d" % (number, i))
            finally:
                await connection.close()

        async def run():
            everybody_is_there, all_open = asyncio.Event(), []
            await asyncio.wait_for(asyncio.gather(*(one(number, everybody_is_there, all_open) for number in range(MANY))), 60)

        asyncio.run(run())
        self.assertTrue(harness.eventually(lambda: self.open_tunnels() == 0))

    def test_a_server_that_is_killed_is_gone_for_its_clients(self):
        self.start()

        async def conversation(connection):
            await connection.send("x")
            await connection.recv()
            self.server.kill()
            await connection.wait_closed()
            return connection.close_code

        self.assertEqual(self.talk("/echo", conversation), 1006)
        self.assertTrue(harness.eventually(lambda: self.open_tunnels() == 0))

    def test_a_client_that_is_killed_is_gone_for_its_server(self):
        self.start()
        client = self.process([sys.executable, "-B", "-c", HOLDER, "ws://127.0.0.1:%d/echo" % self.gw.port])
        client.wait_log("holding")
        self.assertEqual(self.open_tunnels(), 1)
        client.kill()
        self.server.wait_log("closed /echo 1006")
        self.assertTrue(harness.eventually(lambda: self.open_tunnels() == 0))

    def test_a_reload_leaves_tunnels_as_they_are(self):
        self.start()

        async def conversation(connection):
            await connection.send("before")
            self.assertEqual(await connection.recv(), "before")
            # Not even the route is left.
            await asyncio.get_running_loop().run_in_executor(None, self.gw.reload, {"routes": [{"prefix": "/other", "reply": 204}],
                                                                                    "listen": self.gw.config["listen"], "admin": self.gw.config["admin"]})
            with self.assertRaises(websockets.InvalidStatusCode) as refused:
                await self.connect("/echo")
            self.assertEqual(refused.exception.status_code, 404)
            await connection.send("after" * 10000)
            self.assertEqual(await connection.recv(), "after" * 10000)

        self.talk("/echo", conversation)

    def test_a_drain_waits_for_tunnels_to_end(self):
        self.start(timeouts={"drain": "60s"})

        async def conversation(connection):
            self.gw.signal(signal.SIGTERM)
            await asyncio.get_running_loop().run_in_executor(None, self.gw.wait_log, "stopping")
            await connection.send("still here")
            self.assertEqual(await connection.recv(), "still here")
            self.assertIsNone(self.gw.process.poll())

        self.talk("/echo", conversation)
        self.assertEqual(self.gw.wait(), 0)

    def test_a_drain_cuts_tunnels_when_its_time_is_over(self):
        self.start(timeouts={"drain": "300ms"})

        async def conversation(connection):
            self.gw.signal(signal.SIGTERM)
            await connection.wait_closed()
            return connection.close_code

        self.assertEqual(self.talk("/echo", conversation), 1006)
        self.server.wait_log("closed /echo 1006")
        self.assertEqual(self.gw.wait(), 0)

    def test_a_route_without_upgrades_gives_what_the_server_says_to_others(self):
        self.start(route={"upgrade": []})
        with self.assertRaises(websockets.InvalidStatusCode) as refused:
            self.talk("/echo", None)
        self.assertEqual(refused.exception.status_code, 426)

    def test_a_tunnel_is_one_line_in_the_access_log(self):
        log = self.directory / "access.log"
        self.start(use=[{"access_log": {"file": str(log), "format": "json", "fields": ["status", "bytes_received", "bytes"]}}])

        async def conversation(connection):
            await connection.send("x" * 1000)
            await connection.recv()
            self.assertEqual(log.read_text(), "")

        self.talk("/echo", conversation, compression=None)
        self.assertTrue(harness.eventually(lambda: log.read_text().count("\n") == 1))
        line = harness.json.loads(log.read_text())
        self.assertEqual(line["status"], 101)
        # The message, and a frame that closes.
        for bytes_moved in (line["bytes_received"], line["bytes"]):
            self.assertGreater(bytes_moved, 1000)
            self.assertLess(bytes_moved, 1050)


UPGRADE = [("Connection", "keep-alive, Upgrade"), ("Upgrade", "raw")]
SWITCH = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: raw\r\nX-Kept: 1\r\n\r\n"


class RawTunnel(harness.TestCase):
    def upgraded(self, answer, more=None, **config):
        """A client whose connection has become a tunnel; `more` is of the route."""
        self.backend = self.origin(answer)
        self.gw = self.in_front_of(self.backend, route={"upgrade": "raw", **(more or {})}, **config)
        client = self.client(self.gw)
        client.ask(fields=UPGRADE)
        response = client.head()
        self.assertEqual((response.status, response.get("connection").lower()), (101, "upgrade"))
        self.assertEqual((response.get("upgrade"), response.get("x-kept")), ("raw", "1"))
        return client

    def assert_reset(self, client):
        """That the connection ends in a way that nobody takes for the end of what was to be said."""
        with self.assertRaises(ConnectionResetError):
            client.reader.fill()

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
        self.assert_reset(client)

        seen = []

        def read(_, peer):
            peer.send(SWITCH)
            try:
                peer.reader.fill()
            except ConnectionResetError:
                seen.append("reset")
            return False

        client = self.upgraded(read)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        self.assertTrue(self.backend.wait(lambda: self.backend.opened == 0))
        self.assertEqual(seen, ["reset"])

    def test_a_tunnel_in_which_one_side_speaks_goes_on(self):
        # Each byte comes well within the idle time, and all of them take longer than it.
        pause = threading.Event()

        def speak(_, peer):
            peer.send(SWITCH)
            for _ in range(8):
                pause.wait(0.3)
                peer.send("x")
            return False

        client = self.upgraded(speak, upstream={"timeouts": {"tunnel": "2s"}})
        self.assertEqual(b"".join(client.reader.to_end()), b"x" * 8)

    def test_a_route_may_have_an_idle_time_of_its_own(self):
        def rest(_, peer):
            peer.send(SWITCH)
            peer.wait_gone()
            return False

        self.assert_reset(self.upgraded(rest, more={"timeouts": {"tunnel": "300ms"}}))

    def test_a_tunnel_where_nothing_moves_is_closed(self):
        def rest(_, peer):
            peer.send(SWITCH)
            peer.wait_gone()
            return False

        client = self.upgraded(rest, upstream={"timeouts": {"tunnel": "300ms"}})
        self.assert_reset(client)
        self.assertTrue(self.backend.wait(lambda: self.backend.opened == 0))

    def test_a_tunnel_is_cut_when_the_drain_time_is_over(self):
        def rest(_, peer):
            peer.send(SWITCH)
            peer.wait_gone()
            return False

        client = self.upgraded(rest, timeouts={"drain": "300ms"})
        self.gw.signal(harness.signal.SIGTERM)
        self.assertEqual(self.gw.wait(), 0)
        self.assert_reset(client)

    def test_an_upstream_that_does_not_switch_answers_as_usual(self):
        backend = self.origin(lambda _, peer: peer.reply(b"no", "426 Upgrade Required"))
        client = self.client(self.in_front_of(backend, route={"upgrade": "raw"}))
        for _ in range(2):
            self.assertEqual(client.request(fields=UPGRADE).status, 426)
        self.assertEqual(client.request().status, 426)
        self.assertEqual([r.get("upgrade") for r in backend.requests], ["raw", "raw", None])


if __name__ == "__main__":
    harness.main()
