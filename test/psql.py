"""Sessions for tests: a long-lived psql for each, so that no driver has to be installed."""

import itertools
import os
import re
import subprocess
import threading
import time

FIELD, RECORD, NULL = "\x1f", "\0", "\x02"


class Psql:
    """A long-lived psql; what each batch printed ends with a line of our own.

    If the connection is lost, psql ends: that batch has the message, the next
    one starts another psql.
    """

    def __init__(self, options=""):
        self.options = "-c client_min_messages=warning " + options
        self.count = 0
        self.lost = 0
        self.start()

    def start(self):
        self.errors = []
        environment = dict(os.environ, PGCLIENTENCODING="UTF8", PGOPTIONS=self.options)
        self.process = subprocess.Popen(
            ["psql", "-X", "-q", "-At", "-0", "-F", FIELD, "-P", "null=" + NULL, "-v", "VERBOSITY=verbose"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
        self.condition = threading.Condition()
        threading.Thread(target=self._read_errors, args=(self.process.stderr, self.errors), daemon=True).start()

    def _read_errors(self, stream, errors):
        for line in itertools.chain(stream, (None,)):
            with self.condition:
                errors.append(line and line.decode("utf-8", "replace"))
                self.condition.notify()

    def send(self, sql):
        """Sends some statements; receive() has to follow."""
        self.count += 1
        self.mark = "--end-of-batch-%d--\n" % self.count
        batch = "%s\n;\n\\echo %s\n\\warn %s\n" % (sql, self.mark.strip(), self.mark.strip())
        if self.process.poll() is not None:
            time.sleep(1)                       # a server that crashed needs a moment
            self.start()
        try:
            self.process.stdin.write(batch.encode())
            self.process.stdin.flush()
        except BrokenPipeError:
            pass

    def receive(self):
        """(rows, message or None) of what was sent; rows are texts."""
        output = b""
        while not output.endswith(self.mark.encode()):
            piece = os.read(self.process.stdout.fileno(), 1 << 16)
            if not piece:
                self.process.wait()
                self.lost += 1
                with self.condition:
                    while None not in self.errors:
                        self.condition.wait()
                    return [], "".join(filter(None, self.errors)) + "the connection was lost"
            output += piece
        with self.condition:
            while self.mark not in self.errors and None not in self.errors:
                self.condition.wait()
            message = "".join(line for line in self.errors if line not in (self.mark, None))
            self.errors.clear()
        text = output.decode()[:-len(self.mark)]
        return text.split(RECORD)[:-1], message or None

    def run(self, sql):
        """(rows, message or None) of some statements; rows are texts."""
        self.send(sql)
        return self.receive()

    def must(self, sql):
        """Rows of statements that do not fail."""
        rows, message = self.run(sql)
        if message:
            raise SystemExit("%s\n%s" % (sql, message))
        return rows

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.wait()


def sqlstate(message):
    """The SQLSTATE of psql's verbose message, or None."""
    found = re.search(r"(?:ERROR|FATAL|PANIC):  (\w{5}):", message or "")
    return found[1] if found else "lost" if message else None
