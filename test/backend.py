"""A session of psql together with what /proc tells of its backend; for programs in test/t."""

import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from differential import Psql, sqlstate

KB = 1024


class Backend(Psql):
    """A session that knows the process which serves it."""

    def start(self):
        super().start()
        self.pid = int(self.run("SELECT pg_backend_pid()")[0][0])

    def is_the_same(self):
        """Whether the session is still served by the process it began with."""
        rows, _ = self.run("SELECT pg_backend_pid()")
        return rows == [str(self.pid)]

    def must(self, sql):
        """The rows of statements that cannot fail."""
        rows, message = self.run(sql)
        if message:
            raise RuntimeError("%s\n%s" % (sql, message))
        return rows

    def timed(self, sql):
        """(rows, message or None, milliseconds) of some statements."""
        began = time.monotonic()
        rows, message = self.run(sql)
        return rows, message, (time.monotonic() - began) * 1000

    # --- what it holds -----------------------------------------------------------

    def descriptors(self):
        """What each of its descriptors is; connections that are only kept are closed first.

        Not the tables' files: PostgreSQL opens and closes those as it likes.
        """
        self.must("SELECT sgip_fdw_disconnect_all() IS NULL")
        directory = "/proc/%d/fd" % self.pid
        found = []
        for number in os.listdir(directory):
            try:
                target = os.readlink(os.path.join(directory, number))
            except FileNotFoundError:           # closed since it was listed
                continue
            if not target.startswith(os.environ["PGDATA_DIR"]):
                found.append(re.sub(r":\[\d+\]", "", target))
        return sorted(found)

    def status(self, name):
        """A number of /proc/PID/status, in bytes."""
        with open("/proc/%d/status" % self.pid, encoding="ascii") as file:
            return int(re.search(r"^%s:\s+(\d+) kB" % name, file.read(), re.M)[1]) * KB

    def heap_bytes(self):
        """What it holds of malloc's memory, be it palloc's, libcurl's or jansson's; see define_heap_bytes."""
        return int(self.must("SELECT heap_bytes()")[0])

    def watch_peak(self):
        """From now on peak_bytes counts; gives what is used now."""
        with open("/proc/%d/clear_refs" % self.pid, "w", encoding="ascii") as file:
            file.write("5")
        return self.status("VmRSS")

    def peak_bytes(self):
        """The most memory that it used at once."""
        return self.status("VmHWM")


def parts(message):
    """(SQLSTATE, message, everything with DETAIL, HINT and CONTEXT) of psql's verbose words."""
    found = re.search(r"(?:ERROR|FATAL):  \w{5}: (.*)", message or "")
    return sqlstate(message), found[1] if found else "", message or ""


def define_heap_bytes(session, directory):
    """Makes the function heap_bytes(), from heap.c by way of a directory that the server can read."""
    here = os.path.dirname(os.path.abspath(__file__))
    library = os.path.join(directory, "heap.so")
    include = subprocess.run([os.environ["PG_CONFIG"], "--includedir-server"], check=True, stdout=subprocess.PIPE, text=True)
    subprocess.run(["gcc", "-O2", "-Wall", "-fPIC", "-shared", "-I" + include.stdout.strip(), os.path.join(here, "heap.c"), "-o", library],
                   check=True)
    session.must("CREATE FUNCTION heap_bytes() RETURNS bigint LANGUAGE C AS '%s'" % library)


# --- certificates ------------------------------------------------------------------

class Authority:
    """A certificate authority in a directory, and the certificates that it signs."""

    def __init__(self, directory):
        self.directory = directory
        self.file = os.path.join(directory, "ca.pem")
        self.key = os.path.join(directory, "ca.key")
        self._openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=CA of a test", "-addext", "subjectAltName=IP:127.0.0.1",
                      "-keyout", self.key, "-out", self.file)
        os.chmod(self.file, 0o644)
        self.config = os.path.join(directory, "ca.cnf")
        with open(self.config, "w", encoding="ascii") as file:
            file.write("[ca]\ndefault_ca = this\n[this]\nprivate_key = {0}/ca.key\ncertificate = {0}/ca.pem\n"
                       "database = {0}/index.txt\nnew_certs_dir = {0}\nrand_serial = yes\nunique_subject = no\n"
                       "default_md = sha256\npolicy = any\n[any]\ncommonName = supplied\n".format(directory))
        with open(os.path.join(directory, "index.txt"), "w", encoding="ascii"):
            pass

    @staticmethod
    def _openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def sign(self, name, subject="IP:127.0.0.1", expired=False):
        """(certificate, key) for a subject; valid now, or expired in 2020."""
        base = os.path.join(self.directory, name)
        with open(base + ".ext", "w", encoding="ascii") as file:
            file.write("subjectAltName=%s\n" % subject)
        self._openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=" + name, "-keyout", base + ".key", "-out", base + ".csr")
        # "openssl x509" has no way to make an expired one that all versions know
        validity = ["-startdate", "20200101000000Z", "-enddate", "20200102000000Z"] if expired else ["-days", "2"]
        self._openssl("ca", "-batch", "-notext", "-config", self.config, "-in", base + ".csr", "-extfile", base + ".ext",
                      *validity, "-out", base + ".pem")
        return base + ".pem", base + ".key"
