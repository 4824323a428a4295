"""Misbehaviour: everything that can be wrong with an answer, one function each.

A fault takes the place of a good answer only; a request that is refused is
refused as usual.  Each function's docstring is its line in --list faults.
"""

import email.utils
import json
import math
import re
import urllib.parse
import zlib

from emulator_common import Answer, Refusal, compact

FAULTS = {}                     # name: function of Fault
PLENTY = 1024 * 1024            # bytes of a good answer that a fault works on
BLOCK = 256 * 1024              # pieces of what is long

V3_MESSAGES = {400: "bad request", 401: "authorization required", 403: "access forbidden", 404: "resource not found",
               410: "gone", 429: "too many requests", 451: "unavailable for legal reasons", 500: "internal server error",
               502: "Bad Gateway", 503: "Service Unavailable", 504: "Endpoint request timed out"}
HTML = "<html>\r\n<head><title>%d %s</title></head>\r\n<body>\r\n<center><h1>%d %s</h1></center>\r\n</body>\r\n</html>\r\n"


def refusal(request, status, emulator):
    """A failing status with the body that its API gives, as an exception to raise."""
    switches = request.switches
    text = V3_MESSAGES.get(status, "status %d" % status)
    kind = switches["fault_body"]
    headers = []
    if status == 429:
        limit, _, end = request.rate or (600, 0, int(emulator.now(request)) + 1)
        if switches["rate_reset"]:
            end = int(emulator.now(request)) + switches["rate_reset"]
        request.rate = limit, 0, end
        headers += emulator.rate_headers(request)
    if status in (429, 503) and switches["retry_after"]:
        after = switches["retry_after"]
        if after.startswith("date:"):
            after = email.utils.formatdate(emulator.now(request) + float(after[5:]), usegmt=True)
        elif after.startswith("unix:"):
            after = str(int(emulator.now(request)) + int(after[5:]))
        headers.append(("Retry-After", after))
    if kind == "empty":
        return Refusal(status, b"", "text/plain", headers)
    if kind == "html":
        return Refusal(status, (HTML % (status, text, status, text)).encode(), "text/html", headers)
    if "v3" in request.segments:
        return Refusal(status, {"errors": [{"field": None, "message": text}]}, headers=headers)
    if status in (401, 403):
        return Refusal(status, b'{"error": "Bad username / password"}', "text/html", headers)
    return Refusal(status, {"message": "error", "errors": [text]}, headers=headers)


