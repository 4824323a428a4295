"""The account that the API emulator answers from.

Two kinds with one interface: GeneratedAccount computes every row from its
index and holds none, so that five million IPs cost nothing; DataAccount has
explicit rows from a JSON file.  A View is an account as one request sees it:
its first N rows, perhaps the plain variant.

The generated account is periodic so that answers can be made in batches: who
uses an IP and which groups it is in depend on its *slot*, which is its number
within a /16.  All IPs of one slot have the same users and groups; addresses,
dates, reverse DNS and the rest differ for each.
"""

import json
import threading

PERIOD = 65536                  # slots of a /16 in 10.x
FIRST = 256                     # IPs in 198.51.100.0/24, before those in 10.x
GROUP_WORDS = ("west", "east", "marketing", "transactional", "west-2", "northwest",
               "Receipts", "alerts", "east-2", "newsletter", "Marketing EU", "south")
ACCOUNT_STATES = ("activated", "activated", "deactivated", "suspended", "banned")
PARENT_NAME = "parent@example.com"      # of the account itself, unless the switch parent_name says otherwise
PARENT_ID = 180                         # its user id
USERS_OF_SIXTEEN = (0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 3, 3)


def mix(number, seed):
    """A fixed 32-bit hash: the same account for the same seed, everywhere."""
    h = (number * 0x9E3779B1 + seed * 0x85EBCA6B + 0x27220A95) & 0xFFFFFFFF
    h ^= h >> 15
    h = (h * 0x2C1B3C6D) & 0xFFFFFFFF
    h ^= h >> 12
    h = (h * 0x297A2D39) & 0xFFFFFFFF
    return h ^ (h >> 15)


def octets(text):
    """The four numbers of a canonical dotted quad, or None."""
    parts = text.split(".")
    if len(parts) != 4:
        return None
    numbers = []
    for part in parts:
        if not (part.isascii() and part.isdigit()) or len(part) > 3 or str(int(part)) != part or int(part) > 255:
            return None
        numbers.append(int(part))
    return numbers


