#!/usr/bin/env python3
"""Compares foreign tables with ordinary tables of the same rows, by random queries.

Every query runs twice: over foreign tables whose API is the emulator with
data made to be hard, and over local copies of that data.  Results must be
equal as multisets, whichever plan the settings lead to and however the API
reads its parameters.  Questions that search columns cannot answer must be
refused with 0A000.  Those about search columns are run under every setting of
the planner as well, one after another: always the same rows, or always 0A000.
Conditions that are promised to be sent are looked for in the emulator's log.

    scripts/with-stack test/differential.py --queries 10000 --seed 7

A query depends on the seed and its own number alone: --only N runs number N
again and --show prints it.  The first difference is printed as SQL; --hold
then keeps the foreign tables and the emulator until Enter is pressed.
"""

import argparse
import collections
import itertools
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import time
import urllib.request

from psql import FIELD, NULL, Psql, sqlstate

HERE = pathlib.Path(__file__).resolve().parent
ANSWER, REFUSED = "answer", "0A000"


# --- the account ---------------------------------------------------------------

NAMES = [
    "a", "ab", "aab", "b", "Acme", "acme", "ACME", "acme-1", "acme-10", "acme-100", "x.acme-1",
    "user4@example.com", "user4@example.com.au", "xuser4@example.com", "example.com",
    "100%", "100", "%", "%%", "_", "a_b", "axb", "a%b", "a\\b", "\\", "\\\\", "a\\", "\\%", "c:\\d\\_e",
    "'", "O'Neill", "''", '"', 'say "hi"', "a&b", "a&user=b", "a=b", "a+b", "a b", "a%20b", "a%2Bb", "#", "a#b",
    "a;b", "a/b", "/", "?", "a?b=c", " lead", "trail ", "  both  ", " ", "in side", "tab\there", "\ttab", "line\nfeed",
    "\u00e4", "\u00c4", "M\u00fcller", "M\u00dcLLER", "Mu\u0308ller", "stra\u00dfe", "STRASSE", "\u6f22\u5b57", "\u6f22",
    "\U0001f600", "x\U0001f600y", "e\u0301", "\u00e9", "\u0130stanbul", "istanbul", "\u200b", "\ufeffbom",
    "", "null", "NULL", "true", "0", "-1", "10.2.3.4", "{a,b}", "{}", "a,b", "$1", ":x", ":'x'", "--", "/*", "~", "<b>",
    "long-" + "0123456789" * 29 + "-tail", "long-" + "0123456789" * 29 + "-tale", "\u6f22" * 150,
    "y" * 2100,
]
GROUPS = [
    "west", "West", "WEST", "west-2", "northwest", "we", "east", "a", "ab", "aab", "b", "100%", "%", "_", "a_b", "axb", "\\",
    "a\\b", "'", '"', "a&b", "a=b", "a+b", "a b", " a", "a ", "#", "a/b", "?", "\u00e4", "\u00c4", "\u6f22\u5b57", "\U0001f600",
    "true", "false", "0", "g" * 255,
]
SEARCHES = GROUPS + ["es", "t-", "no such group", "wes", "\u6f22", "g" * 40, "-", "0%", "and", "%a", "\\b"]
HEADS = ["10.2.", "110.2.", "1.2.", "1.20.", "10.20.", "10.22.", "21.10.2.", "1.10.2.", "210.2.", "101.2.", "198.51.100.",
         "10.2.1.", "10.2.10.", "10.2.100.", "110.2.1.", "100.1.2."]
PARTNERS = ["sg1", "sg10", "SG1", "a b", "a%b", "a&b=c", "\u00e4", "..x"]
ADDED = 1500000000              # when the first IP was added; each other one a minute after the one before
POOL_IDS = {name: 20000 + k for k, name in enumerate(GROUPS)}
PARENT = "the parent"           # stands in rows though it is no subuser


def make_account():
    """The data: rows of unique addresses first, then more rows of some of them."""
    rng = random.Random("account")
    seen, rows = set(), []

    def row(ip):
        users = rng.sample(NAMES, rng.choice((0, 1, 1, 1, 1, 2, 2, 3)))
        if rng.random() < 0.04:
            users.append(PARENT)
        return {"ip": ip, "users": users, "groups": rng.sample(GROUPS, rng.choice((0, 0, 1, 1, 2, 3))),
                "system": rng.random() < 0.06, "rdns": "o%s.example.com" % ip if rng.random() < 0.5 else None,
                "warmup": rng.random() < 0.2, "region": rng.choice(("us", "us", "eu")), "is_leased": rng.random() < 0.6,
                "is_enabled": rng.choice((True, False, None)), "is_auto_warmup": rng.random() < 0.3}

    for ip in ("0.0.0.0", "255.255.255.255", "255.1.2.3", "1.1.1.1", "11.1.1.1", "1.1.1.11", "111.1.1.1", "10.2.3.4", "110.2.3.4",
               "10.2.3.40", "1.10.2.3", "10.2.3.0", "10.2.3.255", "1.2.3.4", "1.20.3.4", "10.20.3.4"):
        seen.add(ip)
        rows.append(row(ip))
    while len(rows) < 290:
        head = rng.choice(HEADS)
        ip = head + ".".join(str(rng.choice((0, 1, 2, 3, 4, 10, 20, 25, 100, 254, 255))) for _ in range(4 - head.count(".")))
        if ip not in seen:
            seen.add(ip)
            rows.append(row(ip))
    unique = len(rows)
    rows += [row(rng.choice(rows)["ip"]) for _ in range(25)]
    subusers = [{"username": name, "disabled": k % 5 == 3 and len(name) < 512, "region": "eu" if k % 4 == 1 else "global"}
                for k, name in enumerate(NAMES)]
    for each in rows:
        each["is_parent_assigned"] = bool(each["groups"])
    accounts = [{"id": name, "email": "x@example.com", "created_at": "2020-01-02T15:04:05Z", "updated_at": "2020-01-02T15:04:05Z",
                 "ips": [each["ip"] for each in rows[k * 30:k * 30 + 45]]} for k, name in enumerate(PARTNERS)]
    return {"ips": rows, "subusers": subusers, "pools": [{"name": name} for name in GROUPS], "accounts": accounts}, unique


# --- SQL text -------------------------------------------------------------------

def quote(text):
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


def array(values, sql_type="text"):
    return "ARRAY[%s]::%s[]" % (", ".join(map(quote, values)), sql_type)


def escape_like(text):
    return re.sub(r"([\\%_])", r"\\\1", text)


def like_pieces(pattern):
    """(literal pieces in order, whether the pattern begins with one, whether it has a wildcard)."""
    pieces, piece, wild, k = [], "", False, 0
    begins = not pattern.startswith(("%", "_"))
    while k < len(pattern):
        if pattern[k] in "%_":
            wild = True
            pieces.append(piece)
            piece = ""
        else:
            k += pattern[k] == "\\"
            piece += pattern[k:k + 1]
        k += 1
    pieces.append(piece)
    return [p for p in pieces if p], begins, wild


# --- tables under test -----------------------------------------------------------

class Table:
    """A foreign table and how to say the same locally.

    columns: role -> (name, SQL type), in order.  Roles: ip, user, group,
    system, and others that have no conditions of their own.  match: role ->
    how conditions are promised to be sent, None for not at all.  param: role
    -> parameter in a request.
    """

    def __init__(self, name, task, columns, source, match, options="", column_options=None, switches=None,
                 reading="sensitive anywhere", v3=False, cheap=False, param=None, rows=""):
        self.name, self.task, self.columns, self.source = name, task, columns, source
        self.match, self.reading, self.v3, self.cheap = match, reading, v3, cheap
        self.options, self.column_options, self.switches = options, column_options or {}, switches or ""
        self.param = param or {"ip": "ip", "user": "user", "group": "group", "system": "system"}
        self.rows = rows

    def has(self, role):
        return role in self.columns

    def column(self, role, alias):
        return '%s."%s"' % (alias, self.columns[role][0])

    def type(self, role):
        return self.columns[role][1]

    def ddl(self, base, prefix):
        server = "%s_%s" % (prefix, self.name)
        options = ["base_url " + quote(("%s/~%s" % (base, self.switches) if self.switches else base) + ("" if self.v3 else "/api"))]
        options.append("api_version '%s'" % ("v3" if self.v3 else "v2"))
        if self.cheap:
            options.append("fdw_startup_cost '0.01'")
        if self.options:
            options.append(self.options)
        yield "CREATE SERVER %s FOREIGN DATA WRAPPER sgip_fdw OPTIONS (%s)" % (server, ", ".join(options))
        user = "" if self.v3 else "api_user 'demo', "
        yield "CREATE USER MAPPING FOR CURRENT_USER SERVER %s OPTIONS (%sapi_key 'demo-key')" % (server, user)
        columns = []
        for role, (name, sql_type) in self.columns.items():
            extra = self.column_options.get(role)
            columns.append('"%s" %s%s' % (name, sql_type, " OPTIONS (%s)" % extra if extra else ""))
        yield "CREATE FOREIGN TABLE f_%s (%s) SERVER %s OPTIONS (task '%s')" % (
            self.name, ", ".join(columns), server, self.task)

    def foreign(self):
        """What a query selects from."""
        return "f_" + self.name

    def local(self, search):
        """The local rows as the search finds them: search is a Search."""
        values = []
        for role, (name, sql_type) in self.columns.items():
            value = {"ip": "u.ip", "user": "u.username", "group": "h.g" if search.group else "NULL",
                     "system": "y.s" if search.system else "false", "account": "'north'", "owner": "u.account_id"}.get(role, "u." + role)
            if role == "ip" and sql_type != "inet":
                value = "host(u.ip)"
            values.append('%s::%s AS "%s"' % (value, sql_type, name))
        text = "(SELECT %s FROM %s u" % (", ".join(values), self.source)
        if search.group:
            reading = ("part" if search.group == "part" else "whole") if self.v3 else self.reading
            text += " JOIN hits h ON h.id = u.id AND h.reading = %s" % quote(reading)
        if search.system:
            text += " CROSS JOIN (VALUES (true), (false)) y(s)"
        where = []
        if self.source in ("l_usage", "l_all"):
            where.append("(NOT u.system OR y.s)" if search.system else "NOT u.system")
        if self.rows:
            where.append(self.rows)
        return text + (" WHERE " + " AND ".join(where) if where else "") + ")"


class Partitions(Table):
    """A partitioned table with a foreign partition for each of two accounts, told apart by a constant."""

    labels = ("north", "south")

    def ddl(self, base, prefix):
        yield "CREATE TABLE f_%s (%s) PARTITION BY LIST (label)" % (
            self.name, ", ".join("%s %s" % column for column in self.columns.values()))
        for label in self.labels:
            one = Table("%s_%s" % (self.name, label), self.task, self.columns, self.source, self.match, self.options,
                        {"account": "constant '%s'" % label}, self.switches, self.reading, cheap=self.cheap)
            yield from one.ddl(base, prefix)
            yield "ALTER TABLE f_%s ATTACH PARTITION f_%s FOR VALUES IN ('%s')" % (self.name, one.name, label)

    def local(self, search):
        text = super().local(search)
        return "(%s)" % " UNION ALL ".join(
            "SELECT * FROM %s %s" % (text.replace("'north'", "'%s'" % label), label) for label in self.labels)


class Search:
    """What a query gives the search columns of one table."""

    def __init__(self):
        self.group = None       # None, "whole", "part"
        self.system = False


def usage(name, ip="inet", user="text", names=("ip", "username", "group_name", "include_system"), more=(), **rest):
    columns = collections.OrderedDict(zip(("ip", "user", "group", "system"),
                                          zip(names, (ip, user, "text", "boolean"))))
    columns.update(more)
    return Table(name, "usage", columns, "l_usage", **rest)


ANYWHERE = {"ip": "prefix", "user": "anywhere", "group": "anywhere"}
EXACT = {"ip": "match 'exact'", "user": "match 'exact'", "group": "match 'exact'"}
PREFIX = {"user": "match 'prefix'", "group": "match 'prefix'"}


