#!/usr/bin/env python3
"""Measures gw beside nginx, HAProxy and a proxy that does nothing, as CPU time per proxied request and as ratios.

Each proxy runs alone on one core with one worker. The load (wrk) and the origin (nginx) share another core. The proxies of a
scenario run all the time and are loaded in turn, in an order that rotates each round; a ratio compares two runs of the same round,
so what else happens on the machine hits both alike. CPU time, user and system, comes from the scheduler; requests per second are
shown for context only. Printed are medians, and of ratios the interval that holds the median with 95 % confidence.

    script/bench                          all of it, about 15 minutes
    script/bench --only small --rounds 3  one scenario
"""
import argparse
import contextlib
import json
import math
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
from typing import NamedTuple

import chart
import servers


class Scenario(NamedTuple):
    name: str
    title: str
    connections: int
    path: str
    options: list   # of wrk, beside
    proxies: list   # the first is what the others are compared with
    aims: list      # (of, to, ratio)


FOUR = ["nginx", "haproxy", "gw", "null"]
SCENARIOS = [
    Scenario("one", "41-byte answer, 1 connection", 1, "/", [], FOUR, []),
    Scenario("small", "41-byte answer, 64 connections", 64, "/", [], FOUR, [("gw", "nginx", 0.80), ("gw", "null", 1.08)]),
    Scenario("many", "41-byte answer, 512 connections", 512, "/", [], FOUR, []),
    Scenario("16k", "16 KiB answer, 64 connections", 64, "/16k", [], FOUR, [("gw", "nginx", 0.80), ("gw", "haproxy", 0.95)]),
    Scenario("1m", "1 MiB answer, 16 connections", 16, "/1m", [], FOUR, [("gw", "haproxy", 0.95)]),
    Scenario("post", "16 KiB POST, 64 connections", 64, "/", ["-s", "post.lua"], FOUR, []),
    Scenario("close", "a new connection per request", 64, "/", ["-H", "Connection: close"], ["nginx", "haproxy", "gw"], [("gw", "nginx", 1.0)]),
    Scenario("routes", "10,000 routes against 10", 64, "/", [], ["gw+10", "gw+10000"], [("gw+10000", "gw+10", 1.03)]),
    Scenario("all", "everything on; nginx: access log", 64, "/", ["-H", "X-API-Key: " + servers.KEY], ["nginx+log", "gw+all"],
             [("gw+all", "nginx+log", 0.95)]),
]

POST = 'wrk.method = "POST"\nwrk.body = string.rep("x", 16384)\n'


def load(server, field, scenario, seconds):
    """Loads `server`; returns microseconds of CPU per request, and requests per second."""
    before = server.cpu()
    command = ["taskset", "-c", str(field.load_core), "wrk", "-t1", "-c%d" % scenario.connections, "-d%ds" % seconds, *scenario.options,
               "http://127.0.0.1:%d%s" % (server.port, scenario.path)]
    text = subprocess.run(command, cwd=field.directory, capture_output=True, text=True, timeout=seconds + 30, check=True).stdout
    used = server.cpu() - before
    requests = int(re.search(r"(\d+) requests in", text).group(1))
    if requests == 0 or "Non-2xx" in text:
        sys.exit("%s failed requests:\n%s" % (server.name, text))
    return {"cpu_us": used / requests * 1e6, "rps": float(re.search(r"Requests/sec: +([0-9.]+)", text).group(1))}


def interval(values):
    """The median of `values`, and the narrowest pair of them that holds the median of all with 95 % confidence."""
    ordered, n = sorted(values), len(values)
    outside, k = 0.0, 0
    # How many values lie below the median of all is binomial.
    while k < n // 2:
        outside += math.comb(n, k) / 2**n
        if outside > 0.025:
            break
        k += 1
    k = max(k, 1)
    return statistics.median(ordered), ordered[k - 1], ordered[n - k]


