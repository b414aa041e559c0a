"""The hostile half of serve.py: requests of many kinds, what each must be answered, and what may happen
to the server meanwhile."""
import asyncio
import json
import os
import random
import signal
import struct
import time
import zlib

from serve_load import Connection, form, read_json, request

PREDICT = "/v1/models/bench/predict"
# A connection may end without a word (0); a queue may be full (503). Where decoders are killed, a
# picture may be lost to that (400 with these words).
LOST = "could not be decoded"
SLOW_SECONDS = 40


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def bomb(side):
    """A PNG of a few KB that says it has side x side pixels."""
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1 << 20))) + chunk(b"IEND", b"")


class Kinds:
    """Requests by name: bytes, statuses that are right, and a check of the answer or None."""

    def __init__(self, pictures, length, attribute, wanted, seed):
        self.pictures, self.length, self.attribute, self.wanted = pictures, length, attribute, wanted
        self.random = random.Random(seed)
        self.bomb = bomb(30000)
        self.deep = b'{"features": ' + b"[" * 50000

    def picture(self):
        return self.random.randrange(len(self.pictures))

    def right(self):
        kind = self.random.choice(("alive", "models", "page", "picture", "picture", "features", "form", "own", "explain"))
        i = self.picture()
        p = self.pictures[i]
        if kind in ("alive", "models", "page"):
            path = {"alive": "/healthz", "models": "/v1/models/bench", "page": "/"}[kind]
            return kind, request("GET", path), {200}, None
        if kind == "picture":
            return kind, request("POST", PREDICT, p, "image/png"), {200}, lambda a: a["predictions"][0][0]["label"] == self.wanted[i]
        if kind == "explain":
            return kind, request("POST", "/v1/models/bench/explain?maps=1", p, "image/png"), {200}, \
                lambda a: a["explanation"]["answer"]["label"] == self.wanted[i]
        if kind == "form":
            parts, body = form(("image", p), ("image", b"no picture"), ("request", b'{"top": 1}'))
            return kind, request("POST", PREDICT, body, parts), {200}, \
                lambda a: a["predictions"][0][0]["label"] == self.wanted[i] and "error" in a["predictions"][1]
        if kind == "own":
            own = json.dumps({"classes": [{"name": "mine", "attributes": {self.attribute: 1}}], "among": "new"})
            parts, body = form(("image", p), ("request", own.encode()))
            return kind, request("POST", PREDICT, body, parts), {200}, lambda a: a["predictions"][0][0]["label"] == "mine"
        rows = [[self.random.random() for _ in range(self.length)]]
        return kind, request("POST", PREDICT, json.dumps({"features": rows}).encode(), "application/json"), {200}, \
            lambda a: len(a["predictions"][0]) == 5

    def wrong(self):
        """(name, bytes, statuses, check, whether the connection is given up afterwards)"""
        r = self.random
        p = self.pictures[self.picture()]
        kinds = {
            "picture cut": lambda: (request("POST", PREDICT, p[:r.randrange(100, len(p) - 100)], "image/png"), {400}, False),
            "picture with noise": lambda: (request("POST", PREDICT, self.noisy(p), "image/png"), {200, 400, 413, 415}, False),
            "noise": lambda: (request("POST", PREDICT, r.randbytes(r.randrange(1, 20000)), "image/png"), {400, 415}, False),
            "bomb": lambda: (request("POST", PREDICT, self.bomb, "image/png"), {413}, False),
            "wrong type": lambda: (request("POST", PREDICT, p, "text/html"), {415}, False),
            "deep JSON": lambda: (request("POST", PREDICT, self.deep, "application/json"), {400}, False),
            "JSON cut": lambda: (request("POST", PREDICT, b'{"features": [[1, 2', "application/json"), {400}, False),
            "JSON of another shape": lambda: (request("POST", PREDICT, b'{"features": {"a": [null]}}', "application/json"), {400}, False),
            "short row": lambda: (request("POST", PREDICT, b'{"features": [[1, 2]]}', "application/json"), {422}, False),
            "unknown attribute": lambda: (request("POST", PREDICT, b'{"features": [], "classes": [{"name": "x", "attributes": {"y": 1}}]}',
                                                  "application/json"), {422}, False),
            "form without end": lambda: (request("POST", PREDICT, form(("image", p))[1][:-20], form()[0]), {400}, False),
            "form of another boundary": lambda: (request("POST", PREDICT, form(("image", p))[1], "multipart/form-data; boundary=x"), {400}, False),
            "unknown address": lambda: (request("GET", r.choice(("/x", "/v1/models/%ff", "/v1/models/%00", "/../../etc/passwd", "/v1/models/a/b/c"))),
                                        {404}, False),
            "other method": lambda: (request(r.choice(("DELETE", "PATCH", "BREW")), "/v1/models"), {405}, False),
            "unknown parameter": lambda: (request("POST", PREDICT + "?colour=red", p, "image/png"), {400}, False),
            "strange host": lambda: (b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", {403}, False),
            "no host": lambda: (b"GET / HTTP/1.1\r\n\r\n", {400}, True),
            "two lengths": lambda: (request("POST", PREDICT, p, "image/png", ("Transfer-Encoding: chunked",)), {400, 0}, True),
            "too much": lambda: (f"POST {PREDICT} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\nContent-Length: 99999999999\r\n\r\n".encode(),
                                 {413}, True),
            "length is no number": lambda: (f"POST {PREDICT} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n".encode(), {400, 413, 0}, True),
            "longer than it says": lambda: (request("POST", PREDICT, p, "image/png") + r.randbytes(200), {200}, True),
            "damaged chunks": lambda: (f"POST {PREDICT} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n\r\n"
                                       "zz\r\nabc\r\n".encode(), {400, 0}, True),
            "huge head": lambda: (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * r.choice((70000, 300000)) + b"\r\n\r\n", {400, 413, 431, 0}, True),
            "many fields": lambda: (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: y\r\n" * 20000 + b"\r\n", {400, 413, 431, 0}, True),
            "no HTTP": lambda: (r.randbytes(r.randrange(1, 400)) + b"\r\n\r\n", {400, 404, 405, 414, 501, 505, 0}, True),
        }
        name = r.choice(list(kinds))
        data, statuses, gives_up = kinds[name]()
        return name, data, statuses, None, gives_up

    def noisy(self, picture):
        noisy = bytearray(picture)
        for _ in range(self.random.randrange(1, 50)):
            noisy[self.random.randrange(len(noisy))] = self.random.randrange(256)
        return bytes(noisy)


class Assault:
    def __init__(self, server, kinds, requests):
        self.server, self.kinds, self.left = server, kinds, requests
        self.counts, self.failures, self.samples = {}, [], []
        self.lost = self.busy = self.kills = self.reloads = self.done = 0
        self.ending = False
        self.in_time = self.answered_in_time = 0

    def note(self, name, status, body, statuses, check):
        self.done += 1
        self.counts.setdefault(name, {}).setdefault(status, 0)
        self.counts[name][status] += 1
        if status == 503:
            self.busy += 1
            return
        if status == 400 and LOST.encode() in body:
            self.lost += 1
            return
        answer = read_json(body) if check else None
        if status not in statuses or (check and not self.checks(check, answer)):
            self.failures.append(f"{name}: {status} {body[:200]!r}")

    def checks(self, check, answer):
        try:
            if LOST in json.dumps(answer):
                self.lost += 1
                return True
            return check(answer)
        except (KeyError, IndexError, TypeError):
            return False

    async def client(self):
        connection = Connection(self.server.port)
        while self.left > 0 and len(self.failures) < 20:
            self.left -= 1
            if self.left % 3 == 0:
                name, data, statuses, check, gives_up = self.kinds.wrong()
            else:
                (name, data, statuses, check), gives_up = self.kinds.right(), False
            if self.kinds.random.random() < 0.03:  # a sender that goes away in the middle
                await self.go_away(data)
            # The wrong bytes of one request may end the connection of the next: a new one then.
            if gives_up:
                await connection.close()
            status, body = await connection.ask(data)
            if gives_up:
                await connection.close()
            self.note(name, status, body, statuses, check)
        await connection.close()

    async def go_away(self, data):
        connection = Connection(self.server.port)
        await connection.open()
        connection.writer.write(data[:self.kinds.random.randrange(1, len(data))])
        connection.writer.transport.abort()
        connection.reader = connection.writer = None

    async def slow(self):
        """Senders that stop in the head or in the body: cut off, with 408 where a body is owed."""
        whole = request("POST", PREDICT, self.kinds.pictures[0], "image/png")
        while self.left > 0:
            for part, wanted in ((whole[:40], {0}), (whole[:-10], {408})):
                connection = Connection(self.server.port)
                status, body = await connection.ask(part, SLOW_SECONDS)
                await connection.close()
                self.note("slow sender", status, body, wanted, None)

    async def torment(self):
        """Kills a decoder each second, loads the models anew every five, and looks at the server."""
        begun = time.monotonic()
        while self.left > 0:
            await asyncio.sleep(1)
            decoders = self.server.children()
            if decoders:
                try:
                    os.kill(self.kinds.random.choice(decoders), signal.SIGKILL)
                    self.kills += 1
                except OSError:
                    pass
            if self.kills % 5 == 0:
                self.server.process.send_signal(signal.SIGHUP)
                self.reloads += 1
            if self.server.process.poll() is not None:
                self.failures.append(f"the server ended with {self.server.process.returncode}")
                self.left = 0
                return
            self.samples.append((time.monotonic() - begun, self.done, self.server.memory_mib(), self.server.descriptors()))

    async def run(self, clients):
        await asyncio.gather(self.torment(), self.slow(), self.slow(), *(self.client() for _ in range(clients)))

    async def last_client(self, state):
        """Asks until the server is no more. What was sent before SIGTERM must be answered."""
        connection = Connection(self.server.port)
        data = request("POST", PREDICT, self.kinds.pictures[0], "image/png")
        while not state["ended"]:
            try:
                status, body = await connection.ask(data)
            except OSError:
                return
            sent = connection.sent_at
            if sent and state["signal"] and sent > state["signal"] - 0.02:
                return  # perhaps nobody had accepted it
            self.in_time += 1
            if status != 200:
                self.failures.append(f"at the end: {status} {body[:200]!r}")
            else:
                self.answered_in_time += 1

    async def end(self, clients):
        state = {"signal": None, "ended": False}
        asking = [asyncio.create_task(self.last_client(state)) for _ in range(clients)]
        await asyncio.sleep(2)
        self.server.process.send_signal(signal.SIGTERM)
        state["signal"] = begun = time.monotonic()
        while self.server.process.poll() is None and time.monotonic() - begun < 15:
            await asyncio.sleep(0.01)
        state["ended"] = True
        took = time.monotonic() - begun
        if self.server.process.poll() != 0 or took > 10:
            self.failures.append(f"SIGTERM: ended with {self.server.process.poll()} after {took:.1f} s")
        await asyncio.wait_for(asyncio.gather(*asking), 30)
        return took


def describe(assault, took):
    s = assault.samples
    after = [x for x in s if x[1] >= 0.2 * assault.done] or s
    half = len(after) // 2 or 1
    early, late = after[:half], after[half:] or after
    memory = [max(x[2] for x in part) for part in (early, late)]
    descriptors = [max(x[3] for x in part) for part in (early, late)]
    if memory[1] > 1.1 * memory[0] + 16:
        assault.failures.append(f"memory grew: {memory[0]:.0f} MiB at most, then {memory[1]:.0f} MiB")
    if descriptors[1] > 1.2 * descriptors[0] + 16:
        assault.failures.append(f"descriptors grew: {descriptors[0]}, then {descriptors[1]}")
    print(f"{assault.done} requests in {s[-1][0] if s else 0:.0f} s, a third of them wrong; {assault.kills} decoders killed "
          f"({assault.lost} pictures lost to that), models loaded anew {assault.reloads} times, {assault.busy} answers 503")
    for name in sorted(assault.counts):
        print(f"  {name:26} " + ", ".join(f"{k}: {n}" for k, n in sorted(assault.counts[name].items())))
    print(f"anonymous memory at most {memory[0]:.0f} MiB in the first half, {memory[1]:.0f} MiB in the second; "
          f"descriptors {descriptors[0]}, {descriptors[1]}")
    print(f"SIGTERM under load: {assault.answered_in_time} of {assault.in_time} requests that were sent before it answered, "
          f"ended in {took:.2f} s")
    for failure in assault.failures[:20]:
        print("FAILED:", failure)
    return {"requests": assault.done, "failures": assault.failures, "memory_mib": memory, "descriptors": descriptors,
            "kills": assault.kills, "lost": assault.lost, "busy": assault.busy, "reloads": assault.reloads}


def run(server, a, pictures):
    card = json.loads(server.get("/v1/models/bench"))
    attribute = card["attribute_groups"][0]["attributes"][0]["name"]
    pictures = pictures[::max(1, len(pictures) // 50)]

    async def ask_all():
        connection = Connection(server.port)
        labels = []
        for p in pictures:
            status, body = await connection.ask(request("POST", PREDICT, p, "image/png"))
            assert status == 200, body
            labels.append(json.loads(body)["predictions"][0][0]["label"])
        await connection.close()
        return labels

    kinds = Kinds(pictures, card["feature_length"], attribute, asyncio.run(ask_all()), 1)
    assault = Assault(server, kinds, a.requests)
    asyncio.run(assault.run(int(a.clients)))
    took = asyncio.run(assault.end(int(a.clients))) if server.process.poll() is None else 0
    return describe(assault, took)