def make_tables(unique):
    """All tables; the readings are those that each table's options promise."""
    exact = {"ip": "exact", "user": "exact", "group": "exact"}
    prefix = {"ip": "prefix", "user": "prefix", "group": "prefix"}
    tables = [
        usage("default", match=ANYWHERE, switches="ip_match=prefix"),
        usage("broad", match=dict(ANYWHERE, ip="anywhere"), column_options={"ip": "match 'anywhere'"}, cheap=True, reading="insensitive anywhere", options="http_method 'post'",
              switches="ip_match=anywhere;case=insensitive;shape=page;escape=php;ws=crazy"),
        usage("text", match=dict(ANYWHERE, ip="anywhere"), ip="text", user="character varying", cheap=True,
              column_options={"ip": "match 'anywhere'"}, switches="ip_match=anywhere;shape=ips_objects;order=shuffle"),
        usage("prefix", match=prefix, ip="character varying", names=("address", "user", "group", "system"),
              column_options=dict(PREFIX, ip="field 'ip'"), reading="sensitive prefix", cheap=True,
              switches="ip_match=prefix;user_match=prefix;group_match=prefix;shape=success;escape=unicode"),
        usage("exact", match=exact, column_options=EXACT, reading="sensitive exact", cheap=True,
              switches="ip_match=exact;user_match=exact;group_match=exact;length=close"),
        usage("exact_text", match=exact, ip="text", column_options=EXACT, reading="sensitive exact",
              switches="ip_match=exact;user_match=exact;group_match=exact"),
        usage("exact_wide", match=exact, column_options=EXACT, reading="insensitive anywhere",
              switches="ip_match=anywhere;user_match=anywhere;group_match=anywhere;case=insensitive", cheap=True),
        usage("anywhere", match=dict(ANYWHERE, ip="anywhere"), column_options={"ip": "match 'anywhere'"}, switches="ip_match=anywhere"),
        usage("labelled", match=ANYWHERE, more={"account": ("label", "text")}, cheap=True,
              column_options={"account": "constant 'north'"}, options="max_concurrency '1'",
              switches="gzip=yes;length=chunked"),
    ]
    parts = collections.OrderedDict(ip=("ip", "inet"), user=("username", "text"), group=("group_name", "text"),
                                    system=("include_system", "boolean"), account=("label", "text"))
    tables.append(Partitions("partitioned", "usage", parts, "l_usage", ANYWHERE, cheap=True, switches="ip_match=anywhere;shape=bare_objects"))
    tables.append(Partitions("slow_partitioned", "usage", parts, "l_usage", ANYWHERE, switches="drip=700;drip_ms=1"))
    for task in ("all", "free", "taken", "available"):
        columns = {"ip": ("ip", "inet")}
        if task == "all":
            columns["system"] = ("include_system", "boolean")
        tables.append(Table(task, task, columns, "l_" + task, {"ip": "prefix"}, switches="shape=page"))
        tables.append(Table(task + "_text", task, dict(columns, ip=("ip", "text")), "l_" + task, {"ip": "prefix"},
                            switches="shape=strings;ip_match=anywhere", cheap=True))

    first = "rows=%d" % unique
    only = "u.id <= %d" % unique
    wide = {"subusers": ("subusers", "text[]"), "pools": ("pools", "text[]"), "rdns": ("rdns", "text"),
            "whitelabeled": ("whitelabeled", "boolean"), "warmup": ("warmup", "boolean")}
    usage3 = collections.OrderedDict(ip=("ip", "inet"), user=("username", "text"), group=("group_name", "text"),
                                     pools=("pools", "text[]"))
    param = {"ip": "ip", "user": "subuser", "username": "username"}
    for name, extra, switches, cheap in (("", {}, "", True), ("_paged", {}, ";page_cap=37;ip_filter=prefix;link=no", False),
                                         ("_subuser", {"user": "match 'exact'"}, ";ip_filter=400", True)):
        tables.append(Table("v3_usage" + name, "usage", usage3, "l_v3_usage", {"ip": "exact", "user": "exact" if extra else None},
                            column_options=extra, switches=first + switches, v3=True, cheap=cheap, param=param, rows=only))
    for task in ("all", "free", "taken", "available"):
        tables.append(Table("v3_" + task, task, collections.OrderedDict(ip=("ip", "inet"), **wide), "l_v3_" + task, {"ip": "exact"},
                            switches=first + ";ip_filter=ignored;page_cap=50", v3=True, cheap=True, param=param, rows=only))
    people = collections.OrderedDict(user=("username", "text"), email=("email", "text"), disabled=("disabled", "boolean"),
                                     region=("region", "text"))
    for name, switches in (("v3_subusers", ""), ("v3_subusers_cs", "username_filter=prefix_cs;page_cap=20"),
                           ("v3_subusers_ignored", "username_filter=ignored")):
        tables.append(Table(name, "subusers", people, "l_subusers", {"user": "folded"}, switches=switches,
                            v3=True, cheap=True, param={"user": "username", "region": "region"}))
    # nothing is promised: a value beyond ASCII is not sent
    tables.append(Table("v3_subusers_exact", "subusers", people, "l_subusers", {"user": None}, column_options={"user": "match 'exact'"},
                        switches="username_filter=exact", v3=True, cheap=True, param={"user": "username", "region": "region"}))
    tables.append(Table("v3_reverse_dns", "reverse_dns", collections.OrderedDict(ip=("ip", "inet"), rdns=("rdns", "text")),
                        "l_reverse_dns", {"ip": "prefix"}, switches=first, v3=True, cheap=True, param=param, rows=only))
    tables.append(Table("v3_members", "pool_members", collections.OrderedDict(pool=("pool_name", "text"), ip=("ip", "inet")),
                        "l_members", {"ip": "exact", "pool": None}, switches=first, v3=True, cheap=True, param=param, rows=only))
    addresses = collections.OrderedDict(ip=("ip", "inet"), region=("region", "text"), leased=("is_leased", "boolean"),
                                        enabled=("is_enabled", "boolean"), parent=("is_parent_assigned", "boolean"),
                                        auto=("is_auto_warmup", "boolean"), pool_ids=("pool_ids", "bigint[]"),
                                        added=("added_at", "timestamptz"))
    for name, switches in (("", ""), ("_paged", ";page_cap=33;after_key=toplevel_number;after_key_end=absent;ip_filter=404;added_ends=excluded")):
        tables.append(Table("v3_addresses" + name, "addresses", addresses, "l_addresses", {"ip": "exact"}, switches=first + switches, v3=True,
                            cheap=True, param={"ip": "ip", "leased": "is_leased", "enabled": "is_enabled", "parent": "is_parent_assigned",
                                               "pool_ids": "pool", "added": "start_added_at"}, rows=only))
    pools = collections.OrderedDict(id=("id", "bigint"), pool=("name", "text"), regions=("regions", "text[]"))
    for name, switches in (("", ""), ("_all", ";pool_region=all;page_cap=5")):
        tables.append(Table("v3_pools" + name, "pools", pools, "l_pools", {"pool": None}, switches=first + switches, v3=True, cheap=True,
                            param={"regions": "region"}))
    tables.append(Table("v3_accounts", "partner_account_ips", collections.OrderedDict(owner=("account_id", "text"), ip=("ip", "inet")),
                        "l_accounts", {"owner": "exact", "ip": None}, v3=True, cheap=True, param={}))
    return tables


# --- local copies ------------------------------------------------------------------

def group_matches(reading, group, value):
    if reading in ("whole", "part"):
        return group == value if reading == "whole" else value in group
    case, mode = reading.split()
    if case == "insensitive":
        group, value = group.casefold(), value.casefold()
    return {"anywhere": value in group, "prefix": group.startswith(value), "exact": group == value}[mode]


def insert(table, rows):
    """INSERT of rows of Python values."""
    def literal(value):
        if isinstance(value, (list, tuple)):
            return array(value)
        return str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, int) else quote(value)
    rows = list(rows)
    for low in range(0, len(rows), 2000):
        yield "INSERT INTO %s VALUES %s" % (table, ", ".join(
            "(%s)" % ", ".join(map(literal, row)) for row in rows[low:low + 2000]))


def added_at(number):
    """When the IP of that row was added, as text."""
    return time.strftime("%Y-%m-%d %H:%M:%S+00", time.gmtime(ADDED + 60 * (number - 1)))


def local_tables(account, unique):
    """Statements that make the local copies; what the words mean is worked out here, not asked of the emulator."""
    rows = [dict(row, id=k + 1) for k, row in enumerate(account["ips"])]
    disabled = {s["username"] for s in account["subusers"] if s["disabled"]}
    yield "CREATE TABLE l_ips (id int, ip inet, subusers text[], pools text[], system bool, rdns text, whitelabeled bool, warmup bool)"
    yield from insert("l_ips", ((r["id"], r["ip"], r["users"], r["groups"], r["system"], r["rdns"], r["rdns"] is not None, r["warmup"])
                                for r in rows))
    yield "CREATE TABLE l_disabled (username text)"
    yield from insert("l_disabled", ((name,) for name in sorted(disabled)))
    yield "CREATE TABLE l_usage AS SELECT id, ip, u.username, pools, system FROM l_ips, unnest(subusers) u(username)"
    yield "CREATE TABLE l_v3_usage AS SELECT * FROM l_usage"
    yield "CREATE TABLE l_all AS SELECT * FROM l_ips"
    conditions = {"free": "subusers = '{}' AND pools = '{}'", "taken": "subusers <> '{}' OR pools <> '{}'",
                  "available": "CASE WHEN subusers = '{}' THEN pools = '{}' ELSE "
                               "subusers <@ (SELECT array_agg(username) FROM l_disabled) END"}
    for task, condition in conditions.items():
        yield "CREATE TABLE l_%s AS SELECT * FROM l_ips WHERE NOT system AND (%s)" % (task, condition)
        yield "CREATE TABLE l_v3_%s AS SELECT * FROM l_ips WHERE %s" % (task, condition)
    yield "CREATE TABLE l_v3_all AS SELECT * FROM l_ips"
    yield "CREATE TABLE l_reverse_dns AS SELECT id, ip, rdns FROM l_ips WHERE whitelabeled"
    yield "CREATE TABLE l_members AS SELECT id, p.pool, ip FROM l_ips, unnest(pools) p(pool)"
    yield "CREATE TABLE l_addresses (id int, ip inet, region text, leased bool, enabled bool, parent bool, auto bool, pool_ids bigint[], added timestamptz)"
    yield from insert("l_addresses", ((r["id"], r["ip"], r["region"], r["is_leased"], r["is_enabled"], r["is_parent_assigned"],
                                       r["is_auto_warmup"], "{%s}" % ",".join(str(POOL_IDS[g]) for g in r["groups"]),
                                       added_at(r["id"])) for r in rows))
    yield "CREATE TABLE l_pools (id bigint, pool text, regions text[])"
    seen = [r for r in rows if r["id"] <= unique]
    yield from insert("l_pools", ((POOL_IDS[g], g, sorted({r["region"] for r in seen if g in r["groups"]})) for g in GROUPS))
    yield "CREATE TABLE l_accounts (id int, account_id text, ip inet)"
    yield from insert("l_accounts", ((1, a["id"], ip) for a in account["accounts"] for ip in a["ips"]))
    yield "CREATE TABLE l_subusers (id int, username text, email text, disabled bool, region text)"
    yield from insert("l_subusers", ((k, s["username"], "owner%d@example.org" % k, s["disabled"], s["region"])
                                     for k, s in enumerate(account["subusers"])))
    yield "CREATE TABLE hits (reading text, id int, g text)"
    readings = ["%s %s" % pair for pair in itertools.product(("sensitive", "insensitive"), ("anywhere", "prefix", "exact"))]
    yield from insert("hits", ((reading, r["id"], value) for reading in readings + ["whole", "part"]
                               for value in SEARCHES for r in rows
                               if any(group_matches(reading, group, value) for group in r["groups"])))
    yield "CREATE INDEX ON hits (reading, g)"

    rng = random.Random("others")
    others = []
    for k in range(22):
        name, ip = rng.choice(NAMES), rng.choice(rows)["ip"]
        octets = ip.split(".")
        others.append((k, name if k % 7 else None, ip if k % 5 else None, random_pattern(rng, name),
                       ".".join(octets[:2] + ["0", "0"]) + "/16" if k % 6 else None,
                       rng.choice(SEARCHES) if k % 8 else None, (True, False, None)[k % 3], name[:2], ".".join(octets[:2]) + "."))
    others[3] = (3, "Acme", "10.2.3.4", "%", "10.0.0.0/8", "a", True, "A", "10.")
    others[9] = (9, "Acme", "10.2.3.4", "%\\%%", "10.2.3.4/32", "a", True, "A", "1")
    others[10] = (10, "acme", "110.2.3.4", "acm_", "::/0", "west", False, "", "10.2.3.4")
    yield ("CREATE TABLE others (k int, name text, ip inet, pattern text, net inet, g text, flag boolean, start text, head text)")
    OTHERS[:] = others
    yield from insert("others", others)
    yield "CREATE TABLE one (k int, name text, ip inet, g text)"
    yield from insert("one", [(1, "acme", "10.2.3.4", "west")])
    yield "CREATE TABLE nothing (k int, name text, ip inet, g text, flag boolean)"
    yield "CREATE FUNCTION stable(anyelement) RETURNS anyelement LANGUAGE plpgsql STABLE AS 'BEGIN RETURN $1; END'"
    yield "CREATE FUNCTION volatile(anyelement) RETURNS anyelement LANGUAGE plpgsql VOLATILE AS 'BEGIN RETURN $1; END'"
    yield "CREATE DOMAIN person AS text"
    yield ("CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")


def random_pattern(rng, name):
    """A LIKE pattern that has to do with a name."""
    kind = rng.random()
    low = rng.randrange(len(name) + 1)
    high = rng.randrange(low, len(name) + 1)
    piece = escape_like(name[low:high])
    if kind < 0.2:
        return escape_like(name[:high]) + "%"
    if kind < 0.4:
        return "%" + piece + "%"
    if kind < 0.5:
        return "%" + escape_like(name[low:])
    if kind < 0.6:
        return escape_like(name)
    if kind < 0.7:
        return escape_like(name[:low]) + "_" + escape_like(name[low + 1:])
    if kind < 0.8:
        return escape_like(name[:low]) + "%" + escape_like(name[high:])
    if kind < 0.86:                             # escapes that need not be
        return "".join("\\" + c if c in "\\%_" or rng.random() < 0.4 else c for c in name[:high]) + "%"
    if kind < 0.93:
        return rng.choice(("%", "_%", "%_", "__", "", "%%", "_", "%\\%%", "%\\_%", "\\\\%", "%\\\\%", "%\\\\", "%a%b%", "_a%", "a_%"))
    pattern = "%" + piece + "%" + escape_like(name[high:]) + "_"
    return pattern


# --- conditions -------------------------------------------------------------------

class Pushed:
    """A condition that is promised to be sent: what with, if it is the only one on its field."""

    def __init__(self, role, values, several=False):
        self.role, self.values, self.several = role, values, several


class Leaf:
    """A condition as text; local differs from foreign for search columns only."""

    def __init__(self, foreign, local=None, pushed=None, none=False, fixed=False, several=False, never=False):
        self.foreign, self.local_text = foreign, local or foreign
        self.several = several      # several searches, though nothing is promised about the values
        self.never = never          # must not be sent
        self.pushed, self.none, self.fixed = pushed, none, fixed    # none: NULL, so there is no request

    def sql(self, local):
        return self.local_text if local else self.foreign

    def smaller(self):
        return []


