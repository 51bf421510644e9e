"""gw: an API gateway inside a Python program.

    import gw

    app = gw.Gateway()
    app.prefix("/foo").forward("http://127.0.0.1:5001")

    @app.get("/hello/{name}")
    def hello(c):
        return {"hello": c.params["name"]}

    app.run("127.0.0.1:8000")
"""
from . import _gw
from ._errors import ConfigError, Error, Problem
from ._gateway import Gateway, Server
from ._gw import version as __version__
from ._message import Context, Headers, Request, Response
from ._route import Route, Upstream, stage
from ._stage import DoneContext, Next, StageContext

_gw.raise_errors_as(ConfigError, Error)

__all__ = [
    "ConfigError", "Context", "DoneContext", "Error", "Gateway", "Headers", "Next", "Problem", "Request", "Response", "Route", "Server", "StageContext", "Upstream",
    "__version__", "stage",
]
