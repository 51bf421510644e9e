#!/usr/bin/env python3
"""Measures the Python module on one core beside the program gw, uvicorn (with uvloop and httptools) and granian, as CPU time per
request and as ratios; how is told in side_by_side.py.

    script/bench python                          about five minutes
    script/bench python --only asgi --rounds 3   one scenario

Installs the package and the servers into a virtual environment in build/, which needs PyPI.
"""
import contextlib
import pathlib
import subprocess
import sys
import tempfile

import servers
import side_by_side
from side_by_side import Scenario

SOURCE = pathlib.Path(__file__).resolve().parents[2]
APPLICATIONS = '''
import json

import gw

ANSWER = {"message": "the same forty-one bytes :)"}


async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    body = json.dumps(ANSWER, separators=(",", ":")).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})


async def around(c, next):
    await next()


def serve(kind, port, origin):
    app = gw.Gateway({"workers": 1})
    route = app.prefix("/")
    if kind == "handler":
        route.handle(lambda c: ANSWER)
    elif kind == "asgi":
        route.asgi(application)
    else:
        if kind == "middleware":
            route.use(around)
        route.forward(app.upstream("origin", ["127.0.0.1:%d" % origin], idle_connections=512, connections=12000))
    app.run("127.0.0.1:%d" % port)
'''
SCENARIOS = [
    Scenario("proxied", "a proxied route, configured from Python", 64, "/", [], ["gw", "proxied"], [("proxied", "gw", 1.03)]),
    Scenario("handler", "a plain handler that gives a small dict", 64, "/", [], ["uvicorn", "handler"], [("handler", "uvicorn", 1 / 2)]),
    Scenario("asgi", "a bare ASGI application", 64, "/", [], ["uvicorn", "granian", "asgi"], [("asgi", "uvicorn", 1 / 1.2), ("asgi", "granian", 1.0)]),
    Scenario("middleware", "Python middleware before a proxied route", 64, "/", [], ["gw", "middleware"], []),
]


def environment():
    """The programs of a virtual environment with everything in it."""
    venv = SOURCE / "build" / "bench-python"
    if not (venv / "bin" / "pip").exists():
        subprocess.run(["/usr/bin/python3", "-m", "venv", str(venv)], check=True)
    pip = [str(venv / "bin" / "pip"), "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, "--config-settings=build-dir=" + str(SOURCE / "build" / "python"), str(SOURCE)], check=True)
    subprocess.run([*pip, "uvicorn[standard]", "granian"], check=True)
    return venv / "bin"


class PythonField(servers.Field):
    """The servers of Python, beside the proxies."""

    def __init__(self, bin, *rest):
        super().__init__(*rest)
        self.bin = bin
        (self.directory / "applications.py").write_text(APPLICATIONS)

    def proxy(self, name):
        if name in self.running or name == "gw":
            return super().proxy(name)
        (port,) = servers.free_ports(1)
        application = "applications:application"
        commands = {
            "uvicorn": ["uvicorn", application, "--port", str(port), "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"],
            "granian": ["granian", "--interface", "asgi", application, "--port", str(port), "--workers", "1", "--loop", "uvloop", "--no-ws", "--log-level", "warning"],
        }
        command = commands.get(name) or ["python", "-c", "import applications; applications.serve(%r, %d, %d)" % (name, port, self.origin)]
        return self.run(name, port, self.proxy_core, [str(self.bin / command[0]), *command[1:]])

    def versions(self):
        lines = subprocess.run([str(self.bin / "pip"), "list", "--format=freeze"], capture_output=True, text=True, check=True).stdout.splitlines()
        return {"python": servers.version([str(self.bin / "python"), "--version"]),
                **{name: version for name, version in (line.split("==") for line in lines) if name in ("granian", "httptools", "uvicorn", "uvloop")}}


def main():
    arguments = side_by_side.arguments_of("The Python module beside others", SCENARIOS, pathlib.Path("build/bench-python.json"))
    bin = environment()
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gw-bench-")))
        field = PythonField(bin, stack, arguments.gw, arguments.null_proxy, directory, arguments.cores)
        side_by_side.run(field, SCENARIOS, arguments)


if __name__ == "__main__":
    sys.exit(main())
