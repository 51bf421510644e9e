"""The bar microservice: answers /bar with a line of JSON.  PORT=5002 python3 bar.py"""
import os

from flask import Flask

app = Flask(__name__)


@app.route("/bar")
def hello():
    return '{"msg":"Hello from the bar microservice"}'


if __name__ == "__main__":
    # Only the gateway talks to it. No debug mode: its reloader starts a second process.
    app.run(host="127.0.0.1", port=int(os.environ.get("PORT", "5002")))