class Fault:
    """One fault about to happen: the good answer and the means to spoil it."""

    def __init__(self, emulator, connection, request, answer, entry):
        self.emulator, self.connection, self.request = emulator, connection, request
        self.answer, self.entry = answer, entry
        self.at = request.switches["fault_at"]

    def size(self, default):
        return self.request.switches["fault_size"] or default

    def body(self):
        """The good body, or as much of it as is plenty."""
        found = b""
        for data, _ in self.answer.chunks():
            found += data
            if len(found) > PLENTY:
                break
        return found

    def cut(self):
        """(what may be sent of the body, length of the body); always leaves something out."""
        body = self.body()
        return body[:max(0, min(self.at, len(body) - 1))], len(body)

    def head(self, length=None, *more, status=200):
        """Header block of a JSON answer; counts as the answer's status."""
        self.entry["status"] = status
        headers = [("Content-Type", "application/json")]
        if length is not None:
            headers.append(("Content-Length", length))
        return self.emulator.head(self.request, status, headers + list(more))

    def send(self, data):
        self.connection.send(data)

    def end(self):
        """The connection is closed after this."""
        self.connection.closing = True

    def deliver(self, parts, head=b"", tail=b""):
        """Sends another document with correct HTTP; parts is bytes or a function as in Answer."""
        pieces = (lambda: iter(((parts, 0),))) if isinstance(parts, bytes) else parts
        self.emulator.deliver(self.connection, self.request, Answer(pieces, head, tail, self.answer.headers), self.entry)

    def forge(self, *elements):
        """The good document with more elements after its rows; an element is bytes or a function giving pieces."""
        def parts():
            any_row = False
            for data, rows in self.answer.parts():
                any_row = any_row or rows > 0
                yield data, rows
            for element in elements:
                if any_row:
                    yield b",", 0
                any_row = True
                if callable(element):
                    for piece in element():
                        yield piece, 0
                else:
                    yield element, 0
        self.deliver(parts, self.answer.head, self.answer.tail)

    def row(self, value):
        """A row whose first member (or which itself) is the JSON text given as bytes."""
        sample = self.answer.sample
        if not isinstance(sample, dict):
            return value
        first = "ip" if "ip" in sample else next(iter(sample))
        text = compact(dict(sample, **{first: "\0"})).encode("utf-8", "surrogatepass")
        return text.replace(b'"\\u0000"', value, 1)

    def long(self, opening, filling, closing, size):
        """A row whose value is long; not held in memory."""
        before, _, after = self.row(b"\0").partition(b"\0")

        def pieces():
            yield before + opening
            left = size
            block = filling * (BLOCK // len(filling))
            while left >= BLOCK:
                yield block
                left -= BLOCK
            yield filling * (left // len(filling)) + closing + after
        return pieces


def fault(name):
    def register(function):
        FAULTS[name] = function
        return function
    return register


def commit(emulator, connection, request, answer, entry):
    """Does what the switch fault says."""
    name = request.switches["fault"]
    here = Fault(emulator, connection, request, answer, entry)
    if name in FAULTS:
        FAULTS[name](here)
    elif re.fullmatch(r"status_[2-5]\d\d", name):
        raise refusal(request, int(name[7:]), emulator)
    else:
        raise Refusal(400, ("emulator: there is no fault \"%s\"\n" % name).encode(), "text/plain")


# --- silence, resets, closes -----------------------------------------------------

@fault("silence_before")
def silence_before(f):
    """Nothing at all, until the client goes away."""
    f.connection.wait_for_close()


@fault("silence_headers")
def silence_headers(f):
    """Half of the header block, then nothing."""
    f.send(f.head(1000)[:60])
    f.connection.wait_for_close()


@fault("silence_body")
def silence_body(f):
    """Header block and fault_at bytes of the body, then nothing."""
    part, length = f.cut()
    f.send(f.head(length) + part)
    f.connection.wait_for_close()


@fault("silence_end")
def silence_end(f):
    """The whole body in chunks, then nothing instead of the last chunk."""
    body = f.body()
    f.send(f.head(None, ("Transfer-Encoding", "chunked")) + b"%x\r\n%b\r\n" % (len(body), body))
    f.connection.wait_for_close()


@fault("reset_before")
def reset_before(f):
    """TCP reset instead of an answer."""
    f.connection.reset()


@fault("reset_headers")
def reset_headers(f):
    """TCP reset within the header block."""
    f.send(f.head(1000)[:60])
    f.connection.pause(0.05)
    f.connection.reset()


@fault("reset_body")
def reset_body(f):
    """TCP reset after fault_at bytes of the body."""
    part, length = f.cut()
    f.send(f.head(length) + part)
    f.connection.pause(0.05)
    f.connection.reset()


@fault("close_before")
def close_before(f):
    """The connection ends without an answer."""
    f.end()


@fault("close_headers")
def close_headers(f):
    """The connection ends within the header block."""
    f.send(f.head(1000)[:60])
    f.end()


@fault("close_body")
def close_body(f):
    """The connection ends after fault_at bytes of a body with a Content-Length."""
    part, length = f.cut()
    f.send(f.head(length) + part)
    f.end()


@fault("close_eof_body")
def close_eof_body(f):
    """The same without Content-Length: only the JSON tells that it is cut."""
    part, _ = f.cut()
    f.send(f.head(None, ("Connection", "close")) + part)
    f.end()


@fault("drip")
def drip(f):
    """A good answer, one byte at a time, every drip_ms."""
    f.request.switches["drip"] = 1
    f.emulator.deliver(f.connection, f.request, f.answer, f.entry)


# --- lengths, chunks, encodings --------------------------------------------------

@fault("length_short")
def length_short(f):
    """Content-Length is 10 less than the body that follows."""
    body = f.body()
    f.send(f.head(max(0, len(body) - 10)) + body)
    f.end()


@fault("length_long")
def length_long(f):
    """Content-Length is 10 more than the body, then the connection ends."""
    body = f.body()
    f.send(f.head(len(body) + 10) + body)
    f.end()


@fault("length_twice")
def length_twice(f):
    """Two Content-Lengths that differ."""
    body = f.body()
    f.send(f.head(len(body), ("Content-Length", len(body) + 7)) + body)
    f.end()


@fault("length_negative")
def length_negative(f):
    """Content-Length: -1."""
    f.send(f.head(-1) + f.body())
    f.end()


@fault("length_overflow")
def length_overflow(f):
    """A Content-Length beyond 64 bits."""
    f.send(f.head(99999999999999999999999) + f.body())
    f.end()


@fault("chunked_endless")
def chunked_endless(f):
    """Chunks without a last one, then the connection ends."""
    body = f.body()
    f.send(f.head(None, ("Transfer-Encoding", "chunked")) + b"%x\r\n%b\r\n" % (len(body), body))
    f.end()


@fault("chunk_garbage")
def chunk_garbage(f):
    """A good chunk, then one whose size is no number."""
    part, _ = f.cut()
    f.send(f.head(None, ("Transfer-Encoding", "chunked")) + b"%x\r\n%b\r\nzzzz\r\n" % (len(part), part))
    f.end()


@fault("chunk_overflow")
def chunk_overflow(f):
    """A chunk size beyond 64 bits."""
    f.send(f.head(None, ("Transfer-Encoding", "chunked")) + b"fffffffffffffffffffff\r\n" + f.body())
    f.end()


def _gzip(data, level=1):
    compressor = zlib.compressobj(level, zlib.DEFLATED, 31)
    return compressor.compress(data) + compressor.flush()


@fault("gzip_garbage")
def gzip_garbage(f):
    """Content-Encoding: gzip over bytes that are not."""
    body = f.body()
    f.send(f.head(len(body), ("Content-Encoding", "gzip")) + body)


@fault("gzip_truncated")
def gzip_truncated(f):
    """A gzip stream that stops in the middle, with correct HTTP around it."""
    body = _gzip(f.body())
    body = body[:len(body) // 2]
    f.send(f.head(len(body), ("Content-Encoding", "gzip")) + body)


@fault("gzip_bomb")
def gzip_bomb(f):
    """A small gzip stream that unpacks to one string of fault_size bytes (1 GiB)."""
    f.send(f.head(None, ("Content-Encoding", "gzip"), ("Transfer-Encoding", "chunked")))
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)

    def put(data):
        if data:
            f.send(b"%x\r\n%b\r\n" % (len(data), data))

    put(compressor.compress(f.answer.head))
    for piece in f.long(b'"', b"a", b'"', f.size(1 << 30))():
        put(compressor.compress(piece))
    put(compressor.compress(f.answer.tail) + compressor.flush())
    f.send(b"0\r\n\r\n")


@fault("gzip_spaces")
def gzip_spaces(f):
    """A small gzip stream of fault_size blanks (1 GiB), then a good document."""
    f.send(f.head(None, ("Content-Encoding", "gzip"), ("Transfer-Encoding", "chunked")))
    compressor = zlib.compressobj(9, zlib.DEFLATED, 31)
    for _ in range(f.size(1 << 30) // BLOCK):
        data = compressor.compress(b" " * BLOCK)
        if data:
            f.send(b"%x\r\n%b\r\n" % (len(data), data))
    data = compressor.compress(f.body()) + compressor.flush()
    f.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data))


@fault("encoding_unknown")
def encoding_unknown(f):
    """A Content-Encoding that was not requested."""
    body = f.body()
    f.send(f.head(len(body), ("Content-Encoding", "x-unheard-of")) + body)


# --- status lines and headers ------------------------------------------------------

@fault("status_100")
def status_100(f):
    """An unsolicited 100 Continue, then the good answer."""
    f.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    f.emulator.deliver(f.connection, f.request, f.answer, f.entry)


@fault("status_103")
def status_103(f):
    """103 Early Hints with a Link, then the good answer."""
    f.send(b"HTTP/1.1 103 Early Hints\r\nLink: </hint>; rel=\"next\"\r\nContent-Type: text/html\r\n\r\n")
    f.emulator.deliver(f.connection, f.request, f.answer, f.entry)


@fault("interim_endless")
def interim_endless(f):
    """102 Processing for ever (fault_size of them)."""
    for _ in range(f.size(1 << 40)):
        f.send(b"HTTP/1.1 102 Processing\r\n\r\n")
        f.connection.pause(0.001)


@fault("status_204")
def status_204(f):
    """204 No Content."""
    f.send(f.head(None, status=204))


@fault("status_304")
def status_304(f):
    """304 Not Modified, though nothing was conditional."""
    f.send(f.head(None, status=304))


def _redirect(status):
    def function(f):
        switches = {name: value for name, value in f.request.switches.items() if not name.startswith("fault")}
        switches["redirected"] = "yes"
        prefix = ";".join("%s=%s" % (name, urllib.parse.quote(_written(value), safe="")) for name, value in switches.items())
        location = "%s/~%s%s" % (f.emulator.url, prefix, f.request.raw_path)
        if f.request.raw_query:
            location += "?" + f.request.raw_query
        body = (HTML % (status, "Moved", status, "Moved")).encode()
        f.send(f.head(len(body), ("Location", location), status=status) + body)
    function.__doc__ = "%d to the same request without the fault; its log entry has the switch redirected." % status
    return function


def _written(value):
    """A switch's value as text, the way the URL has it."""
    if isinstance(value, tuple):
        return ":".join(map(str, value))
    return str(value)


for _status in (301, 302, 303, 307, 308):
    FAULTS["redirect_%d" % _status] = _redirect(_status)


@fault("header_huge")
def header_huge(f):
    """One header of fault_size bytes (1 MiB), then the good answer."""
    body = f.body()
    f.send(f.head(len(body), ("X-Huge", "a" * f.size(1 << 20))) + body)


@fault("header_countless")
def header_countless(f):
    """fault_size header lines (1,000,000), then the good answer."""
    body = f.body()
    head = f.head(len(body))[:-2]
    f.send(head)
    lines = f.size(1000000)
    for at in range(0, lines, 1000):
        f.send(b"".join(b"X-Countless-%d: %d\r\n" % (k, k) for k in range(at, min(at + 1000, lines))))
    f.send(b"\r\n" + body)


@fault("header_garbage")
def header_garbage(f):
    """A header line without a colon, with control characters."""
    body = f.body()
    f.send(f.head(len(body))[:-2] + b"no colon here \x01\x1b[31m\r\n\r\n" + body)


@fault("http09")
def http09(f):
    """The body without status line and headers."""
    f.entry["status"] = 0
    f.send(f.body())
    f.end()


@fault("garbage_status")
def garbage_status(f):
    """A status line that is none."""
    f.entry["status"] = 0
    f.send(b"HTTP/1.1 fine, thanks\r\nContent-Length: 2\r\n\r\n[]")
    f.end()


@fault("garbage_bytes")
def garbage_bytes(f):
    """Binary rubbish instead of HTTP."""
    f.entry["status"] = 0
    f.send(bytes((k * 73 + 19) % 256 for k in range(4096)))
    f.end()


# --- good HTTP, wrong documents ------------------------------------------------------

def _instead(name, meaning, body):
    """A fault that is a fixed body under 200."""
    def function(f):
        f.deliver(body)
    function.__doc__ = meaning
    FAULTS[name] = function


_instead("html_200", "A web page under 200.", (HTML % (200, "Welcome", 200, "Welcome")).encode())
_instead("empty_200", "No byte of body under 200.", b"")
_instead("blank_200", "Only white space under 200.", b" \r\n\t\n")
_instead("null_200", "null under 200.", b"null")
_instead("number_200", "A number under 200.", b"42")
_instead("error_200", "{\"message\":\"error\",\"errors\":[…]} under 200.",
         json.dumps({"message": "error", "errors": ["the database is on holiday", "try later"]}).encode())
_instead("error_object_200", "{\"error\":{\"code\":401,…}} under 200: the recorded refusal.",
         json.dumps({"error": {"code": 401, "message": "Permission denied, not authorized"}}).encode())
_instead("error_string_200", "{\"error\":\"…\"} under 200.", json.dumps({"error": "something went wrong"}).encode())
_instead("errors_200", "v3's {\"errors\":[{\"field\",\"message\"}]} under 200.",
         json.dumps({"errors": [{"field": None, "message": "internal server error"}]}).encode())
_instead("error_long_200", "An error message of 100,000 characters with control characters and quotes.",
         json.dumps({"message": "error", "errors": ["line\none\x1b[31m\u009b31m \"two\" \u00e9 " * 4000]}).encode())
_instead("utf16", "A good list, but in UTF-16.", '["198.51.100.1"]'.encode("utf-16"))


@fault("error_late")
def error_late(f):
    """Good rows, then the error object as the last element."""
    f.forge(json.dumps({"message": "error", "errors": ["lost contact to the database"]}).encode())


@fault("error_with_rows")
def error_with_rows(f):
    """{"ips":[rows],"message":"error","errors":[…]}: the error comes after the rows."""
    f.deliver(f.answer.parts, b'{"ips":[', b'],"message":"error","errors":["lost contact to the database"]}')


@fault("truncated_json")
def truncated_json(f):
    """Complete HTTP around a document that lacks its end."""
    f.deliver(f.body()[:-1] if f.at == 100 else f.cut()[0])


@fault("two_documents")
def two_documents(f):
    """The good document twice."""
    f.deliver(f.body() + b"\n" + f.body())


@fault("trailing_garbage")
def trailing_garbage(f):
    """The good document, then something else."""
    f.deliver(f.body() + b"\n<!-- served by node 7 -->")


@fault("trailing_comma")
def trailing_comma(f):
    """A comma after the last row."""
    f.forge(b"")


@fault("unquoted")
def unquoted(f):
    """A row with an unquoted value."""
    f.forge(f.row(b"198.51.100.1"))


@fault("nesting_100000")
def nesting_100000(f):
    """A row with arrays nested fault_size deep (100,000)."""
    depth = f.size(100000)
    f.forge(f.row(b"[" * depth + b"]" * depth))


@fault("element_1g")
def element_1g(f):
    """A row with a string of fault_size bytes (1 GiB)."""
    f.forge(f.long(b'"', b"a", b'"', f.size(1 << 30)))


@fault("string_endless")
def string_endless(f):
    """A row with a string that never ends."""
    f.request.switches["length"] = "chunked"
    f.forge(f.long(b'"', b"a", b'"', 1 << 60))


@fault("spaces_endless")
def spaces_endless(f):
    """Good rows, then blanks for ever."""
    f.request.switches["length"] = "chunked"

    def pieces():
        while True:
            yield b" " * BLOCK
    f.forge(pieces)


@fault("number_million")
def number_million(f):
    """A row with a number of fault_size digits (1,000,000)."""
    f.forge(f.row(b"1" * f.size(1000000)))


@fault("invalid_utf8")
def invalid_utf8(f):
    """A row with bytes that are not UTF-8."""
    f.forge(f.row(b'"198.51.100.1\xff\xc3("'))


@fault("nul_escape")
def nul_escape(f):
    """A row with \\u0000 in its value."""
    f.forge(f.row(b'"198.51.100.1\\u0000"'))


@fault("control_character")
def control_character(f):
    """A row with a raw line feed in a string."""
    f.forge(f.row(b'"198.51.\n100.1"'))


@fault("lone_surrogate")
def lone_surrogate(f):
    """A row with half a surrogate pair."""
    f.forge(f.row(b'"\\ud800"'))


@fault("bad_escape")
def bad_escape(f):
    """A row with an escape that JSON lacks."""
    f.forge(f.row(b'"\\x31"'))


@fault("duplicate_keys")
def duplicate_keys(f):
    """A row that has its first member twice, with two values."""
    row = f.row(b'"198.51.100.1"')
    if row[:1] == b"{":
        row = b'{"ip":"198.51.100.2",' + row[1:]
    f.forge(row)


def _value(name, meaning, value):
    """A fault that is one row with a value of that kind."""
    def function(f):
        f.forge(f.row(value))
    function.__doc__ = meaning
    FAULTS[name] = function


_value("ip_null", "A row whose ip is null.", b"null")
_value("ip_number", "A row whose ip is a number.", b"3325256705")
_value("ip_object", "A row whose ip is an object.", b'{"v4":"198.51.100.1"}')
_value("ip_list", "A row whose ip is a list.", b'["198.51.100.1","198.51.100.2"]')
_value("ip_bad", "A row whose ip is no address.", b'"999.1.2.3"')
_value("ip_empty", "A row whose ip is an empty string.", b'""')
_value("ip_v6", "A row whose ip is an IPv6 address.", b'"2001:db8::1"')


@fault("ip_missing")
def ip_missing(f):
    """A row without ip."""
    f.forge(b'{"user":"nobody"}')


@fault("row_null")
def row_null(f):
    """null among the rows."""
    f.forge(b"null")


@fault("row_number")
def row_number(f):
    """A number among the rows."""
    f.forge(b"7")


@fault("row_list")
def row_list(f):
    """A list among the rows."""
    f.forge(b'["198.51.100.1"]')


@fault("row_string")
def row_string(f):
    """A string among the rows."""
    f.forge(b'"198.51.100.1"')


@fault("rows_object")
def rows_object(f):
    """An object where the list belongs: {"ips":{"198.51.100.1":{}}}."""
    f.deliver(b'{"ips":{"198.51.100.1":{}}}')


@fault("endless")
def endless(f):
    """Valid rows for ever, each with another address."""
    f.request.switches["length"] = "chunked"

    def parts():
        any_row = False
        for data, rows in f.answer.parts():
            any_row = any_row or rows > 0
            yield data, rows
        block = b",".join(f.row(b'"\0%d"' % last) for last in range(256))
        number = 0
        while True:
            head = b"%d.%d.%d." % (200 + (number >> 16) % 20, number >> 8 & 255, number & 255)
            yield (b"," if any_row else b"") + block.replace(b"\0", head), 256
            any_row = True
            number += 1
    f.deliver(parts, f.answer.head)
