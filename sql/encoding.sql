--
-- Databases that are not UTF-8: values travel both ways as what they are, and
-- one that has no form in the database is an error that says where it was.
--
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/sql/include/setup.psql'
\i :setup
-- an emulator of our own, with names of many alphabets; it ends with this psql
\set ready `mktemp -u`
\setenv READY :ready
\! python3 -B "$PG_ABS_SRCDIR/test/emulator.py" --data "$PG_ABS_SRCDIR/sql/include/names.json" --ready-file "$READY" --parent-pid $PPID < /dev/null > /dev/null 2>&1 &
\! for i in `seq 100`; do test -s "$READY" && break; sleep 0.1; done; test -s "$READY" || echo "no emulator"
\set port `cat "$READY"; rm -f "$READY"`
\set url http://127.0.0.1: :port /api
\set control http://127.0.0.1: :port /_control/log?wait_ms=5000
\setenv CONTROL :control
\set names :srcdir '/sql/include/names.psql'
\set main :DBNAME

-- UTF8: everything
\i :names
SELECT host(ip), username FROM usage ORDER BY ip;
SELECT host(ip) FROM usage WHERE username = 'müller@example.de';
SELECT host(ip) FROM usage WHERE username IN ('日本語', '😀');
SELECT host(ip), group_name FROM usage WHERE group_name LIKE '%größe%';

-- LATIN1: what it has is found and shown, the rest is an error with context ...
CREATE DATABASE regress_sgip_latin1 ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0;
\c regress_sgip_latin1
\i :names
SET client_encoding = 'UTF8';
SELECT host(ip), username, length(username) FROM usage WHERE ip <= '198.51.100.2' AND username = 'müller@example.de';
SELECT host(ip), username FROM usage WHERE username LIKE 'm%ü%';
SELECT host(ip), username, group_name FROM usage WHERE group_name = 'größe';
SELECT username FROM usage WHERE ip = '198.51.100.3'; -- ERROR
\echo :LAST_ERROR_SQLSTATE
-- ... unless nobody asks for the value
SELECT host(ip) FROM usage WHERE ip = '198.51.100.3';
SELECT count(*) FROM usage;

-- EUC_JP: the same with other names
\c :main
CREATE DATABASE regress_sgip_euc_jp ENCODING 'EUC_JP' LOCALE 'C' TEMPLATE template0;
\c regress_sgip_euc_jp
\i :names
SET client_encoding = 'UTF8';
SELECT host(ip), username, length(username), octet_length(username) FROM usage WHERE username = '日本語';
SELECT host(ip), username FROM usage WHERE username LIKE '日%語';
SELECT username FROM usage WHERE ip = '198.51.100.5'; -- ERROR
\echo :LAST_ERROR_SQLSTATE

-- SQL_ASCII: bytes, which are UTF-8 on the way; a value that is not is not sent
\c :main
CREATE DATABASE regress_sgip_ascii ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0;
\c regress_sgip_ascii
\i :names
SELECT host(ip), username, length(username) FROM usage WHERE username = 'müller@example.de';
SELECT host(ip), username FROM usage WHERE username LIKE '日%';
SELECT count(*) FROM usage WHERE username = E'm\xfcller@example.de';
SELECT count(*) FROM usage WHERE username LIKE E'm\xfcller%';
SELECT count(*) FROM usage WHERE group_name = E'gr\xf6\xdfe'; -- ERROR

-- what was sent, in UTF-8 always
\! curl -sS "$CONTROL" | PYTHONIOENCODING=utf-8 python3 -c "import json, sys; [print(*(v for k, v in e['query'].items() if k != 'task')) for e in json.loads(sys.stdin.buffer.read())]" | LC_ALL=C sort
\c :main
DROP DATABASE regress_sgip_latin1;
DROP DATABASE regress_sgip_euc_jp;
DROP DATABASE regress_sgip_ascii;
