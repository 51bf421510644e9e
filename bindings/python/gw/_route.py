"""Routes, as code builds them: the names are those of C++, the options those of configuration files."""
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Union

from ._asgi import Application as AsgiApplication, Asgi
from ._errors import Error
from ._handlers import F, Handler
from ._stage import Stage
from ._wsgi import Application as WsgiApplication, Wsgi

if TYPE_CHECKING:
    from ._gateway import Gateway


def stage(name: str, **options: Any) -> Union[str, dict[str, Any]]:
    """The stage of this name with its options: `gw.stage("rate_limit", rate=100, per="1s")`."""
    return {name: options} if options else name


class Upstream:
    """The name of an upstream of a gateway."""

    def __init__(self, name: str) -> None:
        self.name = name


class Route:
    """A route while it is built; every verb returns it. As a decorator, it makes a function its handler."""

    def __init__(self, gateway: Gateway, config: dict[str, Any]) -> None:
        self._gateway, self._config = gateway, config
        self._reads_pieces = False
        self._application: Union[Asgi, Wsgi, None] = None

    def _set(self, key: str, value: Any) -> Route:
        self._gateway._check_building()
        self._config[key] = value
        return self

    def _add(self, key: str, *values: Any) -> Route:
        return self._set(key, [*self._config.get(key, ()), *values])

    def name(self, name: str) -> Route:
        return self._set("name", name)

    def host(self, *hosts: str) -> Route:
        """Only requests for these hosts, or "*.example.com"."""
        return self._add("host", *hosts)

    def methods(self, *methods: str) -> Route:
        """Only these methods. GET answers HEAD, too."""
        return self._add("methods", *methods)

    def header(self, name: str, value: str) -> Route:
        """Only requests with this field; "*" for any value."""
        return self._set("headers", {**self._config.get("headers", {}), name: value})

    def query(self, name: str, value: str) -> Route:
        """Only requests with this query parameter; "*" for any value."""
        return self._set("query", {**self._config.get("query", {}), name: value})

    def use(self, *stages: Stage) -> Route:
        """Adds stages, run in this order after the gateway's."""
        return self._add("use", *map(self._gateway._stage_of, stages))

    def strip_prefix(self) -> Route:
        """Removes the matched prefix before forwarding. Of an application it becomes `root_path`, or SCRIPT_NAME."""
        if self._application is None:
            return self._set("strip_prefix", True)
        self._application.depth = len([segment for segment in self._config.get("prefix", "").split("/") if segment])
        return self

    def rewrite(self, to: str) -> Route:
        """Forwards another path: `.rewrite("/v2{rest}")`."""
        return self._set("rewrite", to)

    def preserve_host(self) -> Route:
        """Sends the client's Host to the upstream instead of the upstream's own."""
        return self._set("preserve_host", True)

    def upgrade(self, *protocols: str) -> Route:
        """The protocols that a connection may be switched to; WebSocket without, none for `.upgrade()`."""
        return self._set("upgrade", list(protocols))

    def priority(self, priority: int) -> Route:
        """Of the regexes of a host the one with the highest priority is asked first."""
        return self._set("priority", priority)

    def keep_slashes(self) -> Route:
        """Matches and forwards the path with its "//"."""
        return self._set("keep_slashes", True)

    def timeouts(self, **timeouts: str) -> Route:
        """Deadlines of this route's own: `.timeouts(first_byte="5m")`."""
        return self._set("timeouts", timeouts)

    def limits(self, **limits: Union[int, str]) -> Route:
        """Limits of this route's own: `.limits(body="1KiB")`."""
        return self._set("limits", limits)

    def forward(self, to: Union[str, Upstream, Mapping[str, Any]]) -> Route:
        """Forwards to an upstream, to a URL, or, with a map as in a file, to several by weight."""
        return self._set("forward", to.name if isinstance(to, Upstream) else to)

    def redirect(self, to: str, status: int = 302, **options: Any) -> Route:
        """Sends the client to a path or URL."""
        return self._set("redirect", {"to": to, "status": status, **options})

    def reply(self, status: int = 200, **options: Any) -> Route:
        """Gives a fixed answer: `.reply(200, text="ok")`, `.reply(200, json={"up": True})`."""
        return self._set("reply", {"status": status, **options})

    def handle(self, handler: Union[str, Handler]) -> Route:
        """Answers by a function of a `gw.Context`, plain or `async`, or by the name of one that `define_handler` knows."""
        name = handler if isinstance(handler, str) else self._gateway._name_of(handler, self._reads_pieces)
        return self._set("handler", name)

    def stream(self) -> Route:
        """The handler that follows reads the content itself: `for piece in c.req`, `async for piece in c.req`."""
        if "handler" in self._config:
            raise Error("stream() comes before the handler")
        self._reads_pieces = True
        return self

    def asgi(self, application: AsgiApplication) -> Route:
        """Answers by an application of ASGI 3, on the event loop. It gets the whole path, unless `strip_prefix` says otherwise."""
        return self._mount(Asgi(application, self._gateway._crossing), application)

    def wsgi(self, application: WsgiApplication) -> Route:
        """Answers by an application of WSGI, on threads. It gets the whole path, unless `strip_prefix` says otherwise."""
        return self._mount(Wsgi(application, self._gateway._crossing), application)

    def _mount(self, application: Union[Asgi, Wsgi], what: object) -> Route:
        self._set("handler", self._gateway._define_action(what, application, True))
        self._application = application
        return self.strip_prefix() if self._config.pop("strip_prefix", False) else self

    def __call__(self, handler: F) -> F:
        self.handle(handler)
        return handler


def name_of(upstream: Union[str, Upstream]) -> str:
    return upstream if isinstance(upstream, str) else upstream.name
