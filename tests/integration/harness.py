"""Starts the built gw and what stands around it, and ends all of it.

What is asked of a gateway is compared with what `gw explain` says (explaining.py).

A test file calls `harness.main()`; it is run with the path of gw: `reload_test.py build/dev/gw [TEST...]`. Processes are awaited
by what they say or by connecting, and ended by pid. Ports are those that the system gives. No test depends on another.
"""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import explaining
import origin
import wire

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Sanitizers change how much memory and time everything takes.
IS_SANITIZED = os.environ.get("GW_SANITIZER") == "1"
LABEL = re.compile(r'([a-z]+)="((?:[^"\\]|\\.)*)"')
NO_ROUTE = b'{"message":"no Route matched with those values"}'

gw_program = None


def main():
    """Runs the tests of the calling file."""
    global gw_program
    if len(sys.argv) < 2 or not os.access(sys.argv[1], os.X_OK):
        sys.exit("usage: %s GW [TEST...]" % sys.argv[0])
    # Test files import this module under its name; the program is kept there.
    gw_program = str(pathlib.Path(sys.argv.pop(1)).resolve())
    tests = {name for case in vars(sys.modules["__main__"]).values() if isinstance(case, type) for name in dir(case)}
    if not tests.issuperset(explaining.exemptions(file_name())):
        sys.exit("explaining.EXEMPT names what is no test: %s" % (explaining.exemptions(file_name()).keys() - tests))
    unittest.main(module="__main__", verbosity=2)


def file_name():
    """"reload" of reload_test.py, which runs."""
    return pathlib.Path(sys.argv[0]).stem.removesuffix("_test")


def free_port():
    """A port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def eventually(what, timeout=10):
    """Asks `what()` again until it is true; what only another process knows cannot be waited for. Tells whether it became true."""
    give_up = time.monotonic() + timeout
    pause = threading.Event()
    while not what():
        if time.monotonic() > give_up:
            return False
        pause.wait(0.01)
    return True


def accepts(port):
    """Whether somebody listens on the port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


def need(program):
    """Skips the test if a program is not installed; where it is, otherwise."""
    found = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if not found:
        raise unittest.SkipTest(program + " is not installed")
    return found


class Process:
    """A process whose lines on standard error are collected."""

    def __init__(self, command, directory, environment=None):
        self.lines, self.changed = [], threading.Condition()
        self.process = subprocess.Popen(command, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        env={**os.environ, **(environment or {})})
        self.pid = self.process.pid
        self.reading = threading.Thread(target=self.read, daemon=True)
        self.reading.start()

    def read(self):
        for line in self.process.stderr:
            with self.changed:
                self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.changed.notify_all()

    def text(self):
        return "\n".join(self.lines)

    def count(self, pattern):
        return sum(1 for line in self.lines if re.search(pattern, line))

    def wait_log(self, pattern, times=1, timeout=10):
        """Waits for `times` lines that match; the first match of them, or an error that shows all lines."""
        with self.changed:
            self.changed.wait_for(lambda: self.count(pattern) >= times or not self.reading.is_alive(), timeout)
            found = [match for match in (re.search(pattern, line) for line in self.lines) if match]
        if len(found) < times:
            raise AssertionError("no %r in what the process said:\n%s" % (pattern, self.text()))
        return found[0]

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=20):
        """Waits for the end; the exit status."""
        status = self.process.wait(timeout)
        self.reading.join(5)
        return status

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reading.join(5)
        self.process.stderr.close()


