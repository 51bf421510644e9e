"""Middleware in Python: who has a token may pass, and everything is timed. Run it, then: curl -H "Authorization: Bearer let-me-in" 127.0.0.1:8000/"""
import time

import gw

TOKENS = {"let-me-in": "ann"}


async def authenticate(c: gw.StageContext, next: gw.Next) -> None:
    scheme, _, token = c.req.headers.get("authorization", "").partition(" ")
    user = TOKENS.get(token) if scheme.lower() == "bearer" else None
    if user is None:
        c.reply(gw.Response("who are you?\n", 401, {"WWW-Authenticate": "Bearer"}))
        return
    c.consumer = user                          # for logs, limits, and the handler
    c.req.headers.pop("authorization", None)   # nobody behind needs it
    await next()


class Timed:
    """Hooks do not wait; of an object with hooks each is optional."""

    def request(self, c: gw.StageContext) -> None:
        c.state["began"] = time.monotonic()

    def response(self, c: gw.StageContext) -> None:
        c.res.headers["X-Seconds"] = "%.6f" % (time.monotonic() - c.state["began"])

    def done(self, c: gw.DoneContext) -> None:
        print("%s %s for %s: %d, %d bytes" % (c.req.method, c.req.path, c.consumer or "nobody", c.res.status, c.bytes_sent))


app = gw.Gateway()
app.use(Timed())
app.prefix("/users").use(authenticate).forward("http://127.0.0.1:5001")


@app.get("/").use(authenticate)
def hello(c: gw.Context) -> dict[str, str]:
    return {"hello": c.consumer}


if __name__ == "__main__":
    app.run("127.0.0.1:8000")