class Tree:
    fixed = none = several = never = False
    pushed = None

    def __init__(self, word, kids):
        self.word, self.kids = word, kids

    def sql(self, local):
        if self.word == "NOT":
            return "NOT (%s)" % self.kids[0].sql(local)
        return "(%s)" % (" %s " % self.word).join(kid.sql(local) for kid in self.kids)

    def smaller(self):
        yield from self.kids
        if len(self.kids) > 2:
            for k in range(len(self.kids)):
                yield Tree(self.word, self.kids[:k] + self.kids[k + 1:])
        for k, kid in enumerate(self.kids):
            for less in kid.smaller():
                yield Tree(self.word, self.kids[:k] + [less] + self.kids[k + 1:])


class Query:
    """One random query: conditions in slots, and a function that puts it together."""

    def __init__(self, rng):
        self.rng = rng
        self.slots, self.settings, self.parameters = [], [], []
        self.build = None
        self.expect = ANSWER
        self.tables = []
        self.kind = ""
        self.watched = None     # (table, slot): its conditions are looked for in the log
        self.lookup = None      # (table, role, values): what a search for each outer row sends
        self.pushdown = True
        self.parametrised = False
        self.twice = False      # executed again with other parameters, and again with the first

    def texts(self):
        """(settings, foreign, local) as complete SQL."""
        texts = []
        for local in (False, True):
            filled = [" AND ".join(c.sql(local) for c in slot) or "true" for slot in self.slots]
            text = self.build(local, filled)
            if self.parametrised:
                types, values, others = zip(*self.parameters) if self.parameters else ((), (), ())
                text = "PREPARE q%s AS %s" % ("(%s)" % ", ".join(types) if types else "", text)
                for arguments in (values, others, values) if self.twice else (values,):
                    text += ";\nEXECUTE q%s" % ("(%s)" % ", ".join(arguments) if arguments else "")
                text += ";\nDEALLOCATE q"
            texts.append(text)
        return "".join("SET %s;\n" % s for s in self.settings), texts[0], texts[1]

    # --- values ---

    def value(self, text, sql_type="text", other=False):
        """(SQL of a value, whether it counts as one that is sent); text may be None.

        other: if it is a parameter, what a second execution gives it.
        """
        rng = self.rng
        kind = rng.random()
        literal = "%s::%s" % (quote(text), sql_type)
        if self.parametrised and kind < 0.6:
            self.parameters.append((sql_type, quote(text), quote(text if other is False else other)))
            return "$%d" % len(self.parameters), True
        if kind < 0.72:
            return quote(text) if rng.random() < 0.6 and text is not None else literal, True
        if kind < 0.76 and sql_type == "text":
            return literal + rng.choice(("::varchar", "::varchar(400)" if text and len(text) > 300 else "::varchar")), True
        if kind < 0.78 and sql_type == "text" and text is not None and len(text.encode()) < 60:
            return literal + "::name", False
        if kind < 0.84 and text is not None:
            name = "app.v%d" % len(self.settings)
            self.settings.append("%s = %s" % (name, quote(text)))
            return "current_setting('%s')%s" % (name, "" if sql_type == "text" else "::" + sql_type), True
        if kind < 0.88:
            return "(SELECT %s)" % literal, False
        if kind < 0.91:
            return "(SELECT max(x) FROM (VALUES (%s)) v(x))" % literal, False
        if kind < 0.94:
            return "stable(%s)" % literal, True
        if kind < 0.97:
            return "volatile(%s)" % literal, False
        return literal, True

    def values(self, texts, sql_type="text", others=None):
        """The same of an array."""
        rng = self.rng
        literal = array(texts, sql_type)
        if self.parametrised and rng.random() < 0.6:
            self.parameters.append((sql_type + "[]", literal, literal if others is None else array(others, sql_type)))
            return "$%d" % len(self.parameters), True
        if rng.random() < 0.08:
            return "stable(%s)" % literal, True
        if rng.random() < 0.05:
            return "(SELECT %s)::%s[]" % (literal, sql_type), False
        return literal, True

    # --- pieces that conditions are about ---

    def name(self):
        rng = self.rng
        name = rng.choice(NAMES)
        kind = rng.random()
        if kind < 0.72:
            return name
        if kind < 0.8:
            return name.swapcase()
        if kind < 0.85:
            return name[:-1]
        if kind < 0.9:
            return name + rng.choice(" %_\\a")
        if kind < 0.93:
            return rng.choice((" ", "\t", "", "nobody", "\u00c4", "x" * 2100, PARENT))
        if kind < 0.95:
            return None
        return name

    def ip(self):
        rng = self.rng
        kind = rng.random()
        if kind < 0.75:
            return rng.choice(ADDRESSES)
        if kind < 0.9:
            octets = rng.choice(ADDRESSES).split(".")
            octets[rng.randrange(4)] = str(rng.randrange(256))
            return ".".join(octets)
        return rng.choice((None, "9.9.9.9", "::1", "::ffff:10.2.3.4", "10.2.3.4/24", "10.2.3.4/31", "0.0.0.0", "255.255.255.255"))

    def network(self):
        rng = self.rng
        if rng.random() < 0.08:
            return rng.choice((None, "::/0", "2001:db8::/32", "0.0.0.0/0", "10.2.3.4"))
        octets = rng.choice(ADDRESSES)
        bits = rng.choice((0, 1, 4, 7, 8, 9, 12, 15, 16, 16, 17, 20, 23, 24, 24, 25, 28, 30, 31, 32))
        return "%s/%d" % (octets, bits)

    # --- conditions on one column ---

    def text_leaf(self, column, match, role, form=None):
        """A condition on a text; match None: never sent.  form: text form of an address."""
        rng = self.rng
        kind = rng.choice(("=", "=", "=", "like", "like", "like", "starts", "starts", "in", "in", "any", "any", "odd", "odd", "odd", "null"))

        if form == "text" and rng.random() < 0.4:
            kind = "like"

        def text():
            if role == "owner":
                return rng.choice(PARTNERS + ["sg", "nobody", None, "", ".", ".."])
            if role == "pool":
                return rng.choice(GROUPS)
            if role != "ip":
                return self.name()
            ip = self.ip()
            if ip and form == "text" and rng.random() < 0.7 and "/" not in ip:
                ip += "/32"
            return ip

        if rng.random() < 0.12 and match and not form:
            cast = rng.choice(("::text", "::varchar", ' COLLATE "C"', " COLLATE folded", "::person", "||''"))
            column += cast
            if cast in (" COLLATE folded", "||''"):
                match = None
            if cast == " COLLATE folded":
                value, _ = self.value(text())
                return Leaf("%s %s %s" % (column, rng.choice(("=", "<>")), value), never=True)
        if kind == "=":
            wanted = text()
            value, sent = self.value(wanted, other=text())
            condition = "%s = %s" % ((column, value) if rng.random() < 0.75 else (value, column))
            return Leaf(condition, pushed=self.equal_pushed(role, match, [wanted], form) if sent else None,
                        none=sent and wanted is None and match is not None, never=value.startswith("volatile"))
        if kind == "like":
            base = text() or "a"
            pattern = random_pattern(rng, base)
            if form and rng.random() < 0.5:     # pieces that the mask has as well
                pattern = rng.choice(("%32%", "%32", "%/32", "%2", "%2%", "%3%", "%3_", "%_32", "10.%2", "%/3_", "%.3/32", "%.32", "1%/%", "%2.3%"))
            value, sent = self.value(pattern)
            operator = rng.choice(("LIKE", "LIKE", "LIKE", "LIKE", "~~", "NOT LIKE", "ILIKE", "NOT ILIKE"))
            if operator in ("LIKE", "~~"):
                if rng.random() < 0.1 and "!" not in pattern:
                    bang = re.sub(r"\\(.)", r"!\1", pattern, flags=re.S)
                    bang = bang if "\\" not in bang else None
                    if bang is not None:
                        return Leaf("%s LIKE %s ESCAPE '!'" % (column, quote(bang)), pushed=self.like_pushed(role, match, pattern, form))
                return Leaf("%s %s %s" % (column, operator, value), pushed=self.like_pushed(role, match, pattern, form) if sent else None,
                            never=value.startswith("volatile"))
            return Leaf("%s %s %s" % (column, operator, value), never=True)
        if kind == "starts":
            start = (text() or "")
            start = start[:rng.randrange(len(start) + 1)]
            value, sent = self.value(start)
            pushed = None
            if match in ("prefix", "anywhere", "folded"):
                pushed = self.piece_pushed(role, match, start, form)
            return Leaf(rng.choice(("%s ^@ %s", "starts_with(%s, %s)")) % (column, value), pushed=pushed if sent else None)
        if kind == "in":
            wanted = [text() for _ in range(rng.choice((1, 2, 2, 3, 4, 8)))]
            pushed = self.equal_pushed(role, match, wanted, form)
            if rng.random() < 0.3:
                return Leaf("(%s)" % " OR ".join("%s = %s" % (column, quote(w)) for w in wanted), pushed=pushed)
            if rng.random() < 0.2:
                return Leaf("%s NOT IN (%s)" % (column, ", ".join(map(quote, wanted))), never=len(wanted) > 1)
            if rng.random() < 0.1:
                return Leaf("%s IN (VALUES %s)" % (column, ", ".join("(%s)" % quote(w) for w in wanted)))
            return Leaf("%s IN (%s)" % (column, ", ".join(map(quote, wanted))), pushed=pushed)
        if kind == "any":
            wanted = [text() for _ in range(rng.choice((0, 1, 2, 3, 5)))]
            wanted += rng.choice(([], [], [None], wanted[:1]))
            value, sent = self.values(wanted, others=[text(), text()] if not any(w and w.endswith("\\") for w in wanted) else None)
            if rng.random() < 0.2:
                value = value if not value.startswith("$") else array(wanted)
                return Leaf("%s %s (%s)" % (column, rng.choice(("<> ALL", "<> ANY", "= ALL", "~~ ANY", "!~~ ALL")), value
                                            if not any(w and w.endswith("\\") for w in wanted) else array(["a%"])), never=True)
            return Leaf("%s = ANY (%s)" % (column, value), pushed=self.equal_pushed(role, match, wanted, form) if sent else None,
                        none=sent and match is not None and not [w for w in wanted if w is not None])
        if kind == "null":
            return Leaf("%s IS %sNULL" % (column, rng.choice(("", "NOT "))), never=True)
        first, second = text(), text()
        if rng.random() < 0.1:                  # equality in other words, and a choice of two: may be sent
            return Leaf(rng.choice(("%s IS NOT DISTINCT FROM %s" % (column, quote(first)), "(%s = %s) IS TRUE" % (column, quote(first)),
                                    "CASE WHEN %s = %s THEN true ELSE %s LIKE '%%a%%' END" % (column, quote(first or "a"), column))))
        return Leaf(rng.choice((
            lambda: "%s <> %s" % (column, self.value(first)[0]),
            lambda: "%s < %s" % (column, quote(first)),
            lambda: "%s >= %s" % (column, quote(first)),
            lambda: "%s BETWEEN %s AND %s" % (column, quote(first), quote(second)),
            lambda: "%s IS DISTINCT FROM %s" % (column, quote(first)),
            lambda: "lower(%s) = lower(%s)" % (column, quote(first)),
            lambda: "%s::citext = %s" % (column, quote(first)),
            lambda: "%s::citext LIKE %s" % (column, quote(random_pattern(rng, first or "a"))),
            lambda: "%s::char(400) = %s::char(400)" % (column, quote(first)),
            lambda: "length(%s) > %d" % (column, rng.randrange(12)),
            lambda: "%s ~ '^[a-z]'" % column,
            lambda: "%s SIMILAR TO '(a|b|A)%%'" % column,
            lambda: "coalesce(%s, '') = %s" % (column, quote(first)),
            lambda: "(%s = %s) IS NOT TRUE" % (column, quote(first)),
            lambda: "%s = %s" % (column, column),
            lambda: "%s || 'x' = %s" % (column, quote((first or "") + "x")),
        ))(), never=True)

    def usable(self, role, match, value, form):
        """The part of a whole value that is sent, or None."""
        if form:
            value = value.split("/")[0]
            if ":" in value:
                return None
        if match == "folded":
            value = re.match("[\x00-\x7f]*", value)[0]
        if len(value.encode()) > 2000:
            return None
        return value or None

    def equal_pushed(self, role, match, wanted, form):
        if match is None:
            return None
        wanted = list(dict.fromkeys(w for w in wanted if w is not None))
        if not wanted:
            return None
        parts = [self.usable(role, match, w, form) for w in wanted]
        if None in parts:
            return None
        if match == "exact" and (parts != wanted or
                                 role == "ip" and not all(re.fullmatch(r"\d+\.\d+\.\d+\.\d+", p) for p in parts)):
            return None
        return Pushed(role, parts, len(wanted) > 1)

    def like_pushed(self, role, match, pattern, form):
        if match in (None, "exact"):
            return None
        pieces, begins, _ = like_pieces(pattern)
        if match in ("prefix", "folded"):
            pieces = pieces[:1] if begins else []
        if not pieces:
            return None
        if form == "text" and all(p.split("/")[0] in "32" for p in pieces if len(p.encode()) == max(len(q.encode()) for q in pieces)):
            return None                         # it might stand for the mask alone
        longest = max(len(p.encode()) for p in pieces)
        return self.piece_pushed(role, match, next(p for p in pieces if len(p.encode()) == longest), form)

    def piece_pushed(self, role, match, piece, form):
        part = self.usable(role, match, piece, form)
        return Pushed(role, [part]) if part else None

    def inet_leaf(self, column, match, role="ip"):
        rng = self.rng
        kind = rng.random()
        if kind < 0.2:
            form = rng.choice(("host", "text", "abbrev"))
            spelled = rng.choice(("%s(%s)" % (form, column), column + "::text")) if form == "text" else "%s(%s)" % (form, column)
            return self.text_leaf(spelled, match, role, form)
        if kind < 0.36:
            wanted = self.ip()
            value, sent = self.value(wanted, "inet", other=self.ip())
            is_sent = sent and match and wanted and ":" not in wanted
            return Leaf("%s = %s" % ((column, value) if rng.random() < 0.7 else (value, column)),
                        pushed=Pushed("ip", [wanted.split("/")[0]]) if is_sent else None,
                        none=sent and wanted is None and match is not None)
        if kind < 0.62:
            network = self.network()
            value, sent = self.value(network, rng.choice(("inet", "inet", "cidr")) if network is None or "/" not in network else "inet")
            operator = rng.choice(("<<", "<<=", "<<=", "&&", ">>", ">>="))
            commuted = rng.random() < 0.3
            flip = {"<<": ">>", "<<=": ">>=", ">>": "<<", ">>=": "<<=", "&&": "&&"}
            condition = "%s %s %s" % ((value, flip[operator], column) if commuted else (column, operator, value))
            pushed = None
            if sent and network and operator in ("<<", "<<=", "&&") and match in ("prefix", "anywhere"):
                pushed = self.network_pushed(network)
            return Leaf(condition, pushed=pushed, none=sent and network is None and match is not None and operator in ("<<", "<<=", "&&"))
        if kind < 0.74:
            low, high = sorted((rng.choice(ADDRESSES), rng.choice(ADDRESSES)), key=lambda a: [int(o) for o in a.split(".")])
            if rng.random() < 0.6:
                high = ".".join(low.split(".")[:rng.choice((1, 2, 3))] + ["255"] * 3)
                high = ".".join(high.split(".")[:4])
            first, sent = self.value(low, "inet")
            second, also = self.value(high, "inet")
            pushed = None
            if sent and also and match in ("prefix", "anywhere"):
                octets = []
                for a, b in zip(low.split("."), high.split(".")):
                    if a != b:
                        break
                    octets.append(a)
                if octets:
                    pushed = Pushed("ip", [".".join(octets) + ("." if len(octets) < 4 else "")])
            if rng.random() < 0.5:
                return Leaf("%s BETWEEN %s AND %s" % (column, first, second), pushed=pushed)
            return Leaf("%s %s %s AND %s %s %s" % ((column, ">=", first, column, "<=", second) if rng.random() < 0.5 else
                                                   (second, ">=", column, first, "<=", column)), pushed=pushed)
        if kind < 0.88:
            wanted = [self.ip() for _ in range(rng.choice((0, 1, 2, 3, 6)))]
            value, sent = self.values(wanted, "inet", others=[self.ip(), self.ip()])
            if rng.random() < 0.3 and wanted:
                value, sent = None, True
            distinct = list(dict.fromkeys(w for w in wanted if w is not None))
            pushed = None
            if sent and match and distinct and not any(":" in w for w in distinct):
                pushed = Pushed("ip", [w.split("/")[0] for w in distinct], len(distinct) > 1)
            if value is None:
                return Leaf("%s IN (%s)" % (column, ", ".join("%s::inet" % quote(w) for w in wanted)), pushed=pushed)
            if rng.random() < 0.15:
                return Leaf("%s <> ALL (%s)" % (column, value), never=True)
            return Leaf("%s = ANY (%s)" % (column, value), pushed=pushed, none=sent and match is not None and not distinct)
        one, two = quote(self.ip()), quote(self.network())
        return Leaf(rng.choice((
            "%s <> %s" % (column, one), "%s < %s" % (column, one), "%s > %s" % (column, one), "%s >= %s" % (column, one),
            "%s <= %s::inet" % (column, two), "%s IS NOT NULL" % column, "%s IS NULL" % column, "family(%s) = 4" % column,
            "masklen(%s) = 32" % column, "set_masklen(%s, 16) = set_masklen(%s::inet, 16)" % (column, one) if ":" not in one else "true",
            "network(%s) <<= %s" % (column, two), "NOT (%s << %s)" % (column, two), "broadcast(%s) = %s" % (column, one),
            "%s IS DISTINCT FROM %s" % (column, one), "%s BETWEEN SYMMETRIC '110.0.0.0' AND %s" % (column, one),
            "%s BETWEEN '1.0.0.0' AND '11.0.0.0'" % column, "%s NOT BETWEEN '1.0.0.0' AND '11.0.0.0'" % column,
            "%s > '10.2.3.0/24'" % column,
            "%s < '10.2.3.0/24'" % column, "%s <= '10.2.3.4/24' AND %s >= '10.2.3.0/16'" % (column, column))))

    def leaf(self, table, alias):
        """A condition on a column of the table."""
        roles = [r for r in ("ip", "user", "user", "pool", "owner", "owner") if table.has(r)]
        roles += [r for r in ("pools", "warmup", "region", "rdns", "account") if table.has(r)][:1]
        roles += [r for r in ("leased", "enabled", "parent", "pool_ids", "pool_ids", "added", "added", "regions", "regions") if table.has(r)]
        role = self.rng.choice(roles)
        column = table.column(role, alias)
        if role in ("pool_ids", "regions"):
            return self.list_leaf(column, role)
        if role == "added":
            return self.time_leaf(column)
        if table.type(role) == "boolean" and role != "warmup":
            return self.boolean_leaf(column, role, table.param.get(role))
        if role == "pools":
            return Leaf("%s %s %s" % (column, self.rng.choice(("@>", "&&", "<>")), array([self.rng.choice(GROUPS)])))
        if role == "region":
            condition = self.rng.choice(("= 'eu'", "= 'global'", "IN ('eu', 'global')", "<> 'eu'", "LIKE 'e%'", "= 'us'", "IN ('us', 'eu')"))
            sent = table.task == "subusers" and condition[0] == "=" and condition != "= 'us'"
            return Leaf("%s %s" % (column, condition), pushed=Pushed("region", [condition[3:-1]]) if sent else None,
                        several=condition == "IN ('eu', 'global')")
        if role == "account":
            return Leaf("%s %s" % (column, self.rng.choice(("= 'north'", "= 'south'", "<> 'south'", "IN ('north', 'x')", "LIKE 'n%'"))))
        if role in ("warmup", "rdns"):
            return Leaf(column + (" IS NOT NULL" if role == "rdns" else ""))
        if table.type(role) == "inet":
            return self.inet_leaf(column, table.match.get(role))
        leaf = self.text_leaf(column, table.match.get(role), role)
        if role == "owner":
            leaf.pushed = None                  # it is part of the path
        return leaf

    def boolean_leaf(self, column, role, param):
        """A condition on a boolean fact."""
        true, false = Pushed(role, ["true"]), Pushed(role, ["false"])
        form, pushed = self.rng.choice((
            ("%s", true), ("%s = true", true), ("%s IS TRUE", true), ("NOT %s", false), ("%s = false", false), ("false = %s", false),
            ("%s IS FALSE", false), ("%s <> true", false), ("%s IS NOT TRUE", None), ("%s IS NOT FALSE", None), ("%s IS NULL", None),
            ("%s IS UNKNOWN", None), ("%s IN (true, false)", None), ("%s = ANY ('{t}'::boolean[])", true), ("%s < true", None),
            ("coalesce(%s, true)", None), ("%s::text LIKE 't%%'", None)))
        return Leaf(form % column, pushed=pushed if param else None)

    def list_leaf(self, column, role):
        """A condition on a list of which the API can be asked for one value."""
        rng = self.rng
        sql_type, known = ("bigint", sorted(POOL_IDS.values())) if role == "pool_ids" else ("text", ["eu", "us"])
        one, two = str(rng.choice(known)), str(rng.choice(known + [99999 if role == "pool_ids" else "mars"]))
        value, sent = self.value(one, sql_type, other=two)
        both = array([one, two], sql_type)
        if rng.random() < 0.5:
            return Leaf("%s = ANY (%s)" % (value, column), pushed=Pushed(role, [one]) if sent else None)
        if rng.random() < 0.5:
            return Leaf(rng.choice(("%s @> %s", "%s @> %s AND true")) % (column, array([one], sql_type)), pushed=Pushed(role, [one]))
        return Leaf(rng.choice(("%s @> %s", "%s && %s", "%s <> %s", "NOT %s @> %s", "%s <@ %s", "%s = %s")) % (column, both))

    def time_leaf(self, column):
        """A condition on when an IP was added."""
        rng = self.rng
        low = rng.randrange(0, 300)
        seconds = ADDED + 60 * low + rng.choice((-1, 0, 0, 1, 30))
        text = time.strftime("%Y-%m-%d %H:%M:%S+00", time.gmtime(seconds))
        later = time.strftime("%Y-%m-%d %H:%M:%S+00", time.gmtime(seconds + rng.choice((0, 60, 3600))))
        value, sent = self.value(text, "timestamptz", other=later)
        pushed = Pushed("added", [str(seconds - 1)]) if sent else None
        kind = rng.random()
        if kind < 0.4:
            return Leaf("%s %s %s" % ((column, rng.choice((">", ">=")), value) if rng.random() < 0.7 else (value, rng.choice(("<", "<=")), column)),
                        pushed=pushed)
        if kind < 0.6:
            return Leaf("%s BETWEEN %s AND %s" % (column, value, quote(later)), pushed=pushed)
        return Leaf("%s %s %s" % (column, rng.choice(("<", "<=", "=", "<>")), value))

    def pair_leaf(self, table, alias):
        """Both columns at once."""
        ip, user = table.column("ip", alias), table.column("user", alias)
        cast = "::inet" if table.type("ip") == "inet" else ""
        pairs = ["(%s%s, %s)" % (quote(self.rng.choice(ADDRESSES)), cast, quote(self.rng.choice(NAMES))) for _ in range(3)]
        return Leaf("(%s, %s) %s" % (ip, user, self.rng.choice(("IN (%s)" % ", ".join(pairs), "= " + pairs[0], "> " + pairs[0]))))

    def choice(self, table, alias, depth=0):
        """Text of a condition in which something known when the scan starts chooses between conditions on columns, or they between that."""
        rng = self.rng
        if depth > 2 or depth and rng.random() < 0.7:
            return self.leaf(table, alias).sql(False) if rng.random() < 0.6 else "true"

        def text():
            return known(self, rng.choice(("a", "b", None)))
        one, two = (self.choice(table, alias, depth + 1) for _ in range(2))
        fact = rng.choice(("%s = 'a'", "%s IS NULL", "%s <> 'b'", "coalesce(%s, 'a') = 'a'", "CASE %s WHEN 'a' THEN true WHEN 'b' THEN false END")) % text()
        simple = rng.choice((text(), "coalesce(%s, 'a')" % text(), "CASE %s WHEN 'a' THEN 'b' WHEN 'b' THEN 'a' ELSE 'c' END" % text(),
                             "CASE coalesce(%s, 'a') WHEN 'b' THEN 'a' ELSE 'b' END" % text()))
        return rng.choice(("CASE WHEN {k} THEN {a} ELSE {b} END", "CASE WHEN {a} THEN {k} ELSE {b} END", "CASE WHEN {a} THEN {b} WHEN {k} THEN true END",
                           "CASE {t} WHEN {v} THEN {a} WHEN 'b' THEN {b} ELSE {k} END", *("CASE {t} WHEN {v} THEN {a} ELSE {b} END",) * 3,
                           "coalesce({k}, {a})", "coalesce({a}, {k})", "coalesce(nullif({k}, false), {a})", "({k} AND {a} OR {b})", "({a} AND {k} OR NOT {k} AND {b})",
                           "({k} OR {a}) IS TRUE", "({a} AND {k}) IS NOT FALSE", "NOT ({k} AND NOT ({a}))", "({a}) IS NOT DISTINCT FROM ({k})", "({k}) = ({a})")).format(
                               k="(%s)" % fact, a="(%s)" % one, b="(%s)" % two, t=text(), v=simple)

    def tree(self, table, alias, depth=0):
        rng = self.rng
        kind = rng.random()
        if depth > 2 or kind < 0.6:
            if table.has("ip") and table.has("user") and rng.random() < 0.04:
                return self.pair_leaf(table, alias)
            return self.leaf(table, alias)
        if kind < 0.7:
            return Tree("NOT", [self.tree(table, alias, depth + 1)])
        word = "OR" if kind < 0.88 else "AND"
        return Tree(word, [self.tree(table, alias, depth + 1) for _ in range(rng.choice((2, 2, 3)))])

    def conjuncts(self, table, alias, most=3):
        return [self.tree(table, alias) for _ in range(self.rng.choice(range(most + 1)))]

    # --- search columns ---

    def group_leaf(self, table, alias, search):
        """A condition that gives the group column a value."""
        rng = self.rng
        column = table.column("group", alias)
        wanted = rng.choice(SEARCHES)
        search.group = "whole"
        kind = rng.random()
        if kind < 0.35:
            value, _ = self.value(wanted)
            if value.startswith("volatile"):
                value = quote(wanted)
            return Leaf("%s = %s" % ((column, value) if rng.random() < 0.7 else (value, column)), fixed=True,
                        pushed=Pushed("group", [wanted]) if not table.v3 else None)
        if kind < 0.6:
            several = [rng.choice(SEARCHES + [None]) for _ in range(rng.choice((1, 2, 3, 5)))] + [wanted]
            distinct = list(dict.fromkeys(s for s in several if s is not None))
            pushed = Pushed("group", distinct, len(distinct) > 1) if not table.v3 else None
            if rng.random() < 0.4:
                return Leaf("(%s)" % " OR ".join("%s = %s" % (column, quote(s)) for s in several), fixed=True, pushed=pushed)
            if rng.random() < 0.5:
                return Leaf("%s IN (%s)" % (column, ", ".join(map(quote, several))), fixed=True, pushed=pushed)
            return Leaf("%s = ANY (%s)" % (column, self.values(several)[0]), fixed=True, pushed=pushed)
        if kind < 0.85 and table.match.get("group", "anywhere") == "anywhere":
            search.group = "part"
            value, _ = self.value("%" + escape_like(wanted) + "%")
            if value.startswith("volatile"):
                value = quote("%" + escape_like(wanted) + "%")
            return Leaf("%s LIKE %s" % (column, value), "%s = %s" % (column, quote(wanted)), fixed=True,
                        pushed=Pushed("group", [wanted]) if not table.v3 else None)
        if kind < 0.9:
            name, other = quote(rng.choice(NAMES)), quote(rng.choice(NAMES))
            user = table.column("user", alias)
            return Leaf("((%s = %s AND %s = %s) OR (%s = %s AND %s <> %s))" % (
                column, quote(wanted), user, name, column, quote(wanted), user, other), fixed=True)
        return Leaf("%s = NULL" % column if rng.random() < 0.3 else "%s = %s AND %s <> %s" % (
            column, quote(wanted), column, quote(rng.choice(SEARCHES))), fixed=True)

    def system_leaf(self, table, alias, search):
        column = table.column("system", alias)
        search.system = True
        true = ("%s", "%s = true", "%s IS TRUE", "true = %s", "%s <> false", "%s IS NOT FALSE", "%s = 't'::boolean")
        false = ("NOT %s", "%s = false", "%s IS FALSE", "%s IS NOT TRUE", "%s <> true")
        both = ("%s IN (true, false)", "%s = ANY ('{t,f,t}'::boolean[])", "%s = ANY (ARRAY[true, NULL, false])")
        kind = self.rng.random()
        if kind < 0.5:
            return Leaf(self.rng.choice(true) % column, fixed=True, pushed=Pushed("system", ["true"]))
        if kind < 0.8:
            return Leaf(self.rng.choice(false) % column, fixed=True)
        return Leaf(self.rng.choice(both) % column, fixed=True, several=True)

    def searches(self, table, alias):
        """(Search, conditions) of one use of a table; often none."""
        search, leaves = Search(), []
        if table.has("group") and self.rng.random() < 0.25:
            leaves.append(self.group_leaf(table, alias, search))
        if table.has("system") and self.rng.random() < 0.2:
            leaves.append(self.system_leaf(table, alias, search))
        return search, leaves