def measure(field, scenario, arguments):
    """One dict per round: name of the proxy → what `load` gave."""
    names = scenario.proxies
    proxies = {name: field.proxy(name) for name in names}
    for name in names:
        load(proxies[name], field, scenario, 1)
    rounds = []
    for number in range(arguments.rounds):
        shift = number % len(names)
        rounds.append({name: load(proxies[name], field, scenario, arguments.seconds) for name in names[shift:] + names[:shift]})
        print("  round %d of %d: %s" % (number + 1, arguments.rounds, ", ".join("%s %.2f us" % (n, rounds[-1][n]["cpu_us"]) for n in names)),
              file=sys.stderr, flush=True)
    return rounds


def summarise(scenario, rounds):
    def ratios(of, to):
        middle, low, high = interval([r[of]["cpu_us"] / r[to]["cpu_us"] for r in rounds])
        return {"ratio": middle, "low": low, "high": high}

    def middle(name, what):
        return statistics.median(r[name][what] for r in rounds)

    proxies = {name: {"cpu_us": middle(name, "cpu_us"), "rps": middle(name, "rps"), **ratios(name, scenario.proxies[0])} for name in scenario.proxies}
    aims = [{"of": of, "to": to, "aim": aim, **ratios(of, to)} for of, to, aim in scenario.aims]
    return {"title": scenario.title, "proxies": proxies, "aims": aims}


def show(summary):
    print("\n%s" % summary["title"])
    base = next(iter(summary["proxies"]))
    for name, s in summary["proxies"].items():
        print("  %-10s %9.2f us/request   %.2f of %s (%.2f to %.2f)   %9.0f requests/s" % (
            name, s["cpu_us"], s["ratio"], base, s["low"], s["high"], s["rps"]))
    for a in summary["aims"]:
        print("  aim: %s at most %.2f of %s: %s, %.3f (%.3f to %.3f)" % (
            a["of"], a["aim"], a["to"], "holds" if a["low"] <= a["aim"] else "MISSED", a["ratio"], a["low"], a["high"]))
    sys.stdout.flush()


def machine():
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return {"cpu": cpu.group(1) if cpu else "unknown", "cores": os.cpu_count(), "kernel": os.uname().release}


def arguments_of(what, scenarios, out):
    """What the command line says, and the cores to run on."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--gw", type=pathlib.Path, default=pathlib.Path("build/release/gw"))
    parser.add_argument("--null-proxy", type=pathlib.Path, default=pathlib.Path("build/release/tests/gw_null_proxy"))
    parser.add_argument("--only", action="append", choices=[s.name for s in scenarios], help="one scenario; may be given several times")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=2, help="of load per proxy and round")
    parser.add_argument("--out", type=pathlib.Path, default=out)
    parser.add_argument("--chart", type=pathlib.Path, help="where to draw the ratios, as SVG")
    arguments = parser.parse_args()
    arguments.cores = sorted(os.sched_getaffinity(0))[:2]
    if len(arguments.cores) < 2 or arguments.rounds < 1 or arguments.seconds < 1:
        sys.exit("needs two cores, one round and one second")
    for program in (arguments.gw, arguments.null_proxy):
        if not program.exists():
            sys.exit("%s does not exist: script/bench builds it" % program)
    return arguments


def run(field, scenarios, arguments):
    """Measures and shows the scenarios, and writes down what came of them."""
    summaries = {}
    for scenario in scenarios:
        if arguments.only and scenario.name not in arguments.only:
            continue
        print("%s: %s" % (scenario.name, scenario.title), file=sys.stderr, flush=True)
        summaries[scenario.name] = summarise(scenario, measure(field, scenario, arguments))
        show(summaries[scenario.name])
    result = {"machine": machine(), "versions": field.versions(), "rounds": arguments.rounds, "seconds": arguments.seconds, "scenarios": summaries}
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=2) + "\n")
    if arguments.chart:
        arguments.chart.write_text(chart.draw(result))


def main():
    arguments = arguments_of("CPU per proxied request: gw beside others", SCENARIOS, pathlib.Path("build/bench.json"))
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gw-bench-")))
        (directory / "post.lua").write_text(POST)
        run(servers.Field(stack, arguments.gw, arguments.null_proxy, directory, arguments.cores), SCENARIOS, arguments)


if __name__ == "__main__":
    main()
