#!/usr/bin/env python3
"""Sessions that query for a long time, while the API fails and queries are cancelled.

    scripts/with-stack --no-emulator -- test/soak.py --minutes 15 --sessions 8 --seed 1

Each session does by chance: queries of differential.py over foreign tables of both versions of the API, compared with the
same over local copies; cursors, read in pieces and left early; queries of an API that misbehaves, which must end as they do
when nothing else goes on; queries of an API that fails and recovers; ANALYZE, disconnecting, and changes of a server.
Another session cancels them, and so do time-outs.  Every query has to end with the right rows or with a proper error:
one of those that README.md lists, 57014 only if it was cancelled, never XX000.

With --limit N:SECONDS each server allows so many requests for each path only, and the sessions share that if the library
is preloaded (-c 'shared_preload_libraries = sgip_fdw'), or PostgreSQL is 17 or later.

After a warming up, descriptors of sockets and the like must not become more, nor what a session has from malloc and uses by
more than GROWTH_KB: the most that it holds in the second half is compared with the most in the first.  The size of its process
is printed beside it: what malloc keeps of a rare large piece does not come back, and is not a leak.
"""

import argparse
import collections
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import threading
import time

import differential
from backend import define_heap_bytes
from psql import FIELD, Psql, sqlstate

HERE = pathlib.Path(__file__).resolve().parent

# What README.md lists; class 22 is that of values which do not fit their column
PROPER = {"28000", "08001", "08006", "53400", "HV000", "HV00L"}

# These never end, so that they end by statement_timeout
ENDLESS = {"endless", "spaces_endless", "drip"}

SAMPLES = 24            # looks at what sessions hold; the first quarter is the warming up
GROWTH_KB = 512         # what a session may have from malloc more in the second half: caches that are not full yet
MEMORY_MINUTES = 5      # shorter runs say nothing about memory
MAX_COMPLAINTS = 10


def multiset(rows):
    return collections.Counter(rows)


# --- an API that misbehaves ------------------------------------------------------------

class Faults:
    """Foreign tables whose API misbehaves, each in its way, and how queries of them end when nothing else goes on."""

    def __init__(self, run, names):
        self.outcomes = {}
        self.schema = run.schema
        psql = run.psql
        for name in names:
            size = ";fault_size=%d" % (4 << 20) if "gzip" in name or name.endswith("_1g") else ""
            # only the silent ones are to time out: on a busy machine others take their time too
            read_timeout = "300ms" if name.startswith("silence") else "20s"
            psql.must(server_ddl("%s_x_%s" % (run.schema, name), "x_" + name, "%s/~rows=30;rate_limit=1000000:1;fault=%s%s/api" % (run.log.base, name, size),
                                 "read_timeout '%s', max_retries '1', max_retry_wait '100ms'" % read_timeout))
            self.outcomes[name] = outcome = self.ask(psql, name)
            if not proper_outcome(name, outcome):
                raise SystemExit("fault %s alone ends with %s" % (name, outcome[1]))

    def query(self, name):
        return "SELECT ip, username FROM x_%s" % name

    def ask(self, psql, name):
        """(multiset of rows, SQLSTATE) of a query."""
        if name in ENDLESS:
            rows, message = psql.run("SET statement_timeout = '200ms'; " + self.query(name))
        else:
            rows, message = psql.run("SET statement_timeout = '60s'; " + self.query(name))
        return multiset(rows), sqlstate(message)


def proper_outcome(name, outcome):
    """Rows, or a proper error."""
    _, state = outcome
    return state is None or state in PROPER or state.startswith("22") or (state == "57014" and name in ENDLESS)


def server_ddl(server, table, base_url, options):
    """A v2 server and its table of usage."""
    return """
        CREATE SERVER {0} FOREIGN DATA WRAPPER sgip_fdw OPTIONS (api_version 'v2', base_url '{2}', {3});
        CREATE USER MAPPING FOR CURRENT_USER SERVER {0} OPTIONS (api_user 'demo', api_key 'demo-key');
        CREATE FOREIGN TABLE {1} (ip inet, username text) SERVER {0} OPTIONS (task 'usage')
    """.format(server, table, base_url, options)


# --- sessions --------------------------------------------------------------------------

