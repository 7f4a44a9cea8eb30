"""A worker in Python, with nothing but its standard library:

    python3 worker.py http://127.0.0.1:8080
    polymath submit reverse --input '{"items":["abc","xyz"]}' --wait
"""
import atexit, http.client, json, signal, sys, threading, time, urllib.error, urllib.request

FUNCTIONS = {"reverse": lambda text: text[::-1]}  # each makes a value of one element of a list
JOIN = {"name": "python", "slots": 1, "functions": [{"name": name, "kind": "list"} for name in FUNCTIONS]}

def call(method, path, body=None):
    request = urllib.request.Request(sys.argv[1] + path, body and json.dumps(body).encode(), {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read() or "null")

def work(lease, values, report):
    try:
        for item in lease["input"]["items"][int(lease["from"]):int(lease["to"])]:
            values.append(FUNCTIONS[lease["function"]](item))
        report["complete"] = [{"token": lease["token"], "values": values}]
    except Exception as error:
        report["fail"] = [{"token": lease["token"], "error": repr(error)[:1000]}]

if len(sys.argv) != 2 or not sys.argv[1].startswith(("http://", "https://")):
    sys.exit("usage: python3 worker.py URL")
me, report = None, {}
atexit.register(lambda: me and call("DELETE", me))
for number in signal.SIGINT, signal.SIGTERM:
    signal.signal(number, lambda *_: sys.exit())
while True:  # hand in what is done, wait for what there is to do
    try:
        me = me or "/v1/workers/" + call("POST", "/v1/workers", JOIN)["id"]
        told = call("POST", me + "/exchange", {**report, "wait_seconds": 30})
        report = {"fail": [{"token": r["token"], "error": r["error"]["detail"]} for r in told["refused"] if r["error"]["code"] != "stale_token"]}
        for lease in told["leases"]:  # one: that is how many slots there are
            values, report = [], {}
            thread = threading.Thread(target=work, args=(lease, values, report), daemon=True)
            thread.start()
            while thread.join(1) or thread.is_alive():  # say every second that we live
                call("POST", me + "/exchange", {"progress": [{"token": lease["token"], "done": len(values)}]})
    except (OSError, http.client.HTTPException) as error:
        if me is None and isinstance(error, urllib.error.HTTPError) and error.code < 500:
            sys.exit(f"the server refuses this worker: {error}: {error.read(1000).decode(errors='replace')}")
        print("the connection broke, joining again:", error, file=sys.stderr)
        me, report = time.sleep(1), {}  # which is None: join anew
