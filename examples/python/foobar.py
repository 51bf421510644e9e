"""Two services of this process and one beside it, behind one address. Run it, then: curl 127.0.0.1:8000/foo"""
import gw

app = gw.Gateway()


@app.get("/foo")
def foo(c: gw.Context) -> str:
    return "Hello from foo"


@app.get("/bar/{name}")
async def bar(c: gw.Context) -> dict[str, str]:
    return {"hello": c.params["name"]}


app.prefix("/elsewhere").forward("http://127.0.0.1:5001")  # C++ alone: no Python at run time

if __name__ == "__main__":
    app.run("127.0.0.1:8000")
