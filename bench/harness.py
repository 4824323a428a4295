"""What the sections of bench/run share: sessions, a file server, rows, memory, tables of figures."""

import ctypes
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HERE = os.path.join(TOP, 'bench')
MIB = 1024 * 1024


def now_ms():
    return time.perf_counter() * 1000


# ---------------------------------------------------------------------------------------------------------------
# Sessions
# ---------------------------------------------------------------------------------------------------------------

class SqlError(Exception):
    """An error of the server, with its SQLSTATE."""

    def __init__(self, state, message):
        super().__init__(message)
        self.state = state


class Session:
    """A connection through libpq, which every PostgreSQL brings along; says where from: PGHOST and so on."""

    pq = None

    def __init__(self, *commands):
        if Session.pq is None:
            Session.pq = self.load()
        self.conn = self.pq.PQconnectdb(b'')
        if self.pq.PQstatus(self.conn) != 0:
            raise SystemExit('no connection: ' + self.pq.PQerrorMessage(self.conn).decode())
        self.pid = self.pq.PQbackendPID(self.conn)
        for command in commands:
            self.run(command)

    @staticmethod
    def load():
        pq = ctypes.CDLL('libpq.so.5')
        for name, result, arguments in (
                ('PQconnectdb', ctypes.c_void_p, [ctypes.c_char_p]),
                ('PQstatus', ctypes.c_int, [ctypes.c_void_p]),
                ('PQerrorMessage', ctypes.c_char_p, [ctypes.c_void_p]),
                ('PQbackendPID', ctypes.c_int, [ctypes.c_void_p]),
                ('PQexec', ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_char_p]),
                ('PQresultStatus', ctypes.c_int, [ctypes.c_void_p]),
                ('PQresultErrorField', ctypes.c_char_p, [ctypes.c_void_p, ctypes.c_int]),
                ('PQntuples', ctypes.c_int, [ctypes.c_void_p]),
                ('PQnfields', ctypes.c_int, [ctypes.c_void_p]),
                ('PQgetvalue', ctypes.c_char_p, [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]),
                ('PQclear', None, [ctypes.c_void_p]),
                ('PQfinish', None, [ctypes.c_void_p])):
            function = getattr(pq, name)
            function.restype = result
            function.argtypes = arguments
        return pq

    def run(self, sql):
        """Rows of the (last) statement, as tuples of strings."""
        result = self.pq.PQexec(self.conn, sql.encode())
        try:
            if self.pq.PQresultStatus(result) not in (0, 1, 2):
                state = self.pq.PQresultErrorField(result, ord('C')) or b'?????'
                raise SqlError(state.decode(), self.pq.PQerrorMessage(self.conn).decode())
            columns = range(self.pq.PQnfields(result))
            return [tuple(self.pq.PQgetvalue(result, row, column).decode() for column in columns)
                    for row in range(self.pq.PQntuples(result))]
        finally:
            self.pq.PQclear(result)

    def timed(self, sql):
        """Milliseconds that the statement took, and its rows."""
        start = now_ms()
        rows = self.run(sql)
        return now_ms() - start, rows

    def explain(self, sql):
        """Runs the statement under EXPLAIN ANALYZE: the counters of all its foreign scans, summed."""
        counters = {}
        for (line,) in self.run('EXPLAIN (ANALYZE, TIMING OFF) ' + sql):
            name, colon, value = line.strip().partition(': ')
            if colon and value.isdigit():
                counters[name] = counters.get(name, 0) + int(value)
        return counters

    def close(self):
        self.pq.PQfinish(self.conn)
        self.conn = None


def cpu_ms(pid):
    """CPU time that a process has used."""
    try:
        with open(f'/proc/{pid}/schedstat') as file:
            return int(file.read().split()[0]) / 1e6
    except OSError:
        with open(f'/proc/{pid}/stat') as file:
            fields = file.read().rpartition(')')[2].split()
        return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf('SC_CLK_TCK')


# ---------------------------------------------------------------------------------------------------------------
# Memory
# ---------------------------------------------------------------------------------------------------------------

def status_kib(pid, name):
    with open(f'/proc/{pid}/status') as file:
        for line in file:
            if line.startswith(name + ':'):
                return int(line.split()[1])
    return 0


