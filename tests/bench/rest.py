#!/usr/bin/env python3
"""Measures what is not CPU per request: memory of idle connections, tail latency while the configuration reloads, and 100,000 routes.

    script/bench rest
"""
import argparse
import contextlib
import json
import os
import pathlib
import re
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import servers
from side_by_side import interval

IDLE = 5000
ROUTES = 100_000


def connect_idle(port, count):
    """Connections that have made one request each and now wait."""
    opened = []
    request = b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n"
    for _ in range(count):
        s = socket.create_connection(("127.0.0.1", port))
        s.sendall(request)
        answer = b""
        while not answer.endswith(servers.SMALL.encode()):
            answer += s.recv(65536) or sys.exit("an idle connection was closed")
        opened.append(s)
    return opened


def idle_memory(field):
    """Bytes that an idle keep-alive connection of a client takes, by proxy."""
    taken = {}
    for name in ("nginx", "haproxy", "gw"):
        server = field.proxy(name)
        # What the first connections bring along is not theirs.
        for s in connect_idle(server.port, 200):
            s.close()
        time.sleep(0.5)
        before = server.resident()
        opened = connect_idle(server.port, IDLE)
        # gw lets go of what served a connection a moment ago.
        time.sleep(2)
        taken[name] = (server.resident() - before) / IDLE
        for s in opened:
            s.close()
    return taken


def tail(server, core, seconds, directory):
    """The time within which 99 % of requests are answered, in microseconds, at 64 connections."""
    command = ["taskset", "-c", str(core), "wrk", "-t1", "-c64", "--latency", "-d%ds" % seconds, "http://127.0.0.1:%d/" % server.port]
    text = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in text or "Socket errors" in text:
        sys.exit("requests failed while reloading:\n%s" % text)
    value, unit = re.search(r"99% +([0-9.]+)(us|ms|s)", text).groups()
    return float(value) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]


def reloading(field, rounds, seconds):
    """p99 with ten reloads a second, without, and their ratio."""
    server = field.proxy("gw")
    # Server runs its program under taskset, which has become it.
    pid = server.process.pid
    pairs = []
    for number in range(rounds):
        one = {}
        for with_reloads in (number % 2 == 0, number % 2 == 1):
            stop = threading.Event()

            def reload():
                while not stop.wait(0.1):
                    os.kill(pid, signal.SIGHUP)

            thread = threading.Thread(target=reload)
            if with_reloads:
                thread.start()
            one[with_reloads] = tail(server, field.load_core, seconds, field.directory)
            stop.set()
            if with_reloads:
                thread.join()
        pairs.append(one)
    ratio, low, high = interval([p[True] / p[False] for p in pairs])
    return {"with_us": statistics.median(p[True] for p in pairs), "without_us": statistics.median(p[False] for p in pairs),
            "ratio": ratio, "low": low, "high": high}


def many_routes(field, suffix):
    """Seconds until gw serves with 100,000 routes, less those with one, and bytes a route takes beyond its text."""
    def config(count):
        routes = [{"path": "/service%d/items/{id}" % i, "forward": "origin"} for i in range(count - 1)] + [{"prefix": "/", "forward": "origin"}]
        if suffix == "json":
            return json.dumps({"listen": "127.0.0.1:%d" % port, "workers": 1,
                               "upstreams": {"origin": {"endpoints": ["127.0.0.1:%d" % field.origin]}}, "routes": routes})
        return servers.GW.format(port=port, origin=field.origin, rest=servers.gw_routes(count))

    measured = {}
    for count in (1, ROUTES):
        (port,) = servers.free_ports(1)
        file = field.directory / ("routes%d.%s" % (count, suffix))
        file.write_text(config(count))
        started = time.monotonic()
        with servers.Server("routes%d" % count, port, field.proxy_core, [field.gw, "run", file.name], field.directory) as server:
            seconds = time.monotonic() - started
            # What loading took goes back to the system when it serves.
            time.sleep(0.5)
            measured[count] = seconds, server.resident(), file.stat().st_size
    (t1, m1, _), (t2, m2, size) = measured[1], measured[ROUTES]
    return {"seconds": t2 - t1, "bytes_per_route": (m2 - m1) / ROUTES, "text_per_route": size / ROUTES}


def main():
    parser = argparse.ArgumentParser(description="Memory, reloads and many routes")
    parser.add_argument("--gw", type=pathlib.Path, default=pathlib.Path("build/release/gw"))
    parser.add_argument("--null-proxy", type=pathlib.Path, default=pathlib.Path("build/release/tests/gw_null_proxy"))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/bench-rest.json"))
    arguments = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))[:2]
    resource.setrlimit(resource.RLIMIT_NOFILE, (20000, 20000))
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gw-bench-")))
        field = servers.Field(stack, arguments.gw, arguments.null_proxy, directory, cores)
        result = {}
        result["idle_bytes"] = idle_memory(field)
        print("memory of an idle connection: " + ", ".join("%s %.0f bytes" % item for item in result["idle_bytes"].items()), flush=True)
        result["reloads"] = r = reloading(field, arguments.rounds, arguments.seconds)
        print("p99 with ten reloads a second: %.0f us, without %.0f us: %.2f (%.2f to %.2f)" % (r["with_us"], r["without_us"], r["ratio"], r["low"], r["high"]), flush=True)
        for suffix in ("json", "yaml"):
            result["routes_" + suffix] = r = many_routes(field, suffix)
            print("100,000 routes from %s: %.2f s, %.0f bytes a route, of which its text has %.0f" % (
                suffix.upper(), r["seconds"], r["bytes_per_route"], r["text_per_route"]), flush=True)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