ADDRESSES = []


def network_pushed(self, network):
    address, _, bits = network.partition("/")
    if ":" in address:
        return None
    octets = int(bits or 32) // 8
    if octets == 0:
        return None
    return Pushed("ip", [".".join(address.split(".")[:octets]) + ("." if octets < 4 else "")])


Query.network_pushed = network_pushed


# --- kinds of queries -----------------------------------------------------------------

def table_text(table, search, local):
    return table.local(search) if local else table.foreign()


def shown(query, table, alias, search):
    """A random list of columns to show; a search column without value may be shown."""
    roles = list(table.columns)
    chosen = [r for r in roles if query.rng.random() < 0.7] or roles[:1]
    return [table.column(role, alias) for role in chosen]


def plain(query, tables):
    """One table."""
    rng, table = query.rng, rng_choice(query, tables)
    search, leaves = query.searches(table, "t")
    conditions = [query.leaf(table, "t") for _ in range(rng.choice((1, 1, 2)))] if rng.random() < 0.5 else query.conjuncts(table, "t")
    query.slots.append(conditions + leaves)
    columns = shown(query, table, "t", search)
    kind = rng.random()
    facts = [table.column(r, "t") for r in table.columns if r not in ("group", "system") or
             (r == "group" and search.group) or (r == "system" and search.system)]
    tail = ""
    if kind < 0.45:
        head = "SELECT " + ", ".join(columns)
        query.watched = (table, 0)
    elif kind < 0.55:
        head = "SELECT DISTINCT " + ", ".join(columns)
        query.watched = (table, 0)
    elif kind < 0.7:
        head = "SELECT " + ", ".join(facts)
        tail = " ORDER BY %s LIMIT %d OFFSET %d" % (", ".join(facts), rng.choice((0, 1, 3, 10, 1000)), rng.choice((0, 0, 2)))
    elif kind < 0.82:
        key = rng.choice(facts)
        head = "SELECT %s, count(*), min(%s), count(DISTINCT %s)" % (key, facts[0], rng.choice(facts))
        tail = " GROUP BY %s" % key + rng.choice(("", " HAVING count(*) > 1", " HAVING %s IS NOT NULL" % key))
        if search.group == "part" and key == table.column("group", "t"):
            tail = tail.partition(" HAVING")[0]         # PostgreSQL moves it to WHERE, and beside LIKE it is refused
        query.watched = (table, 0)
    elif kind < 0.9:
        head = "SELECT count(*), max(%s)" % facts[0]
        query.watched = (table, 0)
    elif kind < 0.95:
        head = "SELECT %s, row_number() OVER (ORDER BY %s)" % (", ".join(facts), ", ".join(facts))
    else:
        head = "SELECT 1"
        query.watched = (table, 0)

    def build(local, where):
        return "%s FROM %s t WHERE %s%s" % (head, table_text(table, search, local), where[0], tail)
    query.tables = [table]
    query.build = build


