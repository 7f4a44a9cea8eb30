"""A worker in Python, with nothing but its standard library:

    python3 worker.py http://127.0.0.1:8080
    polymath submit shout --input '{"items":["a","b"]}' --wait
"""
import json, sys, threading, urllib.error, urllib.request


def shout(text):
    return text.upper()


FUNCTIONS = {"shout": shout}  # each makes a value of one element of a list


def call(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(sys.argv[1] + path, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read() or "null")


def work(me, lease):
    """Calculate the units of a lease, and say every second that we live."""
    done, values = threading.Event(), []

    def beat():
        while not done.wait(me["beat_seconds"]):
            call("POST", me["path"], {"progress": [{"token": lease["token"], "done": len(values)}]})

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        for item in lease["input"]["items"][int(lease["from"]):int(lease["to"])]:
            values.append(FUNCTIONS[lease["function"]](item))
        return {"complete": [{"token": lease["token"], "values": values}]}
    except Exception as error:
        return {"fail": [{"token": lease["token"], "error": repr(error)[:1000]}]}
    finally:
        done.set()
        thread.join()


me = call("POST", "/v1/workers", {"name": "python", "slots": 1, "functions": [{"name": n, "kind": "list"} for n in FUNCTIONS]})
me["path"] = f"/v1/workers/{me['id']}/exchange"
report = {}
try:
    while True:  # hand in what is done, wait for what there is to do
        told = call("POST", me["path"], {**report, "wait_seconds": 30})
        report = {"fail": [{"token": r["token"], "error": r["error"]["detail"]} for r in told["refused"] if r["error"]["code"] != "stale_token"]}
        for lease in told["leases"]:  # one: that is how many slots there are
            report = work(me, lease)
except KeyboardInterrupt:
    call("DELETE", f"/v1/workers/{me['id']}")
except urllib.error.URLError as error:
    sys.exit(f"the server does not answer, or has given this worker up: {error}")
