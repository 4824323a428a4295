"""The Web API of today: /v3/ips, /v3/send_ips, /v3/subusers and their relatives."""

import urllib.parse

from emulator_account import PARENT_ID, PARENT_NAME, octets, reputation
from emulator_common import Answer, Refusal, compact, document, restyle
from emulator_faults import refusal

IPS_LIMIT, IPS_CAP = 10, 500            # rows per page: without limit=, and at most
SUBUSERS_LIMIT = SUBUSERS_CAP = 500
WHITELABEL_LIMIT, WHITELABEL_CAP = 50, 500
SEND_IPS_CAP = 5000
SMALL_CAP = 100                         # pools, IPs of a pool, subusers of an IP, partner accounts
PARTNER_LIMIT = 10
SCOPES = ("ips.read", "ips.assigned.read", "ips.pools.read", "ips.pools.ips.read", "ips.warmup.read",
          "subusers.read", "whitelabel.read", "user.username.read")


# --- refusals -----------------------------------------------------------------

def errors(status, message, field=None):
    """The documented error body."""
    return Refusal(status, {"errors": [{"field": field, "message": message}]})


def not_found(message="resource not found", field=None):
    return errors(404, message, field)


def number_of(params, name, default, least, message=None):
    """An integer parameter, or 400."""
    text = params.get(name)
    if text is None:
        return default
    try:
        number = int(text)
    except (TypeError, ValueError):
        raise errors(400, message or "must be a numeric value", name) from None
    if number < least:
        raise errors(400, "must be >= %d" % least, name)
    return number


def boolean_of(params, name):
    """A boolean parameter: True, False or None when absent; or 400."""
    text = params.get(name)
    if text is None:
        return None
    if text not in ("true", "false"):
        raise errors(400, "must be one of the following: true, false", name)
    return text == "true"


def choice_of(params, name, choices):
    value = params.get(name)
    if value is not None and value not in choices:
        raise errors(400, "must be one of the following: %s" % ", ".join(choices), name)
    return value


