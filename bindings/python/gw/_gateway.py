"""The gateway: the names are those of C++, the options those of configuration files."""
from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import os
import signal
import sys
import threading
import weakref
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Optional, Union

from . import _gw
from ._crossing import Crossing, Plain, Waiting
from ._errors import Error
from ._handlers import Handler, is_waiting, never, plain_action, waiting_action
from ._message import Pairs, Response
from ._route import Route, Upstream, name_of
from ._stage import Stage, is_middleware, runner_of


class Server:
    """A gateway that serves in the background. A context manager: it stops the gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    @property
    def port(self) -> int:
        """The port of the first listener: what the system chose for port 0."""
        return self._gateway._native().port()

    @property
    def address(self) -> str:
        """The address of the first listener."""
        return self._gateway._native().address()

    @property
    def admin_port(self) -> int:
        """The port of the admin listener; 0 without one."""
        return self._gateway._native().admin_port()

    def stop(self) -> None:
        """Answers what was read, and stops."""
        self._gateway.stop()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        self.stop()


class Gateway:
    """An API gateway: a configuration, and while it runs the workers that serve it.

    Everything that `gw.yaml` can say is in `config`, a map with the same keys; the verbs below edit it. What no handler of Python answers
    runs in C++ alone, without the lock of the interpreter.
    """

    def __init__(self, config: Optional[Mapping[str, Any]] = None) -> None:
        self._init(None)
        self.config.update(config or {})

    @classmethod
    def from_file(cls, path: Union[str, os.PathLike[str]]) -> Gateway:
        """A gateway from a YAML or JSON file; `reload` reads it again. Code may add to it."""
        gateway = cls.__new__(cls)
        gateway._init(os.fspath(path))
        return gateway

    def _init(self, file: Optional[str]) -> None:
        #: What code configures.
        self.config: dict[str, Any] = {}
        self._inner: Optional[_gw.Gateway] = _gw.Gateway(file)
        self._inner.log_to_stderr()
        self._crossing = Crossing()
        self._names: dict[tuple[int, bool], str] = {}  # of handlers, by identity
        self._named = 0
        self._is_running = False
        self._lock = threading.Lock()
        _gateways.add(self)
        # Its threads do not keep it alive, and end with it.
        weakref.finalize(self, self._crossing.end)

    def _native(self) -> _gw.Gateway:
        if self._inner is None:
            raise Error("this gateway is one of the process that this one was forked from")
        return self._inner

    def _check_building(self) -> None:
        if self._is_running:
            raise Error("the gateway runs: give apply() a whole configuration")

    # Building.

    def path(self, pattern: str) -> Route:
        """A route for exactly this path; "{name}" takes a segment."""
        return self._route("path", pattern)

    def prefix(self, pattern: str) -> Route:
        """A route for this path and all below it."""
        return self._route("prefix", pattern)

    def regex(self, pattern: str) -> Route:
        """A route for the paths that a regular expression takes as a whole (RE2)."""
        return self._route("regex", pattern)

    def _route(self, kind: str, pattern: str) -> Route:
        self._check_building()
        config = {kind: pattern}
        self.config.setdefault("routes", []).append(config)
        return Route(self, config)

    def get(self, pattern: str) -> Route:
        return self.path(pattern).methods("GET")

    def post(self, pattern: str) -> Route:
        return self.path(pattern).methods("POST")

    def put(self, pattern: str) -> Route:
        return self.path(pattern).methods("PUT")

    def patch(self, pattern: str) -> Route:
        return self.path(pattern).methods("PATCH")

    def delete(self, pattern: str) -> Route:
        return self.path(pattern).methods("DELETE")

    def upstream(self, name: str, endpoints: list[Union[str, dict[str, Any]]], **options: Any) -> Upstream:
        """A named group of endpoints: `app.upstream("users", ["10.0.0.1:8080"], balance="round_robin")`."""
        self._check_building()
        self.config.setdefault("upstreams", {})[name] = {"endpoints": endpoints, **options}
        return Upstream(name)

    def use(self, *stages: Stage) -> Gateway:
        """Adds stages that run for every request, before those of its route."""
        self._check_building()
        self.config.setdefault("use", []).extend(map(self._stage_of, stages))
        return self

    def define(self, name: str, stage: Stage) -> Gateway:
        """Gives a middleware a name that configurations can use: `async def f(c, next)`, or an object with request(c), response(c), done(c)."""
        self._check_building()
        around, done = runner_of(stage, self._crossing)
        number = self._crossing.add_waiting(around or never)
        if done is not None:
            self._crossing.add_done(number, done)
        self._native().define(name, number, around is not None, done is not None, self._crossing.waiting)
        return self

    def define_handler(self, name: str, handler: Handler) -> Gateway:
        """Gives a function a name that configurations can use."""
        self._check_building()
        self._define_handler(name, handler, False)
        return self

    def _define_handler(self, name: str, handler: Handler, reads_pieces: bool) -> None:
        action = waiting_action(handler, self._crossing) if is_waiting(handler) else plain_action(handler, self._crossing)
        self._define(name, action, reads_pieces)

    def _define(self, name: str, action: Union[Plain, Waiting], reads_pieces: bool) -> None:
        crossing = self._crossing
        if is_waiting(action):
            number, queue = crossing.add_waiting(action), crossing.waiting  # type: ignore[arg-type]
        else:
            number, queue = crossing.add_plain(action), crossing.plain  # type: ignore[arg-type]
        self._native().define_handler(name, number, reads_pieces, queue, crossing.waiting)

    def _define_action(self, what: object, action: Union[Plain, Waiting], reads_pieces: bool) -> str:
        self._check_building()
        name = self._new_name(what)
        self._define(name, action, reads_pieces)
        return name

    def _new_name(self, what: object) -> str:
        self._named += 1
        return "python:%s#%d" % (getattr(what, "__name__", None) or type(what).__name__, self._named)

    def _name_of(self, handler: Handler, reads_pieces: bool) -> str:
        key = (id(handler), reads_pieces)
        if key not in self._names:
            self._check_building()
            name = self._new_name(handler)
            self._define_handler(name, handler, reads_pieces)
            self._names[key] = name
        return self._names[key]

    def _stage_of(self, stage: Stage) -> Union[str, dict[str, Any]]:
        """What configurations call a stage."""
        if isinstance(stage, (str, dict)):
            return stage
        if not is_middleware(stage):
            raise TypeError("a stage is a name, gw.stage(...), `async def f(c, next)`, or an object with request(c), response(c) or done(c), not %r" % (stage,))
        name = self._new_name(stage)
        self.define(name, stage)
        return name

    def listen(self, address: str, **options: Any) -> Gateway:
        """Adds a listener: "127.0.0.1:8000", "[::1]:8000", ":8000" (127.0.0.1). Port 0: any free one."""
        self._check_building()
        self._listeners().append({"address": address, **options} if options else address)
        return self

    def _listeners(self) -> list[Any]:
        known = self.config.get("listen", [])
        self.config["listen"] = list(known) if isinstance(known, list) else [known]
        return self.config["listen"]  # type: ignore[no-any-return]

    def admin(self, address: str) -> Gateway:
        """Tells about the gateway on a listener of its own. Whoever reaches it can read all that."""
        self._check_building()
        self.config["admin"] = {"listen": address}
        return self

    # Life.

    def start(self, address: Optional[str] = None) -> Server:
        """Serves in the background until the server is stopped; on `address`, too. Installs no signal handlers. Raises `Error` if an application does not start."""
        with self._lifespans():
            self._start(address)
        return Server(self)

    @contextlib.contextmanager
    def _lifespans(self) -> Iterator[None]:
        """Begins those of applications, and ends them if what is done then does not succeed."""
        self._check_building()
        self._crossing.start()
        try:
            self._crossing.run_lifespans(True)
            yield
        except BaseException:
            self._crossing.run_lifespans(False)
            raise

    def _start(self, address: Optional[str]) -> None:
        with self._lock:
            self._check_building()
            before = self.config.get("listen")
            if address is not None and address not in self._listeners():
                self._listeners().append(address)
            try:
                self._configure()
                self._native().start()
            except BaseException:
                self.config.pop("listen", None)
                if before is not None:
                    self.config["listen"] = before
                raise
            self._is_running = True

    def stop(self) -> None:
        """Answers what was read, at most for `timeouts.drain`, and stops. Does nothing if the gateway does not run. Not from a handler."""
        if self._crossing.runs_here():
            raise Error("a handler cannot stop its gateway, which would wait for it")
        self._native().stop()
        self._is_running = False
        self._crossing.run_lifespans(False)

    def run(self, address: Optional[str] = None) -> None:
        """Serves until SIGTERM or SIGINT, then answers what was read. SIGHUP reloads. A second signal ends the process. On the main thread."""
        with self._lifespans():  # under the signal handlers of before: an application that does not start can be interrupted
            self._run(address)

    def _run(self, address: Optional[str]) -> None:
        # A signal may reach a thread that runs no Python, or come just before the main thread begins to wait: the pipe tells all the same.
        read, write = os.pipe()
        os.set_blocking(write, False)
        before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        before_fd = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        try:
            self._start(address)
            with Server(self):
                while (number := os.read(read, 1)[0]) not in (signal.SIGINT, signal.SIGTERM):
                    if number == signal.SIGHUP:
                        self._reload_and_say()
                for number in (signal.SIGINT, signal.SIGTERM):
                    signal.signal(number, signal.SIG_DFL)
        finally:
            signal.set_wakeup_fd(before_fd)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(read)
            os.close(write)

    def _reload_and_say(self) -> None:
        try:
            self.reload()
            print("gw: info: configuration reloaded", file=sys.stderr)
        except Error as error:
            print("gw: error: reload failed, the old configuration serves on:\n%s" % error, file=sys.stderr)

    async def serve(self, address: Optional[str] = None) -> None:
        """Serves until the task is cancelled; then answers what was read. Handlers that are coroutines run on the caller's loop."""
        crossing = self._crossing
        self._check_building()
        await asyncio.to_thread(crossing.run_lifespans, False)  # those that a dispatch has begun
        crossing.start(asyncio.get_running_loop())
        try:
            await crossing.begin_lifespans()
            self._start(address)
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                await asyncio.to_thread(self._native().stop)
                self._is_running = False
        finally:
            await crossing.end_lifespans()
            crossing.leave_loop()

    def check(self) -> list[str]:
        """Checks the configuration as `start` does. Raises `ConfigError` with every problem, and returns warnings."""
        self._configure()
        return self._native().check()

    def routes(self) -> str:
        """The routes in the order in which they win, as lines."""
        self._configure()
        return self._native().routes()

    def apply(self, config: Mapping[str, Any]) -> None:
        """Replaces what code has configured, also while the gateway runs. Raises `ConfigError`, and then nothing has changed."""
        self._native().apply(json.dumps(dict(config)))
        self.config = dict(config)

    def reload(self) -> None:
        """Reads the file of `from_file` again, adds what code has configured, and applies it. Raises like `apply`."""
        self._configure()
        self._native().reload()

    def _configure(self) -> None:
        if not self._is_running:
            self._native().configure(json.dumps(self.config))

    def dispatch(self, method: str, target: str, body: Union[str, bytes] = b"", headers: Union[Mapping[str, str], Pairs, None] = None) -> Response:
        """Runs a request without a socket, and waits for the whole response. For tests, and for calls from inside the process."""
        pairs = list(headers.items()) if isinstance(headers, Mapping) else list(headers or [])
        self._configure()
        self._crossing.start()
        self._crossing.run_lifespans(True)
        status, fields, content = self._native().dispatch(method, target, pairs, body)
        return Response(content, status, fields)

    def explain(self, method: str, target: str, headers: Union[Mapping[str, str], Pairs, None] = None, peer: str = "") -> dict[str, Any]:
        """What would happen to a request: the route, why not the others, and the request that would go upstream. Nothing runs."""
        pairs = list(headers.items()) if isinstance(headers, Mapping) else list(headers or [])
        self._configure()
        explained: dict[str, Any] = json.loads(self._native().explain(method, target, pairs, peer))
        return explained

    def set_endpoint(self, upstream: Union[str, Upstream], address: str, weight: int = 1) -> None:
        """Adds an endpoint, or changes its weight, while the gateway runs; 0 drains it."""
        self._native().set_endpoint(name_of(upstream), address, weight)

    def remove_endpoint(self, upstream: Union[str, Upstream], address: str) -> None:
        """Removes an endpoint while the gateway runs."""
        self._native().remove_endpoint(name_of(upstream), address)

    def endpoints(self, upstream: Union[str, Upstream]) -> list[tuple[str, int]]:
        """The endpoints of an upstream, and their weights."""
        return self._native().endpoints(name_of(upstream))

    def close(self) -> None:
        """Stops, and ends the threads of handlers. The gateway cannot be used any more."""
        self.stop()
        self._crossing.close()


_gateways: weakref.WeakSet[Gateway] = weakref.WeakSet()


def _at_exit() -> None:
    for gateway in list(_gateways):
        if gateway._inner is not None:
            gateway.stop()
            gateway._crossing.close(timeout=5)


def _in_child() -> None:
    # The workers do not run here.
    for gateway in list(_gateways):
        if gateway._inner is not None:
            gateway._inner.leak()
            gateway._inner = None
            gateway._crossing.forget()


atexit.register(_at_exit)
os.register_at_fork(after_in_child=_in_child)
