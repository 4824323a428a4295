"""Sections 7 and 8 of bench/run: thousands of accounts on one server, and how many servers, sessions and requests it takes."""

import math
import os
import subprocess
import threading
import time

from harness import TOP, Peak, Session, cpu_ms, median, now_ms, number

IN_FLIGHT = 64              # sgip_fdw.max_connections, its default
COUNTS = (1000, 5000, 10000)
DESCRIPTORS = 1024          # ulimit -n of the server, the usual one; bench/run sets it


def make_accounts(bench, count, base_url, target, tables='ips_usage', api='v2', ca_file=None):
    """So many accounts as partitions in a schema, by examples/accounts.sql; milliseconds that it takes."""
    key = os.path.join(bench.place.dir, 'key')
    with open(key, 'w') as file:
        file.write('demo-key\n')
    os.chmod(key, 0o644)
    generate = ['psql', '-X', '-q', '-f', os.path.join(TOP, 'examples/accounts.sql'), '-v', f'api={api}', '-v', f'target={target}',
                '-v', f'accounts={target}_list', '-v', f'tables={tables}', '-v', 'buckets=64']
    subprocess.run(generate, check=True)
    bench.admin.run(f"INSERT INTO {target}_list (account, api_key_file, api_version, base_url, api_user) SELECT '{target}_' || n, '{key}', '{api}', "
                    f"'{base_url}', {'NULL' if api == 'v3' else repr('demo')} FROM generate_series(1, {count}) n ON CONFLICT DO NOTHING")
    start = now_ms()
    subprocess.run(generate, check=True)
    if ca_file:
        bench.admin.run(f"DO $$ DECLARE one name; BEGIN FOR one IN SELECT srvname FROM pg_foreign_server WHERE srvname ~ '^sg_{target}_' "
                        f"LOOP EXECUTE format('ALTER SERVER %I OPTIONS (ADD ca_file %L)', one, '{ca_file}'); END LOOP; END $$")
    return now_ms() - start


class Descriptors:
    """The most file descriptors that a process has while the block runs, looked at every 5 ms."""

    def __init__(self, pid):
        self.directory = f'/proc/{pid}/fd'
        self.most = 0
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def watch(self):
        while not self.done.wait(0.005):
            self.most = max(self.most, len(os.listdir(self.directory)))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()


def planning_ms(session, query):
    """Planning time as EXPLAIN tells it."""
    for (line,) in session.run('EXPLAIN (SUMMARY) ' + query):
        if line.startswith('Planning Time'):
            return float(line.split()[2])


# ---------------------------------------------------------------------------------------------------------------
# 7  Thousands of accounts
# ---------------------------------------------------------------------------------------------------------------

def section_7(bench):
    report = bench.report
    report.heading('7  Thousands of accounts on one server')
    url = bench.place.start_late(50)
    query = 'SELECT count(*) FROM many.ips_usage'
    request = f'{url}/api/distributor.ip.json?task=usage&api_user=demo&api_key=demo-key'
    lines, per_account, descriptors, at_once = [], {}, [], []
    for count in COUNTS:
        made = make_accounts(bench, count, url + '/api', 'many')
        session = Session("LOAD 'sgip_fdw'")
        first, *again = (planning_ms(session, query) for _ in range(6))
        session.close()
        session = Session("LOAD 'sgip_fdw'")
        with Peak(session.pid) as memory, Descriptors(session.pid) as held:
            runs = [run(bench, session, query, count, url) for _ in range(3)]
        locks = session.run(f"BEGIN; {query}; SELECT count(*) FROM pg_locks WHERE locktype = 'relation'")[0][0]
        session.close()
        wall, cpu = median([one[0] for one in runs]), median([one[1] for one in runs])
        floor = bench.place.libcurl(request, count, IN_FLIGHT)[0]
        at_once += [one[2] for one in runs]
        descriptors.append(held.most)
        lines.append((f'{count:,}', made / 1000, first, median(again), memory.growth, wall, math.ceil(count / IN_FLIGHT) * 50, floor, cpu, held.most, int(locks)))
        for name, figure in (('execution', wall), ('CPU time', cpu), ('memory', memory.growth)):
            per_account.setdefault(name, []).append(figure / count)
    report.note(f'Accounts on as many servers, 10 rows each after 50 ms, {IN_FLIGHT} at a time (ideal: nothing but the waits; libcurl: the same requests '
                'by libcurl alone, on 64 connections); made: by examples/accounts.sql; planning in a new session, and again:')
    report.table(('accounts', 'made, s', 'planning, ms', 'again', 'MiB', 'ms', 'ideal', 'libcurl', 'CPU ms', 'descriptors', 'locks'), lines)
    for name, figures in per_account.items():
        report.goal('7', f'{name} per account, {COUNTS[-1]:,} accounts × {COUNTS[0]:,}', figures[-1] / figures[0], 1.25)
    report.goal('7', 'requests at once', max(at_once), IN_FLIGHT)
    report.goal('7', f'descriptors, ulimit -n {DESCRIPTORS}', max(descriptors), DESCRIPTORS)


