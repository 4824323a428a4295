"""What the emulator's modules share: switches, answers, JSON styling."""

import json
import re
import urllib.parse

# --- switches ---------------------------------------------------------------

NUMBER = "N"                    # kinds of values besides a tuple of words
SIGNED = "±N"
TEXT = "TEXT"
PAIR = "N:WORD"                 # a number, a colon and a word
RATE = "N:SECONDS"

#: name: (kind, default, meaning).  A tuple of words lists the legal values.
#: EMULATOR.md explains each.
SWITCHES = {
    # account
    "rows": (NUMBER, None, "number of IPs of the account"),
    "plain": (("no", "yes"), "no", "every IP has exactly one subuser, none is SendGrid's"),
    # v2
    "ip_match": (("prefix", "anywhere", "exact"), "prefix", "how v2 compares ip"),
    "user_match": (("anywhere", "prefix", "exact", "suffix"), "anywhere", "how v2 compares user"),
    "group_match": (("anywhere", "prefix", "exact", "suffix"), "anywhere", "how v2 compares group"),
    "case": (("sensitive", "insensitive"), "sensitive", "letter case in v2's user and group"),
    "shape": (("objects", "strings", "ips_strings", "ips_objects", "bare_strings", "bare_objects", "success", "page"),
              "objects", "shape of a v2 answer"),
    "bare_empty": (("brackets", "nothing"), "brackets", "a bare list without rows: [] or no byte at all"),
    "method": (("any", "get", "post"), "any", "verbs that v2 accepts"),
    "auth_error": (("403html", "message", "error_object"), "403html", "v2 answer to wrong credentials"),
    "order": (("asc", "shuffle"), "asc", "order of v2 rows"),
    "dup": (("no", "yes"), "no", "v2 repeats some rows"),
    # text
    "ws": (("none", "pretty", "crazy"), "none", "white space between tokens"),
    "escape": (("none", "ascii", "php", "unicode", "keys"), "none", "escapes in strings"),
    "bom": (("no", "yes"), "no", "byte order mark before the document"),
    "ctype": (("json", "html"), "json", "Content-Type of a good answer"),
    "gzip": (("no", "yes"), "no", "compress when the client accepts it"),
    "length": (("auto", "exact", "chunked", "close"), "auto", "how the end of the body is told"),
    # time
    "delay_ms": (NUMBER, 0, "silence before each answer"),
    "page_delay_ms": (NUMBER, 0, "more silence before each page after the first"),
    "drip": (NUMBER, 0, "send the body in pieces of N bytes"),
    "drip_ms": (NUMBER, 10, "pause between the pieces"),
    "sndbuf": (NUMBER, 0, "send buffer of the connection"),
    # v3: paging
    "page_cap": (NUMBER, 0, "lowers limit silently"),
    "over_limit": (("clamp", "400"), "clamp", "a limit above the maximum"),
    "link": (("yes", "no", "foreign"), "yes", "Link header on the offset listings"),
    "link_last": (("yes", "no"), "yes", "rel=last in it"),
    "drift": (SIGNED, 0, "rows inserted (or removed) before each further page"),
    "after_key": (("string", "number", "toplevel", "toplevel_number"), "string", "place and type of after_key"),
    "after_key_end": (("null", "absent"), "null", "after_key on the last page"),
    "cursor_stuck": (("no", "yes"), "no", "every page is the first"),
    "page_error": (PAIR, None, "page N fails with that status"),
    # v3: filters and fields
    "ip_filter": (("exact", "prefix", "ignored", "400", "404"), "exact", "ip= of the listings"),
    "subuser_filter": (("exact", "ignored", "empty", "400", "404"), "exact", "subuser= of /v3/ips"),
    "username_filter": (("prefix", "prefix_cs", "exact", "ignored"), "prefix", "username= of /v3/subusers"),
    "usernames": (("list", "comma", "first", "ignored", "refused"), "list", "usernames= of /v3/subusers/reputations, when several are named"),
    "added_ends": (("included", "excluded"), "included", "rows at the very ends of start_added_at and end_added_at"),
    "pool_region": (("pools", "all"), "pools", "region= of /v3/send_ips/pools: pools with such an IP, or no filter"),
    "pool_ips": (("strings", "objects"), "strings", "ips of /v3/ips/pools/{name}"),
    "warmup": (("array", "object"), "array", "answer of /v3/ips/warmup/{ip}"),
    "nulls": (("documented", "null", "absent"), "documented", "members without a value"),
    "extra_fields": (("no", "yes"), "no", "undocumented members"),
    "parent_name": (TEXT, None, "the parent's own name stands among the subusers"),
    "on_behalf_of": (("honoured", "ignored", "refused"), "honoured", "the header on-behalf-of"),
    # limits and failures
    "rate_limit": (RATE, None, "more than N requests in so many seconds: 429"),
    "rate_window": (("first", "clock", "sliding"), "first", "when such a window begins"),
    "rate_told": (("ceil", "floor", "left"), "ceil", "X-RateLimit-Reset: the window's end, rounded up or down, or seconds left"),
    "rate_lie": (RATE, None, "answers tell that N requests remain for so many seconds"),
    "rate_reset": (NUMBER, 0, "X-RateLimit-Reset of a 429, so many seconds ahead"),
    "rate_headers": (("yes", "no"), "yes", "X-RateLimit headers"),
    "retry_after": (TEXT, None, "Retry-After on 429 and 503: seconds, date:seconds or unix:seconds"),
    "date_skew": (SIGNED, 0, "the server's clock is so many seconds ahead"),
    "fail_first": (PAIR, None, "the first N requests fail with that status"),
    "id": (TEXT, "", "name under which requests are counted"),
    "fault": (TEXT, None, "misbehaviour instead of a good answer"),
    "fault_at": (NUMBER, 100, "bytes of the body before it"),
    "fault_size": (NUMBER, 0, "how big it is, in bytes or pieces"),
    "fault_body": (("json", "html", "empty"), "json", "body of a fault with a status"),
    "fault_page": (NUMBER, 0, "only that page of a paged listing"),
    "fault_first": (NUMBER, 0, "only the first N requests"),
    "redirected": (("no", "yes"), "no", "marks the target of the redirect faults"),
}


