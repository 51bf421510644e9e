"""The two Flask services of examples/foobar in one process, next to one that runs elsewhere. Run it, then: curl 127.0.0.1:8000/foo"""
from flask import Flask

import gw

foo, bar = Flask("foo"), Flask("bar")


@foo.route("/foo")
def hello_from_foo() -> dict[str, str]:
    return {"msg": "Hello from the foo microservice"}


@bar.route("/bar")
def hello_from_bar() -> dict[str, str]:
    return {"msg": "Hello from the bar microservice"}


app = gw.Gateway()
app.prefix("/foo").wsgi(foo)
app.prefix("/bar").wsgi(bar)
app.prefix("/elsewhere").forward("http://127.0.0.1:5001")

if __name__ == "__main__":
    app.run("127.0.0.1:8000")