class Peak:
    """The largest anonymous memory of a backend (malloc, palloc, stack) while the block runs, in MiB.

    growth: above what it was before.  It is sampled, every 2 ms and where the block says; what is shared with other backends
    does not count.
    """

    def __init__(self, pid):
        self.pid = pid

    def __enter__(self):
        self.before = self.peak = status_kib(self.pid, 'RssAnon')
        self.going = True
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def watch(self):
        while self.going:
            self.sample()
            time.sleep(0.002)

    def sample(self):
        self.peak = max(self.peak, status_kib(self.pid, 'RssAnon'))

    def __exit__(self, *_):
        self.going = False
        self.thread.join()
        self.sample()
        self.growth = (self.peak - self.before) / 1024


# ---------------------------------------------------------------------------------------------------------------
# The place where everything is made: files, a file server, a program
# ---------------------------------------------------------------------------------------------------------------

NGINX_CONF = '''
daemon off;
worker_processes 1;
pid {dir}/nginx/pid;
error_log {dir}/nginx/error.log;
{user}
events {{ worker_connections 2048; }}
http {{
    default_type application/json;
    access_log off;
    log_format bench '$connection $status $bytes_sent';
    client_body_temp_path {dir}/nginx/body;
    proxy_temp_path {dir}/nginx/proxy;
    fastcgi_temp_path {dir}/nginx/fastcgi;
    uwsgi_temp_path {dir}/nginx/uwsgi;
    scgi_temp_path {dir}/nginx/scgi;
    # without tcp_nopush, as by default: on a loopback interface it holds the end of some answers back for 40 ms
    sendfile on;
    keepalive_timeout 600;
    keepalive_requests 1000000;
    # pages of a v3 listing are files named by their offset; only the first one tells where the others are
    map $arg_offset $link {{
        0 '<http://127.0.0.1:{port}/?offset={page}>; rel="next", <http://127.0.0.1:{port}/?offset=$last>; rel="last"';
    }}
    map $uri $last {{ ~^/pages/(?<rows>[0-9]+)/ $rows; }}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        listen 127.0.0.1:{tls_port} ssl backlog=1024;
        ssl_certificate {certificate};
        ssl_certificate_key {dir}/nginx/key.pem;
        root {dir}/www;
        location /gzip/ {{ alias {dir}/www/; gzip_static on; }}
        location /logged/ {{ alias {dir}/www/; access_log {dir}/nginx/log bench; }}
        location /pages/ {{
            rewrite ^/pages/([0-9]+)/ /pages/$1/$arg_offset.json break;
            add_header Link $link;
        }}
        # a page that is all there is
        location /whole/ {{
            rewrite ^/whole/([0-9]+)/ /pages/$1/$arg_offset.json break;
            add_header Link '<http://127.0.0.1:{port}/?offset=0>; rel="last"';
        }}
        # all pages of such a listing as one
        location /one/ {{
            rewrite ^/one/([0-9]+)/ /one/$1.json break;
            add_header Link '<http://127.0.0.1:{port}/?offset=0>; rel="first"';
        }}
    }}
}}
'''