def lookup(query, tables):
    """A search for each outer row, whose values are looked for in the log."""
    rng = query.rng
    table = rng_choice(query, [t for t in tables if t.match.get("ip") or t.match.get("user")])
    role = rng.choice([r for r in ("ip", "user") if table.match.get(r)])
    match, column = table.match[role], table.column(role, "t")
    form = "host" if role == "ip" and table.type("ip") == "inet" else None
    text = "host(%s)" % column if form else column

    def whole(value):
        return query.equal_pushed(role, match, [value], form)

    choices = []
    if role == "user":
        choices += [("%s = o.name" % column, "name", whole), ("o.name = %s" % column, "name", whole),
                    ("%s = lower(o.name)" % column, None, None)]
    else:
        choices += [("%s = host(o.ip)" % text, "ip", whole)]
        if form:
            choices += [("%s = o.ip" % column, "ip", whole), ("o.net >>= %s" % column, "net", None), ("%s << o.net" % column, "net", None)]
    if match != "exact":
        start = "start" if role == "user" else "head"
        choices += [("%s ^@ o.%s" % (text, start), start, lambda v: query.piece_pushed(role, match, v, form)),
                    ("starts_with(%s, o.%s)" % (text, start), start, lambda v: query.piece_pushed(role, match, v, form)),
                    ("%s LIKE o.pattern" % text, "pattern", lambda v: query.like_pushed(role, match, v, form))]
    condition, source, expected = rng.choice(choices)
    if source == "net":
        def expected(value):
            return query.network_pushed(value)
        if match == "exact":
            source = None
    query.slots.append([])
    if source and query.pushdown:
        values = {row[OTHERS_COLUMNS.index(source)] for row in OTHERS} - {None}
        query.lookup = (table, role, {pushed.values[0] if pushed else None for pushed in map(expected, values)})
    columns = ", ".join(table.column(r, "t") for r in table.columns if r not in ("group", "system"))

    def build(local, where):
        return "SELECT o.k, s.* FROM others o, LATERAL (SELECT %s FROM %s t WHERE %s OFFSET 0) s" % (
            columns, table_text(table, Search(), local), condition)
    query.tables = [table]
    query.build = build


OTHERS_COLUMNS = ("k", "name", "ip", "pattern", "net", "g", "flag", "start", "head")
OTHERS = []


def rng_choice(query, tables, role=None):
    """A table with that role; without one, a table that others can be compared with."""
    chosen = [t for t in tables if (t.has(role) if role else t.has("ip") or t.has("user"))]
    return query.rng.choice(chosen)


def join_condition(query, table, alias, other, equal_only=False):
    """Comparison of a table with the local table of other values, or with another foreign table."""
    rng = query.rng
    choices = []
    ip = table.column("ip", alias) if table.has("ip") else None
    address = ip if ip is None or table.type("ip") == "inet" else None
    text_ip = None if ip is None else ip if address is None else "host(%s)" % ip
    if table.has("user"):
        user = table.column("user", alias)
        choices += ["%s = %s.name" % (user, other)] * 3
        if not equal_only:
            choices += ["%s LIKE %s.pattern" % (user, other), "%s ^@ %s.start" % (user, other), "starts_with(%s, %s.start)" % (user, other),
                        "%s = ANY (ARRAY[%s.name, %s.start])" % (user, other, other), "(%s = %s.name OR %s = 'acme')" % (user, other, user),
                        "%s = %s.name || ''" % (user, other), "%s <> %s.name" % (user, other), "%s = lower(%s.name)" % (user, other)]
        if ip:
            choices += ["%s = %s.name AND %s = %s" % (user, other, *((address, other + ".ip") if address else (text_ip, "host(%s.ip)" % other)))]
    if ip:
        if address:
            choices += ["%s = %s.ip" % (address, other)] * 2
            if not equal_only:
                choices += ["%s <<= %s.net" % (address, other), "%s >>= %s" % (other + ".net", address), "%s && %s.net" % (address, other),
                            "%s BETWEEN %s.ip AND %s.ip + 300" % (address, other, other), "%s > %s.ip" % (address, other)]
        choices += ["%s = host(%s.ip)" % (text_ip, other)]
        if not equal_only:
            choices += ["%s LIKE %s.head || '%%'" % (text_ip, other), "%s ^@ %s.head" % (text_ip, other)]
    if table.has("pool"):
        choices += ["%s = %s.name" % (table.column("pool", alias), other)]
    return rng.choice(choices)


JOINS = ("JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN")


def join_local(query, tables):
    """A table with local values, any join."""
    rng, table = query.rng, rng_choice(query, tables)
    search, leaves = query.searches(table, "t")
    join = rng.choice(JOINS)
    on = join_condition(query, table, "t", "o", equal_only=join == "FULL JOIN")
    inside = rng.random() < 0.5 and join != "JOIN"
    conditions = query.conjuncts(table, "t", 2)
    query.slots.append(conditions)
    # a search column needs its value before the join, whichever side it is on
    query.slots.append(leaves)
    other = rng.choice(("others", "others", "others", "one", "nothing"))
    if other != "others" and re.search(r"o\.(pattern|start|net|head|flag)", on):
        other = "others"
    columns = [table.column(r, "t") for r in table.columns if r not in ("group", "system")] + ["o.k"]
    swap = rng.random() < 0.5 and join in ("JOIN", "FULL JOIN")
    aggregate = rng.random() < 0.3
    tail = " ORDER BY %s LIMIT 7" % ", ".join(columns) if not aggregate and rng.random() < 0.2 else ""

    def build(local, where):
        source = table_text(table, search, local)
        if leaves:
            source = "(SELECT * FROM %s t WHERE %s)" % (source, where[1])
        left, right = (("others_", source) if swap else (source, "others_"))
        sides = ["%s o" % other if s == "others_" else "%s t" % s for s in (left, right)]
        text = "SELECT %s FROM %s %s %s ON %s" % (
            "o.k, count(*), count(%s)" % columns[0] if aggregate else ", ".join(columns), sides[0], join, sides[1], on)
        text += " AND %s" % where[0] if inside and join != "FULL JOIN" else " WHERE %s" % where[0]
        return text + (" GROUP BY o.k" if aggregate else tail)
    query.tables = [table]
    query.build = build


def semi(query, tables):
    """EXISTS, IN and their negations, either way round; correlated subselects; LATERAL."""
    rng, table = query.rng, rng_choice(query, tables)
    search, leaves = query.searches(table, "t")
    query.slots.append(query.conjuncts(table, "t", 2) + leaves)
    on = join_condition(query, table, "t", "o")
    facts = [table.column(r, "t") for r in table.columns if r not in ("group", "system")]
    what = [r for r in ("user", "ip") if table.has(r)][0]
    key = table.column(what, "t")
    matching = "o.name" if what == "user" else "o.ip" if table.type("ip") == "inet" else "host(o.ip)"
    kind = rng.randrange(10)
    first = ", ".join(facts)

    def build(local, where):
        t = table_text(table, search, local) + " t"
        return (
            "SELECT %s FROM %s WHERE EXISTS (SELECT FROM others o WHERE %s) AND %s" % (first, t, on, where[0]),
            "SELECT %s FROM %s WHERE NOT EXISTS (SELECT FROM others o WHERE %s) AND %s" % (first, t, on, where[0]),
            "SELECT o.k FROM others o WHERE EXISTS (SELECT FROM %s WHERE %s AND %s)" % (t, on, where[0]),
            "SELECT o.k FROM others o WHERE NOT EXISTS (SELECT FROM %s WHERE %s AND %s)" % (t, on, where[0]),
            "SELECT %s FROM %s WHERE %s IN (SELECT %s FROM others o WHERE o.k > 4) AND %s" % (first, t, key, matching, where[0]),
            "SELECT o.k FROM others o WHERE %s IN (SELECT %s FROM %s WHERE %s)" % (matching, key, t, where[0]),
            "SELECT o.k FROM others o WHERE %s NOT IN (SELECT %s FROM %s WHERE %s)" % (matching, key, t, where[0]),
            "SELECT o.k, (SELECT count(*) FROM %s WHERE %s AND %s) FROM others o" % (t, on, where[0]),
            "SELECT o.k, s.* FROM others o%s LATERAL (SELECT %s FROM %s WHERE %s AND %s ORDER BY %s LIMIT 3) s%s" % (
                *((" LEFT JOIN",) if query.number % 2 else (" CROSS JOIN",)), first, t, on, where[0], first,
                " ON true" if query.number % 2 else ""),
            "SELECT %s FROM %s WHERE %s = (SELECT min(%s) FROM others o WHERE o.k > 2) AND %s" % (first, t, key, matching, where[0])
            if not matching.startswith("host") else
            "SELECT %s FROM %s WHERE %s = (SELECT host(min(o.ip)) FROM others o WHERE o.k > 2) AND %s" % (first, t, key, where[0]),
        )[kind]
    query.tables = [table]
    query.build = build


