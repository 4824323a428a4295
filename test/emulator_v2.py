"""The legacy API: distributor.ip and reseller.ip, five tasks, one answer each."""

import bisect
import collections
import random
import re
import threading

from emulator_common import Answer, Refusal, compact, escaper, restyle

PATH = re.compile(r"^(?:/[^/]+)*?/(?:api|apiv2)/((?:distributor|reseller)\.ip)\.json$")
TASKS = ("all", "free", "taken", "available", "usage")
BATCH = 4096                    # slots of one batch of rows; divides a /16
MARK = "\0"                     # stands for the address's head in a kept batch

SHAPES = {                      # shape: (head, tail, rows are objects)
    "strings": ("[", "]", False),
    "objects": ("[", "]", True),
    "ips_strings": ('{"ips":[', "]}", False),
    "ips_objects": ('{"ips":[', "]}", True),
    "bare_strings": ("", "", False),
    "bare_objects": ("", "", True),
    "success": ('{"success":"success","outboundcluster":"SendGrid MTA","ips":[', "]}", True),
}
PAGE_SHAPES = {"all": "ips_strings", "free": "bare_strings", "taken": "bare_strings",
               "available": "bare_strings", "usage": "bare_objects"}


def error_message(text):
    """The error shape that the documentation promises; recordings have it under 200."""
    return Refusal(200, {"message": "error", "errors": [text]})


def bad_credentials(kind):
    """The three recorded ways to refuse a caller."""
    if kind == "message":
        return error_message("Invalid username and/or password")
    if kind == "error_object":
        return Refusal(200, {"error": {"code": 401, "message": "Permission denied, not authorized"}})
    return Refusal(403, b'{"error": "Bad username / password"}', "text/html")


def matcher(mode, case, value):
    """Predicate of a search parameter; None when nothing is searched."""
    if not value:
        return None
    fold = str.casefold if case == "insensitive" else str
    value = fold(value)
    if mode == "exact":
        return lambda s: fold(s) == value
    if mode == "prefix":
        return lambda s: fold(s).startswith(value)
    if mode == "suffix":
        return lambda s: fold(s).endswith(value)
    return lambda s: value in fold(s)


class Search:
    """One request's rows: which slots, which users, written how."""

    def __init__(self, view, task, params, switches):
        self.view, self.task, self.switches = view, task, switches
        self.system = params.get("system") == "true" and task in ("all", "usage")
        self.ip = params.get("ip") or None
        self.ip_matches = matcher(switches["ip_match"], "sensitive", self.ip)
        self.users = self.slots = None          # None: no such condition
        user = params.get("user") if task == "usage" else None
        group = params.get("group") if task == "usage" else None
        account = view.account
        by_user = matcher(switches["user_match"], switches["case"], user)
        by_group = matcher(switches["group_match"], switches["case"], group)
        if by_user:
            self.users = {u for u in view.username_numbers() if by_user(account.username(u))}
            self.slots = {s for u in self.users for s in view.inverted()[0].get(u, ())}
        if by_group:
            groups = [g for g in range(account.group_count) if by_group(account.group_name(g))]
            slots = {s for g in groups for s in view.inverted()[1].get(g, ())}
            self.slots = slots if self.slots is None else self.slots & slots
        if self.slots is not None:
            self.slots = sorted(self.slots)
        shape = PAGE_SHAPES[task] if switches["shape"] == "page" else switches["shape"]
        self.bare = shape.startswith("bare")
        head, tail, objects = SHAPES[shape]
        self.head, self.tail = restyle(head, switches), restyle(tail, switches)
        self.write = self._writer(objects or task == "usage")
        self.separator = restyle(",", switches)
        self.key = (view.key, task, self.system, user, group,
                    tuple(switches[n] for n in ("user_match", "group_match", "case", "shape", "ws", "order", "dup")))

    def _writer(self, objects):
        """Function of (address, username or None) giving a row's text."""
        if self.switches["ws"] == "none" and self.switches["escape"] == "none":
            quote = escaper("none")
            if self.task == "usage":
                return lambda ip, user: '{"ip":"%s","user":%s}' % (ip, quote(user))
            return (lambda ip, user: '{"ip":"%s"}' % ip) if objects else (lambda ip, user: '"%s"' % ip)
        if self.task == "usage":
            return lambda ip, user: restyle(compact({"ip": ip, "user": user}), self.switches)
        return lambda ip, user: restyle(compact({"ip": ip} if objects else ip), self.switches)

    def wanted(self, slot):
        """Whether the task has that slot's IPs."""
        view = self.view
        if not self.system and view.system(slot):
            return False
        if self.task == "free":
            return not view.taken(slot)
        if self.task == "taken":
            return view.taken(slot)
        return self.task != "available" or view.available(slot)

    def batch(self, head, slots):
        """(text, rows) of some slots; head is what stands before an address's tail."""
        rows, write, tail = [], self.write, self.view.account.tail
        dup = self.switches["dup"] == "yes"
        slots = [s for s in slots if self.wanted(s)]
        if self.switches["order"] == "shuffle":
            random.Random(len(slots)).shuffle(slots)
        for slot in slots:
            ip = head + tail(slot)
            if self.task != "usage":
                new = [write(ip, None)]
            else:
                new = [write(ip, self.view.account.username(u)) for u in self.view.users(slot)
                       if self.users is None or u in self.users]
            rows += new
            if dup and slot % 16 == 0:
                rows += new[:1]
        return self.separator.join(rows).encode("utf-8", "surrogatepass"), len(rows)

    def select(self, low, high):
        """Slots from low up to high that the conditions leave."""
        if self.slots is None:
            return range(low, high)
        return self.slots[bisect.bisect_left(self.slots, low):bisect.bisect_left(self.slots, high)]


