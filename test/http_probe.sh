#!/bin/sh
#
# Tests src/http alone: builds it with http_probe.c to a library, starts a
# throw-away cluster and servers on loopback, and checks what comes back.
# Runs as root (PostgreSQL then runs as user postgres) or as an ordinary user.
#
#	test/http_probe.sh [pg_config]
#
set -eu
here=$(cd "$(dirname "$0")" && pwd)
pg_config=${1:-pg_config}
bindir=$($pg_config --bindir)
work=$(mktemp -d)
chmod 755 "$work"
server=
dns=
as_postgres=
[ "$(id -u)" != 0 ] || as_postgres="runuser -u postgres --"

finish() {
	$as_postgres "$bindir/pg_ctl" -D "$work/pg/data" -m immediate -w stop >/dev/null 2>&1 || true
	[ -z "$server" ] || kill "$server" 2>/dev/null || true
	[ -z "$dns" ] || kill "$dns" 2>/dev/null || true
	rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

# --- build -------------------------------------------------------------
${CC:-gcc} -O2 -g -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -D_GNU_SOURCE -fPIC -shared \
	-DMAX_IDLE_MS=1000 -I"$($pg_config --includedir-server)" -I"$here/../src" \
	"$here/http_probe.c" "$here"/../src/http/*.c -o "$work/http_probe.so" -lcurl
chmod 755 "$work/http_probe.so"

# --- servers -----------------------------------------------------------
cat > "$work/server.py" <<'PY'
import fcntl, gzip, os, re, select, socket, ssl, struct, subprocess, sys, termios, threading, time, zlib

work = sys.argv[1]
BIG = b"".join(b'{"ip":"10.%d.%d.%d","user":"user%08d@example.com"},\n' % (i >> 16 & 255, i >> 8 & 255, i & 255, i)
               for i in range(1000000))
GZ = gzip.compress(BIG, 1)
bomber = zlib.compressobj(9, zlib.DEFLATED, 31)
BOMB = b"".join([bomber.compress(bytes(1 << 20)) for _ in range(400)] + [bomber.flush()])
connections = 0
requests = {}          # socket -> how many on it
kept = set()           # sockets that stay open behind an answer
all_gone = threading.Event()
STRAY = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray"
closed = {}            # path -> bytes that left the sending side of the socket
noted = threading.Condition()

def until_closed(sock, seconds=60):
    select.select([sock], [], [], seconds)

def send_counted(sock, path, data):
    """Sends until the peer has enough or goes; notes how much left this machine's kernel."""
    sent = 0
    sock.setblocking(False)
    try:
        view = memoryview(data)
        while sent < len(data):
            r, w, _ = select.select([sock], [sock], [], 20)
            if r:
                break
            if w:
                sent += sock.send(view[sent:sent + 16384])
    except OSError:
        pass
    with noted:
        closed[path] = struct.unpack_from("Q", sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256), 200)[0]  # tcpi_bytes_sent
        noted.notify_all()
    sock.setblocking(True)

def answer(sock, path, body, extra=b"", status=b"200 OK"):
    head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n" % (status, len(body), extra)
    if len(body) < 10000:
        sock.sendall(head + body)       # in two, the second waits for a delayed ACK
    else:
        sock.sendall(head)
        sock.sendall(body)

def serve(sock, path, seq):
    if path == "/count":
        answer(sock, path, str(connections).encode())
    elif path == "/small":
        answer(sock, path, b'[{"ip":"10.0.0.1"}]')
    elif path == "/big":
        answer(sock, path, BIG)
    elif path == "/gzip":
        answer(sock, path, GZ, b"Content-Encoding: gzip\r\n")
    elif path == "/bomb":
        answer(sock, path, BOMB, b"Content-Encoding: gzip\r\n")
    elif path == "/bomb2":
        answer(sock, path, gzip.compress(BOMB), b"Content-Encoding: gzip, gzip\r\n")
    elif path == "/badgzip":
        answer(sock, path, b"this is not gzip at all", b"Content-Encoding: gzip\r\n")
    elif path.startswith("/early"):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(BIG) * 5))
        send_counted(sock, path, BIG * 5)
        return False
    elif path.startswith("/sent/"):
        with noted:            # the sender may hear a moment later that its peer has gone
            noted.wait_for(lambda: path[5:] in closed, 20)
        answer(sock, path, b"", b"Retry-After: %d\r\n" % closed.get(path[5:], -1))
    elif path == "/drip":
        body = b"0123456789" * 20
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for b in body:
            sock.sendall(bytes([b]))
            time.sleep(0.002)       # a drip is made of time
    elif path == "/chunked":
        sock.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=\"next\"\r\nRetry-After: 9\r\n\r\n"
                     b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type:  text/x \r\n"
                     b"Link: <https://a/?q=1,2;x>; title=\"a, b;\"; rel=\"prev next\"\r\n"
                     b"X-RateLimit-Reset: 77\r\nlink: <https://b/>;rel=last\r\n\r\n")
        for i in range(100):
            sock.sendall(b"a\r\n0123456789\r\n")
        sock.sendall(b"0\r\nRetry-After: 5\r\n\r\n")
    elif path == "/cutchunk":
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n")
        return False
    elif path == "/cut":
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789")
        return False
    elif path == "/cuthead":
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: x/y\r\n")
        return False
    elif path == "/nothing":
        return False
    elif path == "/reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False
    elif path == "/garbage":
        sock.sendall(b"\x00\x01garbage without any HTTP\r\n\r\n")
        return False
    elif path == "/silent":
        until_closed(sock)
        return False
    elif path == "/stall":
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789")
        until_closed(sock)
        return False
    elif path == "/manyheaders":
        sock.sendall(b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(1200)) + b"Content-Length: 0\r\n\r\n")
    elif path == "/bigheaders":
        sock.sendall(b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"y" * 900) for i in range(320)) + b"Content-Length: 0\r\n\r\n")
    elif path == "/longlink":
        sock.sendall(b"HTTP/1.1 200 OK\r\nLink: <http://x/" + b"y" * 9000 + b">; rel=next\r\nContent-Length: 0\r\n\r\n")
    elif path.startswith("/coding/"):
        value = path[8:].replace("_", " ").encode()
        answer(sock, path, gzip.compress(b"0123456789") if value.endswith(b"gzip") else b"0123456789", b"Content-Encoding: %s\r\n" % value)
    elif path == "/transfergzip":
        sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n")
    elif path.startswith("/lengths/"):
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %s\r\nContent-Length: 10\r\n\r\n0123456789" % path[9:].encode())
    elif path == "/partial":
        answer(sock, path, b"0123456789", b"Content-Range: bytes 0-9/100\r\n", b"206 Partial Content")
    elif path == "/folded":
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nLink: <https://a/>;\r\n  rel=next\r\nX-RateLimit-Reset:\t\t7  \r\n\r\nok")
    elif path == "/otherlinks":
        answer(sock, path, b"ok", b'Link: <https://a/>; rel="deprecation sunset", <https://b/>; rel=preconnect\r\nLink:\r\n')
    elif path == "/redirect":
        answer(sock, path, b"moved", b"Location: /small\r\nRetry-After: 120\r\n", b"302 Found")
    elif path == "/dies":           # a kept connection that the server drops
        answer(sock, path, b"ok")
        return False
    elif path.startswith("/second/"):       # what comes of a connection that is used again
        if requests[sock] == 1:
            answer(sock, path, b"ok")
            return True
        if path == "/second/408":
            answer(sock, path, b"", b"Connection: close\r\n", b"408 Request Timeout")
        elif path == "/second/reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False
    elif path == "/408":
        answer(sock, path, b"", b"", b"408 Request Timeout")
    elif path == "/keep":
        kept.add(sock)
        all_gone.clear()
        answer(sock, path, b"ok")
    elif path == "/stray":
        for other in kept:
            other.sendall(STRAY)
        answer(sock, path, b"ok")
    elif path == "/gone":
        answer(sock, path, b"gone" if all_gone.wait(20) else b"kept")
    else:
        answer(sock, path, b"no such thing", b"", b"404 Not Found")
    return True

def talk(sock):
    global connections
    try:
        if isinstance(sock, ssl.SSLSocket):
            sock.do_handshake()
        connections += 1
        data = b""
        while True:
            while b"\r\n\r\n" not in data:
                piece = sock.recv(65536)
                if not piece:
                    return
                data += piece
            head, data = data.split(b"\r\n\r\n", 1)
            m = re.search(rb"content-length: *(\d+)", head, re.I)
            need = int(m.group(1)) if m else 0
            while len(data) < need:
                data += sock.recv(65536)
            body, data = data[:need], data[need:]
            path = head.split(b" ")[1].decode().split("?")[0]
            requests[sock] = requests.get(sock, 0) + 1
            if path == "/echo":
                answer(sock, path, head + b"|" + body)
            elif not serve(sock, path, connections):
                return
    except OSError:
        pass
    finally:
        requests.pop(sock, None)
        if sock in kept:
            kept.discard(sock)
            if not kept:
                all_gone.set()
        sock.close()

def listen(context=None):
    s = socket.create_server(("127.0.0.1", 0), backlog=512)
    def loop():
        while True:
            c, _ = s.accept()
            if context:
                c = context.wrap_socket(c, server_side=True, do_handshake_on_connect=False)
            threading.Thread(target=talk, args=(c,), daemon=True).start()
    threading.Thread(target=loop, daemon=True).start()
    return s.getsockname()[1]

subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", work + "/key.pem", "-out", work + "/cert.pem"],
               check=True, stderr=subprocess.DEVNULL)
os.chmod(work + "/cert.pem", 0o644)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(work + "/cert.pem", work + "/key.pem")
dead = socket.create_server(("127.0.0.1", 0)); refused = dead.getsockname()[1]; dead.close()
full = socket.socket(); full.bind(("127.0.0.1", 0)); full.listen(0)       # never accepts
fill = [socket.socket() for _ in range(4)]
for f in fill:
    f.setblocking(False); f.connect_ex(full.getsockname())
bigsum = zlib.crc32(BIG)
with open(work + "/vars.new", "w") as f:
    f.write("http=http://127.0.0.1:%d\nhttps=https://localhost:%d\nrefused=http://127.0.0.1:%d\nfull=http://127.0.0.1:%d\nbiglen=%d\nbigsum=%d\n"
            % (listen(), listen(context), refused, full.getsockname()[1], len(BIG), bigsum))
os.rename(work + "/vars.new", work + "/vars")
print("ready", flush=True)
threading.Event().wait()
PY
mkfifo "$work/ready"
python3 "$work/server.py" "$work" > "$work/ready" &
server=$!
read -r _ < "$work/ready"
. "$work/vars"

# --- cluster -----------------------------------------------------------
mkdir "$work/pg"
[ -z "$as_postgres" ] || chown postgres "$work/pg"
$as_postgres "$bindir/initdb" -D "$work/pg/data" -A trust -U postgres --no-sync >/dev/null
cat >> "$work/pg/data/postgresql.conf" <<CONF
listen_addresses = ''
unix_socket_directories = '$work/pg'
fsync = off
shared_buffers = 16MB
CONF
start_cluster() {
	"$@" $as_postgres "$bindir/pg_ctl" -D "$work/pg/data" -l "$work/pg/log" -w start >/dev/null
}
psql="$bindir/psql -X -q -A -t -h $work/pg -U postgres -d postgres -v VERBOSITY=verbose"
start_cluster
$psql -v so="$work/http_probe.so" <<'SQL'
CREATE FUNCTION get(url text, body text = NULL, header text = NULL, server text = '0', keep int = 0, stop_after int = 0,
	OUT state text, OUT status int, OUT length bigint, OUT checksum bigint, OUT failure text, OUT failure_text text,
	OUT elapsed_ms int, OUT connections bigint, OUT link_next text, OUT other text)
	AS :'so', 'probe_fetch' LANGUAGE c;
CREATE FUNCTION many(text, int, bool) RETURNS text AS :'so', 'probe_many' LANGUAGE c;
CREATE FUNCTION stop(text, int) RETURNS void AS :'so', 'probe_stop' LANGUAGE c;
CREATE FUNCTION fds() RETURNS int AS :'so', 'probe_fds' LANGUAGE c;
CREATE FUNCTION rss() RETURNS int AS :'so', 'probe_rss' LANGUAGE c;
CREATE FUNCTION cpu() RETURNS float8 AS :'so', 'probe_cpu' LANGUAGE c;
CREATE FUNCTION leases() RETURNS text AS :'so', 'probe_leases' LANGUAGE c;
CREATE FUNCTION disconnect(oid) RETURNS int AS :'so', 'probe_disconnect' LANGUAGE c;
CREATE FUNCTION ms(sql text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE t timestamptz := clock_timestamp();
BEGIN
	EXECUTE sql;
	RETURN extract(epoch FROM clock_timestamp() - t) * 1000;
END $$;
SQL

# --- checks ------------------------------------------------------------
failed=0
check() {			# what, expected (a pattern), SQL...
	what=$1 expected=$2
	shift 2
	got=$(printf "%s\n" "$@" | $psql 2>&1 | grep -vE "^(LOCATION|DETAIL|HINT):" | tail -n 1)
	# shellcheck disable=SC2254
	case $got in
		$expected) echo "ok    $what${SHOW:+: $got}" ;;
		*) echo "FAIL  $what: expected $expected, got $got"; failed=1 ;;
	esac
}
fetch() { echo "SELECT state, status, length, checksum, failure, failure_text FROM get('$1'${2:+, $2});"; }

check "small answer" "done|200|19|*||" "$(fetch "$http/small")"
check "100 requests, one connection" "1" \
	"SELECT sum(connections) FROM generate_series(1, 100) g, LATERAL get(left('$http/small', 1000 + g));"
check "whole body" "done|200|$biglen|$bigsum||" "$(fetch "$http/big")"
check "whole body, unfinished rows kept" "done|200|$biglen|$bigsum||" "$(fetch "$http/big" "keep => 777")"
check "whole body, window must grow" "done|200|$biglen|$bigsum||" "$(fetch "$http/big" "keep => 1500000")"
check "gzip" "done|200|$biglen|$bigsum||" "$(fetch "$http/gzip")"
check "gzip, unfinished rows kept" "done|200|$biglen|$bigsum||" "$(fetch "$http/gzip" "keep => 300000")"
check "TLS, gzip" "done|200|$biglen|$bigsum||" "SET probe.ca_file = '$work/cert.pem';" "$(fetch "$https/gzip")"
check "TLS, whole body" "done|200|$biglen|$bigsum||" "SET probe.ca_file = '$work/cert.pem';" "$(fetch "$https/big")"
check "TLS, self-signed" "failed|0|0|*|connect|*certificate*" "$(fetch "$https/small")"
check "TLS, wrong file" "failed|0|0|*|connect|*" "SET probe.ca_file = '/nonexistent';" "$(fetch "$https/small")"
check "one byte at a time" "done|200|200|*||" "$(fetch "$http/drip")"
check "chunked, interim answer, links" "done|200|1000|https://a/?q=1,2;x|||77||https://b/" \
	"SELECT state, status, length, link_next, other FROM get('$http/chunked');"
check "POST with a header" "*X-Key: secret*|a=b" \
	"CREATE TEMP TABLE t AS SELECT 1;" "SELECT 'X-Key: secret' || '|' || 'a=b' FROM get('$http/echo', 'a=b', 'X-Key: secret') WHERE status = 200 AND length > 60;"
check "redirect is not followed" "done|302|5|*|5|120||/small|" \
	"SELECT state, status, length, checksum, other FROM get('$http/redirect');"
check "refused" "failed|0|0|*|connect|Failed to connect*" "$(fetch "$refused/")"
check "unknown host" "failed|0|0|*|connect|Could not resolve host*" "$(fetch "http://no-such-host.invalid/?password=secret")"
check "connect time-out" "t" "SET probe.connect_timeout = 300;" \
	"SELECT failure = 'connect' AND elapsed_ms BETWEEN 295 AND 400 FROM get('$full/');"
check "silence before the answer" "t" "SET probe.read_timeout = 300;" \
	"SELECT failure = 'silent' AND elapsed_ms BETWEEN 295 AND 400 FROM get('$http/silent');"
check "silence in the answer" "t" "SET probe.read_timeout = 300;" \
	"SELECT failure = 'silent' AND length = 10 AND elapsed_ms BETWEEN 295 AND 400 FROM get('$http/stall');"
check "waiting costs no processor time" "t*" "SET probe.read_timeout = 500;" "SELECT get('$http/small');" "SELECT cpu() AS before \\gset" \
	"SELECT get('$http/silent');" "SELECT cpu() - :before < 10, cpu() - :before;"
check "a drip is no silence" "done" "SET probe.read_timeout = 100;" "SELECT state FROM get('$http/drip');"
check "cut body" "failed|200|10|*|lost|*" "$(fetch "$http/cut")"
check "cut chunks" "failed|200|10|*|lost|*" "$(fetch "$http/cutchunk")"
check "cut headers" "failed|0|0|*|lost|*" "$(fetch "$http/cuthead")"
check "no answer" "failed|0|0|*|lost|*" "$(fetch "$http/nothing")"
check "reset" "failed|0|0|*|lost|*" "$(fetch "$http/reset")"
check "not HTTP" "failed|0|0|*|broken|*" "$(fetch "$http/garbage")"
check "bad gzip" "failed|200|0|*|broken|*" "$(fetch "$http/badgzip")"
check "too many headers" "failed|0|0|*|broken|*" "$(fetch "$http/manyheaders")"
check "too large headers" "failed|0|0|*|broken|*" "$(fetch "$http/bigheaders")"
check "too long a link" "failed|0|0|*|broken|*" "$(fetch "$http/longlink")"
check "headers on several lines" "https://a/|2||7||" "SELECT link_next, other FROM get('$http/folded');"
for coding in '' none identity gzip 'identity,_gzip'; do
	check "content encoding \"$coding\"" "done|200|10|*||" "$(fetch "$http/coding/$coding")"
done
for coding in utf-8 br 'gzip,_gzip'; do
	check "content encoding \"$coding\"" "failed|0|0|*|broken|*encoding that was not asked for" "$(fetch "$http/coding/$coding")"
done
check "compressed transfer encoding" "failed|0|0|*|broken|*ncoding*" "$(fetch "$http/transfergzip")"
for lengths in 10 10,10; do
	check "lengths $lengths and 10" "done|200|10|*||" "$(fetch "$http/lengths/$lengths")"
done
for lengths in 5 100 '10,11'; do
	check "lengths $lengths and 10" "failed|0|0|*|broken|*Content-Length*" "$(fetch "$http/lengths/$lengths")"
done
check "a part of an answer" "failed|0|0|*|broken|*only a part*" "$(fetch "$http/partial")"
check "no password in proxy errors" "failed|0|0|*|*|Could*n*t connect to server" "SET probe.proxy = 'foo://user:secret@127.0.0.1:1';" "$(fetch "$https/small")"
check "no proxy for plain http" "done|200|19|*||" "SET probe.proxy = 'http://127.0.0.1:1';" "$(fetch "$http/small")"
check "dead kept connection" "done|1|done|1" \
	"SELECT a.state, a.connections, b.state, b.connections FROM get('$http/dies') a, LATERAL get(left('$http/small', 1000 + a.status)) b;"
for how in 408 close reset; do
	check "kept connections that end when they are used ($how)" "done=16 * connections=16" \
		"SELECT many('$http/second/$how', 16, false);" "SELECT many('$http/second/$how', 16, false);"
done
check "408 on a new connection" "done|408|0|*" "$(fetch "$http/408")"
check "bytes that wait on a kept connection" "done|200|19" "SELECT state FROM get('$http/keep', server => '1');" \
	"SELECT state FROM get('$http/stray', server => '2');" \
	"SELECT state, status, length FROM get('$http/small', server => '1');"
check "64 connections are kept" "done=64 * connections=0" "SELECT many('$http/small', 64, false);" "SELECT many('$http/small', 64, false);"
check "kept in the statement" "3|1" "SET probe.keep_no_connections = on;" \
	"SELECT count(*), sum(connections) AS opened FROM generate_series(1, 3) g, LATERAL get(left('$http/small', 1000 + g)) \gset" \
	"SELECT :count, :opened WHERE leases() = '';"
for before in '' 'SELECT 1 / 0;' 'BEGIN; SELECT 1 / 0;'; do
	check "closed while the session is idle${before:+ after $before}" "1" "SELECT connections FROM get('$http/keep');" "$before" \
		"\! curl -s $http/gone | grep -q gone || echo 'ERROR: they are kept'" "ROLLBACK;" "SELECT connections FROM get('$http/small');"
done
check "too many leases" "ERROR:  53000: too many open files*" "SELECT state FROM get('$http/small');" "SELECT many('$http/small', 200, true);"
check "after too many leases" "t" "SELECT stop('$http/big', 10);" "SELECT disconnect(0);" "SELECT fds() AS before \gset" \
	"SELECT many('$http/small', 200, true);" "SELECT many('$http/small', 10, true);" "SELECT disconnect(0);" "SELECT fds() = :before;"
check "too many connections of one lease" "done=128 *" "SELECT many('$http/small', 200, false);"
# 33 MB at most (MAX_DECODED_BYTES); the first answer in a session also makes pages of the libraries resident
check "gzip bomb, 1:1000" "done|419430400|t" "SELECT state FROM get('$http/gzip', keep => 1000);" \
	"SELECT rss() AS before \\gset" "SELECT state, length, rss() - :before < 36864 FROM get('$http/bomb');"
check "gzip bomb in gzip" "broken|t" "SELECT state FROM get('$http/gzip', keep => 1000);" \
	"SELECT rss() AS before \\gset" "SELECT failure, rss() - :before < 36864 FROM get('$http/bomb2');"
check "1000 stops leave nothing" "t" \
	"SELECT stop('$http/big', 10);" "SELECT fds() AS before \\gset" "SELECT stop('$http/big', 1000);" "SELECT fds() = :before;"
check "no memory left behind" "t" \
	"SELECT stop('$http/big', 300);" "SELECT rss() AS before \\gset" "SELECT stop('$http/big', 1000);" "SELECT rss() - :before < 512;"
check "8 on one lease, 7 paused" "done=8 length=$((biglen * 8)) xor=0 connections=*" "SELECT many('$http/big', 8, false);"
check "8 compressed on one lease" "done=8 length=$((biglen * 8)) xor=0 connections=*" "SELECT many('$http/gzip', 8, false);"
check "8 over TLS on one lease" "done=8 length=$((biglen * 8)) xor=0 connections=*" "SET probe.ca_file = '$work/cert.pem';" \
	"SELECT many('$https/big', 8, false);"
check "8 compressed over TLS" "done=8 length=$((biglen * 8)) xor=0 connections=*" "SET probe.ca_file = '$work/cert.pem';" \
	"SELECT many('$https/gzip', 8, false);"
check "60 on one lease" "done=60 * connections=60" "SELECT many('$http/small', 60, false);"
check "60 leases" "done=60 * connections=60" "SET sgip_fdw.max_connections = 4;" "SELECT many('$http/small', 60, true);"
check "idle leases are bounded" "1" "SELECT many('$http/small', 60, true);" "SET sgip_fdw.max_connections = 2;" \
	"SELECT state FROM get('$http/small', server => '7');" "SELECT (length(leases()) - length(replace(leases(), ':', '')) <= 3)::int;"
check "disconnect" "1|" "SELECT state FROM get('$http/small');" "SELECT disconnect(0), leases();"
check "server changes" "1" "CREATE EXTENSION file_fdw; CREATE SERVER s FOREIGN DATA WRAPPER file_fdw;" \
	"SELECT state FROM get('$http/small');" "CREATE USER MAPPING FOR postgres SERVER s;" "SELECT connections FROM get('$http/small');"
check "cancel leaves nothing" "t" "SET statement_timeout = 200;" "SELECT get('$http/silent');" "SELECT fds() AS before \\gset" \
	"SELECT get('$http/silent');" "SELECT get('$full/');" "SELECT fds() = :before;"
check "cancel is a cancel" "ERROR:  57014:*" "SET statement_timeout = 200;" "SELECT get('$http/stall');"
# bytes that were sent although the reader stopped after so many; they include
# what the receiving kernel holds, but not what the sender's did not send yet
for n in 1000 100000; do
	check "stop after $n bytes: at most 1 MiB was sent" "t*" \
		"SELECT get('$http/early$n', stop_after => $n);" \
		"SELECT split_part(other, '|', 2)::int BETWEEN $n AND 1048576, split_part(other, '|', 2) FROM get('$http/sent/early$n');"
done

# name lookup, with a name server that never answers
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
	$as_postgres "$bindir/pg_ctl" -D "$work/pg/data" -w stop >/dev/null
	python3 -c '
import signal, socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.53", 53))
print("ready", flush=True)
signal.pause()' > "$work/ready" &
	dns=$!
	read -r _ < "$work/ready"
	echo "nameserver 127.0.0.53" > "$work/resolv.conf"
	echo "hosts: dns" > "$work/nsswitch.conf"
	chmod 644 "$work/resolv.conf" "$work/nsswitch.conf"
	start_cluster unshare -m sh -c 'mount --bind "$1" /etc/resolv.conf; mount --bind "$2" /etc/nsswitch.conf; shift 2; exec "$@"' - "$work/resolv.conf" "$work/nsswitch.conf"
	check "cancel within 100 ms: name lookup" "t" \
		"SELECT set_config('x.t', clock_timestamp()::text, false);" \
		"SET statement_timeout = 200;" "SELECT get('http://silence.example/');" \
		"SET statement_timeout = 0;" \
		"SELECT clock_timestamp() - current_setting('x.t')::timestamptz BETWEEN '200ms' AND '300ms';"
	check "time-out in name lookup" "t" "SET probe.connect_timeout = 300;" \
		"SELECT failure = 'connect' AND elapsed_ms BETWEEN 295 AND 400 FROM get('http://silence.example/');"
fi
exit $failed