class Worker(threading.Thread):
    """One session that is kept busy."""

    def __init__(self, soak, number):
        super().__init__(daemon=True)
        self.soak, self.run_data, self.number = soak, soak.run, number
        self.rng = random.Random("%s/%d" % (soak.args.seed, number))
        # compiled expressions are memory of LLVM, which comes with the first query that is dear enough, and grows
        self.psql = Psql("-c jit=off")
        self.psql.must("SET search_path = %s, public" % self.run_data.schema)
        self.pid = int(self.psql.must("SELECT pg_backend_pid()")[0])
        self.server = "%s_flaky_%d" % (self.run_data.schema, number)
        self.psql.must(server_ddl(self.server, "flaky_%d" % number, self.run_data.log.base + "/api", "max_retry_wait '5s'"))
        self.psql.must(self.run_data.session)
        self.queries = 0
        self.counts = collections.Counter()
        self.lock = threading.Lock()
        self.cancellable = self.cancelled = False
        self.pause, self.paused = threading.Event(), threading.Event()
        self.samples = []

    def run(self):
        # what needs the most memory once, so that it belongs to the warming up
        if self.soak.tells_memory():
            for name in self.soak.faults.outcomes:
                self.misbehaviour(name)
        actions, weights = zip(*((self.compare, 60), (self.cursor, 14), (self.misbehaviour, 12), (self.recovery, 8), (self.upkeep, 6)))
        while not self.soak.over():
            if self.pause.is_set():
                self.sample()
            self.rng.choices(actions, weights)[0]()
        self.paused.set()

    def sample(self):
        """Notes what the session holds while nothing is kept, and lets the soak know."""
        self.psql.must("SELECT sgip_fdw_disconnect_all()")
        fds = "/proc/%d/fd/" % self.pid
        links = [os.readlink(fds + fd) for fd in os.listdir(fds)]
        others = sum(not link.startswith("/") for link in links)
        status = pathlib.Path("/proc/%d/status" % self.pid).read_text()
        anonymous = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon:"))
        # the options of a server are kept until one is changed; more than there are servers would be those that were changed
        row = self.psql.must("""SELECT sum(total_bytes), sum(free_bytes),
            coalesce(sum(total_bytes) FILTER (WHERE name LIKE 'sgip%' AND name NOT IN ('sgip_fdw server', 'sgip_fdw servers')), 0) +
                greatest(count(*) FILTER (WHERE name = 'sgip_fdw server') - (SELECT count(*) FROM pg_foreign_server), 0)
            FROM pg_backend_memory_contexts""")[0]
        total, free, ours = map(int, row.split(FIELD))
        # a context whose blocks are full takes one of twice the size: what is free in it is not in use
        heap = int(self.psql.must("SELECT heap_bytes()")[0]) - free
        self.samples.append((others, anonymous, total // 1024, ours, heap // 1024))
        self.pause.clear()
        self.paused.set()

    # --- asking ---

    def ask(self, sql):
        """(rows, message) of a query that may be cancelled; None if it was, and said so."""
        if self.rng.random() < 0.08:
            sql = "SET statement_timeout = %d; %s" % (self.rng.choice((1, 3, 10, 30, 100)), sql)
            timed = True
        else:
            timed = False
        with self.lock:
            self.cancelled, self.cancellable = False, True
        rows, message = self.psql.run(sql)
        with self.lock:
            self.cancellable = False
        if timed:
            # in time, this statement must be as well
            message = self.insist("SET statement_timeout = '60s'") or message
        if message and "57014" in message and (timed or self.cancelled):
            self.counts["timed out" if timed else "cancelled"] += 1
            return None
        return rows, message

    def insist(self, sql):
        """Runs something until a statement_timeout that is to be reset leaves time for it; the message if that took more than once.

        A statement that has succeeded can time out all the same: PostgreSQL tells the next one, so an empty one follows.
        """
        timed_out = None
        while True:
            message = (self.psql.run(sql)[1] or "") + (self.psql.run("SELECT")[1] or "")
            if "57014" not in message:
                return timed_out
            timed_out = message

    def clean(self):
        self.insist("ROLLBACK; DEALLOCATE ALL; RESET ALL; " + self.run_data.session)

    def complain(self, what, sql):
        self.soak.complain("session %d: %s\n%s" % (self.number, what, sql))

    # --- what it does ---

    def compare(self):
        """A query of differential.py."""
        self.queries += 1
        query = differential.make_query(self.soak.args.seed, self.number * 1000000 + self.queries, self.run_data.tables)
        settings, foreign, local = query.texts()
        if self.rng.random() < 0.2:
            settings += "SET sgip_fdw.max_connections = %d;\n" % self.rng.choice((1, 1, 2, 3, 8))
        self.counts["queries"] += 1
        answer = self.ask(settings + foreign)
        if answer is None:
            self.clean()
            return
        rows, message = answer
        if query.expect == differential.REFUSED:
            self.clean()
            self.counts["refused as they must be"] += 1
            if sqlstate(message) != differential.REFUSED:
                self.complain("expected 0A000, got %s" % (message or "%d rows" % len(rows)), settings + foreign)
            return
        if message:
            self.psql.run("DEALLOCATE ALL")
        expected, problem = self.psql.run(local)
        self.clean()
        if message or problem:
            if sqlstate(message) != sqlstate(problem):
                self.complain("foreign: %s, local: %s" % (message, problem), settings + foreign)
            return
        self.counts["rows compared"] += len(rows)
        if multiset(rows) != multiset(expected):
            self.complain("other rows than those of the local copies", differential.show(query, ("%d rows, expected %d" % (
                len(rows), len(expected)), rows, expected), self.run_data.session))

    def cursor(self):
        """A cursor, read in pieces; sometimes to the end, sometimes backward, with another query in between."""
        table = self.rng.choice(self.run_data.tables)
        columns = ", ".join('"%s"' % name for name, _ in table.columns.values())
        scroll, hold = self.rng.random() < 0.2, self.rng.random() < 0.1
        self.counts["cursors"] += 1
        sql = "BEGIN; DECLARE c %sCURSOR %sFOR SELECT %s FROM %s" % ("SCROLL " if scroll else "", "WITH HOLD " if hold else "", columns, table.foreign())
        steps = [sql + ("; COMMIT" if hold else "")]
        for _ in range(self.rng.randrange(1, 5)):
            steps.append("FETCH %d FROM c" % self.rng.choice((1, 2, 10, 100)))
            if self.rng.random() < 0.3:
                other = self.rng.choice(self.run_data.tables)
                steps.append("DO $$BEGIN PERFORM FROM %s LIMIT %d; END$$" % (other.foreign(), self.rng.choice((1, 20, 1000))))
        to_end = self.rng.random() < 0.5
        if to_end:
            steps.append("FETCH ALL FROM c")
        rows = []
        for step in steps:
            answer = self.ask(step)
            if answer is None or answer[1]:
                if answer:
                    self.complain(answer[1], "; ".join(steps))
                self.psql.run("CLOSE ALL")
                self.clean()
                return
            rows += answer[0]
        if scroll:
            answer = self.psql.run("MOVE ABSOLUTE 0 FROM c; FETCH %d FROM c" % len(rows))
            if answer[1] or answer[0] != rows:
                self.complain("backward and forward again it is different: %s" % answer[1], "; ".join(steps))
        self.psql.run("CLOSE c")
        self.clean()
        expected = multiset(self.psql.must("SELECT %s FROM %s x" % (columns, table.local(differential.Search()))))
        self.counts["rows compared"] += len(rows)
        if multiset(rows) - expected or (to_end and multiset(rows) != expected):
            self.complain("a cursor gave %d rows, the local copy has %d" % (len(rows), sum(expected.values())), "; ".join(steps))

    def misbehaviour(self, name=None):
        """A query of an API that misbehaves ends as it does alone."""
        name = name or self.rng.choice(list(self.soak.faults.outcomes))
        self.counts["faults"] += 1
        if name in ENDLESS:
            outcome = self.soak.faults.ask(self.psql, name)
        else:
            answer = self.ask(self.soak.faults.query(name))
            if answer is None:
                self.clean()
                return
            outcome = multiset(answer[0]), sqlstate(answer[1])
        self.clean()
        expected = self.soak.faults.outcomes[name]
        self.counts["faults that ended with " + (outcome[1] or "rows")] += 1
        if outcome != expected and not (name in ENDLESS and outcome[1] == "57014"):
            self.complain("%d rows and %s, alone it is %d rows and %s" % (
                sum(outcome[0].values()), outcome[1], sum(expected[0].values()), expected[1]), self.soak.faults.query(name))

    def recovery(self):
        """An API that fails a few times and then answers; the server is another one each time."""
        self.queries += 1
        switches = self.rng.choice(("fail_first=1:503;retry_after=0", "fail_first=2:502;retry_after=0", "fail_first=1:429;retry_after=0",
                                    "fault=reset_before;fault_first=1", "fault=close_before;fault_first=1", "fault=close_headers;fault_first=1"))
        self.psql.must("ALTER SERVER %s OPTIONS (SET base_url '%s/~%s;id=%d.%d/api')" % (
            self.server, self.run_data.log.base, switches, self.number, self.queries))
        answer = self.ask("SELECT ip, username FROM flaky_%d" % self.number)
        self.clean()
        self.counts["recoveries"] += 1
        if answer and (answer[1] or multiset(answer[0]) != self.soak.usage):
            self.complain("%d rows, %s" % (len(answer[0]), answer[1]), switches)

    def upkeep(self):
        """What changes or closes what is kept."""
        table = self.rng.choice(self.run_data.tables)
        sql = self.rng.choice(("SELECT sgip_fdw_disconnect_all()", "SELECT count(*) FROM sgip_fdw_connections()",
                               "ANALYZE f_" + table.name, "EXPLAIN (VERBOSE, ANALYZE, COSTS OFF) SELECT * FROM " + table.foreign(),
                               "SELECT sgip_fdw_disconnect('%s')" % self.server, "DISCARD PLANS"))
        answer = self.ask(sql)
        self.counts["upkeep"] += 1
        # two sessions that analyze one table get in each other's way
        if answer and answer[1] and "tuple concurrently updated" not in answer[1]:
            self.complain(answer[1], sql)
        self.clean()


class Soak:
    """The run."""

    def __init__(self, args):
        self.args = args
        self.complaints = []
        self.guard = threading.Lock()
        self.cancels = 0
        self.run = differential.Run()
        self.run.start(args.limit)
        self.directory = tempfile.TemporaryDirectory()
        os.chmod(self.directory.name, 0o755)
        define_heap_bytes(self.run.psql, self.directory.name)
        self.usage = multiset(self.run.psql.must("SELECT ip, username FROM l_usage WHERE NOT system"))
        self.killer = Psql()
        names = [line.split()[0] for line in subprocess.run([sys.executable, "-B", str(HERE / "emulator.py"), "--list", "faults"],
                                                            stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines() if line[:1].strip()]
        names = [name for name in names if not name.startswith("redirect") and "NNN" not in name]
        if args.faults:
            names = random.Random(args.seed).sample(names, args.faults)
        self.faults = Faults(self.run, names)
        self.workers = [Worker(self, number) for number in range(1, args.sessions + 1)]
        self.ends = time.monotonic() + args.seconds

    def tells_memory(self):
        return self.args.seconds >= MEMORY_MINUTES * 60

    def over(self):
        return time.monotonic() >= self.ends or len(self.complaints) >= MAX_COMPLAINTS

    def complain(self, what):
        with self.guard:
            self.complaints.append(what)
            print("\n".join("# " + line for line in what.splitlines()), flush=True)

    def go(self):
        """Cancels and samples until the time is over."""
        rng = random.Random("%s/cancels" % self.args.seed)
        for worker in self.workers:
            worker.start()
        next_sample, interval = time.monotonic(), self.args.seconds / SAMPLES
        while not self.over():
            time.sleep(rng.uniform(0, 2 * self.args.cancel_ms / 1000))
            worker = rng.choice(self.workers)
            with worker.lock:
                if worker.cancellable:
                    self.killer.must("SELECT pg_cancel_backend(%d)" % worker.pid)
                    worker.cancelled = True
                    self.cancels += 1
            if time.monotonic() > next_sample:
                self.sample()
                next_sample += interval
        for worker in self.workers:
            worker.join(120)
            if worker.is_alive():
                self.complain("session %d does not end" % worker.number)
            else:
                worker.sample()

    def sample(self):
        """Has every session look at what it holds, as soon as it is done with what it does."""
        for worker in self.workers:
            worker.pause.set()

    def internal_errors(self):
        """XX000 in the server's log, which psql's own messages might not have had."""
        with open(os.environ["PG_LOG"], "rb") as log:
            log.seek(self.log_began)
            return [line.decode(errors="replace").rstrip() for line in log if b" XX000: " in line and b"tuple concurrently updated" not in line]

    def prepare_log(self):
        self.killer.must("ALTER SYSTEM SET log_error_verbosity = verbose; SELECT pg_reload_conf()")
        self.log_began = os.path.getsize(os.environ["PG_LOG"])

    def stop(self):
        for worker in self.workers:
            worker.psql.close()
        self.killer.close()
        self.run.stop()
        self.directory.cleanup()


def report(soak):
    """Figures and tests; how many of these failed."""
    failed = 0

    def check(good, name, detail=""):
        nonlocal failed
        print("%s - %s%s" % ("ok" if good else "not ok", name, "" if good else ": %s" % detail), flush=True)
        failed += not good

    counts = sum((worker.counts for worker in soak.workers), collections.Counter())
    errors = soak.internal_errors()
    lost = sum(worker.psql.lost for worker in soak.workers)
    print("# seed %s, %d sessions, %d s; cancels sent %d" % (soak.args.seed, len(soak.workers), soak.args.seconds, soak.cancels))
    print("# " + ", ".join("%s %d" % item for item in sorted(counts.items())))
    asked, refused, waited = map(int, soak.run.psql.must("SELECT sum(requests), sum(refused), sum(waited_ms)::bigint FROM sgip_fdw_stats")[0].split(FIELD))
    print("# requests %d, refused %d, waited %.0f s in all" % (asked, refused, waited / 1000))
    grown, more, ours = [], [], []
    for worker in soak.workers:
        warm = worker.samples[len(worker.samples) // 4:]
        half = len(warm) // 2
        memory = [sample[4] for sample in warm]
        print("# session %d: descriptors %d -> %d, process kB %d -> %d, memory contexts kB %d -> %d, ours bytes %d -> %d, malloc kB %s" % (
            worker.number, warm[0][0], warm[-1][0], warm[0][1], warm[-1][1], warm[0][2], warm[-1][2], warm[0][3], warm[-1][3],
            " ".join(map(str, memory))))
        if half and max(memory[half:]) > max(memory[:half]) + GROWTH_KB:
            grown.append(worker.number)
        if warm[-1][0] > warm[0][0]:
            more.append(worker.number)
        if warm[-1][3] > 0:
            ours.append(worker.number)
    check(not soak.complaints, "%d answers and errors of %d sessions are right" % (
        sum(counts[each] for each in ("queries", "cursors", "faults", "recoveries", "upkeep")), len(soak.workers)), "see above")
    check(counts["cancelled"] > 0 and counts["timed out"] > 0, "queries were cancelled, and timed out", counts)
    if soak.args.limit:
        check(waited > 1000 and refused < 0.05 * asked, "limits were waited for, and refused less than 5 % of the requests", (waited, refused, asked))
    check(not errors, "no internal error in the server's log", errors[:5])
    check(not lost, "no session was lost", lost)
    check(not more, "no session has more descriptors than after warming up", more)
    check(not ours, "no memory context of ours is left between queries", ours)
    if soak.tells_memory():
        check(not grown, "no session grew by more than %d kB after warming up" % GROWTH_KB, grown)
    else:
        print("skipped - memory of the sessions: takes %d minutes" % MEMORY_MINUTES)
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--seconds", type=float, help="instead of minutes")
    parser.add_argument("--sessions", type=int, default=8)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--faults", type=int, help="so many kinds of misbehaviour only")
    parser.add_argument("--limit", metavar="N:SECONDS", help="requests that each server allows, path by path")
    parser.add_argument("--cancel-ms", type=float, default=60, help="mean time between two cancels")
    args = parser.parse_args()
    args.seconds = args.seconds or args.minutes * 60

    soak = Soak(args)
    try:
        soak.prepare_log()
        soak.go()
        failed = report(soak)
    finally:
        soak.stop()
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
