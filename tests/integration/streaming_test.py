"""Bodies that are larger than any buffer, in both directions, and how much memory the gateway needs for them."""
import itertools
import os
import threading

import harness
import wire

MIB = 1024 * 1024
SIZE = (64 if harness.IS_SANITIZED else 1024) * MIB
MEMORY = 64 * MIB
# Content is this block again and again, so that every byte can be checked without being stored.
BLOCK = os.urandom(MIB)


class Check:
    """Tells whether pieces are the blocks, and counts them."""

    def __init__(self):
        self.count, self.is_right = 0, True

    def take(self, piece):
        taken = 0
        while taken < len(piece):
            at = self.count % MIB
            # Slices of bytes are compared as memory; views, one number after the other.
            part = piece[taken:taken + MIB - at]
            if part != BLOCK[at:at + len(part)]:
                self.is_right = False
            taken += len(part)
            self.count += len(part)


def blocks(size, is_chunked):
    """A body of `size` bytes as it is on the wire."""
    framed = wire.chunk(BLOCK) if is_chunked else BLOCK
    yield from itertools.repeat(framed, size // MIB)
    if is_chunked:
        yield b"0\r\n\r\n"


def framing(size, is_chunked):
    return "Transfer-Encoding: chunked" if is_chunked else "Content-Length: %d" % size


class Stall:
    """Sends until nothing is taken for a moment; knows how much went out by then. `go_on` ends the wait for the rest."""

    def __init__(self):
        self.reached, self.proceed = threading.Event(), threading.Event()
        self.sent = 0

    def send(self, connection, pieces):
        connection.settimeout(0.5)
        for piece in pieces:
            view = memoryview(piece)
            while view:
                try:
                    count = connection.send(view)
                except TimeoutError:
                    self.reached.set()
                    self.proceed.wait(60)
                    connection.settimeout(60)
                    continue
                self.sent += count
                view = view[count:]


class Streaming(harness.TestCase):
    limit = 120

    def assert_memory(self, gateway):
        if not harness.IS_SANITIZED:
            self.assertLess(gateway.peak_memory(), MEMORY)

    def test_a_large_request_body_streams_through(self):
        for is_chunked in (False, True):
            with self.subTest(chunked=is_chunked):
                check = Check()

                def answer(request, peer):
                    for piece in request.pieces():
                        check.take(piece)
                    peer.reply(b"%d" % check.count)

                origin = self.origin(answer, streams=True)
                gw = self.in_front_of(origin, limits={"body": "2GiB"})
                client = self.client(gw, timeout=60)
                client.send("POST / HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n" % framing(SIZE, is_chunked))
                for block in blocks(SIZE, is_chunked):
                    client.send(block)
                self.assertEqual(client.read().body, b"%d" % SIZE)
                self.assertTrue(check.is_right)
                self.assertEqual(origin.faults, [])
                self.assertEqual(wire.framing_of(origin.requests[0].fields), "chunked" if is_chunked else SIZE)
                self.assert_memory(gw)

    def test_a_large_response_body_streams_through(self):
        for is_chunked in (False, True):
            with self.subTest(chunked=is_chunked):

                def answer(_, peer):
                    peer.send("HTTP/1.1 200 OK\r\n%s\r\n\r\n" % framing(SIZE, is_chunked))
                    for block in blocks(SIZE, is_chunked):
                        peer.send(block)

                gw = self.in_front_of(self.origin(answer))
                client = self.client(gw, timeout=60)
                client.ask()
                response = client.head()
                check = Check()
                for piece in client.pieces(response):
                    check.take(piece)
                self.assertEqual((check.count, check.is_right), (SIZE, True))
                self.assert_memory(gw)

    def test_a_client_that_does_not_read_stops_the_origin(self):
        size = 64 * MIB
        for is_chunked in (False, True):
            with self.subTest(chunked=is_chunked):
                stall = Stall()

                def answer(_, peer):
                    peer.send("HTTP/1.1 200 OK\r\n%s\r\n\r\n" % framing(size, is_chunked))
                    stall.send(peer.socket, blocks(size, is_chunked))

                gw = self.in_front_of(self.origin(answer))
                client = self.client(gw, receive_buffer=64 * 1024, timeout=60)
                client.ask()
                self.assertTrue(stall.reached.wait(60))
                # What is under way are the buffers of the system's sockets.
                self.assertLess(stall.sent, size)
                self.assert_memory(gw)
                check = Check()
                stall.proceed.set()
                for piece in client.pieces(client.head()):
                    check.take(piece)
                self.assertEqual((check.count, check.is_right), (size, True))
                self.assert_memory(gw)

    def test_an_origin_that_does_not_read_stops_the_client(self):
        size = 64 * MIB
        for is_chunked in (False, True):
            with self.subTest(chunked=is_chunked):
                stall, check = Stall(), Check()

                def answer(request, peer):
                    stall.proceed.wait(60)
                    for piece in request.pieces():
                        check.take(piece)
                    peer.reply()

                gw = self.in_front_of(self.origin(answer, streams=True))
                client = self.client(gw, timeout=60)
                client.send("PUT / HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n" % framing(size, is_chunked))
                sending = threading.Thread(target=stall.send, args=(client.socket, blocks(size, is_chunked)))
                sending.start()
                self.assertTrue(stall.reached.wait(60))
                self.assertLess(stall.sent, size)
                self.assert_memory(gw)
                stall.proceed.set()
                sending.join()
                self.assertEqual(client.read().status, 200)
                self.assertEqual((check.count, check.is_right), (size, True))
                self.assert_memory(gw)

    def test_both_directions_stream_at_the_same_time(self):
        size = 32 * MIB

        def answer(request, peer):
            peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for piece in request.pieces():
                peer.send(wire.chunk(piece))
            peer.send("0\r\n\r\n")

        gw = self.in_front_of(self.origin(answer, streams=True))
        client = self.client(gw, timeout=60)
        client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")

        def send():
            for block in blocks(size, True):
                client.send(block)

        sending = threading.Thread(target=send)
        sending.start()
        check = Check()
        for piece in client.pieces(client.head()):
            check.take(piece)
        sending.join()
        self.assertEqual((check.count, check.is_right), (size, True))
        self.assert_memory(gw)

    def test_many_slow_readers_share_the_memory(self):
        size, count = 32 * MIB, 8
        stalls = [Stall() for _ in range(count)]

        def answer(request, peer):
            peer.send("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            stalls[int(request.target[1:])].send(peer.socket, blocks(size, False))

        gw = self.in_front_of(self.origin(answer))
        clients = [self.client(gw, receive_buffer=64 * 1024, timeout=60) for _ in range(count)]
        for i, client in enumerate(clients):
            client.ask(target="/%d" % i)
        for stall in stalls:
            self.assertTrue(stall.reached.wait(60))
        self.assert_memory(gw)
        for stall, client in zip(stalls, clients):
            stall.proceed.set()
            check = Check()
            for piece in client.pieces(client.head()):
                check.take(piece)
            self.assertEqual((check.count, check.is_right), (size, True))


if __name__ == "__main__":
    harness.main()