def join_foreign(query, tables):
    """Two uses of foreign tables, perhaps of one."""
    rng = query.rng
    one = rng_choice(query, tables)
    two = one if rng.random() < 0.4 else rng_choice(query, tables)
    one_search, one_leaves = query.searches(one, "t")
    two_search, two_leaves = query.searches(two, "u")
    query.slots += [query.conjuncts(one, "t", 2) + one_leaves, query.conjuncts(two, "u", 2) + two_leaves]
    roles = [r for r in ("ip", "user") if one.has(r) and two.has(r)]
    if not roles:
        two, two_search = one, one_search
        query.slots[1] = []
        if one_leaves:
            query.slots[1] = [Leaf(c.foreign.replace("t.", "u."), c.local_text.replace("t.", "u."), fixed=True) for c in one_leaves]
        roles = [r for r in ("ip", "user") if one.has(r)]
    on = []
    for role in roles if rng.random() < 0.4 else [rng.choice(roles)]:
        left, right = one.column(role, "t"), two.column(role, "u")
        if role == "ip" and one.type("ip") != two.type("ip"):
            left, right = (("host(%s)" % c if t.type("ip") == "inet" else c + "::text") for c, t in ((left, one), (right, two)))
        on.append("%s = %s" % (left, right))
    join = rng.choice(("JOIN", "JOIN", "LEFT JOIN", "FULL JOIN", "semi", "anti", "where"))
    columns = [one.column(r, "t") for r in one.columns if r not in ("group", "system")]
    both = columns + [two.column(r, "u") for r in two.columns if r not in ("group", "system")]
    third = rng.random() < 0.2 and join == "where" and "user" in roles

    def build(local, where):
        t, u = table_text(one, one_search, local), table_text(two, two_search, local)
        if join in ("semi", "anti"):
            return "SELECT %s FROM %s t WHERE %s AND %sEXISTS (SELECT FROM %s u WHERE %s AND %s)" % (
                ", ".join(columns), t, where[0], "NOT " if join == "anti" else "", u, " AND ".join(on), where[1])
        if join == "where":
            return "SELECT count(*), min(%s) FROM %s t, %s u%s WHERE %s AND %s AND %s%s" % (
                both[0], t, u, ", others o" if third else "", " AND ".join(on), where[0], where[1],
                " AND %s = o.name" % one.column("user", "t") if third else "")
        return "SELECT %s FROM (SELECT * FROM %s t WHERE %s) t %s (SELECT * FROM %s u WHERE %s) u ON %s" % (
            ", ".join(both), t, where[0], join, u, where[1], " AND ".join(on))
    query.tables = [one, two]
    query.build = build


def combined(query, tables):
    """UNION and its like; CTEs; subqueries with the condition outside."""
    rng = query.rng
    one = rng_choice(query, tables)
    two = rng.choice([t for t in tables if [r for r in ("ip", "user") if one.has(r) and t.has(r)]])
    role = [r for r in ("user", "ip") if one.has(r) and two.has(r)][0]
    one_search, one_leaves = query.searches(one, "t")
    two_search, two_leaves = query.searches(two, "u")
    query.slots += [query.conjuncts(one, "t", 2) + one_leaves, query.conjuncts(two, "u", 2) + two_leaves]

    def text(table, alias):
        column = table.column(role, alias)
        return "host(%s)" % column if table.type(role) == "inet" else column + "::text"

    first, second = text(one, "t"), text(two, "u")
    if role == "ip":
        outside = [query.text_leaf("s.x", None, "ip")]
    else:
        outside = [query.text_leaf("s.x", None, "user") for _ in range(2)]
    query.slots.append(outside)
    word = rng.choice(("UNION", "UNION ALL", "UNION ALL", "INTERSECT", "EXCEPT", "EXCEPT ALL", "INTERSECT ALL"))
    kind = rng.randrange(5)

    def build(local, where):
        t, u = table_text(one, one_search, local), table_text(two, two_search, local)
        left = "SELECT %s AS x FROM %s t WHERE %s" % (first, t, where[0])
        right = "SELECT %s FROM %s u WHERE %s" % (second, u, where[1])
        return (
            "%s %s %s" % (left, word, right),
            "SELECT * FROM (%s %s %s) s WHERE %s" % (left, word, right, where[2]),
            "WITH s AS %sMATERIALIZED (%s) SELECT a.x, count(*) FROM s a JOIN s b USING (x) JOIN s ON s.x = a.x WHERE %s GROUP BY 1" % (
                "NOT " if query.number % 2 else "", left, where[2]),
            "SELECT x, count(*) FROM (SELECT DISTINCT %s AS x FROM %s t WHERE %s) s WHERE %s GROUP BY x" % (first, t, where[0], where[2]),
            "SELECT count(*) FROM (%s ORDER BY 1 LIMIT 20) s WHERE %s" % (left, where[2]),
        )[kind]
    query.tables = [one, two]
    query.build = build


def search_join(query, tables):
    """A search column given its value by a join."""
    rng = query.rng
    table = rng_choice(query, tables, "group")
    search = Search()
    search.group = "whole"
    group = table.column("group", "t")
    on = "%s = o.g" % group if rng.random() < 0.7 else "o.g = %s" % group
    conditions = query.conjuncts(table, "t", 2)
    if table.has("system") and rng.random() < 0.3:
        if rng.random() < 0.4:
            search.system = True
            on += " AND %s = o.flag" % table.column("system", "t")
        else:
            conditions.append(query.system_leaf(table, "t", search))
    if table.has("user") and rng.random() < 0.3:
        on += " AND %s" % join_condition(query, table, "t", "o")
    query.slots.append(conditions)
    facts = ", ".join(table.column(r, "t") for r in table.columns if r not in ("system",))
    kind = rng.randrange(12)
    truth = known(query, rng.choice(("true", "true", "false", None)), "boolean")
    pattern = quote(rng.choice(("w_s%", "%", "_", "%a%", "%a%s%")))
    other = Search()
    other.group = "whole"

    def build(local, where):
        t = table_text(table, search, local) + " t"
        z = table_text(table, other, local) + " z"
        return (
            "SELECT o.k, %s FROM others o JOIN %s ON %s WHERE %s" % (facts, t, on, where[0]),
            "SELECT o.k, %s FROM %s JOIN others o ON %s WHERE %s" % (facts, t, on, where[0]),
            "SELECT o.k, %s FROM others o LEFT JOIN %s ON %s AND %s" % (facts, t, on, where[0]),
            "SELECT o.k, %s FROM %s RIGHT JOIN others o ON %s AND %s" % (facts, t, on, where[0]),
            "SELECT o.k FROM others o WHERE EXISTS (SELECT FROM %s WHERE %s AND %s)" % (t, on, where[0]),
            "SELECT o.k FROM others o WHERE NOT EXISTS (SELECT FROM %s WHERE %s AND %s)" % (t, on, where[0]),
            "SELECT o.k, (SELECT count(*) FROM %s WHERE %s AND %s) FROM others o" % (t, on, where[0]),
            "SELECT o.k, s.* FROM others o, LATERAL (SELECT %s FROM %s WHERE %s AND %s ORDER BY %s LIMIT 4) s" % (
                facts, t, on, where[0], facts),
            "SELECT %s FROM %s WHERE %s IN (SELECT o.g FROM others o) AND %s" % (facts, t, group, where[0])
            if not search.system and " AND " not in on and " IN (VALUES" not in where[0] else  # a semijoin, too
            "SELECT o.k, count(*) FROM others o, %s WHERE %s AND %s GROUP BY o.k" % (t, on, where[0]),
            "SELECT %s, count(*) FROM others o JOIN %s ON %s WHERE %s GROUP BY %s" % (group, t, on, where[0], group),
            # once it has a value any condition is possible, and so is one that no row can satisfy
            "SELECT o.k, p.k, %s FROM others o JOIN %s ON %s LEFT JOIN others p ON p.g = %s AND p.k > 15 WHERE %s AND %s AND %s LIKE %s" % (
                facts, t, on, group, where[0], truth, group, pattern),
            "SELECT o.k, %s, count(*) FROM others o CROSS JOIN %s JOIN %s ON %s = %s WHERE %s AND %s AND o.k < 4 GROUP BY o.k, %s" % (
                facts, t, z, table.column("group", "z"), group, on, where[0], facts),
        )[kind]
    query.tables = [table]
    query.build = build


REFUSED_GROUP = (
    "{g} <> {v}", "{g} ILIKE '%west%'", "{g} LIKE 'west%'", "{g} LIKE '%west'", "{g} LIKE '%a%b%'", "{g} LIKE '_est'", "{g} LIKE '%'",
    "{g} LIKE '%%'", "({g} = {v} OR {u} = 'acme')", "{g} IS NOT NULL", "NOT ({g} = {v})", "{g} ~ 'west'", "lower({g}) = 'west'",
    "{g} > {v}", "{g} BETWEEN 'a' AND 'z'", "{g} ^@ 'we'", "starts_with({g}, 'we')", "{g} NOT LIKE '%west%'", "{g} <> ALL (ARRAY[{v}])",
    "{g} NOT IN ({v}, 'east')", "coalesce({g}, '') = 'west'", "{g} = {u}", "({g} = {v} OR {g} LIKE '%west%')", "length({g}) > 0",
    "CASE WHEN {g} = {v} THEN true ELSE false END", "CASE WHEN {u} = 'a' THEN {g} = {v} ELSE true END",
    "{g} = ''", "{g} = ANY (ARRAY['', 'west'])", "{g} = volatile('west'::text)", "{g} COLLATE folded = 'west'", "{g}::citext = 'west'",
    "({g} = {v} AND {u} = 'a') OR {u} = 'b'", "{g} = ALL (ARRAY['west'])", "(volatile('x'::text) = 'y' OR {g} = {v})",
    "{g} || '' = 'west'", "NOT ({g} <> ALL (ARRAY[{v}]) AND {u} <> 'a')", "{g} LIKE '%we_st%'",
    "{g} LIKE '%a\\%'", "{g} LIKE '%a\\__%'", "(stable('x'::text) = 'y' OR {g} > {v})", "(stable('x'::text) = 'y' OR {g} = {v} OR {u} = 'a')",
    "{g} LIKE ANY (ARRAY['%west%'])", "{g} SIMILAR TO 'west'", "{g} LIKE stable('we%'::text)", "nullif({g}, 'x') = 'west'",
    "{g} = ANY (SELECT g FROM f_REFUSED)", "EXISTS (SELECT FROM others o WHERE o.g = {g} OR o.k = 3)",
    "NOT EXISTS (SELECT FROM others o WHERE o.g = {g})", "{g} NOT IN (SELECT g FROM others WHERE g IS NOT NULL)",
    "EXISTS (SELECT FROM others o WHERE o.g = {g} AND o.k <> length({u}))", "t IS NOT NULL", "(to_jsonb(t)->>'{G}') = 'west'",
)
REFUSED_SYSTEM = ("({s} OR {u} = 'acme')", "{s} = ({u} = 'acme')", "{s}::text = 'true'", "coalesce({s}, false)", "{s} > false", "{s} IS UNKNOWN",
                  "CASE WHEN {s} THEN {u} = 'a' ELSE {u} = 'b' END", "({s} OR {u} LIKE '%a%') IS TRUE")
REFUSED_QUERIES = (
    "SELECT {u} FROM {t} LEFT JOIN others o ON {g} = o.g WHERE {w}", "SELECT {u}, o.k FROM {t} FULL JOIN others o ON {g} = o.g",
    "SELECT * FROM {t} JOIN {f} z ON {g} = z.\"{G}\"", "SELECT {u} FROM {t} LEFT JOIN others o ON {u} = o.name AND {g} = 'west' WHERE {w}",
    "SELECT o.k FROM {t} JOIN others o ON {g} > o.g", "SELECT o.k FROM {t} JOIN others o ON {g} = o.g OR {u} = o.name",
    "SELECT o.k FROM others o LEFT JOIN {t} ON {u} = o.name WHERE {g} = o.g OR o.k = 3",
    "SELECT {u} FROM {t} LEFT JOIN others o ON {u} = o.name WHERE {g} = coalesce(o.g, 'west') AND {w}",
    "SELECT {u} FROM {t} LEFT JOIN others o ON {u} = o.name WHERE {g} = 'west' OR o.k IS NULL",
    "SELECT {u} FROM {t} JOIN others o ON {g} || '' = o.g WHERE {w}", "SELECT {g} FROM {t} WHERE {w} GROUP BY 1 HAVING {g} <> 'west'",
    "SELECT {u} FROM {t} JOIN others o ON {u} = o.name WHERE {g} IN (SELECT g FROM others)",
    "SELECT * FROM (SELECT DISTINCT {g} FROM {t}) s WHERE \"{G}\" <> 'west'",
    "SELECT {u} FROM {t} JOIN others o ON {g} || {u} = o.g",
)


