"""A FastAPI application beside a proxied service: one address, one set of limits, one log. Run it, then: curl 127.0.0.1:8000/api/items/7"""
from fastapi import FastAPI

import gw

api = FastAPI()


@api.get("/items/{number}")
async def item(number: int) -> dict[str, int]:
    return {"number": number}


app = gw.Gateway()
app.use("request_id", gw.stage("rate_limit", rate=100, per="1s"))
app.prefix("/api").strip_prefix().asgi(api)                # the application sees /items/7, and links to /api/items/7
app.prefix("/users").forward("http://127.0.0.1:5001")      # C++ alone: no Python at run time

if __name__ == "__main__":
    app.run("127.0.0.1:8000")