class Call:
    """A request with what its handler needs."""

    def __init__(self, request, view, emulator):
        self.request, self.view, self.emulator = request, view, emulator
        self.switches, self.params = request.switches, request.params
        self.parent = self.switches["parent_name"]
        self.subuser = None             # on-behalf-of a subuser: the name
        self.owned = None               # on-behalf-of: indexes of its IPs
        self.pool_ids = None            # by name, once they are needed

    # --- rows ---------------------------------------------------------------

    def row(self, index):
        """The row of an IP as this caller sees it."""
        row = dict(self.view.row(index))
        if self.owned is not None:      # a subuser sees itself, and pools are the parent's
            row["users"] = [self.subuser] if self.subuser is not None else []
            row["groups"] = []
        elif self.parent is not None and row["is_parent_assigned"]:
            row["users"] = row["users"] + [self.parent]
        return row

    def indexes(self):
        """Indexes of all IPs of the caller."""
        return range(self.view.count) if self.owned is None else self.owned

    def parent_indexes(self):
        return [i for i in range(self.view.count) if self.view.row(i)["is_parent_assigned"]]

    def pools_of(self, row):
        if not row["groups"]:
            return []
        if self.pool_ids is None:
            pools = map(self.view.account.pool, range(self.view.account.group_count))
            self.pool_ids = {pool["name"]: pool["id"] for pool in pools}
        names = self.pool_ids
        return [{"id": str(names[name]), "name": name} for name in row["groups"]]

    def finished(self, row, nullable, optional=()):
        """The row's members with nulls and unknown members as the switches ask for.

        optional: members that are left out by default when they have no value.
        """
        nulls = self.switches["nulls"]
        done = {}
        if self.switches["extra_fields"] == "yes":
            done["_links"] = {"self": [None, {"ip": "0.0.0.0", "depth": [1, 2.5e3, -0.0]}]}
        for name, value in row.items():
            if value is None and (nulls == "absent" and name in nullable + optional
                                  or nulls == "documented" and name in optional):
                continue
            done[name] = value
        if self.switches["extra_fields"] == "yes":
            done["label"] = "\u00e9\u4e2d\U0001f600 \"quoted\" \\ / \n"
            done["score"] = 0.25
        return done

    # --- pages ----------------------------------------------------------------

    def limit(self, default, cap, message="should be > 0 and <= %d"):
        """Rows of this page."""
        limit = number_of(self.params, "limit", default, -1)
        if limit < 1 or (limit > cap and self.switches["over_limit"] == "400"):
            raise errors(400, message % cap, "limit")
        limit = min(limit, cap)
        return min(limit, self.switches["page_cap"]) if self.switches["page_cap"] else limit

    def page(self, number):
        """Called with the number of the page: page_error."""
        wanted = self.switches["page_error"]
        if wanted and wanted[0] == number:
            raise refusal(self.request, int(wanted[1]), self.emulator)
        return number

    def listing(self, rows, head="[", tail="]", headers=(), page=1, sample=None):
        """An answer that is a list of rows, with what stands around it."""
        rows = list(rows)
        separator = restyle(",", self.switches)
        if self.switches["ws"] == "none" and self.switches["escape"] == "none":
            text = ",".join(map(compact, rows))
        else:
            text = separator.join(restyle(compact(row), self.switches) for row in rows)
        body = text.encode("utf-8", "surrogatepass")
        return Answer(lambda: iter(((body, len(rows)),)), restyle(head, self.switches).encode(),
                      restyle(tail, self.switches).encode("utf-8", "surrogatepass"), headers,
                      rows[0] if rows else sample, page)

    def by_offset(self, indexes, make, default, cap, link=True, sample=None):
        """A page of an offset listing: bare array, perhaps with a Link header."""
        limit = self.limit(default, cap)
        offset = number_of(self.params, "offset", 0, 0)
        page = self.page(offset // limit + 1)
        if self.switches["cursor_stuck"] == "yes":
            offset = 0
        shift = self.switches["drift"] * (page - 1)     # rows that came in (or went) since the first page
        total = max(0, len(indexes) + shift)
        low = max(0, offset - shift)
        chosen = indexes[low:max(low, min(offset + limit - shift, len(indexes)))]
        headers = self.link(offset, limit, total) if link and self.switches["link"] != "no" else ()
        return self.listing(map(make, chosen), headers=headers, page=page, sample=sample)

    def link(self, offset, limit, total):
        """The Link header of an offset listing, as the v3 documentation shows it."""
        base = self.emulator.url if self.switches["link"] == "yes" else "https://elsewhere.invalid"
        params = [(n, v) for n, v in self.request.url_params.items() if n not in ("limit", "offset")]
        targets = []
        last = max(0, (total - 1) // limit * limit)

        def target(relation, at):
            query = urllib.parse.urlencode(params + [("limit", limit), ("offset", at)])
            targets.append("<%s%s%s?%s>; rel=\"%s\"; title=\"%d\"" % (
                base, self.request.prefix, self.request.raw_path, query, relation, at // limit + 1))

        if offset + limit < total:
            target("next", offset + limit)
        if offset > 0:
            target("prev", max(0, offset - limit))
        if self.switches["link_last"] == "yes":
            target("last", last)
        target("first", 0)
        return [("Link", ", ".join(targets))]

    def by_key(self, items, key_of, make, start, limit, as_number, more=None):
        """A page of a send_ips listing: {result, _metadata} with after_key.

        items is a sequence, start the place of its first item on this page.
        """
        page = self.page(start // limit + 1)
        if self.switches["cursor_stuck"] == "yes":
            start = 0
        chosen = items[start:start + limit]
        key = key_of(chosen[-1]) if len(chosen) and start + limit < len(items) else None
        where = self.switches["after_key"]
        if key is not None:
            key = as_number(key) if where.endswith("number") else str(key)
        next_params = dict(more or {})
        metadata = {"next_params": next_params}
        target = metadata if where.startswith("toplevel") else next_params
        if key is not None or self.switches["after_key_end"] == "null":
            target["after_key"] = key
        if self.switches["extra_fields"] == "yes":
            metadata["self"] = {"pages": [page]}
        return self.listing(map(make, chosen), '{"result":[', '],"_metadata":%s}' % compact(metadata), page=page)

    def by_last(self, items, key_of, item_of, make, name, default, cap):
        """A page of a partners listing: offset is the last item's key; item_of finds its item."""
        limit = self.limit(default, cap)
        after = self.params.get("offset")
        start = 0
        if after is not None:
            try:
                start = items.index(item_of(after)) + 1
            except ValueError:
                raise errors(400, "invalid offset", "offset") from None
        page = self.page(start // limit + 1)
        if self.switches["cursor_stuck"] == "yes":
            start = 0
        chosen = items[start:start + limit]
        pages = {"last": key_of(chosen[-1])} if len(chosen) else {}
        if len(chosen) and start + limit >= len(items):
            pages = {}
        return self.listing(map(make, chosen), '{"%s":[' % name, '],"pages":%s}' % compact(pages), page=page)

    # --- filters -----------------------------------------------------------------

    def filter_ip(self, indexes, message="invalid IP address"):
        """What ip= leaves of the indexes, by the switch ip_filter."""
        text, mode = self.params.get("ip"), self.switches["ip_filter"]
        if text is None or mode == "ignored":
            return indexes
        if mode == "prefix":
            return [i for i in indexes if self.view.address(i).startswith(text)]
        index = self.view.index_of(text)
        if index >= 0 and index in indexes:
            return [index]
        if mode in ("400", "404"):
            raise errors(int(mode), message if mode == "400" else "resource not found", "ip")
        return []


# --- /v3/ips --------------------------------------------------------------------

def ip_object(call, index, assigned_at=True):
    row = call.row(index)
    made = {"ip": row["ip"], "subusers": row["users"], "rdns": row["rdns"], "pools": row["groups"],
            "warmup": row["warmup"], "start_date": row["start_date"], "whitelabeled": row["whitelabeled"]}
    if assigned_at:
        made["assigned_at"] = row["assigned_at"]
    return call.finished(made, ("start_date", "assigned_at"), ("rdns",))


def ips(call):
    indexes = call.filter_ip(call.indexes())
    name, mode = call.params.get("subuser"), call.switches["subuser_filter"]
    if name is not None and mode != "ignored":
        account = call.view.account
        known = 0 <= account.user_number(name) < account.user_count
        if not known and mode in ("400", "404"):
            raise errors(int(mode), "resource not found", "subuser")
        found = [] if not known and mode == "empty" else call.view.indexes_of_user(name)
        if name == call.parent and mode == "exact":
            found = sorted(set(found) | set(call.parent_indexes()))
        indexes = [i for i in found if i in indexes]
    if choice_of(call.params, "sort_by_direction", ("asc", "desc")) == "desc":
        indexes = indexes[::-1]
    sample = {"ip": "198.51.100.1", "subusers": [], "pools": [], "warmup": False, "start_date": None, "whitelabeled": False,
              "assigned_at": None}
    return call.by_offset(indexes, lambda i: ip_object(call, i), IPS_LIMIT, IPS_CAP, sample=sample)


def one_ip(call, text):
    index = call.view.index_of(text)
    if index < 0 or index not in call.indexes():
        raise not_found()
    return document(ip_object(call, index, assigned_at=False), call.switches)


def ips_assigned(call):
    indexes = call.owned if call.owned is not None else call.parent_indexes()

    def make(index):
        row = call.row(index)
        return call.finished({"ip": row["ip"], "pools": row["groups"], "warmup": row["warmup"],
                              "start_date": row["start_date"]}, ("start_date",))
    return call.listing(map(make, indexes))


def ips_remaining(call):
    row = call.finished({"remaining": 2, "period": "month", "price_per_ip": 20}, ())
    return call.listing([row], '{"results":[', "]}")


def pool_numbers(call):
    """Pools belong to the account that made them: a subuser has none here."""
    return range(call.view.account.group_count) if call.owned is None else range(0)


def ips_pools(call):
    return call.listing(call.finished({"name": call.view.account.group_name(g)}, ()) for g in pool_numbers(call))


def ips_pool(call, name):
    for g in pool_numbers(call):
        if call.view.account.group_name(g) == name:
            break
    else:
        raise not_found("Unable to locate specified IPs Pool", "error")
    rows = [call.row(i) for i in call.view.indexes_of_group(g)]
    if call.switches["pool_ips"] == "strings":
        items = [row["ip"] for row in rows]
    else:
        items = [call.finished({"ip": row["ip"], "start_date": row["start_date"], "warmup": row["warmup"]},
                               ("start_date",)) for row in rows]
    return call.listing(items, '{"pool_name":%s,"ips":[' % compact(name), "]}")


def warmup_object(call, row):
    return call.finished({"ip": row["ip"], "start_date": row["start_date"]}, ("start_date",))


def ips_warmup(call):
    rows = (call.row(i) for i in call.indexes())
    return call.listing(warmup_object(call, row) for row in rows if row["warmup"])


def ip_warmup(call, text):
    index = call.view.index_of(text)
    if index < 0 or index not in call.indexes() or not call.view.row(index)["warmup"]:
        raise not_found()
    row = warmup_object(call, call.row(index))
    return call.listing([row]) if call.switches["warmup"] == "array" else document(row, call.switches)


# --- /v3/send_ips ------------------------------------------------------------------

def send_ip_object(call, index):
    row = call.row(index)
    made = {"ip": row["ip"], "pools": call.pools_of(row), "is_auto_warmup": row["is_auto_warmup"],
            "is_parent_assigned": row["is_parent_assigned"] if call.owned is None else None,
            "updated_at": row["updated_at"], "is_enabled": row["is_enabled"], "is_leased": row["is_leased"],
            "added_at": row["added_at"]}
    if boolean_of(call.params, "include_region"):
        made["region"] = row["region"]
    return call.finished(made, ("updated_at", "is_enabled", "is_parent_assigned"))


def address_number(text):
    """An address as the number it is."""
    a, b, c, d = octets(text)
    return a << 24 | b << 16 | c << 8 | d


def address_of_key(text):
    """The address that an after_key stands for, written either way; or 400."""
    if text.isdigit() and int(text) < 1 << 32:
        number = int(text)
        return "%d.%d.%d.%d" % (number >> 24, number >> 16 & 255, number >> 8 & 255, number & 255)
    if octets(text) is None:
        raise errors(400, "invalid IP address", "after_key")
    return text


def send_ips(call):
    params, view = call.params, call.view
    limit = call.limit(SEND_IPS_CAP, SEND_IPS_CAP, "should be > 0 and \u2264 %d")
    if "before_key" in params:
        if "after_key" in params:
            raise errors(400, "cannot be used with \u2018before_key\u2019", "after_key")
        raise errors(400, "invalid IP address", "before_key")
    indexes = call.filter_ip(call.indexes())
    tests = []
    for name in ("is_leased", "is_enabled", "is_parent_assigned"):
        wanted = boolean_of(params, name)
        if wanted is not None:
            if name == "is_parent_assigned" and call.owned is not None:
                raise errors(400, "cannot be used for a sub user account", name)
            tests.append(lambda row, name=name, wanted=wanted: row[name] is wanted)
    if "pool" in params:
        if not params["pool"].isdigit():
            raise errors(400, "must be numeric", "pool")
        if "is_parent_assigned" in params:
            raise errors(400, "cannot be used with \u2018is_parent_assigned\u2019", "pool")
        names = [view.account.group_name(g) for g in pool_numbers(call) if str(view.account.pool(g)["id"]) == params["pool"]]
        if not names:
            raise errors(400, "not found", "pool")
        tests.append(lambda row: names[0] in row["groups"])
    start = number_of(params, "start_added_at", None, 0, "must be numeric")
    end = number_of(params, "end_added_at", None, 0, "must be numeric")
    beyond = call.switches["added_ends"] == "excluded"
    if start is not None:
        tests.append(lambda row: row["added_at"] >= start + beyond)
    if end is not None:
        tests.append(lambda row: row["added_at"] <= end - beyond)
    region = choice_of(params, "region", ("all", "eu", "us"))
    if region in ("eu", "us"):
        tests.append(lambda row: row["region"] == region)
    if tests:
        indexes = [i for i in indexes if all(test(view.row(i)) for test in tests)]
    place = 0
    if "after_key" in params:
        after = view.index_of(address_of_key(params["after_key"]))
        if after < 0:
            raise errors(400, "invalid IP address", "after_key")
        place = after + 1 if isinstance(indexes, range) else sum(1 for i in indexes if i <= after)
    echo = {name: params[name] for name in ("ip", "pool", "region") if name in params}
    return call.by_key(indexes, view.address, lambda i: send_ip_object(call, i), place, limit, address_number, echo)


def one_send_ip(call, text):
    index = call.view.index_of(text)
    if octets(text) is None:
        raise errors(400, "invalid IP address", "ip")
    if index < 0 or index not in call.indexes():
        raise errors(400, "not found", "ip")
    return document(send_ip_object(call, index), call.switches)


def by_number(call, items, make):
    """A send_ips listing whose after_key is the number of items that came before."""
    limit = call.limit(SMALL_CAP, SMALL_CAP)
    start = number_of(call.params, "after_key", 0, 0)
    return call.by_key(items, lambda item: items.index(item) + 1, make, start, limit, int)


def send_ip_subusers(call, text):
    index = call.view.index_of(text)
    if index < 0 or index not in call.indexes():
        raise errors(400, "invalid IP address", "")
    account = call.view.account
    users = [u for u in call.view.users(account.slot_of(index)) if u < account.user_count]
    return by_number(call, [str(account.subuser(u)["id"]) for u in users], lambda item: item)


def pool_object(call, g, preview=True):
    account, view = call.view.account, call.view
    members = view.indexes_of_group(g)
    pool = account.pool(g)
    made = {"name": pool["name"], "id": str(pool["id"])}
    if boolean_of(call.params, "include_region"):
        regions = [view.row(i)["region"] for i in members]
        if preview:
            made["regions"] = sorted(set(regions))
        else:
            made["ip_count_by_region"] = [{"region": r, "count": regions.count(r)} for r in sorted(set(regions))]
    made["ips_preview"] = [view.address(i) for i in members[:10]]
    made["total_ip_count"] = len(members)
    return call.finished(made, ())


def send_pools(call):
    view, chosen = call.view, list(pool_numbers(call))
    if "ip" in call.params:
        index = view.index_of(call.params["ip"])
        if octets(call.params["ip"]) is None:
            raise errors(400, "invalid IP address", "ip")
        groups = view.account.groups(view.account.slot_of(index)) if index >= 0 else ()
        chosen = [g for g in chosen if g in groups]
    region = choice_of(call.params, "region", ("all", "eu", "us"))
    if region and call.switches["pool_region"] == "pools":
        chosen = [g for g in chosen
                  if any(region in ("all", view.row(i)["region"]) for i in view.indexes_of_group(g))]
    return by_number(call, chosen, lambda g: pool_object(call, g))


def pool_of_id(call, text):
    if not text.isdigit():
        raise errors(400, "must be a numeric value", "poolid")
    for g in pool_numbers(call):
        if str(call.view.account.pool(g)["id"]) == text:
            return g
    raise errors(400, "not found", "poolid")


def send_pool(call, text):
    return document(pool_object(call, pool_of_id(call, text), preview=False), call.switches)


def send_pool_ips(call, text):
    g = pool_of_id(call, text)

    def make(index):
        row = call.row(index)
        made = {"ip": row["ip"], "pools": call.pools_of(row)}
        if boolean_of(call.params, "include_region"):
            made["region"] = row["region"]
        return call.finished(made, ())
    return by_number(call, call.view.indexes_of_group(g), make)


# --- /v3/subusers, /v3/whitelabel, /v3/partners, /v3/scopes ---------------------------

def subusers(call):
    account = call.view.account
    numbers = range(account.user_count) if call.owned is None else range(0)
    name, mode = call.params.get("username"), call.switches["username_filter"]
    if name and mode != "ignored":
        compare = {"prefix": lambda s: s.lower().startswith(name.lower()), "prefix_cs": lambda s: s.startswith(name),
                   "exact": lambda s: s == name}[mode]
        numbers = [u for u in numbers if compare(account.username(u))]
    region = choice_of(call.params, "region", ("all", "global", "eu"))
    if region in ("global", "eu"):
        numbers = [u for u in numbers if account.subuser(u)["region"] == region]
    include = boolean_of(call.params, "include_region")

    def make(u):
        row = account.subuser(u)
        made = {name: row[name] for name in ("disabled", "email", "id", "username")}
        if include:
            made["region"] = row["region"]
        return call.finished(made, ())
    return call.by_offset(numbers, make, SUBUSERS_LIMIT, SUBUSERS_CAP, link=False)


def reputations(call):
    names = call.params.get("usernames", [])
    names = [names] if isinstance(names, str) else names
    account, mode = call.view.account, call.switches["usernames"]
    if mode == "comma":
        names = [part for name in names for part in name.split(",")]
    elif mode == "first":
        names = names[:1]
    elif mode == "refused" and len(names) > 1:
        raise errors(400, "given more than once", "usernames")
    numbers = [account.user_number(n) for n in names]
    if mode == "ignored":
        numbers = range(account.user_count)
    return call.listing(call.finished({"username": account.username(u), "reputation": reputation(u)}, ())
                        for u in numbers if u >= 0)


def whitelabel_ip_object(call, index):
    account = call.view.account
    row = call.row(index)
    host = row["rdns"] or "o1.email.example.com"
    label, _, domain = host.partition(".")
    users = []
    for name in row["users"]:
        u = account.user_number(name)
        users.append({"username": name, "user_id": account.subuser(u)["id"] if 0 <= u < account.user_count else PARENT_ID})
    made = {"id": 500 + index, "ip": row["ip"], "rdns": host, "users": users, "subdomain": label, "domain": domain,
            "valid": index % 4 != 0, "legacy": index % 10 == 0,
            "last_validation_attempt_at": 1500000000 + index if index % 3 else None,
            "a_record": {"valid": index % 4 != 0, "type": "a", "host": host, "data": row["ip"]}}
    return call.finished(made, (), ("last_validation_attempt_at",))


def whitelabel_indexes(call):
    return [i for i in call.indexes() if call.view.account.whitelabeled(i)]


def whitelabel_ips(call):
    text = call.params.get("ip", "")
    indexes = [i for i in whitelabel_indexes(call) if call.view.address(i).startswith(text)]
    return call.by_offset(indexes, lambda i: whitelabel_ip_object(call, i), WHITELABEL_LIMIT, WHITELABEL_CAP)


def whitelabel_ip(call, text):
    for index in whitelabel_indexes(call):
        if str(500 + index) == text:
            return document(whitelabel_ip_object(call, index), call.switches)
    raise not_found()


def whitelabel_domains(call):
    view, account = call.view, call.view.account

    def make(d):
        row = account.domain(d, view.count)
        user = row["user"]
        made = {"id": row["id"], "user_id": PARENT_ID if user is None else account.subuser(user)["id"],
                "subdomain": row["subdomain"], "domain": row["domain"],
                "username": own_name(call) if user is None else account.username(user),
                "ips": [view.address(i) for i in row["ips"]], "custom_spf": bool(row["ips"]), "default": row["default"],
                "legacy": row["legacy"], "automatic_security": not row["ips"], "valid": row["valid"],
                "dns": {"mail_cname": {"valid": row["valid"], "type": "cname", "host": "em.example.com", "data": "u1.wl.sendgrid.net"}}}
        return call.finished(made, ())
    return call.by_offset(range(account.domain_count) if call.owned is None else range(0), make,
                          WHITELABEL_LIMIT, WHITELABEL_CAP)


def own_name(call):
    """The caller's own username."""
    return call.subuser or call.parent or PARENT_NAME


def user_username(call):
    account = call.view.account
    number = account.user_number(call.subuser) if call.subuser else -1
    return document(call.finished({"username": own_name(call), "user_id": account.subuser(number)["id"] if number >= 0 else PARENT_ID},
                                  ()), call.switches)


def partner_accounts(call):
    account = call.view.account
    return call.by_last(range(account.account_count), lambda a: account.account(a)["id"],
                        lambda text: account_of_id(call, text, errors(400, "invalid offset", "offset")),
                        lambda a: call.finished(account.account(a), ()), "accounts", PARTNER_LIMIT, SMALL_CAP)


def account_of_id(call, text, problem=None):
    account = call.view.account
    for a in range(account.account_count):
        if account.account(a)["id"] == text:
            return a
    raise problem or not_found("Account not found")


def partner_ips(call, text):
    indexes = call.view.account.account_ips(account_of_id(call, text), call.view.count)[::-1]   # newest first
    return call.by_last(indexes, call.view.address, call.view.index_of,
                        lambda i: call.finished({"ip": call.view.address(i), "region": call.view.row(i)["region"]}, ()),
                        "result", PARTNER_LIMIT, SEND_IPS_CAP)


def partner_state(call, text):
    return document(call.finished({"state": call.view.account.account_state(account_of_id(call, text))}, ()), call.switches)


def scopes(call):
    return document({"scopes": list(SCOPES)}, call.switches)


ROUTES = {                      # path below /v3, * for one segment
    ("ips",): ips,
    ("ips", "assigned"): ips_assigned,
    ("ips", "remaining"): ips_remaining,
    ("ips", "pools"): ips_pools,
    ("ips", "pools", "*"): ips_pool,
    ("ips", "warmup"): ips_warmup,
    ("ips", "warmup", "*"): ip_warmup,
    ("ips", "*"): one_ip,
    ("send_ips", "ips"): send_ips,
    ("send_ips", "ips", "*"): one_send_ip,
    ("send_ips", "ips", "*", "subusers"): send_ip_subusers,
    ("send_ips", "pools"): send_pools,
    ("send_ips", "pools", "*"): send_pool,
    ("send_ips", "pools", "*", "ips"): send_pool_ips,
    ("subusers",): subusers,
    ("subusers", "reputations"): reputations,
    ("whitelabel", "ips"): whitelabel_ips,
    ("partners", "accounts"): partner_accounts,
    ("partners", "accounts", "*", "ips"): partner_ips,
    ("partners", "accounts", "*", "state"): partner_state,
    ("user", "username"): user_username,
    ("whitelabel", "domains"): whitelabel_domains,
    ("whitelabel", "ips", "*"): whitelabel_ip,
    ("scopes",): scopes,
}


def route(segments):
    """(handler, variable segments) of a path; raises Refusal."""
    if "v3" not in segments:
        raise not_found()
    rest = tuple(segments[segments.index("v3") + 1:])
    if rest in ROUTES:
        return ROUTES[rest], ()
    for pattern, handler in ROUTES.items():
        if len(pattern) == len(rest) and all(p in ("*", s) for p, s in zip(pattern, rest)):
            return handler, [s for p, s in zip(pattern, rest) if p == "*"]
    raise not_found()


def act_for(call):
    """The header on-behalf-of: whose IPs the caller sees."""
    name = call.request.headers.get("on-behalf-of")
    if name is None or call.switches["on_behalf_of"] == "ignored":
        return
    try:
        name = name.encode("iso-8859-1").decode("utf-8")
    except UnicodeDecodeError:
        pass
    account = call.view.account
    if name.startswith("account-id "):
        for a in range(account.account_count):
            if account.account(a)["id"] == name[len("account-id "):].strip():
                call.owned = list(account.account_ips(a, call.view.count))
                break
    else:
        u = account.user_number(name)
        if 0 <= u < account.user_count:
            call.subuser, call.owned = name, call.view.indexes_of_user(name)
    if call.owned is None or call.switches["on_behalf_of"] == "refused":
        raise errors(403, "access forbidden")


def answer(request, view, emulator):
    """The answer to a request of this API; raises Refusal."""
    handler, variable = route(request.segments)
    if request.auth != "ok" or not request.where.startswith("header"):
        raise errors(401, "authorization required")
    if request.method != "GET":
        raise errors(405, "method not allowed")
    for name, value in request.params.items():
        if isinstance(value, list) and name != "usernames":
            raise errors(400, "given more than once", name)
    call = Call(request, view, emulator)
    act_for(call)
    return handler(call, *variable)
