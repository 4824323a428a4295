#!/usr/bin/env python3
"""An emulator of SendGrid's IP management API, for tests and demonstrations.

Speaks the legacy API (emulator_v2.py) and the Web API of today (emulator_v3.py)
over an account that is generated or read from a file (emulator_account.py).
What the real API leaves open, and any kind of misbehaviour (emulator_faults.py),
is chosen by switches in the URL.  EMULATOR.md describes all of it.

This file is the server: connections, requests, the log.  It writes HTTP by hand,
because half of its purpose is to write HTTP wrongly.
"""

import argparse
import collections
import email.utils
import itertools
import json
import math
import os
import re
import select
import signal
import socket
import ssl
import struct
import sys
import threading
import time
import traceback
import urllib.parse
import zlib

import emulator_account
import emulator_common
import emulator_faults
import emulator_v2
import emulator_v3
from emulator_common import Refusal, Switches, SwitchError

MAX_REQUEST_HEAD = 4 * 1024 * 1024      # long URLs are a test's right
BUFFERED = 65536                        # a body up to this gets a Content-Length
KEPT_ENTRIES = 200000                   # log entries kept for /_control/log
LOGGED_HEADERS = ("accept", "accept-encoding", "content-type", "on-behalf-of", "user-agent", "connection")
SECRET_PARAMS = ("api_user", "api_key")
REASONS = {200: "OK", 204: "No Content", 301: "Moved Permanently", 302: "Found", 303: "See Other", 304: "Not Modified",
           307: "Temporary Redirect", 308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden",
           404: "Not Found", 405: "Method Not Allowed", 410: "Gone", 429: "Too Many Requests",
           451: "Unavailable For Legal Reasons", 500: "Internal Server Error", 502: "Bad Gateway",
           503: "Service Unavailable", 504: "Gateway Timeout"}


class ClientGone(Exception):
    """The client closed the connection, or broke it."""


