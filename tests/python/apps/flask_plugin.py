"""A plugin of pytest for the tests of Flask's examples: their clients ask over sockets, and what gw and the application say is validated."""
import wsgiref.validate

import flask
import httpx
import pytest

import gw
from cases import keep

clients = []


class Answer(httpx.Response):
    """A response with the members that Flask's tests read."""

    data = property(lambda self: self.content)
    get_json = httpx.Response.json


class Sized:
    """The content of a request for who reads it to its end at once, for which the validator wants a size."""

    def __init__(self, content):
        self._content = content

    def read(self, size=-1):
        return self._content.read(size) if size >= 0 else b"".join(iter(lambda: self._content.read(65536), b""))


def validated(application):
    inner = lambda environ, start_response: application({**environ, "wsgi.input": Sized(environ["wsgi.input"])}, start_response)
    return wsgiref.validate.validator(inner)


class Client(httpx.Client):
    """A client of an application that gw serves. In a `with`, what a request leaves is what the next one with its cookies would find."""

    def __init__(self, application, *_, **__):
        self._application, self._context = application, None
        gateway = gw.Gateway({"workers": 1})
        gateway.prefix("/").wsgi(validated(application.wsgi_app))
        self._gateway, self._server = gateway, gateway.start("127.0.0.1:0")
        clients.append(self)
        super().__init__(base_url="http://" + self._server.address, timeout=20, transport=Sockets(verify=False))
        self._is_entered = False

    def send(self, request, **options):
        answer = super().send(request, **options)
        if self._is_entered:
            self._leave()
            cookies = "; ".join("%s=%s" % pair for pair in self.cookies.items())
            self._context = self._application.test_request_context("/", headers={"Cookie": cookies} if cookies else {})
            self._context.push()
            self._application.preprocess_request()
        return answer

    def _leave(self):
        if self._context is not None:
            self._context.pop()
            self._context = None

    def __enter__(self):
        self._is_entered = True
        return self

    def __exit__(self, *_):
        self._is_entered = False
        self._leave()

    def stop(self):
        self.close()
        self._gateway.close()


class Sockets(httpx.HTTPTransport):
    def handle_request(self, request):
        got = super().handle_request(request)
        return Answer(got.status_code, headers=got.headers, stream=got.stream, extensions=got.extensions)


def pytest_configure():
    flask.Flask.test_client_class = Client  # what `app.test_client()` makes


def pytest_collection_modifyitems(config, items):
    keep(config, items, "flask", lambda item: "client" in item.fixturenames)


def pytest_report_collectionfinish(config):
    return config.cases


@pytest.fixture(autouse=True)
def clients_stop(app):
    yield
    while clients:
        clients.pop().stop()
