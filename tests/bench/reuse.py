#!/usr/bin/env python3
"""Measures how many requests find a free connection to the upstream, with 1, 2 and 8 workers, each of which has a pool of its own.

    script/bench reuse
"""
import argparse
import contextlib
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

import servers

WORKERS = (1, 2, 8)
# Few requests, each on a connection of its own, so that the system chooses the worker; and clients that stay. So many a second, so many in all.
RATES = ((1, 30), (10, 200), (100, 1000))
CONNECTIONS = (1, 8, 64)


def counts(admin):
    """Requests that went upstream, and connections made for them."""
    text = urllib.request.urlopen("http://127.0.0.1:%d/metrics" % admin, timeout=5).read().decode()
    return [sum(int(n) for n in re.findall(r'^%s\{.*upstream="origin".*\} (\d+)$' % name, text, re.M))
            for name in ("gw_upstream_requests_total", "gw_upstream_connections_opened_total")]


def reuse(admin, load):
    """The share of requests, in percent, that needed no new connection."""
    before = counts(admin)
    load()
    requests, made = (after - b for after, b in zip(counts(admin), before))
    return 100 * (1 - made / requests)


def ask_at(port, rate, count):
    for _ in range(count):
        time.sleep(random.expovariate(rate))
        urllib.request.urlopen("http://127.0.0.1:%d/" % port, timeout=5).read()


def ask_much(port, connections, seconds):
    command = ["wrk", "-t1", "-c%d" % connections, "-d%ds" % seconds, "http://127.0.0.1:%d/" % port]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in text or "Socket errors" in text:
        sys.exit("requests failed:\n" + text)


def main():
    parser = argparse.ArgumentParser(description="Reuse of connections to upstreams")
    parser.add_argument("--gw", type=pathlib.Path, default=pathlib.Path("build/release/gw"))
    parser.add_argument("--null-proxy", type=pathlib.Path, default=pathlib.Path("build/release/tests/gw_null_proxy"))
    parser.add_argument("--seconds", type=int, default=2)
    arguments = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))[:2]
    names = ["%d/s, each a new client" % rate for rate, _ in RATES] + ["wrk, %d connections" % c for c in CONNECTIONS]
    print("%-8s" % "workers" + "".join("%26s" % name for name in names))
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gw-bench-")))
        field = servers.Field(stack, arguments.gw, arguments.null_proxy, directory, cores)
        for workers in WORKERS:
            port, admin = servers.free_ports(2)
            name = "workers%d" % workers
            (directory / (name + ".yaml")).write_text(
                "listen: 127.0.0.1:%d\nadmin: {listen: \"127.0.0.1:%d\"}\nworkers: %d\nupstreams: {origin: [\"127.0.0.1:%d\"]}\n"
                "routes: [{prefix: /, forward: origin}]\n" % (port, admin, workers, field.origin))
            with servers.Server(name, port, ",".join(map(str, cores)), [field.gw, "run", name + ".yaml"], directory):
                shares = [reuse(admin, lambda r=rate, c=count: ask_at(port, r, c)) for rate, count in RATES]
                shares += [reuse(admin, lambda c=c: ask_much(port, c, arguments.seconds)) for c in CONNECTIONS]
            print("%-8d" % workers + "".join("%25.2f%%" % share for share in shares), flush=True)


if __name__ == "__main__":
    main()