class Kept:
    """Batches written once and reused with another head, a few searches at a time."""

    def __init__(self, searches=32):
        self.lock = threading.Lock()
        self.searches = searches
        self.found = collections.OrderedDict()

    def batches(self, key):
        with self.lock:
            batches = self.found.pop(key, None)
            self.found[key] = batches = {} if batches is None else batches
            while len(self.found) > self.searches:
                self.found.popitem(last=False)
            return batches


KEPT = Kept()


def batches(search):
    """All (text, rows) of a search, without separators between them."""
    view = search.view
    if search.ip_matches:
        mode = search.switches["ip_match"]
        if mode == "anywhere":
            ranges = ((head, first, base, range(first, first + count))
                      for head, first, base, count in view.account.segments(view.count))
        else:
            ranges = view.near(search.ip)
        tail = view.account.tail
        for head, _, _, slots in ranges:
            for low in range(slots.start, slots.stop, BATCH):
                chosen = search.select(low, min(low + BATCH, slots.stop))
                yield search.batch(head, [s for s in chosen if search.ip_matches(head + tail(s))])
        return
    keep = search.switches["escape"] == "none"
    kept = KEPT.batches(search.key) if keep else None
    for head, first, _, count in view.account.segments(view.count):
        for low in range(first, first + count, BATCH):
            high = min(low + BATCH, first + count)
            if not keep or high - low < BATCH:
                yield search.batch(head, search.select(low, high))
                continue
            found = kept.get(low)
            if found is None:
                found = kept[low] = search.batch(MARK, search.select(low, high))
            yield found[0].replace(MARK.encode(), head.encode()), found[1]


def joined(search):
    """The same with separators between the rows of two batches."""
    separator = search.separator.encode()
    first = True
    for text, rows in batches(search):
        if rows:
            yield (text if first else separator + text), rows
            first = False
    if first and search.bare and search.switches["bare_empty"] == "brackets":
        yield b"[]", 0


def answer(request, view):
    """The answer to a request of this API; raises Refusal."""
    switches, params = request.switches, request.params
    if request.auth != "ok":
        raise bad_credentials(switches["auth_error"])
    if switches["method"] not in ("any", request.method.lower()):
        raise Refusal(405, {"message": "error", "errors": ["method not allowed"]}, headers=[("Allow", switches["method"].upper())])
    for name in ("task", "ip", "user", "group", "system"):
        if isinstance(params.get(name), list):
            raise error_message("parameter %s was given more than once" % name)
    task = params.get("task")
    if task not in TASKS:
        raise error_message("task must be one of all, free, taken, available, usage")
    if "system" in params and params["system"] != "true" and task in ("all", "usage"):
        raise error_message("system must be set to true")
    search = Search(view, task, params, switches)
    objects = SHAPES[PAGE_SHAPES[task] if switches["shape"] == "page" else switches["shape"]][2]
    sample = ({"ip": "198.51.100.1", "user": "user0@example.com"} if task == "usage"
              else {"ip": "198.51.100.1"} if objects else "198.51.100.1")
    return Answer(lambda: joined(search), search.head.encode(), search.tail.encode(), sample=sample)
