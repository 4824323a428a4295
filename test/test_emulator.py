#!/usr/bin/env python3
"""What EMULATOR.md promises, one test each.  Run: python3 test/test_emulator.py"""

import gzip
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = [sys.executable, "-B", os.path.join(HERE, "emulator.py")]
BEARER = {"Authorization": "Bearer demo-key"}
sys.dont_write_bytecode = True
sys.path.insert(0, HERE)

import emulator_account                                         # noqa: E402
import emulator_common                                          # noqa: E402
import emulator_faults                                          # noqa: E402


class Process:
    """An emulator of its own."""

    def __init__(self, *arguments):
        self.folder = tempfile.mkdtemp()
        self.log = os.path.join(self.folder, "log")
        ready = os.path.join(self.folder, "ready")
        self.process = subprocess.Popen(PROGRAM + ["--ready-file", ready, "--log", self.log, *arguments],
                                        stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()
        with open(ready, encoding="ascii") as file:
            self.port = int(file.read())

    def end(self):
        self.process.terminate()
        self.process.wait(5)
        self.process.stdout.close()
        shutil.rmtree(self.folder)

    def get(self, path, headers=(), method="GET", body=None):
        """(status, headers, body) of one request on its own connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def control(self, what):
        return self.get("/_control/" + what)[2]

    def entries(self, since):
        return json.loads(self.control("log?since=%d&wait_ms=2000" % since))

    def raw(self, path, headers=BEARER, linger=1.0):
        """All bytes of an answer until the server closes; b"reset" is appended when it resets."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=linger) as sock:
            lines = ["GET %s HTTP/1.1" % path, "Host: x"] + ["%s: %s" % pair for pair in headers.items()]
            sock.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
            got = b""
            try:
                while data := sock.recv(1 << 20):
                    got += data
            except ConnectionResetError:
                got += b"reset"
            except TimeoutError:
                got += b"silence"
            return got


def v2(switches="", resource="distributor.ip", **params):
    """Path of a v2 request with good credentials."""
    query = urllib.parse.urlencode({"api_user": "demo", "api_key": "demo-key", **params})
    return "/%sapi/%s.json?%s" % ("~%s/" % switches if switches else "", resource, query)


class EmulatorTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.emulator = Process("--ips", "300")
        cls.data = json.loads(cls.emulator.control("data.json"))

    @classmethod
    def tearDownClass(cls):
        cls.emulator.end()

    def rows(self, switches="", **params):
        status, _, body = self.emulator.get(v2(switches, **params))
        self.assertEqual(status, 200)
        return json.loads(body)

    def ips(self, switches="", **params):
        return [row["ip"] for row in self.rows(switches, **params)]

    def v3(self, path, switches="", headers=BEARER, status=200):
        got, self.headers, body = self.emulator.get(("/~%s" % switches if switches else "") + "/v3/" + path, headers)
        self.assertEqual(got, status, body)
        return json.loads(body)

    def pages(self, path, switches=""):
        """All pages of an offset listing, the way a careful client reads them."""
        found = []
        while rows := self.v3("%s&offset=%d" % (path, len(found)), switches):
            found += rows
        return found


class V2(EmulatorTest):
    def test_tasks_are_what_the_data_says(self):
        disabled = {s["username"] for s in self.data["subusers"] if s["disabled"]}
        own = [row for row in self.data["ips"] if not row["system"]]
        taken = [r["ip"] for r in own if r["users"] or r["groups"]]
        available = [r["ip"] for r in own if (set(r["users"]) <= disabled if r["users"] else not r["groups"])]
        self.assertEqual(self.ips(task="all"), [r["ip"] for r in own])
        self.assertEqual(self.ips(task="taken"), taken)
        self.assertEqual(self.ips(task="free"), [r["ip"] for r in own if r["ip"] not in taken])
        self.assertEqual(self.ips(task="available"), available)
        self.assertEqual(self.rows(task="usage"), [{"ip": r["ip"], "user": u} for r in own for u in r["users"]])
        self.assertTrue(set(available) & set(taken))

    def test_system_adds_rows(self):
        self.assertEqual(self.ips(task="all", system="true"), [r["ip"] for r in self.data["ips"]])
        self.assertLess(len(self.ips(task="all")), len(self.data["ips"]))
        self.assertEqual(self.rows(task="all", system="false")["message"], "error")

    def test_wrong_task_is_an_error_under_200(self):
        self.assertEqual(self.rows(task="al")["message"], "error")

    def test_ip_match(self):
        every = [r["ip"] for r in self.data["ips"]]
        for mode, test in (("prefix", lambda ip: ip.startswith("10.0")), ("anywhere", lambda ip: "10.0" in ip),
                           ("exact", lambda ip: ip == "10.0")):
            self.assertEqual(self.ips("ip_match=" + mode, task="all", system="true", ip="10.0"), list(filter(test, every)))
        for ip in ("198.51.100.7", "10.0.0.4", "1", "10.0.0.", "9.9", "198.51.100.2555"):
            self.assertEqual(self.ips(task="all", system="true", ip=ip), [a for a in every if a.startswith(ip)])

    def test_user_match_and_case(self):
        usage = self.rows(task="usage")
        for mode, test in (("anywhere", lambda u: "e-1" in u), ("prefix", lambda u: u.startswith("e-1")),
                           ("suffix", lambda u: u.endswith("e-1")), ("exact", lambda u: u == "e-1")):
            self.assertEqual(self.rows("user_match=" + mode, task="usage", user="e-1"), [r for r in usage if test(r["user"])])
        self.assertEqual(self.rows("case=insensitive", task="usage", user="acme"),
                         [r for r in usage if "acme" in r["user"].lower()])

    def test_group_match(self):
        groups = {r["ip"]: r["groups"] for r in self.data["ips"]}
        usage = self.rows(task="usage")
        self.assertEqual(self.rows(task="usage", group="west"),
                         [r for r in usage if any("west" in g for g in groups[r["ip"]])])
        self.assertEqual(self.rows("group_match=exact", task="usage", group="west"),
                         [r for r in usage if "west" in groups[r["ip"]]])

    def test_shapes(self):
        want = self.ips("rows=3", task="all")
        bodies = {s: self.emulator.get(v2("rows=3;shape=" + s, task="all"))[2].decode() for s in emulator_common.SWITCHES["shape"][0]}
        objects = ",".join('{"ip":"%s"}' % ip for ip in want)
        strings = ",".join('"%s"' % ip for ip in want)
        self.assertEqual(bodies, {
            "strings": "[%s]" % strings, "objects": "[%s]" % objects, "ips_strings": '{"ips":[%s]}' % strings,
            "ips_objects": '{"ips":[%s]}' % objects, "bare_strings": strings, "bare_objects": objects,
            "success": '{"success":"success","outboundcluster":"SendGrid MTA","ips":[%s]}' % objects,
            "page": '{"ips":[%s]}' % strings})
        self.assertEqual(self.emulator.get(v2("shape=bare_strings", task="all", ip="9"))[2], b"[]")
        self.assertEqual(self.emulator.get(v2("shape=bare_strings;bare_empty=nothing", task="all", ip="9"))[2], b"")

    def test_text_switches_change_no_value(self):
        want = self.rows(task="usage")
        for ws in ("none", "pretty", "crazy"):
            for escape in ("none", "ascii", "php", "unicode", "keys"):
                self.assertEqual(self.rows("ws=%s;escape=%s" % (ws, escape), task="usage"), want)
        self.assertTrue(self.emulator.get(v2("bom=yes", task="all"))[2].startswith(b"\xef\xbb\xbf["))
        self.assertEqual(self.emulator.get(v2("ctype=html", task="all"))[1]["Content-Type"], "text/html")

    def test_order_and_dup(self):
        usage = [tuple(r.values()) for r in self.rows(task="usage")]
        shuffled = [tuple(r.values()) for r in self.rows("order=shuffle", task="usage")]
        doubled = [tuple(r.values()) for r in self.rows("dup=yes", task="usage")]
        self.assertNotEqual(shuffled, usage)
        self.assertEqual(sorted(shuffled), sorted(usage))
        self.assertEqual(set(doubled), set(usage))
        self.assertGreater(len(doubled), len(usage))

    def test_post_and_method(self):
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        body = "api_user=demo&api_key=demo-key&task=all"
        self.assertEqual(json.loads(self.emulator.get("/apiv2/reseller.ip.json", form, "POST", body)[2]), self.rows(task="all"))
        self.assertEqual(self.emulator.get("/~method=get/api/reseller.ip.json", form, "POST", body)[0], 405)
        self.assertEqual(self.emulator.get(v2("method=post", task="all"))[0], 405)

    def test_wrong_credentials(self):
        for switch, status, body in (("403html", 403, {"error": "Bad username / password"}),
                                     ("message", 200, {"message": "error", "errors": ["Invalid username and/or password"]}),
                                     ("error_object", 200, {"error": {"code": 401, "message": "Permission denied, not authorized"}})):
            got = self.emulator.get(v2("auth_error=" + switch, task="all").replace("demo-key", "wrong"))
            self.assertEqual((got[0], json.loads(got[2])), (status, body))
        self.assertEqual(self.emulator.get("/api/distributor.ip.json?task=all")[0], 403)

    def test_length_switch_and_big_answers(self):
        want = json.loads(self.emulator.get(v2("rows=70000", task="usage"))[2])
        self.assertGreater(len(want), 70000)
        self.assertEqual(len({tuple(r.values()) for r in want}), len(want))
        for length, header in (("exact", "Content-Length"), ("chunked", "Transfer-Encoding"), ("close", "Connection")):
            _, headers, body = self.emulator.get(v2("rows=70000;length=" + length, task="usage"))
            self.assertIn(header, headers)
            self.assertEqual(json.loads(body), want)

    def test_gzip_only_when_accepted(self):
        plain = self.emulator.get(v2("gzip=yes", task="all"))
        packed = self.emulator.get(v2("gzip=yes", task="all"), {"Accept-Encoding": "gzip"})
        self.assertEqual((plain[1]["Content-Encoding"], packed[1]["Content-Encoding"]), (None, "gzip"))
        self.assertEqual(gzip.decompress(packed[2]), plain[2])

    def test_plain_account(self):
        self.assertEqual(len(self.rows("rows=1000;plain=yes", task="usage")), 1000)
        self.assertEqual(len(self.rows("rows=1000;plain=yes", task="all")), 1000)

    def test_unknown_switch_is_refused(self):
        self.assertEqual(self.emulator.get(v2("shap=objects", task="all"))[0], 400)
        self.assertEqual(self.emulator.get(v2("shape=round", task="all"))[0], 400)


class V3(EmulatorTest):
    def test_ips_default_page_and_fields(self):
        rows = self.v3("ips")
        self.assertEqual(len(rows), 10)
        for row, data in zip(rows, self.data["ips"]):
            self.assertEqual((row["ip"], row["subusers"], row["pools"], row.get("rdns"), row["start_date"], row["assigned_at"]),
                             tuple(data[k] for k in ("ip", "users", "groups", "rdns", "start_date", "assigned_at")))
            self.assertEqual("rdns" in row, data["rdns"] is not None)

    def test_every_endpoint_answers(self):
        ip, pool, account = self.data["ips"][0]["ip"], self.data["pools"][0], self.data["accounts"][0]["id"]
        warm = next(r["ip"] for r in self.data["ips"] if r["warmup"])
        for path in ("ips/" + ip, "ips/assigned", "ips/remaining", "ips/pools", "ips/pools/" + pool["name"], "ips/warmup",
                     "ips/warmup/" + warm, "send_ips/ips", "send_ips/ips/" + ip, "send_ips/ips/%s/subusers" % ip, "send_ips/pools",
                     "send_ips/pools/%d" % pool["id"], "send_ips/pools/%d/ips" % pool["id"], "subusers", "whitelabel/ips",
                     "partners/accounts", "partners/accounts/%s/ips" % account, "partners/accounts/%s/state" % account, "scopes",
                     "user/username", "whitelabel/domains"):
            self.assertTrue(self.v3(path), path)

    def test_authorization(self):
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            self.assertEqual(self.v3("ips", headers=headers, status=401)["errors"][0]["message"], "authorization required")

    def test_offset_pages(self):
        want = [r["ip"] for r in self.data["ips"]]
        self.assertEqual([r["ip"] for r in self.pages("ips?limit=70")], want)
        self.assertEqual([r["ip"] for r in self.pages("ips?limit=70", "page_cap=33")], want)
        self.assertEqual([r["ip"] for r in self.pages("ips?limit=70&sort_by_direction=desc")], want[::-1])

    def test_limit_beyond_the_maximum(self):
        self.assertEqual(len(self.v3("ips?limit=9999", "rows=600")), 500)
        self.v3("ips?limit=9999", "over_limit=400", status=400)
        self.v3("send_ips/ips?limit=9999", "over_limit=400", status=400)

    def test_link(self):
        self.v3("ips?limit=200")
        self.assertRegex(self.headers["Link"], r'<http://127\.0\.0\.1:\d+/v3/ips\?limit=200&offset=200>; rel="next".*rel="last"')
        self.v3("ips?limit=200&offset=200", "link_last=no")
        self.assertNotRegex(self.headers["Link"], 'rel="(next|last)"')
        self.v3("ips", "link=no")
        self.assertIsNone(self.headers["Link"])
        self.v3("subusers")
        self.assertIsNone(self.headers["Link"])
        self.v3("ips", "link=foreign")
        self.assertIn("elsewhere.invalid", self.headers["Link"])

    def test_drift(self):
        rows = [r["ip"] for r in self.pages("ips?limit=50", "drift=3")]
        self.assertEqual(set(rows), {r["ip"] for r in self.data["ips"]})
        self.assertGreater(len(rows), len(set(rows)))
        self.assertLess(len(self.pages("ips?limit=50", "drift=-3")), 300)

    def test_after_key(self):
        for switch, kind in (("string", str), ("number", int), ("toplevel", str), ("toplevel_number", int)):
            found, query = [], "send_ips/ips?limit=120"
            key = ""
            while key is not None:
                answer = self.v3(query + ("&after_key=%s" % key if key else ""), "after_key=" + switch)
                found += answer["result"]
                where = answer["_metadata"] if switch.startswith("toplevel") else answer["_metadata"]["next_params"]
                key = where["after_key"]
                self.assertIsInstance(key, (kind, type(None)))
            self.assertEqual([r["ip"] for r in found], [r["ip"] for r in self.data["ips"]])
        self.assertNotIn("after_key", self.v3("send_ips/ips", "after_key_end=absent")["_metadata"]["next_params"])

    def test_cursor_stuck(self):
        first = self.v3("send_ips/ips?limit=10", "cursor_stuck=yes")
        self.assertEqual(self.v3("send_ips/ips?limit=10&after_key=198.51.100.9", "cursor_stuck=yes"), first)
        self.assertEqual(self.v3("ips?offset=10", "cursor_stuck=yes"), self.v3("ips"))

    def test_partner_pages(self):
        account = self.data["accounts"][2]
        found, last = [], ""
        while last is not None:
            answer = self.v3("partners/accounts/%s/ips?limit=25%s" % (account["id"], "&offset=" + last if last else ""))
            found += answer["result"]
            last = answer["pages"].get("last")
        self.assertEqual([r["ip"] for r in found], account["ips"][::-1])

    def test_ip_filter(self):
        self.assertEqual([r["ip"] for r in self.v3("ips?ip=198.51.100.7")], ["198.51.100.7"])
        self.assertEqual(self.v3("ips?ip=198.51.100.7&offset=1"), [])
        self.assertEqual(len(self.v3("ips?ip=198.51.100.7&limit=500", "ip_filter=prefix")), 11)
        self.assertEqual(len(self.v3("ips?ip=198.51.100.7&limit=500", "ip_filter=ignored")), 300)
        self.assertEqual(self.v3("ips?ip=9.9.9.9"), [])
        for status in (400, 404):
            self.v3("ips?ip=9.9.9.9", "ip_filter=%d" % status, status=status)

    def test_subuser_filter(self):
        name = self.data["subusers"][1]["username"]
        want = [r["ip"] for r in self.data["ips"] if name in r["users"]]
        self.assertEqual([r["ip"] for r in self.v3("ips?limit=500&subuser=" + name)], want)
        self.assertEqual(len(self.v3("ips?limit=500&subuser=" + name, "subuser_filter=ignored")), 300)
        self.assertEqual(self.v3("ips?subuser=nobody"), [])
        self.v3("ips?subuser=nobody", "subuser_filter=404", status=404)
        self.assertTrue(self.v3("ips?subuser=boss", "parent_name=boss"))
        self.assertEqual(self.v3("ips?subuser=boss", "parent_name=boss;subuser_filter=empty"), [])

    def test_username_filter(self):
        names = [s["username"] for s in self.data["subusers"]]
        for mode, test in (("prefix", lambda n: n.lower().startswith("acme")), ("prefix_cs", lambda n: n.startswith("acme")),
                           ("exact", lambda n: n == "acme"), ("ignored", lambda n: True)):
            self.assertEqual([r["username"] for r in self.v3("subusers?username=acme", "username_filter=" + mode)],
                             list(filter(test, names)))

    def test_send_ips_filters(self):
        data = self.data["ips"]
        pool = self.data["pools"][0]
        for query, test in (("is_leased=false", lambda r: not r["is_leased"]), ("is_enabled=true", lambda r: r["is_enabled"] is True),
                            ("is_parent_assigned=false", lambda r: not r["is_parent_assigned"]), ("region=eu", lambda r: r["region"] == "eu"),
                            ("pool=%d" % pool["id"], lambda r: pool["name"] in r["groups"]),
                            ("start_added_at=1500000300&end_added_at=1500000600", lambda r: 1500000300 <= r["added_at"] <= 1500000600)):
            self.assertEqual([r["ip"] for r in self.v3("send_ips/ips?" + query)["result"]], [r["ip"] for r in data if test(r)], query)
        self.v3("send_ips/ips?pool=x", status=400)
        self.v3("send_ips/ips/9.9.9.9", status=400)

    def test_ends_of_added_at(self):
        query = "send_ips/ips?start_added_at=1500000300&end_added_at=1500000600"
        self.assertEqual([r["added_at"] for r in self.v3(query)["result"]][::5], [1500000300, 1500000600])
        self.assertEqual(len(self.v3(query, "added_ends=excluded")["result"]), 4)

    def test_region_of_pools(self):
        with_eu = [r["name"] for r in self.v3("send_ips/pools?region=eu", "rows=6")["result"]]
        self.assertEqual(with_eu, sorted({g for r in self.data["ips"][:6] if r["region"] == "eu" for g in r["groups"]}, key=with_eu.index))
        self.assertEqual(len(self.v3("send_ips/pools?region=eu", "rows=6;pool_region=all")["result"]), len(self.data["pools"]))

    def test_reputations(self):
        names = [s["username"] for s in self.data["subusers"][:3]]
        query = "subusers/reputations?" + "&".join("usernames=" + urllib.parse.quote(n) for n in names)
        self.assertEqual([r["username"] for r in self.v3(query)], names)
        self.assertEqual([r["username"] for r in self.v3(query, "usernames=first")], names[:1])
        self.assertEqual(len(self.v3(query, "usernames=ignored")), len(self.data["subusers"]))
        self.v3(query, "usernames=refused", status=400)
        query = "subusers/reputations?usernames=" + urllib.parse.quote(",".join(names))
        self.assertEqual(self.v3(query), [])
        self.assertEqual([r["username"] for r in self.v3(query, "usernames=comma")], names)

    def test_single_objects(self):
        records = self.v3("whitelabel/ips?limit=5")
        self.assertEqual(self.v3("whitelabel/ips/%d" % records[2]["id"]), records[2])
        self.v3("whitelabel/ips/1", status=404)
        self.v3("send_ips/pools/1", status=400)

    def test_own_name(self):
        self.assertEqual(self.v3("user/username"), {"username": "parent@example.com", "user_id": 180})
        self.assertEqual(self.v3("user/username", "parent_name=boss")["username"], "boss")
        subuser = self.data["subusers"][1]
        self.assertEqual(self.v3("user/username", headers={**BEARER, "On-Behalf-Of": subuser["username"]}),
                         {"username": subuser["username"], "user_id": subuser["id"]})

    def test_domains(self):
        domains = self.v3("whitelabel/domains?limit=500")
        self.assertEqual([(d["id"], d["ips"], d["default"]) for d in domains],
                         [(d["id"], d["ips"], d["default"]) for d in self.data["domains"]])
        self.assertEqual({d["username"] for d in domains if d["user_id"] == 180}, {"parent@example.com"})

    def test_states_of_accounts(self):
        for account in self.data["accounts"]:
            self.assertEqual(self.v3("partners/accounts/%s/state" % account["id"]), {"state": account["state"]})
        self.v3("partners/accounts/none/state", status=404)

    def test_shapes_of_small_answers(self):
        pool = self.data["pools"][0]["name"]
        self.assertIsInstance(self.v3("ips/pools/" + pool)["ips"][0], str)
        self.assertIsInstance(self.v3("ips/pools/" + pool, "pool_ips=objects")["ips"][0], dict)
        warm = next(r["ip"] for r in self.data["ips"] if r["warmup"])
        self.assertEqual(self.v3("ips/warmup/" + warm), [self.v3("ips/warmup/" + warm, "warmup=object")])
        self.v3("ips/warmup/9.9.9.9", status=404)

    def test_nulls_extra_fields_parent_name(self):
        self.assertTrue(all("rdns" in r for r in self.v3("ips", "nulls=null")))
        self.assertFalse(all("start_date" in r for r in self.v3("ips", "nulls=absent")))
        self.assertTrue(all("score" in r for r in self.v3("ips", "extra_fields=yes")))
        shown = [r["ip"] for r in self.v3("ips?limit=500", "parent_name=boss") if "boss" in r["subusers"]]
        self.assertEqual(shown, [r["ip"] for r in self.data["ips"] if r["is_parent_assigned"]])
        self.assertNotIn("boss", [r["username"] for r in self.v3("subusers", "parent_name=boss")])

    def test_on_behalf_of(self):
        name = self.data["subusers"][1]["username"]
        headers = {**BEARER, "On-Behalf-Of": name}
        rows = self.v3("ips?limit=500", headers=headers)
        self.assertEqual([r["ip"] for r in rows], [r["ip"] for r in self.data["ips"] if name in r["users"]])
        self.assertTrue(all(r["subusers"] == [name] for r in rows))
        self.assertEqual(len(self.v3("ips?limit=500", "on_behalf_of=ignored", headers)), 300)
        self.v3("ips", "on_behalf_of=refused", headers, 403)
        self.v3("ips", headers={**BEARER, "On-Behalf-Of": "nobody"}, status=403)

    def test_page_error(self):
        self.v3("ips?limit=100", "page_error=2:503")
        self.v3("ips?limit=100&offset=100", "page_error=2:503", status=503)

    def test_rate_headers_and_429(self):
        self.v3("scopes")
        self.assertTrue(all(self.headers[n] for n in ("Date", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")))
        self.v3("scopes", "rate_limit=1:60;id=r")
        self.v3("scopes", "rate_limit=1:60;id=r;retry_after=7", status=429)
        self.assertEqual(self.headers["Retry-After"], "7")
        self.assertGreater(int(self.headers["X-RateLimit-Reset"]), time.time() + 50)
        self.v3("scopes", "rate_limit=0:60;retry_after=date:5;date_skew=-1000", status=429)
        self.assertTrue(self.headers["Retry-After"].endswith("GMT"))

    def rate(self, switches, status=200, path="scopes"):
        """(limit, remaining, reset) that an answer tells."""
        self.v3(path, switches, status=status)
        return tuple(int(self.headers["X-RateLimit-" + name]) for name in ("Limit", "Remaining", "Reset"))

    def test_rate_limit_is_told_with_every_answer(self):
        before = time.time()
        told = [self.rate("rate_limit=2:60;id=told", status) for status in (200, 200, 429, 429)]
        self.assertEqual([each[:2] for each in told], [(2, 1), (2, 0), (2, 0), (2, 0)])
        self.assertEqual(len({each[2] for each in told}), 1)
        self.assertTrue(before + 60 <= told[0][2] <= time.time() + 61)
        self.assertEqual(self.rate("rate_limit=2:60;id=told", path="subusers")[1], 1)

    def test_rate_window(self):
        for window in ("first", "clock", "sliding"):
            switches = "rate_limit=2:1;rate_window=%s;id=w-%s" % (window, window)
            if window == "clock":               # not across its end
                time.sleep(1.05 - time.time() % 1)
            began = time.time()
            self.assertEqual([self.rate(switches, status)[1] for status in (200, 200, 429)], [1, 0, 0])
            time.sleep(began + 1.05 - time.time())
            self.assertEqual(self.rate(switches)[:2], (2, 1))

    def test_rate_told(self):
        switches = "rate_limit=1:30;id=ways;rate_told="
        floor, ceil, left = self.rate(switches + "floor")[2], self.rate(switches + "ceil", 429)[2], self.rate(switches + "left", 429)[2]
        self.assertEqual((ceil - floor, left), (1, 30))

    def test_fail_first_counts_per_id(self):
        for name in ("a", "b"):
            for status in (502, 502, 200):
                self.v3("scopes", "fail_first=2:502;id=" + name, status=status)


class Faults(EmulatorTest):
    def fault(self, name, more="", **options):
        return self.emulator.raw("/~fault=%s%s/v3/ips" % (name, ";" + more if more else ""), **options)

    def test_statuses(self):
        for status in (400, 401, 403, 404, 410, 429, 451, 500, 502, 503, 504):
            self.v3("ips", "fault=status_%d" % status, status=status)
        got = self.emulator.get(v2("fault=status_500;fault_body=html", task="all"))
        self.assertEqual((got[0], got[1]["Content-Type"]), (500, "text/html"))
        self.assertEqual(self.emulator.get(v2("fault=status_503;fault_body=empty", task="all"))[2], b"")

    def test_silence_is_logged_when_the_client_leaves(self):
        for name in ("silence_before", "silence_headers", "silence_body", "silence_end"):
            mark = int(self.emulator.control("mark"))
            got = self.fault(name, linger=0.1)
            self.assertTrue(got.endswith(b"silence"), name)
            self.assertIs(self.emulator.entries(mark)[0]["complete"], False)

    def test_resets_and_closes(self):
        for where in ("before", "headers", "body"):
            self.assertTrue(self.fault("reset_" + where).endswith(b"reset"))
            self.assertFalse(self.fault("close_" + where).endswith((b"reset", b"silence")))
        self.assertIn(b"Content-Length", self.fault("close_body"))

    def test_bodies_are_what_they_say(self):
        def body(name, more=""):
            return self.emulator.get("/~rows=2;fault=%s;%s/v3/ips" % (name, more), BEARER)[2]

        good = self.v3("ips", "rows=2")
        self.assertEqual(body("empty_200"), b"")
        self.assertIn(b"<html>", body("html_200"))
        self.assertEqual(json.loads(body("error_200"))["message"], "error")
        self.assertEqual(json.loads(body("duplicate_keys"))[:2], good)
        self.assertEqual(json.loads(body("ip_null"))[2]["ip"], None)
        self.assertEqual(json.loads(body("nul_escape"))[2]["ip"], "198.51.100.1\0")
        self.assertEqual(len(json.loads(body("element_1g", "fault_size=1000000"))[2]["ip"]), 1000000)
        self.assertIn(b"[" * 1000 + b"]" * 1000, body("nesting_100000", "fault_size=1000"))
        for name in ("truncated_json", "two_documents", "trailing_garbage", "trailing_comma", "unquoted", "control_character",
                     "bad_escape", "invalid_utf8", "utf16"):
            with self.assertRaises(ValueError, msg=name):
                json.loads(body(name).decode("utf-8"))

    def test_endless_rows_are_valid(self):
        got = b""
        with socket.create_connection(("127.0.0.1", self.emulator.port), timeout=2) as sock:
            sock.sendall(("GET %s HTTP/1.0\r\n\r\n" % v2("rows=3;fault=endless", task="usage")).encode())
            while len(got) < 300000:
                got += sock.recv(65536)
        text = got.split(b"\r\n\r\n", 1)[1]
        rows = json.loads(text[:text.rindex(b"}") + 1] + b"]")
        self.assertEqual(len({r["ip"] for r in rows[10:]}), len(rows[10:]))

    def test_redirect_is_logged_when_followed(self):
        status, headers, _ = self.emulator.get("/~fault=redirect_302;page_error=9:503/v3/ips?limit=3", BEARER)
        self.assertEqual(status, 302)
        mark = int(self.emulator.control("mark"))
        target = urllib.parse.urlsplit(headers["Location"])
        self.assertEqual(self.emulator.get("%s?%s" % (target.path, target.query), BEARER)[0], 200)
        self.assertEqual(self.emulator.entries(mark)[0]["switches"]["redirected"], "yes")

    def test_interim_statuses(self):
        for name in ("status_100", "status_103"):
            got = self.fault(name, "length=close")
            self.assertEqual(got.count(b"HTTP/1.1 "), 2)
            self.assertIn(b"HTTP/1.1 200 OK", got)

    def test_fault_only_on_a_page_or_at_first(self):
        self.v3("ips?limit=100", "fault=status_500;fault_page=2")
        self.v3("ips?limit=100&offset=100", "fault=status_500;fault_page=2", status=500)
        self.v3("scopes", "fault=status_500;fault_first=1;id=f", status=500)
        self.v3("scopes", "fault=status_500;fault_first=1;id=f")

    def test_every_fault_happens(self):
        endless = ("silence", "endless", "drip", "interim", "gzip_bomb", "gzip_spaces")
        small = "fault_size=1000;drip_ms=0"
        for name in emulator_faults.FAULTS:
            for path in ("/v3/ips", "/v3/ips/remaining", v2(task="usage"), v2(task="all"), v2(task="all", ip="9")):
                if any(word in name for word in endless):
                    continue
                got = self.emulator.raw("/~length=close;fault=%s;%s%s" % (name, small, path), linger=0.01)
                self.assertNotIn(b"emulator:", got, name)
        mark = int(self.emulator.control("mark"))
        self.assertEqual([e for e in self.emulator.entries(0) if e["complete"] is None and e["n"] <= mark], [])


class Server(EmulatorTest):
    def test_log_of_a_request(self):
        mark = int(self.emulator.control("mark"))
        self.emulator.get(v2("rows=9", task="usage", user="acme \u00e9"), {"User-Agent": "me"})
        self.emulator.get("/v3/ips?limit=5", {**BEARER, "On-Behalf-Of": "acme-1"})
        first, second = self.emulator.entries(mark)
        self.assertEqual((first["query"], first["where"], first["auth"], first["switches"], first["status"], first["complete"]),
                         ({"task": "usage", "user": "acme \u00e9"}, "url", "ok", {"rows": 9}, 200, True))
        self.assertEqual(first["headers"]["user-agent"], "me")
        self.assertEqual((second["where"], second["headers"]["on-behalf-of"], second["path"]), ("header", "acme-1", "/v3/ips"))
        mark = int(self.emulator.control("mark"))
        self.emulator.get(v2(), {"Content-Type": "application/x-www-form-urlencoded"}, "POST", "api_user=demo&api_key=x&task=all")
        self.assertEqual([(e["where"], e["auth"]) for e in self.emulator.entries(mark)], [("body+url", "bad")])
        with open(self.emulator.log, encoding="utf-8") as file:
            text = file.read()
        self.assertNotIn("demo-key", text)
        self.assertIn('"n": %d' % first["n"], text)

    def test_requests_in_flight_are_visible(self):
        mark = int(self.emulator.control("mark"))
        with socket.create_connection(("127.0.0.1", self.emulator.port)) as sock:
            sock.sendall(("GET %s HTTP/1.1\r\n\r\n" % v2("delay_ms=5000", task="all")).encode())
            for _ in range(100):
                entries = json.loads(self.emulator.control("log?since=%d" % mark))
                if entries:
                    break
            self.assertIsNone(entries[0]["complete"])
        self.assertIs(self.emulator.entries(mark)[0]["complete"], False)

    def test_bytes_sent_of_an_answer_cut_by_the_client(self):
        mark = int(self.emulator.control("mark"))
        with socket.create_connection(("127.0.0.1", self.emulator.port)) as sock:
            sock.sendall(("GET %s HTTP/1.1\r\n\r\n" % v2("rows=2000000;sndbuf=8192", task="all")).encode())
            sock.recv(1000)
        entry = self.emulator.entries(mark)[0]
        self.assertIs(entry["complete"], False)
        self.assertLess(entry["bytes_sent"], 20000000)
        self.assertLessEqual(entry["bytes_left"], entry["bytes_sent"])
        self.assertGreaterEqual(entry["bytes_left"], 1000)

    def test_keep_alive_and_stats(self):
        before = json.loads(self.emulator.control("stats"))
        connection = http.client.HTTPConnection("127.0.0.1", self.emulator.port)
        for _ in range(3):
            connection.request("GET", v2(task="free"))
            connection.getresponse().read()
        after = json.loads(self.emulator.control("stats"))
        self.assertEqual(after["connections_total"] - before["connections_total"], 1)
        self.assertEqual(after["requests_total"] - before["requests_total"], 3)
        self.assertGreaterEqual(after["connections_open"], 1)
        connection.close()

    def test_delay(self):
        start = time.monotonic()
        self.emulator.get(v2("delay_ms=150", task="all"))
        self.assertGreater(time.monotonic() - start, 0.14)

    def test_drip(self):
        start = time.monotonic()
        want = self.rows("rows=10", task="all")
        self.assertEqual(self.rows("rows=10;drip=20;drip_ms=5", task="all"), want)
        self.assertGreater(time.monotonic() - start, 0.03)

    def test_generated_addresses_are_distinct_and_found_again(self):
        account = emulator_account.GeneratedAccount(ips=20000000)
        view = emulator_account.View(account)
        for index in (0, 255, 256, 65791, 65792, 16777471, 16777472, 19999999):
            self.assertEqual(view.index_of(view.address(index)), index)
        self.assertEqual(view.index_of(view.address(20000000)), -1)
        starts = [base for _, _, base, _ in account.segments(view.count)]
        for base in starts[:3] + starts[-2:]:
            head, first, _, _ = next(s for s in account.segments(view.count) if s[2] == base)
            self.assertEqual(head + account.tail(first), view.address(base))

    def test_tsv(self):
        for table in emulator_account.TABLES:
            lines = self.emulator.control("tsv/" + table).decode().splitlines()
            columns = emulator_account.TABLES[table][0].split()
            self.assertTrue(lines and all(len(line.split("\t")) == len(columns) for line in lines), table)
        self.assertEqual(emulator_account.copy_text(["a\"b", "c\\d"]), '{"a\\\\"b","c\\\\\\\\d"}')

    def test_document_describes_every_switch_and_fault(self):
        with open(os.path.join(HERE, "EMULATOR.md"), encoding="utf-8") as file:
            text = file.read()
        for name in list(emulator_common.SWITCHES) + list(emulator_faults.FAULTS) + list(emulator_account.TABLES):
            self.assertIn("`%s`" % name, text)


class Lifetime(unittest.TestCase):
    def test_data_file_with_hard_names(self):
        names = ["a b", "\u00fcber@x", "semi;colon", "quo\"te\\", "%25", "\U0001f600", "tab\there", "-"]
        data = {"ips": [{"ip": "203.0.113.%d" % k, "users": [name], "groups": ["g/%d" % k]} for k, name in enumerate(names)],
                "subusers": [{"username": name, "disabled": k == 0} for k, name in enumerate(names[:-1])]}
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(data, file)
            file.flush()
            emulator = Process("--data", file.name)
            try:
                self.assertEqual([r["user"] for r in json.loads(emulator.get(v2(task="usage"))[2])], names)
                for escape in ("ascii", "php", "unicode"):
                    self.assertEqual([r["user"] for r in json.loads(emulator.get(v2("escape=" + escape, task="usage"))[2])], names)
                for name in names:
                    rows = json.loads(emulator.get(v2("user_match=exact", task="usage", user=name))[2])
                    self.assertEqual([r["user"] for r in rows], [name])
                pool = emulator.get("/v3/ips/pools/" + urllib.parse.quote("g/3", safe=""), BEARER)
                self.assertEqual(json.loads(pool[2])["ips"], ["203.0.113.3"])
                self.assertEqual(json.loads(emulator.get(v2(task="available"))[2]), [{"ip": "203.0.113.0"}])
                dump = json.loads(emulator.control("data.json"))
                self.assertEqual([r["users"] for r in dump["ips"]], [[name] for name in names])
            finally:
                emulator.end()

    def test_dump_data_can_be_loaded_again(self):
        dump = subprocess.run(PROGRAM + ["--ips", "40", "--dump-data"], capture_output=True, check=True, text=True).stdout
        copy = emulator_account.DataAccount(json.loads(dump))
        one = emulator_account.View(emulator_account.GeneratedAccount(ips=40))
        two = emulator_account.View(copy)
        for table in emulator_account.TABLES:
            self.assertEqual(list(emulator_account.dump_tsv(one, table)), list(emulator_account.dump_tsv(two, table)), table)

    def test_starts_at_once_at_any_size_and_ends_on_sigterm(self):
        start = time.monotonic()
        emulator = Process("--ips", "5000000", "--set", "shape=strings")
        self.assertLess(time.monotonic() - start, 2)
        self.assertIn("10.70.2.17", json.loads(emulator.get(v2(task="all", ip="10.70.2.17"))[2]))
        emulator.process.send_signal(signal.SIGTERM)
        self.assertEqual(emulator.process.wait(3), 0)
        emulator.end()

    def test_ends_when_its_parent_is_gone(self):
        parent = subprocess.Popen(["sleep", "60"])
        emulator = Process("--parent-pid", str(parent.pid))
        parent.kill()
        parent.wait()
        self.assertEqual(emulator.process.wait(4), 0)
        emulator.end()

    @unittest.skipUnless(shutil.which("openssl"), "needs openssl for a certificate")
    def test_tls(self):
        import ssl
        with tempfile.TemporaryDirectory() as folder:
            key, cert = os.path.join(folder, "key"), os.path.join(folder, "cert")
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                            "-days", "1", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                            "-keyout", key, "-out", cert], check=True, capture_output=True)
            emulator = Process("--tls", cert, key)
            try:
                self.assertTrue(emulator.url.startswith("https://127.0.0.1:"))
                connection = http.client.HTTPSConnection("127.0.0.1", emulator.port,
                                                         context=ssl.create_default_context(cafile=cert), timeout=5)
                connection.request("GET", v2(task="all"))
                self.assertEqual(connection.getresponse().status, 200)
                connection.close()
            finally:
                emulator.end()


if __name__ == "__main__":
    unittest.main()
