"""A worker in Python, with nothing but its standard library:

    python3 worker.py http://127.0.0.1:8080
    polymath submit reverse --input '{"items":["abc","xyz"]}' --wait
"""
import http.client, json, sys, threading, time, urllib.error, urllib.request


def reverse(text):
    return text[::-1]


FUNCTIONS = {"reverse": reverse}  # each makes a value of one element of a list
BROKEN = (OSError, http.client.HTTPException)  # what a connection may end with


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
            try:
                call("POST", me["path"], {"progress": [{"token": lease["token"], "done": len(values)}]})
            except BROKEN:
                pass  # the exchange that hands in the values meets it, too

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


def said(error):
    """What a server says to its refusal, as far as it is a Polymath server."""
    try:
        return json.load(error)["detail"]
    except (ValueError, LookupError, TypeError):
        return f"{error}: is this a Polymath server?"


if len(sys.argv) != 2 or not sys.argv[1].startswith(("http://", "https://")):
    sys.exit("usage: python3 worker.py URL")
me, report = None, {}
try:
    while True:  # hand in what is done, wait for what there is to do
        try:
            if me is None:
                me = call("POST", "/v1/workers", {"name": "python", "slots": 1, "functions": [{"name": n, "kind": "list"} for n in FUNCTIONS]})
                me["path"], report = f"/v1/workers/{me['id']}/exchange", {}
            told = call("POST", me["path"], {**report, "wait_seconds": 30})
            report = {"fail": [{"token": r["token"], "error": r["error"]["detail"]} for r in told["refused"] if r["error"]["code"] != "stale_token"]}
            for lease in told["leases"]:  # one: that is how many slots there are
                report = work(me, lease)
        except BROKEN as error:
            refused = isinstance(error, urllib.error.HTTPError)
            reason = said(error) if refused else error
            if refused and me is None and error.code < 500:
                sys.exit(f"the server refuses this worker: {reason}")
            print(f"the connection broke, joining again: {reason}", file=sys.stderr)
            me = None
            time.sleep(1)
except KeyboardInterrupt:
    if me:
        call("DELETE", f"/v1/workers/{me['id']}")
