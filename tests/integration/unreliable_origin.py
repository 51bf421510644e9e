"""An origin that fails as a test tells it to, in a process of its own: it can be killed and stopped, and carries load.

The process takes orders as lines of JSON on its standard input and answers each with what it has counted; it ends when that is closed.
Its address is not the one that clients have, so that none of them takes its port while it is down.
"""
import asyncio
import collections
import json
import signal
import socket
import struct
import subprocess
import sys

HOST = "127.0.0.2"
HEALTH = b"/health"
# What a response announces of which half arrives.
PADDING = b"x" * 65536


class UnreliableOrigin:
    """A running origin. It answers each request with its name, the method, the target and the content that it was sent.

    `behave` takes one of these, and what is asked afterwards, also on open connections, meets it:

    - "answer": all is well; `after`: so many seconds late; `status`: with this status
    - "hang": takes requests and says nothing
    - "reset", "reset_in_head", "reset_in_body": resets the connection instead of answering, inside the head, after half of the content
    - "refuse": closes all connections and does not listen; "flap": is so for a second, and well for a second, in turn

    The path /health meets the same, but has a status of its own: `health`.
    """

    def __init__(self, name):
        self.name, self.port = name, 0
        self.launch()

    @classmethod
    def several(cls, names):
        """Origins of these names, which start at the same time."""
        made = [cls(name) for name in names]
        for origin in made:
            origin.wait_ready()
        return made

    def launch(self):
        # -S: it starts faster without what it does not need.
        self.process = subprocess.Popen([sys.executable, "-B", "-S", __file__, self.name, str(self.port)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)

    def wait_ready(self):
        self.port = self.counts()["port"]
        self.address = "%s:%d" % (HOST, self.port)

    def start(self):
        """Starts it again after it was killed, at the port that it had."""
        self.launch()
        self.wait_ready()

    def forget(self):
        """Makes it as it was when it started."""
        if self.process.returncode is not None:
            self.start()
        self.tell(behaviour="answer", after=0, status=200, health=200, counted={})

    def tell(self, **order):
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise AssertionError("the origin %s has ended" % self.name)
        return json.loads(answer)

    def behave(self, behaviour="answer", after=0, status=200):
        self.tell(behaviour=behaviour, after=after, status=status)

    def health(self, status):
        self.tell(health=status)

    def counts(self):
        """What the process has seen: `requests` without those of /health, `checks` of it, and `connections` that are open now."""
        return self.tell()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def stop(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def close(self):
        if self.process.returncode is None:
            self.kill()


class State:
    """What the process is to do, and what it has seen."""

    def __init__(self, name, port):
        self.name, self.port = name.encode(), port
        self.behaviour, self.after, self.status, self.health = "answer", 0, 200, 200
        self.counted = collections.Counter()
        self.peers, self.server, self.flapping = set(), None, None

    async def listen(self):
        if not self.server:
            self.server = await asyncio.get_running_loop().create_server(lambda: Peer(self), HOST, self.port, backlog=1024)
            self.port = self.server.sockets[0].getsockname()[1]

    def refuse(self):
        if self.server:
            self.server.close()
            self.server = None
        for peer in list(self.peers):
            peer.transport.abort()

    async def flap(self):
        while True:
            self.refuse()
            await asyncio.sleep(1)
            await self.listen()
            await asyncio.sleep(1)

    async def obey(self, order):
        for name, value in order.items():
            setattr(self, name, collections.Counter() if name == "counted" else value)
        if "behaviour" in order:
            if self.flapping:
                self.flapping.cancel()
                self.flapping = None
            if self.behaviour == "flap":
                self.flapping = asyncio.create_task(self.flap())
            elif self.behaviour == "refuse":
                self.refuse()
            else:
                await self.listen()
        return {"port": self.port, "requests": self.counted[False], "checks": self.counted[True], "connections": len(self.peers)}


class Peer(asyncio.Protocol):
    """A connection."""

    def __init__(self, state):
        self.state, self.data, self.head_size = state, b"", 0

    def connection_made(self, transport):
        self.transport = transport
        self.state.peers.add(self)

    def connection_lost(self, _):
        self.state.peers.discard(self)

    def data_received(self, data):
        self.data += data
        while True:
            end = self.data.find(b"\r\n\r\n")
            if end < 0:
                return
            head, size = self.data[:end], 0
            at = head.lower().find(b"\r\ncontent-length:")
            if at >= 0:
                size = int(head[at + 17:].split(b"\r\n", 1)[0])
            end += 4 + size
            if len(self.data) < end:
                return
            content, self.data = self.data[end - size:end], self.data[end:]
            method, target, _ = head.split(b" ", 2)
            self.serve(method, target, content)

    def serve(self, method, target, content):
        state = self.state
        is_check = target == HEALTH
        state.counted[is_check] += 1
        self.is_head = method == b"HEAD"
        content = b"%s %s %s %s" % (state.name, method, target, content)
        if state.behaviour == "hang":
            return
        if state.behaviour == "reset":
            self.reset()
        elif state.behaviour == "reset_in_head":
            self.transport.write(b"HTTP/1.1 200 OK\r\nX-Origin: %s\r\nContent-Le" % state.name)
            self.reset()
        elif state.behaviour == "reset_in_body":
            self.reply(200, content + PADDING[len(content):], len(PADDING) // 2)
            # The first half is to go to the client before that.
            asyncio.get_running_loop().call_later(0.02, self.reset)
        else:
            status = state.health if is_check else state.status
            if state.after:
                asyncio.get_running_loop().call_later(state.after, self.reply, status, content)
            else:
                self.reply(status, content)

    def reply(self, status, content, size=None):
        """Sends a response, or the first `size` bytes of its content."""
        size = 0 if self.is_head else size
        self.transport.write(b"HTTP/1.1 %d Status\r\nX-Origin: %s\r\nContent-Length: %d\r\n\r\n%s" %
                             (status, self.state.name, len(content), content[:size]))

    def reset(self):
        if not self.transport.is_closing():
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()


async def main():
    state = State(sys.argv[1], int(sys.argv[2]))
    await state.listen()
    orders = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        print(json.dumps(await state.obey(json.loads(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