class SwitchError(ValueError):
    """A switch that does not exist or has an impossible value."""


def switch_value(name, text):
    """The value of a switch from its text."""
    if name not in SWITCHES:
        raise SwitchError("there is no switch \"%s\"" % name)
    kind = SWITCHES[name][0]
    if isinstance(kind, tuple):
        if text in kind:
            return text
        raise SwitchError("switch \"%s\" is one of %s" % (name, ", ".join(kind)))
    try:
        if kind in (NUMBER, SIGNED):
            value = int(text)
            if value < 0 and kind == NUMBER:
                raise ValueError
            return value
        if kind == PAIR:
            number, word = text.split(":", 1)
            return int(number), word
        if kind == RATE:
            number, seconds = text.split(":")
            return int(number), float(seconds)
    except ValueError:
        raise SwitchError("switch \"%s\" wants %s" % (name, kind)) from None
    return text


def parse_switches(text):
    """Switches of a path prefix: name=value;name=value, percent-encoded."""
    found = {}
    for part in text.split(";"):
        if part:
            name, _, value = part.partition("=")
            name = urllib.parse.unquote(name)
            found[name] = switch_value(name, urllib.parse.unquote(value))
    return found


class Switches(dict):
    """The switches of one request; an absent one has its default."""

    def __missing__(self, name):
        return SWITCHES[name][1]


# --- answers ----------------------------------------------------------------

class Answer:
    """A good answer: head, rows in batches, tail.

    parts is a function that gives a fresh iterator of (bytes, rows); each
    batch carries the separators that the document needs.
    """

    def __init__(self, parts, head=b"", tail=b"", headers=(), sample=None, page=1):
        self.parts = parts
        self.head = head
        self.tail = tail
        self.headers = list(headers)
        self.sample = sample            # one row as a dict or str, for faults that forge rows
        self.page = page                # number of the page, 1 for the first

    def chunks(self):
        """The whole document as (bytes, rows)."""
        if self.head:
            yield self.head, 0
        yield from self.parts()
        if self.tail:
            yield self.tail, 0


class Refusal(Exception):
    """An answer that is an error; raised by what finds the reason."""

    def __init__(self, status, body, ctype="application/json", headers=()):
        super().__init__(status)
        self.status = status
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.ctype = ctype
        self.headers = list(headers)


# --- JSON text ----------------------------------------------------------------

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]')


def _all_unicode(token):
    text = json.loads(token)
    units = text.encode("utf-16-be", "surrogatepass")
    return '"%s"' % "".join("\\u%02x%02x" % (units[k], units[k + 1]) for k in range(0, len(units), 2))


def escaper(style):
    """Function that gives a string as JSON, quotes included."""
    if style == "ascii":
        return json.dumps
    if style == "php":
        return lambda s: json.dumps(s).replace("/", "\\/")
    if style in ("unicode", "keys"):
        return lambda s: _all_unicode(json.dumps(s))
    return lambda s: json.dumps(s, ensure_ascii=False)


def restyle(text, switches):
    """A JSON document (or a part of one) with the white space and escapes asked for."""
    ws, style = switches["ws"], switches["escape"]
    if ws == "none" and style == "none":
        return text
    escape = escaper(style)

    def token(match):
        found = match.group()
        if found[0] == '"':
            is_key = text[match.end():match.end() + 2].lstrip()[:1] == ":"
            if style != "none" and (not is_key or style == "keys"):
                found = escape(json.loads(found))
            return found
        if ws == "crazy":
            return " \t\r\n" + found + "\n\t "
        if ws == "pretty":
            return {",": ",\n  ", ":": ": ", "{": "{ ", "}": " }", "[": "[\n  ", "]": "\n]"}[found]
        return found

    return _TOKEN.sub(token, text)


#: compact(value): JSON without white space, other characters than ASCII as they are
compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def document(value, switches, rows=1, **more):
    """An answer that is one small JSON document."""
    body = restyle(compact(value), switches).encode("utf-8", "surrogatepass")
    return Answer(lambda: iter(((body, rows),)), sample=value, **more)
