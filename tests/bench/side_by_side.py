#!/usr/bin/env python3
"""Measures gw beside nginx and HAProxy, as CPU time per proxied request and as its ratio to nginx.

Each proxy runs alone on one core with one worker. The load (wrk, 64 connections) and the origin (nginx, which answers
41 bytes of JSON) share another core. All three proxies run all the time and are loaded in turn, in an order that
rotates each round; a ratio compares two runs of the same round, so what else happens on the machine hits both alike.
CPU time, user and system, comes from the kernel; requests per second are shown for context only.

    script/bench --rounds 9 --seconds 3

Every process is started here, on ports that were free, and ended here by its pid.
"""
import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

BODY = '{"message":"the same forty-one bytes :)"}'
CONNECTIONS = 64
TICKS = os.sysconf("SC_CLK_TCK")

NGINX = """
{user}
daemon off;
worker_processes 1;
pid {name}.pid;
error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off;
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
  server {{
    listen 127.0.0.1:{port};
    default_type application/json;
    location / {{ return 200 '{body}'; }}
  }}
"""
NGINX_PROXY = """
  upstream origin {{
    server 127.0.0.1:{origin};
    keepalive 64;
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
  maxconn 2000
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
  origin: {{endpoints: ["127.0.0.1:{origin}"]}}
routes:
  - {{prefix: /, forward: origin}}
"""


def free_ports(count):
    """Ports that nobody listens on; all are held until all are known, so they differ."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]


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
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def fail(self, what):
        sys.exit("%s %s\n%s" % (self.name, what, self.log.read_text(errors="replace")[-2000:]))

    def wait_until_ready(self):
        deadline = time.monotonic() + 10
        while True:
            if self.process.poll() is not None:
                self.fail("ended with status %d" % self.process.returncode)
            try:
                with urllib.request.urlopen("http://127.0.0.1:%d/" % self.port, timeout=5) as answer:
                    body = answer.read().decode()
                    if answer.status != 200 or body != BODY:
                        self.fail("answered %d %r" % (answer.status, body))
                    return
            except OSError as error:
                if time.monotonic() > deadline:
                    self.fail("does not answer: %s" % error)
                time.sleep(0.05)

    def cpu(self):
        """CPU seconds used so far, by the process and its workers."""
        pid = self.process.pid
        children = pathlib.Path("/proc/%d/task/%d/children" % (pid, pid)).read_text().split()
        total = 0
        for one in [pid] + children:
            # The name of the program, in parentheses, may hold spaces; utime and stime are fields 14 and 15.
            fields = pathlib.Path("/proc/%s/stat" % one).read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS


def load(server, core, seconds):
    """Loads `server`; returns microseconds of CPU per request, and requests per second."""
    before = server.cpu()
    command = ["taskset", "-c", str(core), "wrk", "-t1", "-c%d" % CONNECTIONS, "-d%ds" % seconds, "http://127.0.0.1:%d/" % server.port]
    text = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=True).stdout
    used = server.cpu() - before
    requests = int(re.search(r"(\d+) requests in", text).group(1))
    if requests == 0 or "Non-2xx" in text or "Socket errors" in text:
        sys.exit("%s failed requests:\n%s" % (server.name, text))
    return {"cpu_us": used / requests * 1e6, "rps": float(re.search(r"Requests/sec: +([0-9.]+)", text).group(1))}


def version(command):
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return (answer.stdout + answer.stderr).splitlines()[0].strip()


def start(stack, arguments, directory, cores):
    """Starts the origin and the proxies; returns the proxies by name, nginx first."""
    proxy_core, load_core = cores
    origin, *ports = free_ports(4)
    nginx = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
    haproxy = shutil.which("haproxy", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if not nginx or not haproxy or not shutil.which("wrk") or not shutil.which("taskset"):
        sys.exit("nginx, haproxy, wrk and taskset are needed: script/setup")
    # A worker of another user could not enter the directory.
    user = "user root;" if os.getuid() == 0 else ""
    texts = {
        "origin.conf": NGINX.format(name="origin", user=user, http=ORIGIN.format(port=origin, body=BODY)),
        "nginx.conf": NGINX.format(name="nginx", user=user, http=NGINX_PROXY.format(port=ports[0], origin=origin)),
        "haproxy.cfg": HAPROXY.format(port=ports[1], origin=origin),
        "gw.yaml": GW.format(port=ports[2], origin=origin),
    }
    for name, text in texts.items():
        (directory / name).write_text(text)
    at = [nginx, "-p", str(directory), "-e", "stderr", "-c"]
    stack.enter_context(Server("origin", origin, load_core, at + ["origin.conf"], directory))
    commands = [
        ("nginx", at + ["nginx.conf"], [nginx, "-v"]),
        ("haproxy", [haproxy, "-db", "-f", "haproxy.cfg"], [haproxy, "-v"]),
        ("gw", [str(arguments.gw.resolve()), "run", "gw.yaml"], [str(arguments.gw.resolve()), "version"]),
    ]
    proxies = {name: stack.enter_context(Server(name, port, proxy_core, command, directory))
               for port, (name, command, _) in zip(ports, commands)}
    return proxies, {name: version(command) for name, _, command in commands}


def measure(proxies, arguments, load_core):
    """One dict per round: name of the proxy → what `load` gave."""
    names = list(proxies)
    for name in names:
        load(proxies[name], load_core, 1)
    rounds = []
    for number in range(arguments.rounds):
        shift = number % len(names)
        rounds.append({name: load(proxies[name], load_core, arguments.seconds) for name in names[shift:] + names[:shift]})
        print("round %d of %d: %s" % (number + 1, arguments.rounds,
                                      ", ".join("%s %.2f us" % (n, rounds[-1][n]["cpu_us"]) for n in names)), flush=True)
    return rounds


def summarise(rounds):
    summary = {}
    for name in rounds[0]:
        ratios = [r[name]["cpu_us"] / r["nginx"]["cpu_us"] for r in rounds]
        summary[name] = {
            "cpu_us": statistics.median(r[name]["cpu_us"] for r in rounds),
            "rps": statistics.median(r[name]["rps"] for r in rounds),
            "ratio": statistics.median(ratios),
            "ratio_min": min(ratios),
            "ratio_max": max(ratios),
        }
    return summary


def main():
    parser = argparse.ArgumentParser(description="CPU per proxied request: gw beside nginx and HAProxy")
    parser.add_argument("--gw", type=pathlib.Path, default=pathlib.Path("build/release/gw"))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=3, help="of load per proxy and round")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/bench.json"))
    arguments = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2 or arguments.rounds < 1 or arguments.seconds < 1:
        sys.exit("needs two cores, one round and one second")
    if not arguments.gw.exists():
        sys.exit("%s does not exist: cmake --build --preset release" % arguments.gw)

    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gw-bench-")))
        proxies, versions = start(stack, arguments, directory, cores)
        rounds = measure(proxies, arguments, cores[1])

    summary = summarise(rounds)
    print("\n%-8s %12s %24s %12s" % ("", "CPU/request", "ratio to nginx (spread)", "requests/s"))
    for name, s in summary.items():
        print("%-8s %9.2f us %10.2f (%.2f to %.2f) %12.0f" % (name, s["cpu_us"], s["ratio"], s["ratio_min"], s["ratio_max"], s["rps"]))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps({"versions": versions, "seconds": arguments.seconds, "connections": CONNECTIONS,
                                         "summary": summary, "rounds": rounds}, indent=2) + "\n")


if __name__ == "__main__":
    main()
