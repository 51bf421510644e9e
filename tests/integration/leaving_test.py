"""Clients that leave before they have their answer: the upstream is told, and nothing is left behind."""
import threading

import harness


class Leaving(harness.TestCase):
    def hang(self, _, peer):
        peer.wait_gone()
        return False

    def test_a_client_that_leaves_ends_its_upstream_request(self):
        backend = self.origin(self.hang)
        gw = self.in_front_of(backend)
        client = self.client(gw)
        client.ask()
        self.assertTrue(backend.wait(lambda: backend.requests))
        client.close()
        self.assertTrue(backend.wait(lambda: backend.opened == 0))

    def test_a_client_that_leaves_a_stream_ends_it(self):
        def stream(_, peer):
            peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
            peer.wait_gone()
            return False

        backend = self.origin(stream)
        gw = self.in_front_of(backend)
        client = self.client(gw)
        client.ask()
        self.assertEqual(next(client.pieces(client.head())), b"x")
        client.close()
        self.assertTrue(backend.wait(lambda: backend.opened == 0))

    def test_a_client_that_leaves_in_the_middle_of_an_upload_ends_it(self):
        backend = self.origin(streams=True, answer=lambda request, peer: request.read())
        gw = self.in_front_of(backend)
        client = self.client(gw)
        client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nstart")
        self.assertTrue(backend.wait(lambda: backend.requests))
        client.close()
        self.assertTrue(backend.wait(lambda: backend.opened == 0))
        self.assertEqual(backend.cut, 1)

    def test_two_hundred_clients_that_leave_leave_nothing_behind(self):
        backend = self.origin(self.hang)
        gw = self.in_front_of(backend, upstream={"connections": 1000})
        before = gw.descriptors()
        for _ in range(2):
            first = len(backend.requests)
            clients = [self.client(gw) for _ in range(100)]
            for n, client in enumerate(clients):
                if n % 2:
                    client.ask("POST", body=b"content")
                else:
                    client.ask()
            self.assertTrue(backend.wait(lambda: len(backend.requests) == first + 100))
            self.assertEqual(gw.descriptors(), before + 200)
            for client in clients:
                client.close()
            self.assertTrue(backend.wait(lambda: backend.opened == 0))
        self.assertTrue(harness.eventually(lambda: gw.descriptors() == before), "descriptors: %d, before %d" % (gw.descriptors(), before))

    def test_a_client_that_leaves_is_logged_as_499(self):
        backend = self.origin(self.hang)
        log = self.directory / "access.log"
        gw = self.in_front_of(backend, use=[{"access_log": {"file": str(log)}}])
        client = self.client(gw)
        client.ask(target="/left")
        self.assertTrue(backend.wait(lambda: backend.requests))
        client.close()
        self.assertTrue(harness.eventually(lambda: " 499 " in log.read_text()))
        self.assertIn('"GET /left HTTP/1.1" 499 0', log.read_text())

    def test_others_are_served_while_clients_leave(self):
        released = threading.Event()

        def answer(request, peer):
            if request.target == "/hang":
                return self.hang(request, peer)
            if request.target == "/held":
                released.wait(20)
            peer.reply()

        backend = self.origin(answer)
        gw = self.in_front_of(backend, workers=1)
        staying = self.client(gw)
        staying.ask(target="/held")
        self.assertTrue(backend.wait(lambda: backend.requests))
        for n in range(20):
            client = self.client(gw)
            client.ask(target="/hang")
            self.assertTrue(backend.wait(lambda: len([r for r in backend.requests if r.target == "/hang"]) == n + 1))
            client.close()
        self.assertTrue(backend.wait(lambda: backend.opened == 1))
        released.set()
        self.assertEqual(staying.read().status, 200)
        self.assertEqual(staying.request().status, 200)


if __name__ == "__main__":
    harness.main()