def run(bench, session, query, count, url):
    """Milliseconds, CPU time and requests at once of the query over all accounts."""
    bench.place.most_at_once(url)
    cpu = cpu_ms(session.pid)
    wall, rows = session.timed(query)
    if rows[0][0] != str(10 * count):
        raise SystemExit(f'accounts: wrong answer {rows}')
    return wall, cpu_ms(session.pid) - cpu, bench.place.most_at_once(url)


# ---------------------------------------------------------------------------------------------------------------
# 8  Sizing
# ---------------------------------------------------------------------------------------------------------------

PAGE = 500                  # rows that /v3/ips gives at most
LISTINGS = 2                # that a refresh reads: /v3/ips and /v3/subusers, taken to be as long
CONCURRENCY = 4             # pages of an account at a time after the first: max_concurrency, its default
LATENCY = 0.2               # seconds from request to answer; measure yours
LIMIT = 500                 # requests that an account may send to one path in a minute; SendGrid's samples say 150 to 600
BUSY = 0.7                  # share of a core that a session may use, so that there is room for other work
CORES = 8                   # of a database server
PER_SERVER = 10000          # accounts of a database server: what section 7 has tried
SIZES = [(accounts, ips, minutes) for accounts in (10, 1000, 100000) for ips, minutes in ((100, 60), (100, 5), (2000, 60), (2000, 5))]


def section_8(bench):
    report = bench.report
    report.heading('8  Sizing')
    costs = measure(bench)
    report.note('CPU time of a backend that writes /v3/ips into a table, over TLS, and its memory:')
    report.table(('', ''), [('an account (planning, new connection, request), ms', costs['account']), ('a row, µs', 1000 * costs['row']),
                            ('memory for each account of a query, KiB', costs['memory'])])
    report.note(f'With {LISTINGS} listings a refresh, pages of {PAGE}, {1000 * LATENCY:.0f} ms from request to answer, {IN_FLIGHT} requests in flight in a '
                f'session, {100 * BUSY:.0f} % of a core for a session, {CORES} cores and {PER_SERVER:,} accounts at most for a server; limit: share of {LIMIT} '
                "requests a minute that an account's listing of IPs takes while it is refreshed once a period:")
    sizes = SIZES + [tuple(int(part) for part in size.split(':')) for size in bench.options.size]
    report.table(('accounts', 'IPs each', 'every', 'requests/min', 'in flight', 'cores', 'sessions', 'servers', 'refresh takes', 'limit'),
                 [size_of(costs, *size) for size in sizes])


def size_of(costs, accounts, ips, minutes):
    """A line of the table: the formula of doc/performance.md."""
    pages = math.ceil(ips / PAGE)
    requests = accounts * LISTINGS * pages
    cpu = accounts * LISTINGS * (costs['account'] + ips * costs['row']) / 1000
    per_second = requests / (60 * minutes)
    in_flight = per_second * LATENCY
    cores = cpu / (60 * minutes)
    sessions = math.ceil(max(in_flight / IN_FLIGHT, cores / BUSY))
    servers = math.ceil(max(sessions / CORES, accounts / PER_SERVER))
    sessions = max(sessions, servers)
    takes = max(requests * LATENCY / IN_FLIGHT, cpu / BUSY) / sessions
    return (f'{accounts:,}', f'{ips:,}', f'{minutes} min', 60 * per_second, in_flight, cores, sessions, servers,
            f'{number(max(takes, (1 + math.ceil((pages - 1) / CONCURRENCY)) * LATENCY))} s', f'{100 * pages / (LIMIT * minutes):.1f} %')


def measure(bench):
    """What an account and a row cost, in ms of CPU, and an account in KiB of memory: from accounts with a few rows and with a page of them."""
    count = 300
    figures = {}
    for rows in (10, PAGE):
        target = f'sizing_{rows}'
        bench.place.page_files(rows)
        make_accounts(bench, count, f'{bench.place.tls_url}/whole/{rows}', target, 'ips_all', 'v3', bench.place.certificate)
        runs = []
        for _ in range(3):
            session = Session("LOAD 'sgip_fdw'", f'CREATE TEMP TABLE kept AS SELECT * FROM {target}.ips_all LIMIT 0')
            before = cpu_ms(session.pid)
            with Peak(session.pid) as memory:
                session.run(f'INSERT INTO kept SELECT * FROM {target}.ips_all')
            runs.append((cpu_ms(session.pid) - before, memory.growth))
            if session.run('SELECT count(*) FROM kept') != [(str(rows * count),)]:
                raise SystemExit('sizing: wrong number of rows')
            session.close()
        figures[rows] = median([one[0] for one in runs]) / count, median([one[1] for one in runs]) / count
    row = (figures[PAGE][0] - figures[10][0]) / (PAGE - 10)
    return {'account': figures[10][0] - 10 * row, 'row': row, 'memory': 1024 * figures[10][1]}