class Place:
    """A temporary directory with the files that are served and nginx, which serves them."""

    PAGE = 500

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix='sgip_bench.', dir='/tmp')
        os.chmod(self.dir, 0o755)
        for name in ('www', 'nginx', 'csv'):
            os.mkdir(os.path.join(self.dir, name))
        self.nginx = None
        self.url = self.tls_url = None
        self.certificate = os.path.join(self.dir, 'certificate.pem')
        self.late = []

    def start_nginx(self):
        with socket.socket() as probe, socket.socket() as tls_probe:
            probe.bind(('127.0.0.1', 0))
            tls_probe.bind(('127.0.0.1', 0))
            port, tls_port = probe.getsockname()[1], tls_probe.getsockname()[1]
        self.url, self.tls_url = f'http://127.0.0.1:{port}', f'https://127.0.0.1:{tls_port}'
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
                        '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', f'{self.dir}/nginx/key.pem',
                        '-out', self.certificate], check=True, stderr=subprocess.DEVNULL)
        conf = os.path.join(self.dir, 'nginx', 'conf')
        with open(conf, 'w') as file:
            file.write(NGINX_CONF.format(dir=self.dir, port=port, tls_port=tls_port, certificate=self.certificate, page=self.PAGE,
                                         user='user nobody nogroup;' if os.geteuid() == 0 else ''))
        program = shutil.which('nginx') or shutil.which('nginx', path='/usr/sbin')
        if program is None:
            raise SystemExit('nginx is not installed: apt-get install nginx-light')
        self.nginx = subprocess.Popen([program, '-p', os.path.join(self.dir, 'nginx'), '-c', conf],
                                      stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                socket.create_connection(('127.0.0.1', port)).close()
                return
            except OSError:
                time.sleep(0.02)
        raise SystemExit('nginx did not start')

    def start_late(self, milliseconds):
        """Starts a server that answers after so many milliseconds; its URL."""
        server = subprocess.Popen([sys.executable, os.path.join(HERE, 'late_server.py'), str(milliseconds)],
                                  stdout=subprocess.PIPE, text=True)
        self.late.append(server)
        return f'http://127.0.0.1:{int(server.stdout.readline())}'

    @staticmethod
    def most_at_once(url):
        """The most requests that a late server had at once since this was asked last."""
        with urllib.request.urlopen(url + '/most') as answer:
            return int(answer.read())

    def close(self):
        for server in self.late:
            server.kill()
            server.wait()
        if self.nginx is not None:
            self.nginx.send_signal(signal.SIGQUIT if self.nginx.poll() is None else 0)
            try:
                self.nginx.wait(2)
            except subprocess.TimeoutExpired:
                self.nginx.terminate()
                self.nginx.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def log_lines(self, after, settle=0.3):
        """Requests logged after that many lines: (connection, status, bytes that the kernel took)."""
        time.sleep(settle)
        path = os.path.join(self.dir, 'nginx', 'log')
        if not os.path.exists(path):
            return []
        with open(path) as file:
            return [tuple(int(word) for word in line.split()) for line in file][after:]

    def usage_file(self, rows):
        """A file of that many usage rows, 54 bytes each with its comma, at {url}/ROWS/api/distributor.ip.json."""
        folder = os.path.join(self.dir, 'www', str(rows), 'api')
        path = os.path.join(folder, 'distributor.ip.json')
        if os.path.exists(path):
            return path
        os.makedirs(folder)
        with open(path, 'w') as json_file, open(self.csv_file(rows), 'w') as csv_file:
            for start in range(0, rows, 10000):
                pairs = [usage_row(i) for i in range(start, min(start + 10000, rows))]
                json_file.write(('[' if start == 0 else ',') +
                                ','.join(f'{{"ip":"{ip}","user":"{user}"}}' for ip, user in pairs))
                csv_file.write(''.join(f'{ip},{user}\n' for ip, user in pairs))
            json_file.write(']')
        subprocess.run(['gzip', '-k', '-6', path], check=True)
        return path

    def csv_file(self, rows):
        """The same rows as CSV."""
        return os.path.join(self.dir, 'csv', f'{rows}.csv')

    def page_files(self, rows):
        """So many rows of /v3/ips as pages, at {url}/pages/ROWS."""
        folder = os.path.join(self.dir, 'www', 'pages', str(rows))
        if os.path.exists(folder):
            return
        os.makedirs(folder)
        for offset in range(0, rows + 1, self.PAGE):
            with open(os.path.join(folder, f'{offset}.json'), 'w') as file:
                file.write(v3_list(range(offset, min(offset + self.PAGE, rows))))

    def one_file(self, rows):
        """The same as one page, at {url}/one/ROWS; its path.  And as CSV."""
        folder = os.path.join(self.dir, 'www', 'one')
        path = os.path.join(folder, f'{rows}.json')
        if os.path.exists(path):
            return path
        os.makedirs(folder, exist_ok=True)
        with open(path, 'w') as json_file, open(self.v3_csv_file(rows), 'w') as csv_file:
            json_file.write(v3_list(range(rows)))
            for i in range(rows):
                csv_file.write(v3_csv(v3_row(i)))
        return path

    def v3_csv_file(self, rows):
        return os.path.join(self.dir, 'csv', f'v3_{rows}.csv')

    def build(self):
        """Compiles the program that uses libcurl alone."""
        program = os.path.join(self.dir, 'libcurl_alone')
        subprocess.run([os.environ.get('CC', 'cc'), '-O2', '-o', program,
                        os.path.join(HERE, 'libcurl_alone.c'), '-lcurl'], check=True)
        return program

    def libcurl(self, url, count=1, parallel=1):
        """Milliseconds and connections that libcurl alone needs."""
        program = os.path.join(self.dir, 'libcurl_alone')
        if not os.path.exists(program):
            self.build()
        words = subprocess.run([program, url, str(count), str(parallel)], check=True,
                               capture_output=True, text=True).stdout.split()
        return float(words[0]), int(words[2])


def usage_row(number):
    """The ip and user of a row: different ones for each, 34 bytes together."""
    ip = f'10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}'
    return ip, f'customer-{number:0{17 - len(ip)}d}.example'


def v3_row(number):
    """A row of /v3/ips as the specification has it: lists of 0 to 2 names, null where there is no time, rdns absent in one of four."""
    ip, user = usage_row(number)
    row = {'ip': ip, 'subusers': [[user], [user], [], [user, 'second.example']][number % 4]}
    if number % 4 != 1:
        row['rdns'] = 'o1.em.example.com'
    row.update({'pools': [['west'], [], ['west', 'transactional'], ['east']][number // 4 % 4], 'warmup': number % 8 == 0,
                'start_date': 1409616000 + number if number % 8 == 0 else None, 'whitelabeled': number % 4 != 1,
                'assigned_at': 1482883200 + number})
    return row


def v3_list(numbers):
    return '[' + ','.join(json.dumps(v3_row(i), separators=(',', ':')) for i in numbers) + ']'


def v3_csv(row):
    """The row as PostgreSQL writes it, in the order of the table's columns."""
    def array(names):
        return '"{%s}"' % ','.join(names)

    def moment(seconds):
        return '' if seconds is None else time.strftime('%Y-%m-%d %H:%M:%S+00', time.gmtime(seconds))
    return ','.join((row['ip'], array(row['subusers']), row.get('rdns', ''), array(row['pools']), 'ft'[row['whitelabeled']],
                     'ft'[row['warmup']], moment(row['start_date']), moment(row['assigned_at']))) + '\n'


# ---------------------------------------------------------------------------------------------------------------
# Figures
# ---------------------------------------------------------------------------------------------------------------

def rounds(count, runners, rare=()):
    """Runs each of the named functions once per round, so that all see the same noise; figures by name.

    The rare ones (those that take long) run in every third round; None stands for the others.
    """
    figures = {name: [] for name in runners}
    for index in range(count):
        for name, runner in runners.items():
            figures[name].append(None if name in rare and index % 3 else runner())
    return figures


def known(figures):
    return [figure for figure in figures if figure is not None]


def median(figures):
    return statistics.median(known(figures))


def ratio(figures, base):
    """Median of the ratios within each round."""
    return statistics.median(a / b for a, b in zip(figures, base) if a is not None and b is not None)


def number(value):
    if isinstance(value, str):
        return value
    if isinstance(value, int) or abs(value) >= 100:
        return f'{value:,.0f}'
    return f'{value:.1f}' if abs(value) >= 10 else f'{value:.2f}'


class Report:
    """Prints tables and keeps what became of the goals."""

    def __init__(self):
        self.goals = []

    def heading(self, text):
        print(f'\n## {text}\n', flush=True)

    def note(self, text):
        print(text + '\n', flush=True)

    def table(self, head, rows):
        cells = [[number(cell) for cell in row] for row in [head, *rows]]
        widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
        for index, row in enumerate(cells):
            print('| ' + ' | '.join(cell.ljust(width) if column == 0 else cell.rjust(width)
                                    for column, (cell, width) in enumerate(zip(row, widths))) + ' |')
            if index == 0:
                print('|' + '|'.join('-' * (width + 2) for width in widths) + '|')
        print(flush=True)

    def goal(self, section, what, value, limit, unit='', least=False):
        """A goal: the value is at most (or at least) the limit."""
        reached = value >= limit if least else value <= limit
        self.goals.append((section, what, f'{number(value)} {unit}'.strip(),
                           ('≥ ' if least else '≤ ') + f'{number(limit)} {unit}'.strip(),
                           'reached' if reached else 'MISSED'))

    def failed(self, section, what, error):
        """Something that must work did not."""
        self.goals.append((section, what, 'error ' + getattr(error, 'state', ''), 'works', 'MISSED'))
        complain(f'{what}: {str(error).strip()}')

    def summary(self):
        self.heading('Goals')
        self.table(('goal', 'of', 'measured', 'aim', 'is'),
                   [(what, '§' + section, value, limit, verdict)
                    for section, what, value, limit, verdict in self.goals])
        missed = sum(goal[4] != 'reached' for goal in self.goals)
        print(f'{len(self.goals) - missed} of {len(self.goals)} goals reached')


def complain(text):
    print('bench: ' + text, file=sys.stderr, flush=True)
