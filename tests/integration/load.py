"""Clients that ask all the time, and look at every answer."""
import collections
import json
import socket
import threading
import time

import harness

# A request that is not answered within so many seconds is a problem.
BOUND = 10
CONTENT = b"some content"


class Cut(Exception):
    """The connection ended inside a response."""


class Answer:
    """A response: its status, the origin that gave it (empty: gw), and its content."""

    def __init__(self, head, content):
        self.status, self.content = int(head[9:12]), content
        lines = head.lower()
        at = lines.find(b"\r\nx-origin: ")
        self.origin = head[at + 12:].split(b"\r\n", 1)[0].decode() if at >= 0 else ""
        self.ends_connection = b"\r\nconnection: close" in lines

    def is_message(self):
        """Whether it is an error of gw's own."""
        try:
            return self.origin == "" and list(json.loads(self.content)) == ["message"]
        except (ValueError, TypeError):
            return False


class Connection:
    """A lean client: it does not note what it asks, and takes only responses that have a length."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=BOUND)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, method, target, fields=b"", content=b""):
        """One request; its answer, or OSError, or Cut if only a part of it comes."""
        length = b"Content-Length: %d\r\n" % len(content) if content else b""
        self.socket.sendall(b"%s %s HTTP/1.1\r\nHost: a\r\n%s%s\r\n%s" % (method, target, fields, length, content))
        data, size = b"", None
        while size is None or len(data) < size:
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                raise Cut() if data else ConnectionError("no answer")
            data += more
            if size is None and (end := data.find(b"\r\n\r\n")) >= 0:
                at = data.lower().index(b"\r\ncontent-length:", 0, end + 2)
                size = end + 4 + int(data[at + 17:].split(b"\r\n", 1)[0])
        if len(data) > size:
            raise AssertionError("more than a response: %r" % data)
        return Answer(data[:end], data[end + 4:])


class Load:
    """A number of clients, each on a connection of its own, that ask again as soon as they have an answer.

    Every fifth request is a PUT with a little content, the others are GETs. `answered` counts the right answers by origin, `failed` those
    with another status than 200 by status. `problems` describes what no client may ever see, `cut` counts the responses that ended early.
    """

    def __init__(self, port, clients=16, requests=None):
        self.port, self.left = port, requests
        self.lock = threading.Lock()
        self.answered, self.failed, self.problems, self.cut, self.slowest = collections.Counter(), collections.Counter(), [], 0, 0.0
        self.examples = {}  # of what failed, by status
        self.is_stopped = False
        self.threads = [threading.Thread(target=self.run, args=(n,), daemon=True) for n in range(clients)]
        for thread in self.threads:
            thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def run(self, client):
        connection, n = None, 0
        while self.may_go_on():
            n += 1
            method, content = (b"PUT", CONTENT) if n % 5 == 0 else (b"GET", b"")
            target = b"/%d/%d" % (client, n)
            began, answer = time.monotonic(), None
            try:
                connection = connection or Connection(self.port)
                answer = connection.ask(method, target, content=content)
                problem = None
                if answer.status == 200 and answer.content != b"%s %s %s %s" % (answer.origin.encode(), method, target, content):
                    problem = "a wrong answer: %r" % answer.content[:200]
                elif answer.status != 200 and not answer.origin and not answer.is_message():
                    problem = "%d without a message: %r" % (answer.status, answer.content[:200])
            except Cut:
                problem = "cut"
            except (OSError, AssertionError, ValueError) as e:
                problem = repr(e)
            took = time.monotonic() - began
            with self.lock:
                self.slowest = max(self.slowest, took)
                if problem == "cut":
                    self.cut += 1
                elif problem:
                    self.problems.append("%s %s: %s after %.1f s" % (method.decode(), target.decode(), problem, took))
                elif answer.status == 200:
                    self.answered[answer.origin] += 1
                else:
                    self.failed[answer.status] += 1
                    self.examples.setdefault(answer.status, answer.content[:200])
            if problem or answer.ends_connection:
                connection = connection and connection.socket.close()
        if connection:
            connection.socket.close()

    def may_go_on(self):
        with self.lock:
            if self.left is not None:
                self.left -= 1
                return self.left >= 0 and not self.is_stopped
            return not self.is_stopped

    def total(self):
        """How many requests have ended, in whichever way."""
        with self.lock:
            return self.answered.total() + self.failed.total() + len(self.problems) + self.cut

    def wait_more(self, count, origin=None, timeout=30):
        """Waits for so many more right answers, or for those of an origin; tells whether they came."""
        answered = (lambda: self.answered[origin]) if origin else self.answered.total
        before = answered()
        return harness.eventually(lambda: answered() >= before + count, timeout)

    def finish(self, timeout=100):
        """Waits until all requests have ended; only if their number is bounded."""
        give_up = time.monotonic() + timeout
        for thread in self.threads:
            thread.join(max(0, give_up - time.monotonic()))
        return not any(thread.is_alive() for thread in self.threads)

    def stop(self):
        self.is_stopped = True
        self.finish()

    def state(self):
        """What there is to say if something is wrong."""
        with self.lock:
            return "right answers: %s\nother statuses: %s %s\ncut: %d\nslowest: %.1f s\nproblems: %d %s" % (
                dict(self.answered), dict(self.failed), self.examples, self.cut, self.slowest, len(self.problems), self.problems[:5])
