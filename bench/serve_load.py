"""A client for serve.py: many connections at once, each with one request after the other, and what
became of each. Raw sockets, so that requests can be wrong in any way; no thread, little processor time."""
import asyncio
import json
import time


def request(method, path, body=b"", kind=None, headers=()):
    """The bytes of one that is right."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    if kind:
        lines.append(f"Content-Type: {kind}")
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


def form(*parts):
    """(kind, body) of (name, bytes)."""
    boundary = b"-----------unseen-bench-boundary"
    body = b"".join(b"--" + boundary + b'\r\nContent-Disposition: form-data; name="' + name.encode() +
                    b'"; filename="x"\r\n\r\n' + value + b"\r\n" for name, value in parts)
    return "multipart/form-data; boundary=" + boundary.decode(), body + b"--" + boundary + b"--\r\n"


class Connection:
    """One to the server, opened again where it was closed."""

    def __init__(self, port):
        self.port = port
        self.reader = self.writer = None
        self.sent_at = None  # when the last request was sent as a whole

    async def open(self):
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)

    async def close(self):
        if self.writer is not None:
            self.writer.close()
            try:
                await self.writer.wait_closed()
            except OSError:
                pass
        self.reader = self.writer = None

    async def ask(self, data, timeout=60):
        """(status, body); (0, b"") where the server closed the connection without a word."""
        self.sent_at = None
        await self.open()
        try:
            self.writer.write(data)
            await self.writer.drain()
            self.sent_at = time.monotonic()
        except OSError:
            pass  # it may have said why all the same
        try:
            return await asyncio.wait_for(self.answer(), timeout)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await self.close()
            return 0, b""

    async def answer(self):
        head = await self.reader.readuntil(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line)
        length = fields.get(b"content-length")
        body = await (self.reader.readexactly(int(length)) if length is not None else self.reader.read())
        if length is None or fields.get(b"connection", b"").strip() == b"close":
            await self.close()
        return status, body


async def load(port, clients, requests, seconds):
    """Seconds of each answer, of `clients` connections for `seconds`; requests are taken in turn.
    Fails on an answer that is not 200."""
    times = []
    begun = time.monotonic()

    async def client(number):
        connection = Connection(port)
        at = number
        while time.monotonic() - begun < seconds:
            asked = time.monotonic()
            status, body = await connection.ask(requests[at % len(requests)])
            if status != 200:
                raise RuntimeError(f"answer {status}: {body[:200]!r}")
            times.append(time.monotonic() - asked)
            at += clients
        await connection.close()

    await asyncio.gather(*(client(i) for i in range(clients)))
    return times, time.monotonic() - begun


def read_json(body):
    try:
        return json.loads(body)
    except ValueError:
        return None
