"""What the tests of examples/ share: databases, psql, requests that were counted."""

import json
import os
import subprocess
import urllib.request
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
EXAMPLES = TOP / 'examples'
failed = 0


def check(good, name, detail=''):
    global failed
    print(('ok - ' if good else 'not ok - ') + name + ('' if good else ': ' + str(detail)[:2000]), flush=True)
    failed += not good


def same(got, wanted, name):
    check(got == wanted, name, f'{got!r} instead of {wanted!r}')


def run(command, database=None, text=None, **environment):
    """(status, standard output, standard error) of a command that finds that database."""
    env = dict(os.environ, PGTZ='UTC', PGCLIENTENCODING='UTF8', **environment)
    if database:
        env['PGDATABASE'] = database
    done = subprocess.run([str(word) for word in command], cwd=TOP, env=env, input=text, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=120)
    return done.returncode, done.stdout, done.stderr


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


class Emulator:
    """The emulator's log."""

    def __init__(self, url=None):
        self.url = url or os.environ['SGIP_EMULATOR']

    def control(self, path):
        with urllib.request.urlopen(f'{self.url}/_control/{path}') as answer:
            return json.loads(answer.read())

    def requests(self, action):
        """(what an action gives, how many requests were sent meanwhile)."""
        mark = self.control('mark')
        given = action()
        return given, len(self.control(f'log?since={mark}&wait_ms=5000'))
