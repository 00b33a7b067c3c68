"""Asks a server what becomes of each of the things that uWSGI is known to get wrong.

    table.py HOST:PORT PID

PID is the process that serves. For each row a line: 1 or 0, whether it came out right; what was looked for; what was seen.
"""

import http.client
import os
import socket
import sys
import threading
import time

# Nothing that comes out right takes longer, in seconds.
PATIENCE = 6
HOST, PORT = sys.argv[1].rsplit(":", 1)
PROCESS = "/proc/%s/task" % sys.argv[2]
rows = []


def row(text):
    def add(check):
        rows.append((text, check))

    return add


def get(page):
    connection = http.client.HTTPConnection(HOST, int(PORT), timeout=PATIENCE)
    try:
        connection.request("GET", "/" + page)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def text(page):
    return get(page)[1]


def together(page, count, take=get):
    """As many at once, and how long each took, in seconds."""
    answers = [None] * count

    def ask(at):
        began = time.monotonic()
        try:
            said = take(page)
        except OSError as error:
            said = (0, type(error).__name__)
        answers[at] = (time.monotonic() - began, *said)

    threads = [threading.Thread(target=ask, args=(at,)) for at in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def processor_time():
    """What all threads of the server have run, in seconds."""
    ran = 0
    for thread in os.listdir(PROCESS):
        with open("%s/%s/schedstat" % (PROCESS, thread)) as schedstat:
            ran += int(schedstat.read().split()[0])
    return ran / 1e9


def waited(said, least, most, flag):
    """Whether a page of `timed` took so many milliseconds, and its flag was right."""
    took, _, found = said.partition(" ")
    return took.isdigit() and least <= int(took) <= most and found == flag, said


@row("the keys of both drafts and of suspend are there")
def check():
    keys = text("keys").split()
    drafts = {key.split(".")[1] for key in keys}
    return drafts >= {"fdevent", "async", "suspend"}, " ".join(sorted(drafts)) or "none"


@row("60 waits of 1 s at once, all in time")
def check():
    took = [one[0] for one in together("second", 60)]
    return 1 <= min(took) and max(took) < 1.2, "%.2f to %.2f s" % (min(took), max(took))


@row("a wait before the status is known")
def check():
    status, _ = get("early_status")
    return status == 201, status


@row("a timeout of 1 s: flag")
def check():
    return waited(text("second"), 1000, 1100, "True")


@row("a timeout of 0.5 s")
def check():
    return waited(text("half"), 500, 600, "True")


@row("a socket object, a timeout of None")
def check():
    return waited(text("by_other_means"), 190, 1000, "False")


@row("a timeout of 0 asks once")
def check():
    return waited(text("zero"), 0, 100, "True")


@row("1 s while others are served, begun at .05, .5, .9 of a second")
def check():
    over = threading.Event()

    def others():
        while not over.is_set():
            try:
                get("keys")
            except OSError:
                pass

    busy = threading.Thread(target=others)
    busy.start()
    said = []
    try:
        for part in (0.05, 0.5, 0.9):
            time.sleep((part - time.time() % 1) % 1)
            said.append(text("second"))
    finally:
        over.set()
        busy.join()
    return all(waited(one, 1000, 1100, "True")[0] for one in said), ", ".join(one.split()[0] for one in said) + " ms"


@row("a sleep of 0.5 s")
def check():
    took = text("half_asleep")
    return took.isdigit() and 500 <= int(took) <= 600, took + " ms"


@row("two descriptors: either resumes, and which is told")
def check():
    said = text("any_of")
    return said == "True", said


@row("the flag behind middleware that copies the environ")
def check():
    return waited(text("copied"), 1000, 1100, "True")


@row("a wait that is asked for and not yielded is refused")
def check():
    status, said = get("not_empty")
    return status == 500, "%d %s" % (status, said[:20].strip())


@row("empty yields alone do not spin: how many in a second")
def check():
    count = text("empty")
    return count.isdigit() and int(count) <= 1200, count


@row("a regular file is ready")
def check():
    return waited(text("regular_file"), 0, 100, "False")


@row("a number that is not open is refused at once")
def check():
    said = text("bad_descriptor")
    return "OSError" in said or "SystemCallError" in said, said[:60]


@row("a peer that hangs up resumes")
def check():
    return waited(text("hung_up"), 0, 100, "False")


@row("150 waits of 2 s at once, all in time")
def check():
    began = processor_time()
    threading.Timer(1.5, lambda: full.append(processor_time() - began)).start()
    took = [one[0] for one in together("two_seconds", 150)]
    return 2 <= min(took) and max(took) < 2.3, "%.2f to %.2f s" % (min(took), max(took))


# Processor time of the first 1.5 seconds of that, of which the beginning is work.
full = []


@row("processor time meanwhile, in 1.5 s")
def check():
    return full[0] < 0.15, "%.2f s" % full[0]


@row("a client that leaves is noticed at once")
def check():
    before = int(text("left"))
    with socket.create_connection((HOST, int(PORT)), PATIENCE) as connection:
        connection.sendall(b"GET /leaving HTTP/1.1\r\nHost: x\r\n\r\n")
        text("keys")        # it is suspended by now
        time.sleep(0.2)
    began = time.monotonic()
    while int(text("left")) == before and time.monotonic() - began < PATIENCE:
        time.sleep(0.01)
    took = time.monotonic() - began
    return took < 0.5, "after %.2f s" % took


@row("two requests wait for one descriptor")
def check():
    threading.Timer(0.5, get, ["share"]).start()
    said = [one[2] for one in together("shared", 2)]
    return all(waited(one, 100, 2000, "False")[0] for one in said), "; ".join(said)[:60]


@row("a body that comes in two halves")
def check():
    with socket.create_connection((HOST, int(PORT)), PATIENCE) as connection:
        connection.sendall(b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\n" + bytes(10000))
        time.sleep(0.3)
        connection.sendall(bytes(10000))
        response = http.client.HTTPResponse(connection)
        response.begin()
        said = response.read().decode()
    return said == "20000", "%d %s" % (response.status, said[:60])


@row("16 MiB to a slow reader")
def check():
    with socket.create_connection((HOST, int(PORT)), PATIENCE) as connection:
        connection.sendall(b"GET /large HTTP/1.0\r\nHost: x\r\n\r\n")
        time.sleep(1)
        received = 0
        try:
            while True:
                data = connection.recv(65536)
                if not data:
                    break
                received += len(data)
        except OSError:
            pass
    return received >= 16 << 20, "%.1f MiB" % (received / (1 << 20))


for title, check in rows:
    try:
        right, seen = check()
    except (OSError, http.client.HTTPException, ValueError, IndexError) as error:
        right, seen = False, type(error).__name__
    print("%d\t%s\t%s" % (right, title, " ".join(str(seen).split())), flush=True)