def refused(query, tables):
    """A question that a search column cannot answer."""
    rng = query.rng
    table = rng_choice(query, [t for t in tables if t.has("group") or t.has("system") and t.has("user")])
    names = {"g": table.column("group", "t"), "G": table.columns["group"][0], "u": table.column("user", "t"),
             "t": table.foreign() + " t", "f": table.foreign(), "v": quote(rng.choice([v for v in SEARCHES if v != "east"]))}
    benign = rng.choice(("true", "{u} <> 'nobody'", "{u} LIKE '%a%'", "{u} >= ''")).format(**names)
    query.slots.append([])
    choices = [("where", c) for c in REFUSED_GROUP] + [("query", c) for c in REFUSED_QUERIES]
    if table.has("system"):
        names["s"] = table.column("system", "t")
        choices += [("where", c) for c in REFUSED_SYSTEM]
    kind, text = rng.choice(choices)
    text = text.replace("f_REFUSED", table.foreign()).replace("SELECT g FROM " + table.foreign(),
                                                            'SELECT "%s" FROM %s' % (names["G"], table.foreign()))
    if kind == "where":
        text = "SELECT {u} FROM {t} WHERE {w} AND (" + text + ")"
    text = text.format(w=benign, **names)
    query.build = lambda local, where: text
    query.tables = [table]
    query.expect = REFUSED


ELSEWHERE = (
    "SELECT count({g}) FROM {t} WHERE {w}", "SELECT min({g}), count(*) FROM {t} WHERE {w}", "SELECT {g}, count(*) FROM {t} WHERE {w} GROUP BY 1",
    "SELECT count(DISTINCT {g}), count(DISTINCT ({g}, {u})) FROM {t} WHERE {w}", "SELECT {u}, rank() OVER (PARTITION BY {g} ORDER BY {u}) FROM {t} WHERE {w}",
    "SELECT {u} FROM {t} WHERE {w} GROUP BY {u} HAVING max({g}) = 'west'", "SELECT {g} = 'west' FROM {t} WHERE {w}",
    "SELECT CASE WHEN {g} IS NULL THEN 1 ELSE 2 END FROM {t} WHERE {w}", "SELECT {g} IS NULL FROM {t} WHERE {w}",
    "SELECT * FROM (SELECT * FROM {t} WHERE {w} OFFSET 0) s WHERE s.\"{G}\" = 'west'",
    "SELECT * FROM (SELECT * FROM {t} WHERE {w} LIMIT 10) s WHERE s.\"{G}\" LIKE '%west%'",
    "WITH s AS MATERIALIZED (SELECT * FROM {t}) SELECT * FROM s WHERE \"{G}\" = 'west'",
    "SELECT k FROM others WHERE g NOT IN (SELECT {g} FROM {t} WHERE {w})",
    "SELECT {g} FROM {t} WHERE {w} INTERSECT SELECT g FROM others", "SELECT {g} FROM {t} WHERE {w} EXCEPT SELECT g FROM others",
    "SELECT o.k FROM others o LEFT JOIN {t} ON {u} = o.name WHERE {g} IS NULL", "SELECT count(*) FILTER (WHERE {g} = 'west') FROM {t} WHERE {w}",
    "SELECT string_agg({g}, ',') FROM {t} WHERE {w}", "SELECT nullif({g}, 'west') FROM {t} WHERE {w}",
    "SELECT count(*) FROM {t} WHERE {w} GROUP BY GROUPING SETS ((), ({g}))", "SELECT {g}, count(*) FROM {t} WHERE {w} GROUP BY ROLLUP ({g})",
    "SELECT {u} FROM {t}, LATERAL (SELECT {g} AS x OFFSET 0) s WHERE s.x = 'west'",
    "SELECT {u} FROM {t}, LATERAL unnest(ARRAY[{g}]) s(x) WHERE s.x = 'west'",
    "SELECT {u} FROM {t}, LATERAL (VALUES ({g}), ('other')) s(x) WHERE s.x = 'west'",
    "SELECT {u} FROM {t} ORDER BY {g} = 'west', {u} LIMIT 3", "SELECT DISTINCT ON ({g}) {g}, {u} FROM {t} WHERE {w} ORDER BY {g}, {u}",
    "SELECT {u} FROM {t} WHERE {w} ORDER BY {g} FETCH FIRST 2 ROWS WITH TIES", "SELECT starts_with({g}, 'we') FROM {t} WHERE {w}",
    "SELECT {u}, unnest(string_to_array({g}, '-')) FROM {t} WHERE {w}",
    "SELECT {u}, x FROM {t}, LATERAL string_to_table({g}, '-') x WHERE {w}", "SELECT count(*) FROM {t} WHERE {w} AND {g} IS NULL",
    "SELECT {u} FROM {t} WHERE {g} IS NULL OR {g} = ''", "SELECT {u} FROM {t} WHERE coalesce({g}, '') = '' AND {w}",
    "SELECT {u} FROM {t} WHERE {g} IS DISTINCT FROM 'west' AND {w}", "SELECT {u} FROM {t} WHERE ({g} = 'west') IS NOT TRUE",
    "SELECT {u} FROM {t} WHERE {g} IS NULL OR {u} = 'a'", "SELECT o.k FROM others o WHERE EXISTS (SELECT FROM {t} WHERE {u} = o.name AND {g} IS NULL)",
    "SELECT a.{u2}, b.\"{G}\" FROM {f} a JOIN {f} b USING ({u2}) WHERE a.{u2} = 'acme-1'", "SELECT (to_jsonb(t)->>'{G}') FROM {t} WHERE {w}",
)


def elsewhere(query, tables):
    """A search column that nothing is asked about, in places where it is the value that it holds."""
    rng = query.rng
    table = rng_choice(query, [t for t in tables if t.has("group") and t.has("user")])
    text = rng.choice(ELSEWHERE)
    names = {"g": table.column("group", "t"), "G": table.columns["group"][0], "u": table.column("user", "t"),
             "u2": '"%s"' % table.columns["user"][0]}
    query.slots.append([Leaf(rng.choice(("true", "%s <> 'nobody'", "%s LIKE '%%a%%'", "%s >= ''")).replace("%s", names["u"]).replace("%%", "%"), fixed=True)])

    def build(local, where):
        source = table_text(table, Search(), local)
        return text.format(t=source + " t", f=source, w=where[0], **names)
    query.tables = [table]
    query.build = build


def known(query, value, sql_type="text"):
    """An expression that is known when the scan starts."""
    rng = query.rng
    literal = "%s::%s" % (quote(value), sql_type)
    if query.parametrised and rng.random() < 0.7:
        query.parameters.append((sql_type, quote(value), quote(value)))
        return "$%d" % len(query.parameters)
    kind = rng.random()
    if kind < 0.4:
        name = "app.v%d" % len(query.settings)
        query.settings.append("%s = %s" % (name, quote(value or "")))
        return "nullif(current_setting('%s'), '')::%s" % (name, sql_type)
    if kind < 0.7:
        return "stable(%s)" % literal
    return literal if kind < 0.85 else "(SELECT %s)" % literal


def optional(query, tables):
    """Arguments that may be left out."""
    rng = query.rng
    table = rng_choice(query, [t for t in tables if t.has("user")])
    search = Search()
    leaves = []
    roles = [r for r in ("group", "group", "system", "user", "user", "ip") if table.has(r)]
    for role in dict.fromkeys(rng.choice(roles) for _ in range(rng.choice((1, 2, 3)))):
        column = table.column(role, "t")
        value = None if rng.random() < 0.4 else rng.choice(SEARCHES) if role == "group" else self_name(rng) if role == "user" else rng.choice(ADDRESSES)
        if role == "system":
            value = rng.choice(("true", "false"))
            argument = known(query, value, "boolean")
            search.system |= value == "true"
            leaves.append(Leaf(rng.choice(("(NOT {p} OR {c})", "({c} OR NOT {p})", "CASE WHEN {p} THEN {c} ELSE true END", "({c} OR {p} IS NOT TRUE)"))
                               .format(p=argument, c=column), column if value == "true" else "true", fixed=True))
            continue
        argument = known(query, value)
        literal = quote(value)
        if role == "ip":
            inet = table.type("ip") == "inet"
            forms = (("{c} = {p}::inet", "{c} <<= {p}::inet", "host({c}) = {p}") if inet else ("{c} = {p}", "{c} ^@ {p}"))
        else:
            forms = ("{c} = {p}", "{p} = {c}", "{c} = ANY (ARRAY[{p}, {p}])", "({c} = {p} OR {c} = {p})") + (("{c} ^@ {p}",) if role == "user" else ())
        if role == "group" and value is not None:
            search.group = "whole"
        form = rng.choice(forms)
        given = form.format(c=column, p=argument)
        around = rng.choice(("{p} IS NULL OR {c}", "{c} OR {p} IS NULL", "coalesce({p}, '') = '' OR {c}", "CASE WHEN {p} IS NULL THEN true ELSE {c} END",
                             "CASE WHEN {p} IS NOT NULL THEN {c} ELSE true END", "({p} IS NULL OR {p} IS NOT NULL AND {c})",
                             "CASE coalesce({p}, '-') WHEN CASE coalesce({p}, 'x') WHEN 'x' THEN '-' ELSE {p} || '!' END THEN true ELSE {c} END",
                             "({p} IS NULL OR {c}) IS TRUE", "NOT ({p} IS NOT NULL AND NOT {c})"))
        leaves.append(Leaf("(%s)" % around.format(p=argument, c=given), form.format(c=column, p=literal) if value is not None else "true", fixed=True))
    query.slots.append(query.conjuncts(table, "t", 1) + leaves)
    columns = ", ".join(table.column(r, "t") for r in table.columns)
    joined = rng.random() < 0.3

    def build(local, where):
        t = table_text(table, search, local) + " t"
        if joined:
            return "SELECT o.k, %s FROM others o JOIN %s ON o.k < 3 WHERE %s" % (columns, t, where[0])
        return "SELECT %s FROM %s WHERE %s" % (columns, t, where[0])
    query.tables = [table]
    query.build = build


def self_name(rng):
    return rng.choice([name for name in NAMES if name])


def chosen(query, tables):
    """Choices that are known when the scan starts, and others, inside each other."""
    table = rng_choice(query, tables)
    query.slots.append([Leaf(query.choice(table, "t")) for _ in range(query.rng.choice((1, 1, 2)))])
    columns = ", ".join(table.column(r, "t") for r in table.columns)

    def build(local, where):
        return "SELECT %s FROM %s t WHERE %s" % (columns, table_text(table, Search(), local), where[0])
    query.tables = [table]
    query.build = build


KINDS = ((plain, 38), (chosen, 4), (lookup, 4), (join_local, 13), (semi, 8), (join_foreign, 7), (combined, 7), (search_join, 7), (refused, 7), (elsewhere, 6), (optional, 7))
# those that are run under each of these settings
STEADY = ("search_join", "refused", "elsewhere", "optional")
STEADY_SETTINGS = [["%s = off" % name] for name in (
    "enable_hashjoin", "enable_mergejoin", "enable_nestloop", "enable_memoize", "enable_material", "enable_hashagg", "enable_sort",
    "enable_async_append", "sgip_fdw.enable_pushdown")] + [
    ["from_collapse_limit = 1", "join_collapse_limit = 1"], ["geqo_threshold = 2"], ["enable_partitionwise_join = on"], ["cpu_tuple_cost = 10"],
    ["plan_cache_mode = force_custom_plan"], ["plan_cache_mode = force_generic_plan"]]
PLANS = ("enable_hashjoin", "enable_mergejoin", "enable_nestloop", "enable_memoize", "enable_material", "enable_hashagg", "enable_sort",
         "enable_async_append")


def make_query(seed, number, tables):
    """The query of that number."""
    rng = random.Random("%s/%d" % (seed, number))
    query = Query(rng)
    query.number = number
    for name in PLANS:
        if rng.random() < 0.2:
            query.settings.append("%s = off" % name)
    if rng.random() < 0.15:
        query.settings.append("sgip_fdw.enable_pushdown = off")
        query.pushdown = False
    if rng.random() < 0.05:
        query.settings.append("work_mem = '64kB'")
    if rng.random() < 0.4:
        query.parametrised = True
        query.settings.append("plan_cache_mode = %s" % rng.choice(("force_custom_plan", "force_generic_plan", "auto")))
    kind = rng.choices([k for k, _ in KINDS], [w for _, w in KINDS])[0]
    query.kind = kind.__name__
    kind(query, tables)
    query.twice = query.parametrised and not query.watched and rng.random() < 0.5
    return query


# --- running --------------------------------------------------------------------------

class Log:
    """What the emulator was asked."""

    def __init__(self, base):
        self.base = base

    def get(self, path):
        with urllib.request.urlopen(self.base + path, timeout=30) as answer:
            return json.loads(answer.read())

    def mark(self):
        return self.get("/_control/mark")

    def since(self, mark):
        return self.get("/_control/log?since=%d&wait_ms=2000" % mark)


def compare(psql, query, run=None):
    """None if the query behaves, else (what is wrong, foreign rows, local rows)."""
    settings, foreign, local = query.texts()
    rows, message = psql.run(settings + foreign)
    if query.expect == REFUSED:
        psql.run("DEALLOCATE ALL; RESET ALL")
        psql.run(run.session)
        if sqlstate(message) == REFUSED:
            return None
        return "expected 0A000, got %s" % (message or "%d rows" % len(rows)), rows, []
    if message:
        psql.run("DEALLOCATE ALL")
        psql.run(run.session)
    expected, problem = psql.run(local)
    psql.run("DEALLOCATE ALL; RESET ALL")
    psql.run(run.session)
    if problem:
        if sqlstate(message) == sqlstate(problem):
            run.errors[sqlstate(problem)] += 1
            return None
        return "local query: " + problem + "foreign: " + str(message), rows, expected
    if message:
        return "foreign query: " + message, rows, expected
    missing = collections.Counter(expected) - collections.Counter(rows)
    extra = collections.Counter(rows) - collections.Counter(expected)
    if missing or extra:
        return "%d rows missing, %d too many" % (sum(missing.values()), sum(extra.values())), rows, expected
    return None