class Connection:
    """One TCP connection: reads requests, counts what it sends."""

    def __init__(self, sock, number):
        self.sock = sock
        self.number = number
        self.buffer = b""
        self.sent = 0                   # bytes of the current answer that the kernel took
        self.closing = False

    # --- reading -----------------------------------------------------------

    def _more(self):
        try:
            data = self.sock.recv(65536)
        except OSError:
            data = b""
        if not data:
            raise ClientGone
        self.buffer += data

    def _take(self, size):
        while len(self.buffer) < size:
            self._more()
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def _line(self):
        while b"\n" not in self.buffer:
            self._more()
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.rstrip(b"\r")

    def read_request(self):
        """The next request; raises ClientGone when there is none."""
        while b"\r\n\r\n" not in self.buffer:
            if len(self.buffer) > MAX_REQUEST_HEAD:
                raise ClientGone
            self._more()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        lines = head.decode("iso-8859-1").split("\r\n")
        try:
            method, target, version = lines[0].split(" ")
        except ValueError:
            raise ClientGone from None
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        if headers.get("expect", "").lower() == "100-continue":
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = b""
        if "chunked" in headers.get("transfer-encoding", "").lower():
            while True:
                try:
                    size = int(self._line().split(b";")[0], 16)
                except ValueError:
                    raise ClientGone from None
                if size == 0:
                    while self._line():
                        pass
                    break
                body += self._take(size)
                self._line()
        elif headers.get("content-length", "").isdigit():
            body = self._take(int(headers["content-length"]))
        self.sent = 0
        return Request(method, target, version, headers, body)

    # --- writing -----------------------------------------------------------

    def send(self, data):
        """Hands all of data to the kernel; waits while the client does not read."""
        view = memoryview(data)
        while view:
            try:
                count = self.sock.send(view)
            except OSError:
                raise ClientGone from None
            self.sent += count
            view = view[count:]

    def gone(self, seconds=0.0):
        """Whether the client closes its side within so many seconds."""
        try:
            poller = select.poll()
            poller.register(self.sock.fileno(), select.POLLRDHUP | select.POLLHUP | select.POLLERR)
            return bool(poller.poll(seconds * 1000))
        except (OSError, ValueError):
            return True

    def pause(self, seconds):
        """Says nothing for a while; ends at once when the client goes away."""
        if seconds > 0 and self.gone(seconds):
            raise ClientGone

    def wait_for_close(self):
        """Says nothing until the client goes away."""
        while not self.gone(3600):
            pass
        raise ClientGone

    def reset(self):
        """Breaks the connection with a TCP reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.closing = True

    def left(self):
        """Bytes that our kernel has sent on its way since the connection began: tcpi_bytes_sent of TCP_INFO."""
        try:
            info = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 208)
            return struct.unpack_from("=Q", info, 200)[0]
        except (OSError, struct.error):
            return None


class Request:
    """One request, taken apart."""

    def __init__(self, method, target, version, headers, body):
        self.method = method
        self.target = target
        self.version = version
        self.headers = headers
        self.body = body
        self.prefix = ""                # "/~…" if the path has it
        self.raw_path, _, self.raw_query = target.partition("?")
        self.switches = Switches()
        self.rate = None                # (limit, remaining, end of the window) where rate_limit is set
        self.params = {}
        self.auth, self.where = "none", None

    def parse(self, defaults):
        """Separates switches, path and parameters; raises SwitchError."""
        found = re.match(r"^/~([^/]*)(/.*)$", self.raw_path)
        path = self.raw_path
        self.switches = Switches(defaults)
        if found:
            self.prefix = "/~" + found.group(1)
            path = found.group(2)
        self.raw_path = path
        self.path = urllib.parse.unquote(path)
        self.segments = [urllib.parse.unquote(part) for part in path.split("/")[1:]]
        if found:
            self.switches.update(emulator_common.parse_switches(found.group(1)))
        self.url_params = self._pairs(self.raw_query)
        self.body_params = {}
        if self.method == "POST" and self.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            self.body_params = self._pairs(self.body.decode("iso-8859-1"))
        self.params = {**self.url_params, **self.body_params}

    @staticmethod
    def _pairs(text):
        """Decoded parameters; one that comes twice has a list of values."""
        found = {}
        for name, value in urllib.parse.parse_qsl(text, keep_blank_values=True, encoding="utf-8", errors="surrogateescape"):
            if name in found:
                before = found[name]
                found[name] = (before if isinstance(before, list) else [before]) + [value]
            else:
                found[name] = value
        return found

    def authenticate(self, user, key):
        """Sets auth (ok, bad, none) and where: every place that has credentials (header, body, url)."""
        found = []                      # (where, whether they are right), the one that decides first
        header = self.headers.get("authorization", "")
        if header:
            found.append(("header", header == "Bearer " + key))
        for where, params in (("body", self.body_params), ("url", self.url_params)):
            if "api_key" in params or "api_user" in params:
                given = (params.get("api_user"), params.get("api_key"))
                found.append((where, given in ((user, key), ("apikey", key))))
        if found:
            self.where = "+".join(where for where, _ in found)
            self.auth = "ok" if found[0][1] else "bad"

    def accepts_gzip(self):
        return "gzip" in self.headers.get("accept-encoding", "").lower()

    def keeps_alive(self):
        connection = self.headers.get("connection", "").lower()
        return self.version == "HTTP/1.1" and "close" not in connection


class Log:
    """What was asked and what went out; one JSON line per request when it ended."""

    def __init__(self, path):
        self.file = open(path, "a", encoding="utf-8") if path else None
        self.lock = threading.Lock()
        self.ended = threading.Condition(self.lock)
        self.count = 0
        self.entries = collections.OrderedDict()
        self.running = {}               # n -> connection of a request that has not ended
        self.unanswered = set()         # of these, the ones whose answer has not left
        self.most = 0                   # largest number of those

    def begin(self, request, connection):
        query = {name: value for name, value in request.params.items() if name not in SECRET_PARAMS}
        with self.lock:
            self.count += 1
            self.running[self.count] = connection
            self.unanswered.add(self.count)
            self.most = max(self.most, len(self.unanswered))
            entry = self.entries[self.count] = {
                "n": self.count, "t": round(time.time(), 6), "conn": connection.number, "method": request.method,
                "path": getattr(request, "path", request.raw_path), "query": query,
                "headers": {name: request.headers[name] for name in LOGGED_HEADERS if name in request.headers},
                "auth": request.auth, "where": request.where, "switches": dict(request.switches),
                "status": None, "rows": 0, "bytes_sent": 0, "bytes_left": None, "ms": None, "complete": None}
            while len(self.entries) > KEPT_ENTRIES:
                self.entries.popitem(last=False)
        return entry

    def leaving(self, entry):
        """The answer goes out whole; the client may ask again before its end is noted."""
        with self.lock:
            self.unanswered.discard(entry["n"])

    def end(self, entry, connection, left_before, complete):
        left = connection.left()
        with self.lock:
            del self.running[entry["n"]]
            self.unanswered.discard(entry["n"])
            self.ended.notify_all()
            entry["bytes_sent"] = connection.sent
            if left is not None and left_before is not None:
                entry["bytes_left"] = left - left_before
            entry["ms"] = round((time.time() - entry["t"]) * 1000, 3)
            entry["complete"] = complete
            if self.file:
                self.file.write(json.dumps(entry) + "\n")
                self.file.flush()

    def since(self, number, timeout=0.0):
        """Entries after that number; waits so many seconds for those that have not ended."""
        with self.lock:
            self.ended.wait_for(lambda: all(n <= number for n in self.running), timeout)
            for n, connection in self.running.items():
                self.entries[n]["bytes_sent"] = connection.sent
            return [dict(self.entries[n]) for n in range(max(number + 1, self.count - len(self.entries) + 1), self.count + 1)]


class Emulator:
    """The server: one account, one port, a thread for each connection."""

    def __init__(self, account, user="demo", key="demo-key", defaults=None, log=None, tls=None, port=0):
        self.account = account
        self.user, self.key = user, key
        self.defaults = defaults or {}
        self.log = Log(log)
        self.tls = None
        if tls:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*tls)
        self.listener = socket.create_server(("127.0.0.1", port), backlog=1024)
        self.port = self.listener.getsockname()[1]
        self.url = "%s://127.0.0.1:%d" % ("https" if tls else "http", self.port)
        self.numbers = itertools.count(1)
        self.lock = threading.Lock()
        self.connections_open = self.connections_total = 0
        self.counters = {}              # (what, id, path) -> requests, or times of them

    def start(self):
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        """One connection from accept to close."""
        with self.lock:
            self.connections_open += 1
            self.connections_total += 1
            connection = Connection(sock, next(self.numbers))
        control = None
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls:
                connection.sock = self.tls.wrap_socket(sock, server_side=True)
            while not connection.closing:
                request = connection.read_request()
                is_control = self._is_control(request)
                if control is None:
                    control = is_control
                    if control:         # the observer is not counted
                        with self.lock:
                            self.connections_open -= 1
                            self.connections_total -= 1
                if not request.keeps_alive():
                    connection.closing = True
                self._answer(connection, request, is_control)
        except (ClientGone, OSError):
            pass
        except Exception:               # a bug of the emulator: loud, and an answer that says so
            traceback.print_exc()
            try:
                text = b"emulator: internal error, see its standard error\n"
                connection.send(b"HTTP/1.1 500 Emulator Bug\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b"
                                % (len(text), text))
            except ClientGone:
                pass
        finally:
            if not control:
                with self.lock:
                    self.connections_open -= 1
            connection.sock.close()

    @staticmethod
    def _is_control(request):
        return re.match(r"^(/~[^/]*)?/_control/", request.raw_path) is not None

    # --- one request ---------------------------------------------------------

    def _answer(self, connection, request, is_control):
        problem = None
        try:
            request.parse(self.defaults)
        except SwitchError as error:
            problem = Refusal(400, ("emulator: %s\n" % error).encode(), "text/plain")
        if is_control:
            try:
                if problem:
                    raise problem
                body, ctype = self._control(request)
                self._send_body(connection, request, 200, ctype, [], body)
            except Refusal as refusal:
                self._refuse(connection, request, refusal)
            return
        if not problem:
            request.authenticate(self.user, self.key)
        entry = self.log.begin(request, connection)
        left, complete = connection.left(), False
        try:
            if request.switches["sndbuf"]:
                connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, request.switches["sndbuf"])
            if problem:
                raise problem
            connection.pause(request.switches["delay_ms"] / 1000)
            self._limits(request)
            answer = self._find(request)
            if answer.page > 1:
                connection.pause(request.switches["page_delay_ms"] / 1000)
            if self._fault_applies(request, answer):
                entry["fault"] = request.switches["fault"]
                emulator_faults.commit(self, connection, request, answer, entry)
            else:
                self.deliver(connection, request, answer, entry)
            complete = True
        except Refusal as refusal:
            entry["status"] = refusal.status
            self._refuse(connection, request, refusal)
            complete = True
        finally:
            self.log.end(entry, connection, left, complete)

    def _find(self, request):
        """The good answer to a request; raises Refusal."""
        view = self.view(request.switches)
        if emulator_v2.PATH.match(request.path):
            if request.method not in ("GET", "POST"):
                raise Refusal(405, {"message": "error", "errors": ["method not allowed"]}, headers=[("Allow", "GET, POST")])
            return emulator_v2.answer(request, view)
        return emulator_v3.answer(request, view, self)

    def view(self, switches):
        return emulator_account.View(self.account, switches["rows"], switches["plain"] == "yes")

    def count_request(self, what, request):
        """How many requests of this kind came before, under the request's id."""
        key = (what, request.switches["id"], request.path, request.switches[what])
        with self.lock:
            self.counters[key] = self.counters.get(key, 0) + 1
            return self.counters[key] - 1

    def _limits(self, request):
        """rate_limit and fail_first; raises Refusal."""
        if request.switches["fail_first"]:
            number, status = request.switches["fail_first"]
            if self.count_request("fail_first", request) < number:
                raise emulator_faults.refusal(request, int(status), self)
        if request.switches["rate_limit"] and not self._take(request):
            raise emulator_faults.refusal(request, 429, self)

    def _take(self, request):
        """Whether the path's limit allows one more request; request.rate is what its answer tells of the limit."""
        switches, now = request.switches, self.now(request)
        number, seconds = switches["rate_limit"]
        with self.lock:
            times = self.counters.setdefault(("rate", switches["id"], request.path), collections.deque())
            if switches["rate_window"] == "sliding":
                while times and times[0] <= now - seconds:
                    times.popleft()
                end = (times[0] if times else now) + seconds
            else:
                # the first element says when the window began
                if not times or now >= times[0] + seconds:
                    times.clear()
                    times.append(now if switches["rate_window"] == "first" else now - now % seconds)
                end = times[0] + seconds
            taken = len(times) - (switches["rate_window"] != "sliding")
            if taken < number:
                times.append(now)
            request.rate = (number, max(0, number - taken - 1), end)
            return taken < number

    def _fault_applies(self, request, answer):
        switches = request.switches
        if not switches["fault"]:
            return False
        if switches["fault_page"] and switches["fault_page"] != answer.page:
            return False
        return not switches["fault_first"] or self.count_request("fault_first", request) < switches["fault_first"]

    # --- writing an answer -----------------------------------------------------

    def now(self, request):
        """The server's clock."""
        return time.time() + request.switches["date_skew"]

    def rate_headers(self, request):
        """What an answer tells of the limit: that of rate_limit, or one that is never reached."""
        now, told = self.now(request), request.switches["rate_told"]
        limit, remaining, end = request.rate or (600, 599, now - now % 60 + 60)
        if request.switches["rate_lie"]:
            remaining, end = request.switches["rate_lie"][0], now + request.switches["rate_lie"][1]
        reset = {"ceil": math.ceil(end), "floor": math.floor(end), "left": math.ceil(end - now)}[told]
        return [("X-RateLimit-Limit", limit), ("X-RateLimit-Remaining", remaining), ("X-RateLimit-Reset", reset)]

    def head(self, request, status, headers, reason=None):
        """Status line and header block, with Date and the rate headers."""
        lines = ["HTTP/1.1 %d %s" % (status, reason or REASONS.get(status, "Status")),
                 "Date: %s" % email.utils.formatdate(self.now(request), usegmt=True), "Server: emulator"]
        names = {name.lower() for name, _ in headers}
        if request.switches["rate_headers"] == "yes" and "x-ratelimit-limit" not in names:
            lines += ["%s: %s" % pair for pair in self.rate_headers(request)]
        lines += ["%s: %s" % pair for pair in headers]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("iso-8859-1")

    def _send_body(self, connection, request, status, ctype, headers, body):
        """A complete answer with a Content-Length."""
        headers = [("Content-Type", ctype), ("Content-Length", len(body))] + list(headers)
        if connection.closing:
            headers.append(("Connection", "close"))
        if request.method == "HEAD":
            body = b""
        connection.send(self.head(request, status, headers) + body)

    def _refuse(self, connection, request, refusal):
        self._send_body(connection, request, refusal.status, refusal.ctype, refusal.headers, refusal.body)

    def deliver(self, connection, request, answer, entry, status=200, headers=()):
        """Sends a good answer the way its switches ask for."""
        switches = request.switches
        entry["status"] = status
        ctype = "text/html" if switches["ctype"] == "html" else "application/json"
        headers = [("Content-Type", ctype)] + answer.headers + list(headers)
        gzip = switches["gzip"] == "yes" and request.accepts_gzip()
        if gzip:
            headers += [("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding")]

        def body():
            """The bytes of the body as they go out, with the rows they hold."""
            chunks = answer.chunks()
            if switches["bom"] == "yes":
                chunks = itertools.chain(((b"\xef\xbb\xbf", 0),), chunks)
            if not gzip:
                yield from chunks
                return
            compressor = zlib.compressobj(1, zlib.DEFLATED, 31)
            for data, rows in chunks:
                yield compressor.compress(data), rows
            yield compressor.flush(), 0

        length, chunks = switches["length"], body()
        collected, rows = b"", 0
        if length == "auto":
            for data, more in chunks:
                collected += data
                rows += more
                if len(collected) > BUFFERED:
                    break
            else:
                length = "exact"
            if length == "auto":
                length = "chunked"
            total = len(collected)
        elif length == "exact":
            total = sum(len(data) for data, _ in body())
        if request.version == "HTTP/1.0" and length == "chunked":
            length = "close"
        if length == "exact":
            headers.append(("Content-Length", total))
        elif length == "chunked":
            headers.append(("Transfer-Encoding", "chunked"))
        else:
            connection.closing = True
        if connection.closing:
            headers.append(("Connection", "close"))
        if length == "exact" and not switches["drip"]:
            self.log.leaving(entry)
        self._stream(connection, request, entry, self.head(request, status, headers),
                     itertools.chain(((collected, rows),), chunks), length == "chunked")

    def _stream(self, connection, request, entry, head, chunks, chunked):
        """Sends head and body, in pieces if asked for."""
        drip, pause = request.switches["drip"], request.switches["drip_ms"] / 1000
        pending = head
        for data, rows in chunks:
            if data:
                if drip:
                    if pending:
                        connection.send(pending)
                        pending = b""
                    for at in range(0, len(data), drip):
                        piece = data[at:at + drip]
                        connection.send(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                        connection.pause(pause)
                else:
                    connection.send(pending + (b"%x\r\n%b\r\n" % (len(data), data) if chunked else data))
                    pending = b""
            entry["rows"] += rows
        if chunked:
            pending += b"0\r\n\r\n"
        if pending:
            connection.send(pending)

    # --- what a test asks the emulator itself --------------------------------------

    def _control(self, request):
        """(body, content type) of /_control/…; raises Refusal."""
        what = request.segments[1:]
        if what == ["mark"]:
            return str(self.log.count).encode(), "text/plain"
        if what == ["log"]:
            try:
                since, wait_ms = (int(request.params.get(name, 0)) for name in ("since", "wait_ms"))
            except (TypeError, ValueError):
                raise Refusal(400, b"emulator: since and wait_ms are numbers\n", "text/plain") from None
            entries = self.log.since(since, wait_ms / 1000)
            return json.dumps(entries).encode(), "application/json"
        if what == ["stats"]:
            with self.log.lock:
                stats = {"connections_open": self.connections_open, "connections_total": self.connections_total,
                         "requests_total": self.log.count, "requests_active": len(self.log.running),
                         "requests_max_concurrent": self.log.most}
                if request.params.get("reset"):
                    self.log.most = len(self.log.unanswered)
            return json.dumps(stats).encode(), "application/json"
        if what == ["forget"]:
            with self.lock:
                self.counters.clear()
            return b"{}", "application/json"
        view = self.view(request.switches)
        if what == ["data.json"]:
            return json.dumps(emulator_account.dump_data(view), ensure_ascii=False).encode("utf-8", "surrogatepass"), "application/json"
        if len(what) == 2 and what[0] == "tsv" and what[1] in emulator_account.TABLES:
            text = "".join(emulator_account.dump_tsv(view, what[1]))
            return text.encode("utf-8", "surrogatepass"), "text/tab-separated-values"
        raise Refusal(404, b"emulator: no such control page\n", "text/plain")


# --- command line ------------------------------------------------------------

def arguments(argv):
    parser = argparse.ArgumentParser(description="Emulates SendGrid's IP management API on 127.0.0.1; see EMULATOR.md.")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--ready-file", help="file that receives the port number once requests are served")
    parser.add_argument("--log", help="file that receives one JSON line per request")
    parser.add_argument("--user", default="demo", help="v2 api_user (default demo)")
    parser.add_argument("--key", default="demo-key", help="v2 api_key and v3 bearer key (default demo-key)")
    parser.add_argument("--ips", type=int, default=300, help="IPs of the generated account")
    parser.add_argument("--subusers", type=int, default=24)
    parser.add_argument("--groups", type=int, default=8)
    parser.add_argument("--accounts", type=int, default=5, help="partner accounts")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data", help="JSON file with an account's rows, instead of a generated one")
    parser.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="default of a switch")
    parser.add_argument("--parent-pid", type=int, help="end when that process is gone")
    parser.add_argument("--dump-data", action="store_true", help="print the account as --data reads it, and end")
    parser.add_argument("--dump-tsv", choices=sorted(emulator_account.TABLES), help="print a table for COPY, and end")
    parser.add_argument("--list", choices=("switches", "faults", "tables"), help="print what there is, and end")
    return parser.parse_args(argv)