class Gateway(Process):
    """A running gw. Its configuration is a dict, written as JSON."""

    def __init__(self, config, directory):
        self.directory = pathlib.Path(directory)
        self.file = self.directory / "gw.json"
        self.comparison = explaining.Comparison(self)
        self.write(config)
        super().__init__([gw_program, "run", str(self.file)], directory)

    def wait_ready(self):
        """Waits until it listens everywhere; then `port` is its first port and `ports` are all."""
        self.wait_log(r" listening on", len(self.config["listen"]))
        self.take_into_use()
        self.port = self.ports[0]

    def take_into_use(self):
        """Notes the configuration that was written, and where clients can connect."""
        self.config_in_use = self.config
        self.ports = [int(m[1]) for m in (re.search(r" listening on .*:(\d+)$", line) for line in self.lines) if m]
        self.comparison.begin(self.config, [*self.ports, *map(int, re.findall(r':(\d+)"', json.dumps(self.config["listen"])))])

    def admin_port(self):
        """Where the admin listener is; None if gw does not run or has none."""
        ports = [int(m[1]) for m in (re.search(r"admin listener on .*:(\d+)$", line) for line in self.lines) if m]
        return ports[-1] if ports and self.process.poll() is None and self.config_in_use.get("admin") else None

    def requests_by_route(self):
        """How many requests it has counted, by route and status."""
        with wire.Client(self.admin_port()) as client:
            text = client.request(target="/metrics").body.decode()
        counts = {}
        for labels, count in re.findall(r"^gw_requests_total\{(.*)\} (\d+)$", text, re.MULTILINE):
            values = {name: re.sub(r"\\(.)", r"\1", value) for name, value in LABEL.findall(labels)}
            key = (values["route"], values["status"])
            counts[key] = counts.get(key, 0) + int(count)
        return counts

    def write(self, config):
        """Writes the configuration, with defaults that suit a test. What is None is left out."""
        self.config = {"listen": ["127.0.0.1:0"], "admin": {"listen": "127.0.0.1:0"}, "workers": 2, **config}
        self.config = {name: value for name, value in self.config.items() if value is not None}
        self.config["timeouts"] = {"drain": "5s", **config.get("timeouts", {})}
        self.file.write_text(json.dumps(self.config, indent=1))

    def reload(self, config):
        """Writes another configuration and has it read; waits until it is in use."""
        self.write(config)
        before = self.count("configuration reloaded")
        self.signal(signal.SIGHUP)
        self.wait_log("configuration reloaded", before + 1)
        self.take_into_use()

    def peak_memory(self):
        """The most memory that was resident at a time, in bytes."""
        return self.memory("VmHWM")

    def resident_memory(self):
        """The memory that is resident now, in bytes."""
        return self.memory("VmRSS")

    def memory(self, name):
        status = pathlib.Path("/proc/%d/status" % self.pid).read_text()
        return int(re.search(name + r":\s*(\d+) kB", status)[1]) * 1024

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.pid))

    def finish(self):
        """Ends gw and tells what was wrong with its end, or nothing."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            status = self.wait()
        except subprocess.TimeoutExpired:
            return "gw does not end:\n" + self.text()
        if status != 0 or self.count("Sanitizer|runtime error:"):
            return "gw ended with %d:\n%s" % (status, self.text())
        return None


def note_curl(said):
    """Notes the requests that curl says it has sent, with -v."""
    port = re.search(rb"^\* .*onnect\w+ to .* port (\d+)", said, re.MULTILINE)
    heads = b"".join(re.findall(rb"^> (.*\r\n)", said, re.MULTILINE))
    for head in heads.split(b"\r\n\r\n")[:-1]:
        wire.note(int(port[1]), head + b"\r\n\r\n")


class Wrk:
    """A run of wrk in the background."""

    def __init__(self, port, target="/", connections=64, seconds=2):
        need("wrk")
        wire.note(port, b"GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % (target.encode(), port))
        self.process = subprocess.Popen(["wrk", "-t2", "-c%d" % connections, "-d%ds" % seconds, "http://127.0.0.1:%d%s" % (port, target)],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def is_running(self, wait=0.0):
        """Whether it still runs, after waiting at most so many seconds for its end."""
        try:
            self.process.wait(wait)
        except subprocess.TimeoutExpired:
            return True
        return False

    def result(self):
        """Waits for the end: how many requests were answered, and how many were not answered well."""
        text, _ = self.process.communicate()
        requests = re.search(r"(\d+) requests in", text)
        if not requests:
            raise AssertionError("wrk said:\n" + text)
        bad = sum(map(int, re.findall(r"(?:connect|read|write|timeout) (\d+)", text)))
        refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
        return int(requests[1]), bad + (int(refused[1]) if refused else 0)


class TestCase(unittest.TestCase):
    """A test with processes: each is ended when the test is, and the test is cut after `limit` seconds."""
    limit = 60
    maxDiff = None

    def setUp(self):
        limit = self.limit * (4 if IS_SANITIZED else 1)

        def cut(*_):
            raise AssertionError("the test took more than %d s" % limit)

        signal.signal(signal.SIGALRM, cut)
        signal.alarm(limit)
        self.restart_limit = lambda: signal.alarm(limit)
        self.addCleanup(signal.alarm, 0)
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="gw-test-"))
        self.addCleanup(shutil.rmtree, self.directory, True)
        self.origins, self.gateways = [], []
        self.addCleanup(wire.observed.clear)

    def origin(self, answer=origin.reply_ok, **options):
        made = origin.Origin(answer, **options)
        self.addCleanup(made.close)
        self.origins.append(made)
        return made

    def gateway(self, config):
        """Starts gw with a configuration; it has to end well, too."""
        directory = pathlib.Path(tempfile.mkdtemp(dir=self.directory))
        gateway = Gateway(config, directory)
        self.addCleanup(gateway.kill)
        gateway.wait_ready()
        self.addCleanup(self.finish, gateway)
        self.gateways.append(gateway)
        self.addCleanup(self.compare)
        return gateway

    def compare(self):
        """Compares what all gateways did with what `gw explain` says, while none of them has ended."""
        self.restart_limit()
        gateways, self.gateways = self.gateways, []
        if gateways:
            exempt = explaining.exemptions(file_name()).get(self._testMethodName)
            explaining.check_all(self, [gateway.comparison for gateway in gateways], self.origins, exempt)

    def in_front_of(self, *origins, **config):
        """A gateway that forwards everything to one upstream of these origins; `upstream` are more options of it."""
        upstream = {"endpoints": [o.address for o in origins], **config.pop("upstream", {})}
        route = {"prefix": "/", "forward": "origin", **config.pop("route", {})}
        return self.gateway({"upstreams": {"origin": upstream}, "routes": [route], **config})

    def finish(self, gateway):
        problem = gateway.finish()
        if problem:
            self.fail(problem)

    def process(self, command, environment=None):
        process = Process(command, self.directory, environment)
        self.addCleanup(process.kill)
        return process

    def client(self, gateway, **options):
        """A client connection to a gateway, or to a port."""
        made = wire.Client(gateway if isinstance(gateway, int) else gateway.port, **options)
        self.addCleanup(made.close)
        return made

    def ask(self, gateway, method="GET", target="/", **options):
        """One request on a connection of its own."""
        with wire.Client(gateway.port) as client:
            return client.request(method, target, **options)

    def curl(self, *arguments, status=0):
        """Runs curl; what it wrote."""
        need("curl")
        done = subprocess.run(["curl", "-sSv", "--noproxy", "*", "-m", "30", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, status, done.stderr)
        note_curl(done.stderr)
        return done.stdout

    def assert_message(self, response, status, message=None):
        """That a response is an error of gw's own: JSON with a message."""
        self.assertEqual(response.status, status, response.body)
        self.assertEqual(response.get("content-type"), "application/json")
        said = json.loads(response.body)
        self.assertEqual(list(said), ["message"])
        if message:
            self.assertEqual(said["message"], message)
