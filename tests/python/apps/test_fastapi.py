"""An application of FastAPI behind a prefix."""
import contextlib
from typing import Annotated

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from mounted import Client

log = []


class Item(BaseModel):
    name: str
    price: float = 1


@contextlib.asynccontextmanager
async def lifespan(app):
    log.append("begins")
    yield {"prices": {"a": 2.5}}
    log.append("ends")


def prices(request: Request):
    return request.state.prices


def locked():
    log.append("locked")
    yield
    log.append("unlocked")


Prices = Annotated[dict, Depends(prices)]
app = FastAPI(lifespan=lifespan)


@app.get("/price/{name}")
async def price(name: str, known: Prices, times: int = 1):
    if name not in known:
        raise HTTPException(404, "no such thing", {"X-Asked": name})
    return {"price": known[name] * times}


@app.post("/items", status_code=201, dependencies=[Depends(locked)])
def add(item: Item, tasks: BackgroundTasks):
    tasks.add_task(log.append, "told")
    return item


@app.get("/pieces")
async def pieces():
    async def give():
        for i in range(3):
            yield "%d\n" % i
    return StreamingResponse(give(), media_type="text/plain")


@app.get("/where")
async def where(request: Request):
    return {"root": request.scope["root_path"], "url": str(request.url_for("price", name="a"))}


@pytest.fixture
def client():
    log.clear()
    with Client(app, root_path="/shop") as client:
        yield client
    assert (log[0], log[-1], client.validator.faults) == ("begins", "ends", [])


ANSWERS = [
    ("GET", "/shop/price/a?times=2", None, 200, {"price": 5.0}),
    ("GET", "/shop/price/b", None, 404, {"detail": "no such thing"}),
    ("POST", "/shop/items", {"name": "x"}, 201, {"name": "x", "price": 1.0}),
    ("GET", "/shop/where", None, 200, {"root": "/shop", "url": "http://testserver/shop/price/a"}),
    ("GET", "/shop/nothing", None, 404, {"detail": "Not Found"}),
    ("DELETE", "/shop/items", None, 405, {"detail": "Method Not Allowed"}),
]


@pytest.mark.parametrize("method, target, content, status, expected", ANSWERS)
def test_it_answers_in_json(client, method, target, content, status, expected):
    answer = client.request(method, target, json=content)
    assert (answer.status_code, answer.headers["content-type"], answer.json()) == (status, "application/json", expected)


@pytest.mark.parametrize("target, content, place", [
    ("/shop/price/a?times=many", None, ["query", "times"]),
    ("/shop/items", {"price": 1}, ["body", "name"]),
    ("/shop/items", {"name": "x", "price": "dear"}, ["body", "price"]),
])
def test_what_is_not_valid_is_422_and_says_where(client, target, content, place):
    answer = client.request("GET" if content is None else "POST", target, json=content)
    assert (answer.status_code, [error["loc"] for error in answer.json()["detail"]]) == (422, [place])


def test_a_dependency_surrounds_a_call_and_a_task_runs_behind_it(client):
    client.post("/shop/items", json={"name": "x"})
    assert sorted(log) == ["begins", "locked", "told", "unlocked"]


def test_a_response_comes_in_pieces(client):
    with client.stream("GET", "/shop/pieces") as answer:
        assert answer.headers["transfer-encoding"] == "chunked"
        assert "".join(answer.iter_text()) == "0\n1\n2\n"


def test_the_description_knows_where_it_is_mounted(client):
    assert client.get("/shop/openapi.json").json()["servers"] == [{"url": "/shop"}]
    assert "/shop/openapi.json" in client.get("/shop/docs").text