def print_list(what):
    if what == "switches":
        for name, (kind, default, meaning) in emulator_common.SWITCHES.items():
            print("%-16s %-40s %s%s" % (name, "|".join(kind) if isinstance(kind, tuple) else kind, meaning,
                                        "" if default is None else " (default %s)" % default))
    elif what == "faults":
        for name, function in emulator_faults.FAULTS.items():
            print("%-20s %s" % (name, " ".join(function.__doc__.split())))
    else:
        for name, (columns, _) in emulator_account.TABLES.items():
            print("%-20s %s" % (name, columns))


def process_is_gone(pid):
    """Whether a process has ended, also when it was not waited for yet."""
    try:
        with open("/proc/%d/stat" % pid, encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def main(argv=None):
    args = arguments(argv)
    if args.list:
        print_list(args.list)
        return 0
    try:
        defaults = {}
        for setting in args.set:
            defaults.update(emulator_common.parse_switches(setting))
        account = (emulator_account.load(args.data) if args.data else
                   emulator_account.GeneratedAccount(args.ips, args.subusers, args.groups, args.seed, args.accounts))
    except (OSError, ValueError) as error:
        sys.exit("emulator: %s" % error)
    if args.dump_data or args.dump_tsv:
        view = emulator_account.View(account, defaults.get("rows"), defaults.get("plain") == "yes")
        if args.dump_data:
            json.dump(emulator_account.dump_data(view), sys.stdout, indent=1)
            print()
        else:
            sys.stdout.writelines(emulator_account.dump_tsv(view, args.dump_tsv))
        return 0

    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    emulator = Emulator(account, args.user, args.key, defaults, args.log, args.tls, args.port)
    emulator.start()
    if args.ready_file:
        with open(args.ready_file + ".new", "w", encoding="ascii") as file:
            file.write("%d\n" % emulator.port)
        os.rename(args.ready_file + ".new", args.ready_file)
    print(emulator.url, flush=True)
    while not ended.wait(2):
        if args.parent_pid and process_is_gone(args.parent_pid):
            break
    emulator.stop()
    sys.stdout.flush()
    os._exit(0)                 # threads of open connections end with the process


if __name__ == "__main__":
    sys.exit(main())
