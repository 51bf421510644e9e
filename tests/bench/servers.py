"""The proxies that are compared, and the origin behind them: configurations, processes, and what they use."""
import contextlib
import hashlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

SMALL = '{"message":"the same forty-one bytes :)"}'
KEY = "a-key-of-the-bench"

NGINX = """
{user}
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid {name}.pid;
error_log stderr error;
events {{ worker_connections 16000; }}
http {{
  access_log {log};
  keepalive_requests 1000000000;
  client_body_temp_path tmp;
  proxy_temp_path tmp;
  fastcgi_temp_path tmp;
  uwsgi_temp_path tmp;
  scgi_temp_path tmp;
  {http}
}}
"""
ORIGIN = """
  sendfile on;
  open_file_cache max=10;
  server {{
    listen 127.0.0.1:{port};
    default_type application/json;
    root {directory}/files;
    location = / {{ return 200 '{small}'; }}
  }}
"""
NGINX_PROXY = """
  upstream origin {{
    server 127.0.0.1:{origin};
    keepalive 512;
    keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }}
  }}
"""
HAPROXY = """
global
  nbthread 1
  maxconn 8000
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  option http-keep-alive
  http-reuse always
frontend front
  bind 127.0.0.1:{port}
  default_backend origin
backend origin
  server origin 127.0.0.1:{origin}
"""
GW = """
listen: 127.0.0.1:{port}
workers: 1
upstreams:
  origin: {{endpoints: ["127.0.0.1:{origin}"], idle_connections: 512, connections: 12000}}
{rest}
"""
GW_PLAIN = "routes: [{prefix: /, forward: origin}]"
GW_EVERYTHING = """
routes:
  - prefix: /
    use:
      - request_id
      - access_log: {file: access.log}
      - key_auth: {keys: {bench: %s}}
      - rate_limit: {rate: 1000000000, per: 1s, by: consumer}
      - headers: {request: {set: {x-bench: "1"}}, response: {set: {x-bench: "1"}, remove: [server]}}
    forward: origin
""" % hashlib.sha256(KEY.encode()).hexdigest()


def gw_routes(count):
    """Routes of which the last, a prefix of all, takes what is asked."""
    lines = ['  - {path: "/service%d/items/{id}", forward: origin}' % i for i in range(count - 1)]
    return "routes:\n" + "\n".join(lines + ["  - {prefix: /, forward: origin}"])


def free_ports(count):
    """Ports that nobody listens on; all are held until all are known, so they differ."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]


def find(program):
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin")
    return path or sys.exit("%s is needed: script/setup" % program)


def version(command):
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return (answer.stdout + answer.stderr).splitlines()[0].strip()


class Server:
    """A process that listens on a port, pinned to a core; ended with the `with` block."""

    def __init__(self, name, port, core, command, directory):
        self.name, self.port, self.log = name, port, directory / (name + ".log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(["taskset", "-c", str(core)] + command, cwd=directory, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=subprocess.STDOUT)

    def __enter__(self):
        try:
            self.wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def fail(self, what):
        sys.exit("%s %s\n%s" % (self.name, what, self.log.read_text(errors="replace")[-2000:]))

    def wait_until_ready(self):
        deadline = time.monotonic() + 30
        asked = urllib.request.Request("http://127.0.0.1:%d/" % self.port, headers={"X-API-Key": KEY})
        while True:
            if self.process.poll() is not None:
                self.fail("ended with status %d" % self.process.returncode)
            try:
                with urllib.request.urlopen(asked, timeout=5) as answer:
                    body = answer.read().decode()
                    if answer.status != 200 or body != SMALL:
                        self.fail("answered %d %r" % (answer.status, body))
                    return
            except OSError as error:
                if time.monotonic() > deadline:
                    self.fail("does not answer: %s" % error)
                time.sleep(0.02)

    def pids(self):
        pid = self.process.pid
        return [str(pid)] + pathlib.Path("/proc/%d/task/%d/children" % (pid, pid)).read_text().split()

    def cpu(self):
        """CPU seconds used so far, user and system, by the process and its workers: what the scheduler has counted, in nanoseconds."""
        total = 0
        for pid in self.pids():
            for thread in pathlib.Path("/proc/%s/task" % pid).iterdir():
                total += int((thread / "schedstat").read_text().split()[0])
        return total / 1e9

    def resident(self):
        """Bytes of memory that the process and its workers have for themselves."""
        total = 0
        for pid in self.pids():
            for line in pathlib.Path("/proc/%s/smaps_rollup" % pid).read_text().splitlines():
                if line.startswith(("Private_Clean", "Private_Dirty")):
                    total += int(line.split()[1]) * 1024
        return total


class Field:
    """The origin and the proxies, each started when it is first asked for."""

    def __init__(self, stack, gw, null_proxy, directory, cores):
        self.stack, self.gw, self.directory = stack, str(gw.resolve()), directory
        self.null_proxy, (self.proxy_core, self.load_core) = str(null_proxy.resolve()), cores
        self.running = {}
        files = directory / "files"
        files.mkdir()
        (files / "16k").write_bytes(b"x" * 16384)
        (files / "1m").write_bytes(b"x" * 1048576)
        # A worker of another user could not enter the directory.
        self.user = "user root;" if os.getuid() == 0 else ""
        (self.origin,) = free_ports(1)
        self.run("origin", self.origin, self.load_core, self.nginx("origin", ORIGIN.format(port=self.origin, directory=directory, small=SMALL)))

    def run(self, name, port, core, command):
        server = self.running[name] = self.stack.enter_context(Server(name, port, core, command, self.directory))
        return server

    def nginx(self, name, http, log="off"):
        (self.directory / (name + ".conf")).write_text(NGINX.format(name=name, user=self.user, http=http, log=log))
        return [find("nginx"), "-p", str(self.directory), "-e", "stderr", "-c", name + ".conf"]

    def gw_command(self, name, port, rest, suffix="yaml"):
        file = "%s.%s" % (name, suffix)
        (self.directory / file).write_text(GW.format(port=port, origin=self.origin, rest=rest))
        return [self.gw, "run", file]

    def proxy(self, name):
        if name in self.running:
            return self.running[name]
        (port,) = free_ports(1)
        if name in ("nginx", "nginx+log"):
            log = "nginx-access.log" if name == "nginx+log" else "off"
            command = self.nginx(name, NGINX_PROXY.format(port=port, origin=self.origin), log)
        elif name == "haproxy":
            (self.directory / "haproxy.cfg").write_text(HAPROXY.format(port=port, origin=self.origin))
            command = [find("haproxy"), "-db", "-f", "haproxy.cfg"]
        elif name == "null":
            command = [self.null_proxy, str(port), str(self.origin)]
        else:
            rest = {"gw": GW_PLAIN, "gw+all": GW_EVERYTHING, "gw+10": gw_routes(10), "gw+10000": gw_routes(10000)}[name]
            command = self.gw_command(name, port, rest)
        return self.run(name, port, self.proxy_core, command)

    def versions(self):
        return {"nginx": version([find("nginx"), "-v"]), "haproxy": version([find("haproxy"), "-v"]), "gw": version([self.gw, "version"])}