class GeneratedAccount:
    """An account of any size, computed from indexes."""

    def __init__(self, ips=300, subusers=24, groups=8, seed=1, accounts=5):
        self.ip_count = ips
        self.user_count = max(0, subusers)      # subusers that /v3/subusers lists
        self.group_count = max(0, groups)
        self.account_count = max(0, accounts)
        self.seed = seed
        self.key = ("generated", seed)

    # --- addresses -------------------------------------------------------

    def segments(self, count):
        """(head of the address, first slot, index of the first row, rows) per range."""
        if count > 0:
            yield "198.51.100.", PERIOD, 0, min(FIRST, count)
        for start in range(FIRST, count, PERIOD):
            number = (start - FIRST) // PERIOD
            head = "%d.%d." % (10 + (number >> 8), number & 255)
            yield head, 0, start, min(PERIOD, count - start)

    def tail(self, slot):
        """What follows the head in the address of that slot."""
        return str(slot - PERIOD) if slot >= PERIOD else "%d.%d" % (slot >> 8, slot & 255)

    def address(self, index):
        if index < FIRST:
            return "198.51.100.%d" % index
        j = index - FIRST
        return "%d.%d.%d.%d" % (10 + (j >> 24), j >> 16 & 255, j >> 8 & 255, j & 255)

    def index_of(self, text):
        """Index of an address, or -1 when no account however large has it."""
        numbers = octets(text)
        if numbers is None:
            return -1
        if numbers[:3] == [198, 51, 100]:
            return numbers[3]
        if numbers[0] < 10 or numbers[0] > 126:
            return -1
        return FIRST + ((numbers[0] - 10) << 24 | numbers[1] << 16 | numbers[2] << 8 | numbers[3])

    def slot_of(self, index):
        return PERIOD + index if index < FIRST else (index - FIRST) % PERIOD

    def slots_used(self, count):
        """All slots that the first count rows have, ascending."""
        used = list(range(min(PERIOD, max(0, count - FIRST))))
        used.extend(range(PERIOD, PERIOD + min(FIRST, count)))
        return used

    # --- what a slot has -------------------------------------------------

    def users(self, slot, plain=False):
        """Numbers of the subusers that send from this slot's IPs."""
        if self.user_count == 0:
            return ()
        h = mix(slot, self.seed)
        first = (h >> 4) % self.user_count
        if plain:
            return (first,)
        howmany = min(USERS_OF_SIXTEEN[h & 15], self.user_count)
        if howmany == 0:
            return ()
        if howmany == 1:
            return (first,)
        return tuple((first + k) % self.user_count for k in range(howmany))

    def groups(self, slot):
        """Numbers of the groups (v3: pools) that this slot's IPs are in."""
        if self.group_count == 0 or self.system(slot):
            return ()
        h = mix(slot, self.seed + 101)
        howmany = (0, 0, 0, 1, 1, 1, 1, 2)[h & 7]
        first = (h >> 3) % self.group_count
        if howmany == 2 and self.group_count > 1:
            return tuple(sorted((first, (first + 1) % self.group_count)))
        return (first,) if howmany else ()

    def system(self, slot):
        """Whether this slot's IPs were assigned by SendGrid."""
        return mix(slot, self.seed + 211) % 32 == 0

    def whitelabeled(self, index):
        """Whether an IP has reverse DNS."""
        return mix(index, self.seed + 307) & 1 == 1

    # --- names -----------------------------------------------------------

    def username(self, u):
        kind = u % 4
        if kind == 0:
            return "user%d@example.com" % u
        if kind == 1:
            return "acme-%d" % u
        if kind == 2:
            return "Shop%d.example.net" % u
        return "ACME.mail%d" % u

    def disabled(self, u):
        return u % 5 == 3

    def subuser(self, u):
        return {"id": 1000000 + 7 * u, "username": self.username(u), "email": "owner%d@example.org" % u,
                "disabled": self.disabled(u), "region": "eu" if u % 6 == 5 else "global"}

    def user_number(self, name):
        """Number of a subuser by exact name, or -1."""
        digits = "".join(c for c in name if c.isdigit())
        if not digits or len(digits) > 9:
            return -1
        u = int(digits)
        return u if u < self.user_count and self.username(u) == name else -1

    def group_name(self, g):
        word = GROUP_WORDS[g % len(GROUP_WORDS)]
        return word if g < len(GROUP_WORDS) else "%s.%d" % (word, g // len(GROUP_WORDS) + 1)

    def pool(self, g):
        return {"id": 20000 + g, "name": self.group_name(g)}

    # --- the whole row ---------------------------------------------------

    def row(self, index, plain=False):
        """Everything there is to know about one IP."""
        slot = self.slot_of(index)
        users = self.users(slot, plain)
        groups = self.groups(slot)
        system = not plain and self.system(slot)
        h = mix(index, self.seed + 307)
        warmup = h % 7 == 0
        whitelabeled = h & 1 == 1
        leased = system or h % 9 != 0
        return {
            "ip": self.address(index),
            "users": [self.username(u) for u in users],
            "groups": [self.group_name(g) for g in groups],
            "system": system,
            "rdns": "o%d.em%d.example.com" % (index + 1, h % 900) if whitelabeled else None,
            "whitelabeled": whitelabeled,
            "warmup": warmup,
            "start_date": 1409616000 + h % 300000000 if warmup or h % 3 == 0 else None,
            "assigned_at": 1482883200 + h % 200000000 if users else None,
            "region": "eu" if h % 5 == 0 else "us",
            "is_leased": leased,
            "is_enabled": None if leased else h % 2 == 0,
            "is_parent_assigned": bool(groups) or h % 4 == 0,
            "is_auto_warmup": h % 3 == 1,
            "added_at": 1500000000 + 60 * index,
            "updated_at": 1650000000 + h % 50000000 if h % 3 else None,
        }

    # --- partner accounts ------------------------------------------------

    def account(self, a):
        return {"id": "sg2a%030x" % (mix(a, self.seed + 401) << 32 | a), "email": "partner%d@example.com" % a,
                "created_at": "20%02d-01-02T15:04:05Z" % (6 + a % 18), "updated_at": "2024-0%d-02T15:04:05Z" % (1 + a % 9)}

    def account_ips(self, a, count):
        """Indexes of that account's IPs, oldest first."""
        return range(a, count, self.account_count)

    def account_state(self, a):
        return ACCOUNT_STATES[a % len(ACCOUNT_STATES)]

    # --- authenticated domains ---------------------------------------------

    @property
    def domain_count(self):
        return 2 * self.group_count

    def domain(self, d, count):
        """The d-th domain: of a subuser, or of the parent where user is None; indexes of its IPs."""
        user = d % self.user_count if self.user_count and d % 4 else None
        return {"id": 900 + d, "domain": "brand%d.example.com" % d, "subdomain": "em%d" % (1000 + d), "user": user,
                "ips": range(d, min(count, 3 * self.domain_count), self.domain_count) if d % 3 else (),
                "default": d % 5 == 0, "legacy": d % 7 == 6, "valid": d % 3 != 1}


class DataAccount:
    """An account with the rows of a JSON document."""

    def __init__(self, data):
        self.key = ("data", id(data))
        self.rows = [self._complete(k, row) for k, row in enumerate(data.get("ips", []))]
        self.ip_count = len(self.rows)
        self._subusers = [dict({"id": 1000000 + k, "email": "owner%d@example.org" % k, "disabled": False,
                                "region": "global"}, **s) for k, s in enumerate(data.get("subusers", []))]
        self.user_count = len(self._subusers)
        self._names = [s["username"] for s in self._subusers]
        self._number = {name: k for k, name in enumerate(self._names)}
        self._pools = [dict({"id": 20000 + k}, **p) for k, p in enumerate(data.get("pools", []))]
        pool_number = {p["name"]: k for k, p in enumerate(self._pools)}
        self._slot_users, self._slot_groups = [], []
        for row in self.rows:
            for name in row["users"]:
                if name not in self._number:    # not listed as a subuser: the parent, or out of sight
                    self._number[name] = len(self._names)
                    self._names.append(name)
            for name in row["groups"]:
                if name not in pool_number:
                    pool_number[name] = len(self._pools)
                    self._pools.append({"id": 20000 + len(self._pools), "name": name})
            self._slot_users.append(tuple(self._number[name] for name in row["users"]))
            self._slot_groups.append(tuple(pool_number[name] for name in row["groups"]))
        self.group_count = len(self._pools)
        self._index = {row["ip"]: k for k, row in reversed(list(enumerate(self.rows)))}
        self._domains = data.get("domains", [])
        self.domain_count = len(self._domains)
        self._accounts = data.get("accounts", [])
        self.account_count = len(self._accounts)

    @staticmethod
    def _complete(k, row):
        """The row with a value for every member; a missing one is null or plain."""
        if "ip" not in row:
            raise ValueError("row %d of \"ips\" has no \"ip\"" % (k + 1))
        full = {"users": [], "groups": [], "system": False, "rdns": None, "whitelabeled": row.get("rdns") is not None,
                "warmup": False, "start_date": None, "assigned_at": None, "region": "us", "is_leased": True,
                "is_enabled": None, "is_parent_assigned": bool(row.get("groups")), "is_auto_warmup": False,
                "added_at": 1500000000 + 60 * k, "updated_at": None}
        full.update(row)
        return full

    def segments(self, count):
        if count > 0:
            yield "", 0, 0, count

    def tail(self, slot):
        return self.rows[slot]["ip"]

    address = tail

    def index_of(self, text):
        return self._index.get(text, -1)

    def slot_of(self, index):
        return index

    def slots_used(self, count):
        return list(range(count))

    def users(self, slot, plain=False):
        return self._slot_users[slot]

    def groups(self, slot):
        return self._slot_groups[slot]

    def system(self, slot):
        return self.rows[slot]["system"]

    def whitelabeled(self, index):
        return self.rows[index]["whitelabeled"]

    def username(self, u):
        return self._names[u]

    def disabled(self, u):
        return u < self.user_count and bool(self._subusers[u]["disabled"])

    def subuser(self, u):
        return self._subusers[u]

    def user_number(self, name):
        return self._number.get(name, -1)

    def group_name(self, g):
        return self._pools[g]["name"]

    def pool(self, g):
        return self._pools[g]

    def row(self, index, plain=False):
        return self.rows[index]

    @property
    def all_user_count(self):
        """Subusers plus the names that only the rows have."""
        return len(self._names)

    def account(self, a):
        return {k: v for k, v in self._accounts[a].items() if k not in ("ips", "state")}

    def account_state(self, a):
        return self._accounts[a].get("state", "activated")

    def domain(self, d, count):
        row = dict({"id": 900 + d, "subdomain": "em", "user": None, "ips": (), "default": False, "legacy": False, "valid": True},
                   **self._domains[d])
        if row["user"] is not None:
            row["user"] = self.user_number(row["user"])
        row["ips"] = [i for i in map(self.index_of, row["ips"]) if 0 <= i < count]
        return row

    def account_ips(self, a, count):
        return [i for i in (self.index_of(ip) for ip in self._accounts[a].get("ips", [])) if 0 <= i < count]


class View:
    """An account as one request sees it: its first rows, perhaps plain.

    plain (generated accounts): every IP has exactly one subuser and none is
    SendGrid's, so that "all" and "usage" have exactly as many rows as IPs.
    """

    _lock = threading.Lock()
    _inverted = {}              # (account, rows, plain) -> ({user: slots}, {group: slots})

    def __init__(self, account, rows=None, plain=False):
        self.account = account
        self.count = account.ip_count
        if rows is not None:
            self.count = rows if isinstance(account, GeneratedAccount) else min(rows, account.ip_count)
        self.plain = plain and isinstance(account, GeneratedAccount)
        self.key = (account.key, self.plain, account.user_count, account.group_count)

    def users(self, slot):
        return self.account.users(slot, self.plain)

    def system(self, slot):
        return not self.plain and self.account.system(slot)

    def taken(self, slot):
        return bool(self.users(slot)) or bool(self.account.groups(slot))

    def available(self, slot):
        """Free, or used by disabled subusers only; see EMULATOR.md."""
        users = self.users(slot)
        if not users:
            return not self.account.groups(slot)
        return all(self.account.disabled(u) for u in users)

    def row(self, index):
        return self.account.row(index, self.plain)

    def address(self, index):
        return self.account.address(index)

    def index_of(self, text):
        """Index of an IP of this view, or -1."""
        index = self.account.index_of(text)
        return index if index < self.count else -1

    def username_numbers(self):
        """Numbers of all names that can stand in a row."""
        return range(getattr(self.account, "all_user_count", self.account.user_count))

    def inverted(self):
        """Which slots a user has, which slots a group has; made once, kept."""
        slots = self.account.slots_used(self.count)
        key = (self.key, len(slots))
        with self._lock:
            found = self._inverted.get(key)
            if found is None:
                by_user, by_group = {}, {}
                for slot in slots:
                    for u in self.users(slot):
                        by_user.setdefault(u, []).append(slot)
                    for g in self.account.groups(slot):
                        by_group.setdefault(g, []).append(slot)
                if len(self._inverted) >= 8:
                    self._inverted.pop(next(iter(self._inverted)))
                found = self._inverted[key] = (by_user, by_group)
        return found

    def indexes_of_slots(self, slots):
        """Indexes of all rows in these slots, ascending."""
        slots = sorted(slots)
        for _, first, base, count in self.account.segments(self.count):
            for slot in slots:
                if first <= slot < first + count:
                    yield base + slot - first

    def indexes_of_user(self, name):
        """Indexes of the rows that a subuser sends from."""
        u = self.account.user_number(name)
        return list(self.indexes_of_slots(self.inverted()[0].get(u, ()))) if u >= 0 else []

    def indexes_of_group(self, g):
        return list(self.indexes_of_slots(self.inverted()[1].get(g, ())))

    def near(self, text):
        """(head, first slot, index of first, slots) that can hold addresses beginning with text."""
        for head, first, base, count in self.account.segments(self.count):
            if not (head.startswith(text) or text.startswith(head)):
                continue
            rest = text[len(head):].split(".")
            if first == 0 and head and len(rest) == 2 and rest[0].isdigit() and int(rest[0]) < 256:
                low = int(rest[0]) << 8         # the third octet is complete: one /24
                slots = range(low, min(low + 256, count))
            else:
                slots = range(first, first + count)
            yield head, first, base, slots


# --- dumps: what a test loads to compare with ------------------------------

def dump_data(view):
    """The account as the JSON document that --data reads."""
    account = view.account
    return {
        "ips": [view.row(i) for i in range(view.count)],
        "subusers": [account.subuser(u) for u in range(account.user_count)],
        "pools": [account.pool(g) for g in range(account.group_count)],
        "accounts": [dict(account.account(a), ips=[view.address(i) for i in account.account_ips(a, view.count)],
                          state=account.account_state(a)) for a in range(account.account_count)],
        "domains": [_domain_data(view, d) for d in range(account.domain_count)],
    }


def _domain_data(view, d):
    row = view.account.domain(d, view.count)
    return dict(row, ips=[view.address(i) for i in row["ips"]],
                user=None if row["user"] is None else view.account.username(row["user"]))


def reputation(u):
    return 100 - u * 7 % 40


def _ips(view, wanted):
    for i in range(view.count):
        slot = view.account.slot_of(i)
        if wanted(slot):
            yield i, slot


def _dump_all(view):
    return ((view.address(i), view.system(s)) for i, s in _ips(view, lambda s: True))


def _dump_free(view):
    return ((view.address(i),) for i, s in _ips(view, lambda s: not view.system(s) and not view.taken(s)))


def _dump_taken(view):
    return ((view.address(i),) for i, s in _ips(view, lambda s: not view.system(s) and view.taken(s)))


def _dump_available(view):
    return ((view.address(i),) for i, s in _ips(view, lambda s: not view.system(s) and view.available(s)))


def _dump_usage(view):
    for i, s in _ips(view, lambda s: True):
        groups = [view.account.group_name(g) for g in view.account.groups(s)]
        for u in view.users(s):
            yield view.address(i), view.account.username(u), groups, view.system(s), not view.account.disabled(u)


def _dump_ips(view):
    for i in range(view.count):
        r = view.row(i)
        yield tuple(r[k] for k in ("ip", "users", "groups", "rdns", "whitelabeled", "warmup", "start_date", "assigned_at",
                                   "region", "is_leased", "is_enabled", "is_parent_assigned", "is_auto_warmup",
                                   "added_at", "updated_at", "system"))


def _dump_subusers(view):
    for u in range(view.account.user_count):
        s = view.account.subuser(u)
        yield s["id"], s["username"], s["email"], s["disabled"], s["region"]


def _dump_pools(view):
    for g in range(view.account.group_count):
        pool = view.account.pool(g)
        yield pool["id"], pool["name"], len(view.indexes_of_group(g))


def _dump_members(view):
    for i, s in _ips(view, lambda s: True):
        for g in view.account.groups(s):
            yield view.account.pool(g)["id"], view.account.group_name(g), view.address(i)


def _dump_accounts(view):
    for a in range(view.account.account_count):
        r = view.account.account(a)
        yield r["id"], r.get("email"), r.get("created_at"), r.get("updated_at")


def _dump_account_ips(view):
    for a in range(view.account.account_count):
        for i in view.account.account_ips(a, view.count):
            yield view.account.account(a)["id"], view.address(i), view.row(i)["region"]


def _dump_account_states(view):
    for a in range(view.account.account_count):
        yield view.account.account(a)["id"], view.account.account_state(a)


def _dump_reputations(view):
    for u in range(view.account.user_count):
        yield view.account.username(u), reputation(u)


def _dump_domains(view):
    for d in range(view.account.domain_count):
        row = view.account.domain(d, view.count)
        user = row["user"]
        yield (row["id"], row["domain"], row["subdomain"],
               PARENT_NAME if user is None else view.account.username(user),
               PARENT_ID if user is None else view.account.subuser(user)["id"],
               [view.address(i) for i in row["ips"]], row["default"], row["valid"], row["legacy"])


def _dump_pool_ips(view):
    for g in range(view.account.group_count):
        for i in view.indexes_of_group(g):
            yield view.account.pool(g)["id"], view.account.group_name(g), view.address(i), view.row(i)["region"]


TABLES = {                      # name: (columns, rows)
    "ips_all": ("ip system", _dump_all),
    "ips_free": ("ip", _dump_free),
    "ips_taken": ("ip", _dump_taken),
    "ips_available": ("ip", _dump_available),
    "ips_usage": ("ip username groups[] system active", _dump_usage),
    "ips": ("ip subusers[] pools[] rdns whitelabeled warmup start_date assigned_at region is_leased is_enabled"
            " is_parent_assigned is_auto_warmup added_at updated_at system", _dump_ips),
    "subusers": ("id username email disabled region", _dump_subusers),
    "pools": ("id name total_ip_count", _dump_pools),
    "pool_members": ("pool_id pool_name ip", _dump_members),
    "partner_accounts": ("account_id email created_at updated_at", _dump_accounts),
    "partner_account_ips": ("account_id ip region", _dump_account_ips),
    "partner_account_states": ("account_id state", _dump_account_states),
    "subuser_reputations": ("username reputation", _dump_reputations),
    "authenticated_domains": ("id domain subdomain username user_id ips[] is_default valid legacy", _dump_domains),
    "pool_ips": ("pool_id pool_name ip region", _dump_pool_ips),
}


def copy_text(value):
    """A value as COPY's text format has it; a list becomes an array literal."""
    if value is None:
        return "\\N"
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, (list, tuple)):
        value = "{%s}" % ",".join('"%s"' % v.replace("\\", "\\\\").replace('"', '\\"') for v in value)
    text = str(value)
    for raw, escaped in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(raw, escaped)
    return text


def dump_tsv(view, table):
    """Lines of a table for COPY table FROM (text format)."""
    for row in TABLES[table][1](view):
        yield "\t".join(copy_text(value) for value in row) + "\n"


def load(path):
    """The account of a --data file."""
    with open(path, encoding="utf-8") as file:
        return DataAccount(json.load(file))