def unsteady(psql, query, run):
    """None if the query does the same under every setting of the planner, else what is wrong."""
    _, text, _ = query.texts()
    settings = "".join("SET %s;\n" % s for s in query.settings if s.startswith("app."))
    first = None
    for changed in [[]] + STEADY_SETTINGS:
        rows, message = psql.run(settings + "".join("SET %s;\n" % c for c in changed) + text)
        psql.run("DEALLOCATE ALL; RESET ALL")
        psql.run(run.session)
        result = sqlstate(message) if message else collections.Counter(rows)
        if first is None:
            first = result
        if result != first:
            return "with %s: %s, and else %s" % (", ".join(changed), message or "%d rows" % len(rows),
                                                 first if isinstance(first, str) else "%d rows" % sum(first.values())), rows, []
    run.steady += 1
    return None


def watched_conditions(query):
    """The conditions of the table whose requests are looked at, each of them one that must hold."""
    table, slot = query.watched
    conditions = []
    todo = list(query.slots[slot])
    while todo:
        condition = todo.pop(0)
        if isinstance(condition, Tree) and condition.word == "AND":
            todo += condition.kids
        else:
            conditions.append(condition)
    return table, conditions


def check_pushed(query, entries, run):
    """Looks for the promised conditions in the requests; returns what is wrong, or None."""
    if query.lookup:
        table, role, wanted = query.lookup
        run.promised["join"] += 1
        sent = {entry["query"].get(table.param[role]) for entry in entries}
        # once a search for everything has been sent, its answer is read by the others too; v3 lists everything if a search
        # is refused or finds nothing
        whole = None in sent and (None in wanted or table.v3)
        if not (sent - {None} <= wanted if whole else sent == wanted):
            return "a join should send %s of %s, sent %s" % (table.param[role], sorted(map(str, wanted)), sorted(map(str, sent)))
        run.fulfilled["join"] += 1
        return None
    table, conditions = watched_conditions(query)
    # v3's available asks for the subusers as well
    requests = [entry["query"] for entry in entries if table.task == "subusers" or not entry["path"].endswith("/subusers")]
    if not query.pushdown:
        for request in requests:
            for role in ("ip", "user"):
                if table.param.get(role) in request:
                    return "pushdown is off and %s was sent: %s" % (role, request)
        return None
    if any(c.none for c in conditions):
        run.promised["null"] += 1
        if requests:
            return "a condition is NULL, yet there was a request: %s" % requests[0]
        run.fulfilled["null"] += 1
        return None
    if not requests:                            # conditions that contradict one another, or a plan that never runs
        run.unasked += 1
        return None
    for role in ("ip", "user"):
        mentions = [c for c in conditions if table.has(role) and about(c, table, role)]
        if not mentions or not all(c.never for c in mentions):
            continue
        run.forbidden += 1
        if any(table.param.get(role) in request for request in requests):
            return "%s must not be sent: %s" % (role, requests[0])
    all_pushed = [c.pushed for c in conditions if c.pushed]
    several = {t.role for t in all_pushed if t.several} | {"another" for c in conditions if c.several}
    for pushed in all_pushed:
        fellows = [t for t in all_pushed if t.role == pushed.role]
        name = table.param.get(pushed.role)
        if table.v3 and pushed.role == "user" and table.has("group") and any(about(c, table, "group") for c in conditions):
            continue                            # a group is looked for in all that is listed
        if pushed.role == "parent" and table.has("pool_ids") and any(about(c, table, "pool_ids") for c in conditions):
            continue                            # the API refuses it beside a pool
        if pushed.several and table.v3 and table.has("group") and any(about(c, table, "group") for c in conditions):
            run.unpromised += 1
            continue
        if pushed.several and (not table.cheap and pushed.role not in ("group",) or len(several) > 1):
            run.unpromised += 1
            continue
        if pushed.several and any(isinstance(c, Tree) and c.word == "OR" and about(c, table, role) for c in conditions
                                  for role in ("ip", "user") if table.has(role) and role != pushed.role):
            run.unpromised += 1                 # alternatives may come to a list of another column that is shorter
            continue
        # a condition that is not promised alone may be narrower; then it is the one to be sent
        run.promised[pushed.role] += 1
        sent = {request.get(name) for request in requests}
        # v3 lists everything if a search is refused or finds nothing; searches that are not sent yet are answered by that
        whole = table.v3 and len(sent) > 1 and None in sent
        if whole:
            sent.discard(None)
        # the slot may hold other conditions that are sent as well: a range's two ends, an address in a subselect
        alone = len(fellows) == 1 and sum(1 for c in conditions if about(c, table, pushed.role)) == 1
        if None in sent or (alone and not pushed_agrees(pushed, sent, whole)):
            return "promised %s=%s, sent %s" % (name, pushed.values, sorted(map(str, sent)))
        run.fulfilled[pushed.role] += 1
    return None


def about(condition, table, role):
    """Does the condition's text mention the column?"""
    return table.column(role, "t") in condition.sql(False)


def pushed_agrees(pushed, sent, whole):
    return sent <= set(pushed.values) if whole else sent == set(pushed.values)


def shrink(psql, query, run):
    """Drops settings and conditions as long as the query still misbehaves."""
    def fails():
        return compare(psql, query, run) is not None

    changed = True
    tries = 0
    while changed and tries < 300:
        changed = False
        for k in range(len(query.settings) - 1, -1, -1):
            kept = query.settings
            if kept[k].startswith("app."):
                continue
            query.settings = kept[:k] + kept[k + 1:]
            tries += 1
            if fails():
                changed = True
            else:
                query.settings = kept
        for s, slot in enumerate(query.slots):
            k = 0
            while k < len(query.slots[s]):
                slot = query.slots[s]
                options = [] if slot[k].fixed else [[]] + [[less] for less in slot[k].smaller()]
                for option in options:
                    query.slots[s] = slot[:k] + option + slot[k + 1:]
                    tries += 1
                    if fails():
                        changed = True
                        break
                    query.slots[s] = slot
                else:
                    k += 1
                if tries > 300:
                    return


def show(query, problem, session):
    """The query as SQL to paste, and how the results differ."""
    settings, foreign, local = query.texts()
    what, rows, expected = problem
    lines = ["-- query %d (%s): %s" % (query.number, query.kind, what), session + ";", settings + foreign + ";"]
    if query.expect == ANSWER:
        lines += ["-- the same over the local copies", local + ";"]
        for sign, difference in (("-", collections.Counter(expected) - collections.Counter(rows)),
                                 ("+", collections.Counter(rows) - collections.Counter(expected))):
            for row, count in list(difference.items())[:5]:
                lines.append("-- %s %d x %r" % (sign, count, row.replace(FIELD, " | ").replace(NULL, "NULL")))
    lines.append("RESET ALL;")
    return "\n".join(lines)


class Run:
    """The stack of one run, and what was counted."""

    def __init__(self):
        self.schema = "differential_%d" % os.getpid()
        self.session = "SET search_path = %s, public; SET statement_timeout = '60s'" % self.schema
        self.promised, self.fulfilled = collections.Counter(), collections.Counter()
        self.errors = collections.Counter()
        self.unasked = self.unpromised = self.forbidden = self.steady = 0
        self.kinds = collections.Counter()
        self.per_table = collections.Counter()

    def start(self, limit=None):
        """limit: so many requests that each server allows, N:SECONDS for each path."""
        account, self.unique = make_account()
        ADDRESSES.extend(dict.fromkeys(row["ip"] for row in account["ips"]))
        self.directory = tempfile.TemporaryDirectory(prefix="differential-")
        data = pathlib.Path(self.directory.name, "hard.json")
        data.write_text(json.dumps(account, ensure_ascii=True), encoding="utf-8")
        ready = pathlib.Path(self.directory.name, "port")
        self.emulator = subprocess.Popen(
            [sys.executable, str(HERE / "emulator.py"), "--data", str(data), "--ready-file", str(ready), "--parent-pid", str(os.getpid())]
            + (["--set", "rate_limit=" + limit] if limit else []),
            stdout=subprocess.PIPE)
        base = self.emulator.stdout.readline().decode().strip()
        self.log = Log(base)
        self.tables = make_tables(self.unique)
        for table in self.tables if limit else ():
            table.switches = ";".join(filter(None, (table.switches, "id=" + table.name)))
        self.psql = Psql()
        self.psql.must("CREATE EXTENSION IF NOT EXISTS sgip_fdw; CREATE EXTENSION IF NOT EXISTS citext")
        self.psql.must("CREATE SCHEMA %s; SET search_path = %s, public" % (self.schema, self.schema))
        for statement in itertools.chain(local_tables(account, self.unique), *(table.ddl(base, self.schema) for table in self.tables)):
            self.psql.must(statement)
        self.psql.must("ANALYZE others; ANALYZE one; ANALYZE hits; ANALYZE l_usage")
        for table in self.tables:
            if table.name in ("broad", "exact", "v3_usage"):
                self.psql.must("ANALYZE f_" + table.name)
        self.psql.must(self.session)

    def stop(self):
        self.psql.run("SET client_min_messages = error; DROP SCHEMA %s CASCADE" % self.schema)
        servers, _ = self.psql.run("SELECT srvname FROM pg_foreign_server WHERE srvname LIKE '%s\\_%%'" % self.schema.replace("_", "\\_"))
        for server in servers:
            self.psql.run("DROP SERVER %s CASCADE" % server)
        self.psql.close()
        self.emulator.terminate()
        self.emulator.wait()
        self.directory.cleanup()

    def one(self, query):
        """Runs one query; None or what is wrong."""
        watched = (query.watched or query.lookup) and query.expect == ANSWER
        mark = self.log.mark() if watched else None
        problem = compare(self.psql, query, self)
        if problem is None and query.kind in STEADY and query.number % 3 == 0:
            problem = unsteady(self.psql, query, self)
            if problem:
                return problem, True
        if problem is None and watched:
            wrong = check_pushed(query, self.log.since(mark), self)
            if wrong:
                return (wrong, [], []), True
        return problem, False


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--only", type=int, help="run the query of this number alone")
    parser.add_argument("--show", action="store_true", help="print each query before it runs")
    parser.add_argument("--hold", action="store_true", help="after a difference keep everything until Enter is pressed")
    parser.add_argument("--all", action="store_true", help="go on after a difference")
    parser.add_argument("--kind", help="kinds of queries, separated by commas: " + ", ".join(k.__name__ for k, _ in KINDS))
    parser.add_argument("--tables", help="regular expression that the names of the foreign tables match")
    parser.add_argument("--tap", action="store_true", help="print one line per kind of query")
    parser.add_argument("--write-data", metavar="FILE", help="write the emulator's data, and end")
    args = parser.parse_args()
    if args.write_data:
        pathlib.Path(args.write_data).write_text(json.dumps(make_account()[0], ensure_ascii=True, indent=0) + "\n")
        return 0

    run = Run()
    run.start()
    failed = collections.Counter()
    try:
        tables = [t for t in run.tables if not args.tables or re.search(args.tables, t.name)]
        numbers = [args.only] if args.only is not None else range(1, args.queries + 1)
        for number in numbers:
            query = make_query(args.seed, number, tables)
            if args.kind and query.kind not in args.kind.split(","):
                continue
            if args.show:
                print("".join(query.texts()[:2]), flush=True)
            run.kinds[query.kind] += 1
            for table in query.tables:
                run.per_table[table.name] += 1
            problem, is_pushed = run.one(query)
            if problem is None:
                continue
            failed[query.kind] += 1
            if not is_pushed and query.expect == ANSWER and "lost" not in problem[0]:
                shrink(run.psql, query, run)
                problem = compare(run.psql, query, run) or problem
            print("\n".join(("# " if args.tap else "") + line for line in show(query, problem, run.session).split("\n")), flush=True)
            if args.hold:
                input("-- press Enter to go on")
            if not args.all:
                break
    finally:
        run.stop()
    report(run, failed, args)
    return 1 if failed else 0


def report(run, failed, args):
    """What was run and found."""
    promised, fulfilled = sum(run.promised.values()), sum(run.fulfilled.values())
    names = {"plain": "one table", "lookup": "a search for each outer row", "join_local": "joins with local tables", "semi": "semijoins, antijoins, subselects, LATERAL",
             "join_foreign": "joins of foreign tables", "combined": "UNION and its like, CTEs, subqueries",
             "search_join": "search columns in joins", "refused": "questions refused with 0A000",
             "chosen": "choices inside each other", "elsewhere": "search columns that nothing is asked about", "optional": "optional arguments"}
    for kind, count in sorted(run.kinds.items()):
        print("%s - %s: %d queries, %d differences" % ("not ok" if failed[kind] else "ok", names[kind], count, failed[kind]))
    print("%s - conditions that should be sent: %d, were sent: %d" % ("ok" if promised == fulfilled else "not ok", promised, fulfilled))
    print("# queries that do the same under each of %d settings: %d" % (len(STEADY_SETTINGS), run.steady))
    print("# conditions that must not be sent: %d, none did" % run.forbidden if not failed else "# see above")
    print("# seed %s, %d queries, %d differences; sent by field: %s; lists left to a choice: %d; nothing asked: %d; errors on both sides: %s" % (
        args.seed, sum(run.kinds.values()), sum(failed.values()),
        ", ".join("%s %d/%d" % (role, run.fulfilled[role], run.promised[role]) for role in sorted(run.promised)),
        run.unpromised, run.unasked, dict(run.errors)))


if __name__ == "__main__":
    sys.exit(main())
