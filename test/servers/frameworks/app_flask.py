"""Flask with the override of its documentation, for headers and forms. Arguments: port."""
import os
import sys

from flask import Flask, request

app = Flask(__name__)
app.url_map.strict_slashes = False
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def record(route):
    named = request.headers.get("X-HTTP-Method-Override") or request.values.get("_method")
    method = named.upper() if request.method == "POST" and named else request.method
    line = f"{method} {route} {request.headers.get('X-Forwarded-Host', '-')}\n"
    with open(os.environ["EXECUTED"], "a") as file:
        file.write(line)
    return line


@app.route("/api/admin", methods=METHODS)
@app.route("/api/admin/<path:rest>", methods=METHODS)
def admin(rest=""):
    return record("/api/admin")


@app.route("/<path:rest>", methods=METHODS)
def other(rest):
    return record("/api/other")


app.run("127.0.0.1", int(sys.argv[1]))
