"""The foo microservice: answers /foo with a line of JSON.  PORT=5001 python3 foo.py"""
import os

from flask import Flask

app = Flask(__name__)


@app.route("/foo")
def hello():
    return '{"msg":"Hello from the foo microservice"}'


if __name__ == "__main__":
    # Only the gateway talks to it. No debug mode: its reloader starts a second process.
    app.run(host="127.0.0.1", port=int(os.environ.get("PORT", "5001")))
