"""Applications of ASGI mounted in gw, and clients that ask them over sockets as Starlette's TestClient does without."""
import threading

import httpx

import gw
from validator import Validator

PATIENCE = 20  # seconds until something hangs


class Watched:
    """An application that notes which of its calls run, and what they raise."""

    def __init__(self, application, has_lifespan):
        self.errors = []
        self._application, self._has_lifespan = application, has_lifespan
        self._running = 0
        self._changed = threading.Condition()

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan" and not self._has_lifespan:
            raise NotImplementedError("this client is used without `with`")
        self._count(scope, 1)
        try:
            await self._application(scope, receive, send)
        except BaseException as error:
            self.errors.append(error)
            raise
        finally:
            self._count(scope, -1)

    def _count(self, scope, change):
        if scope["type"] != "lifespan":
            with self._changed:
                self._running += change
                self._changed.notify_all()

    def expect_end(self):
        """Waits until no request is in the application."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._running == 0, PATIENCE), "the application does not end"


class Client(httpx.Client):
    """A client of an application, which gw serves from the first request on, or for a `with`, and then with its lifespan.

    A response is complete when the application has returned; what it has raised, the client raises. `https` is what a trusted proxy says.
    """

    def __init__(self, app, base_url="http://testserver", raise_server_exceptions=True, root_path="", cookies=None, headers=None, follow_redirects=True, raises_faults=True):
        self.app = app
        self.validator = Validator(app, raises_faults)
        self._root_path, self._raises = root_path, raise_server_exceptions
        self._watched = self._gateway = None
        super().__init__(base_url=base_url, cookies=cookies, headers={"user-agent": "testclient", **(headers or {})}, follow_redirects=follow_redirects,
                         timeout=PATIENCE, transport=Sockets(self))

    def _start(self, has_lifespan):
        self._watched = Watched(self.validator, has_lifespan)
        gateway = gw.Gateway({"workers": 1, "listen": {"address": "127.0.0.1:0", "trusted": "127.0.0.1"}})
        route = gateway.prefix(self._root_path or "/").asgi(self._watched)
        if self._root_path:
            route.strip_prefix()
        try:
            self._port = gateway.start().port
            self._gateway = gateway
        except gw.Error:
            self.expect_success(True)
            raise

    def _stop(self):
        gateway, self._gateway = self._gateway, None
        if gateway is not None:
            gateway.close()

    def port(self):
        if self._gateway is None:
            self._start(False)
        return self._port

    def expect_success(self, raises=None):
        """Waits until the application has nothing to do, and raises what it has raised."""
        self._watched.expect_end()
        errors = self._watched.errors
        if errors and (self._raises if raises is None else raises):
            raise errors.pop(0)

    def __enter__(self):
        self._stop()
        self._start(True)
        self.expect_success(True)
        return self

    def __exit__(self, *_):
        self._watched.errors.clear()
        self._transport.close()
        self._stop()
        self.expect_success(True)

    def close(self):
        super().close()
        self._stop()


class Sockets(httpx.BaseTransport):
    """Asks the client's server, whatever host the URL has; that is in the field Host."""

    def __init__(self, client):
        self._client = client
        self._inner = httpx.HTTPTransport(verify=False)  # no TLS, and no certificates to read

    def handle_request(self, request):
        url = request.url.copy_with(scheme="http", host="127.0.0.1", port=self._client.port())
        headers = request.headers.raw + ([(b"X-Forwarded-Proto", b"https")] if request.url.scheme == "https" else [])
        if "transfer-encoding" in request.headers:  # RFC 9112, 6.2: then there is no Content-Length
            headers = [field for field in headers if field[0].lower() != b"content-length"]
        try:
            response = self._inner.handle_request(httpx.Request(request.method, url, headers=headers, stream=request.stream, extensions=request.extensions))
        except httpx.TransportError:
            self._client.expect_success()
            raise
        return httpx.Response(response.status_code, headers=response.headers, stream=Content(response.stream, self._client), extensions=response.extensions)

    def close(self):
        self._inner.close()


class Content(httpx.SyncByteStream):
    """The content of a response, which is complete when the application has returned."""

    def __init__(self, stream, client):
        self._stream, self._client = stream, client

    def __iter__(self):
        try:
            yield from self._stream
        except httpx.TransportError:
            self._client.expect_success()
            raise

    def close(self):
        self._stream.close()
        self._client.expect_success()
