"""What the programs in test/t share: saying what is right, psql, the emulator, and an API of their own.

Sessions that last are in psql.py, what /proc knows of their backends in backend.py.
"""

import collections
import http.server
import json
import os
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
EXAMPLES = TOP / 'examples'
SLOWNESS = float(os.environ.get('SGIP_TEST_SLOWNESS', 1))      # how many times longer than promised anything may take
SECONDS = 120                                                   # the longest that a command or an event may take
failed = 0


# --- what is right -----------------------------------------------------------------

def check(good, name, detail=''):
    """One test; the detail is printed if it fails."""
    global failed
    print(('ok - ' if good else 'not ok - ') + name + ('' if good else ': ' + str(detail)[:3000]), flush=True)
    failed += not good


def same(got, wanted, name):
    check(got == wanted, name, f'{got!r} instead of {wanted!r}')


def outcome():
    """The exit status of a program."""
    return failed > 0


def wait_for(condition, what, seconds=60 * SLOWNESS, pause=0.002):
    """Looks again and again until there is something; for what nothing can wait for."""
    until = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > until:
            raise TimeoutError(f'{what}: not after {seconds:.0f} s')
        time.sleep(pause)
    return found


# --- commands ----------------------------------------------------------------------

def run(command, database=None, text=None, merge=False, timeout=SECONDS, **environment):
    """(status, standard output, standard error) of a command that finds that database; merge: both as one."""
    env = dict(os.environ, PGTZ='UTC', PGCLIENTENCODING='UTF8', **environment)
    if database:
        env['PGDATABASE'] = database
    try:
        done = subprocess.run([str(word) for word in command], cwd=TOP, env=env, input=text, text=True, timeout=timeout,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT if merge else subprocess.PIPE)
    except subprocess.TimeoutExpired as late:
        return 124, f'not ended after {timeout} s: {late.output}', ''
    return done.returncode, done.stdout, done.stderr or ''


def psql(script, *options, separator=' ', **environment):
    """What a script prints, errors included, as lines."""
    return run(['psql', '-X', '-q', '-At', '-F', separator, '-v', 'VERBOSITY=verbose', *options], text=script, merge=True,
               **environment)[1].splitlines()


class Database:
    """A database, and what psql says in it."""

    def __init__(self, name, template='template0', options=()):
        self.name, self.options = name, options
        Database.sql_in('postgres', f'CREATE DATABASE {name} TEMPLATE {template}')

    @staticmethod
    def sql_in(name, script, options=()):
        status, output, errors = run(['psql', '-X', '-q', '-At', '-v', 'ON_ERROR_STOP=1', *options], name, script)
        if status:
            raise SystemExit(f'{script}\n{errors}')
        return output.rstrip('\n')

    def sql(self, script):
        """What statements print that must not fail: fields separated by |."""
        return self.sql_in(self.name, script, self.options)

    def error(self, script):
        """The SQLSTATE with which statements end, or '' if they do not fail."""
        _, _, errors = run(['psql', '-X', '-q', '-At', '-v', 'ON_ERROR_STOP=1', '-v', 'VERBOSITY=sqlstate', *self.options], self.name, script)
        return errors.rpartition('ERROR:  ')[2].strip()

    def file(self, name, **variables):
        """Runs a file of examples/; it must not fail, and says nothing."""
        options = [word for pair in variables.items() for word in ('-v', '='.join(pair))]
        status, output, errors = run(['psql', '-X', '-f', EXAMPLES / name, *options], self.name)
        return status, output + errors


# --- servers -----------------------------------------------------------------------

class Emulator:
    """The emulator: what it was asked, and what its account holds."""

    def __init__(self, url=None):
        self.url = url or os.environ['SGIP_EMULATOR']

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=SECONDS) as answer:
            return answer.read().decode()

    def control(self, path):
        return json.loads(self.get(f'/_control/{path}'))

    def log(self, action):
        """(what an action gives, the requests that were sent meanwhile)."""
        mark = self.control('mark')
        given = action()
        return given, self.control(f'log?since={mark}&wait_ms=5000')

    def only(self, name, action, accounts, lines=None):
        """The action asks these accounts, each once, and no other; the last lines of what it prints are given."""
        printed, asked = self.asked(action)
        good = asked == collections.Counter(accounts) and (lines is None or printed[-len(lines):] == lines)
        check(good, name, f'{printed[-3:]} {dict(asked)}')

    def asked(self, action):
        """(what an action gives, how often each account was asked meanwhile)."""
        given, log = self.log(action)
        return given, collections.Counter(str(entry['switches'].get('id')) for entry in log)

    def requests(self, action):
        """(what an action gives, how many requests were sent meanwhile)."""
        given, log = self.log(action)
        return given, len(log)

    def dump(self, table, switches):
        """The account's own rows, not what the API says of them: lists of texts."""
        return [line.split('\t') for line in self.get(f'/~{switches}/_control/tsv/{table}').splitlines()]


Request = collections.namedtuple('Request', 'path query number at pairs')       # pairs: the query, with what comes several times


class Api:
    """A server whose answers are a test's: answer(request) gives a body, which is a text or becomes JSON, or (body, status, headers)."""

    def __init__(self, answer=None):
        self.answer = answer
        self.requests = []
        self.lock = threading.Lock()
        server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), type('Handler', (Handler,), {'api': self}))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = f'http://127.0.0.1:{server.server_port}'


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection of an Api."""
    protocol_version = 'HTTP/1.1'
    wbufsize = 1 << 16          # header and body leave together
    api = None

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        with self.api.lock:
            pairs = urllib.parse.parse_qsl(url.query)
            request = Request(url.path, dict(pairs), len(self.api.requests) + 1, time.monotonic(), pairs)
            self.api.requests.append(request)
        made = self.api.answer(request)
        body, status, headers = made if isinstance(made, tuple) else (made, 200, {})
        body = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        if status != 204 and 'Content-Length' not in headers:
            self.send_header('Content-Length', str(len(body)))
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()
        if status != 204:
            self.wfile.write(body)

    def log_message(self, *_):
        pass
