--
-- What the executor asks of a scan: cursors, LIMIT, rescans, subqueries,
-- self-joins; and how many requests that takes.
--
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/sql/include/setup.psql'
\i :setup
CALL import_from('sg', 'rows=24');
CALL load_truth('rows=24');

-- the same table twice: two scans, one request, right result
SELECT a.username, count(*)
FROM sg.ips_usage a JOIN sg.ips_usage b ON a.ip = b.ip AND a.username < b.username COLLATE "C"
GROUP BY 1 ORDER BY a.username COLLATE "C";
SELECT a.username, count(*)
FROM truth_usage a JOIN truth_usage b ON a.ip = b.ip AND a.username < b.username COLLATE "C"
GROUP BY 1 ORDER BY a.username COLLATE "C";
SELECT * FROM requests();

-- no request before the first row is asked for, and none if it never is
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM sg.ips_free;
SELECT * FROM requests();
CLOSE c;
PREPARE p AS SELECT * FROM sg.ips_free;
COMMIT;
SELECT * FROM sg.ips_free WHERE false;
SELECT * FROM sg.ips_free LIMIT 0;
SELECT 1 FROM truth_free t WHERE t.ip = '192.0.2.1' AND t.ip IN (SELECT ip FROM sg.ips_free);
SELECT CASE WHEN ip = '192.0.2.1' THEN (SELECT count(*) FROM sg.ips_all) END AS never FROM truth_free LIMIT 1;
SELECT * FROM requests();

-- a cursor fetches as it is asked to, also backwards (SCROLL keeps the rows),
-- and reads the answer once
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT host(ip) FROM sg.ips_free;
FETCH 2 FROM c;
FETCH BACKWARD 1 FROM c;
FETCH ALL FROM c;
FETCH FIRST FROM c;
FETCH ABSOLUTE 3 FROM c;
MOVE BACKWARD ALL IN c;
FETCH ALL FROM c;
COMMIT;
SELECT * FROM requests();

-- a held cursor has its rows after the transaction
BEGIN;
DECLARE h CURSOR WITH HOLD FOR SELECT host(ip) FROM sg.ips_free;
FETCH 1 FROM h;
COMMIT;
FETCH ALL FROM h;
CLOSE h;

-- two cursors at once, taking turns
BEGIN;
DECLARE a CURSOR FOR SELECT host(ip) AS a FROM sg.ips_all;
DECLARE b CURSOR FOR SELECT host(ip) AS b FROM sg.ips_taken;
FETCH 2 FROM a; FETCH 2 FROM b; FETCH 2 FROM a; FETCH 2 FROM b;
COMMIT;

-- LIMIT stops the transfer of a long answer: the emulator could not send all of a million rows
SELECT count(*) AS forgotten FROM requests()
\gset
CALL import_from('long', 'rows=1000000;plain=yes;sndbuf=16384');
SELECT count(*) FROM (SELECT FROM long.ips_all LIMIT 10) s;
SELECT EXISTS (SELECT FROM long.ips_usage);
BEGIN;
DECLARE c CURSOR FOR SELECT ip FROM long.ips_usage;
FETCH 1 FROM c;
CLOSE c;
COMMIT;
BEGIN;
SELECT count(*) FROM (SELECT ip, 1 / (ip <> '198.51.100.50')::int FROM long.ips_all) s(ip, q) WHERE q = 1; -- ERROR
ROLLBACK;
SELECT request, status, rows < 200000 AS stopped_early FROM requests();
-- and the session goes on
SELECT count(*) FROM sg.ips_free;
SELECT * FROM requests();

-- a rescan with the same values replays the rows, and sends nothing
SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM generate_series(1, 3) g, sg.ips_free f WHERE f.ip IS NOT NULL;
SELECT count(*) FROM generate_series(1, 3) g, sg.ips_free f WHERE f.ip IS NOT NULL;
SELECT * FROM requests();
-- also when the scan was stopped half way before
SELECT g, (SELECT count(*) FROM (SELECT FROM sg.ips_all OFFSET 0 LIMIT g * 10) s) FROM generate_series(1, 3) g;
SELECT * FROM requests();
-- ... or not read at all, or read twice at different speeds
SELECT g, (SELECT string_agg(host(ip), ' ' ORDER BY ip) FROM (SELECT ip FROM sg.ips_free LIMIT (g * 7) % 5) s)
FROM generate_series(0, 5) g;
SELECT * FROM requests();
RESET enable_hashjoin; RESET enable_mergejoin; RESET enable_material;

-- correlated subqueries: one search for each value, one request for each search
SELECT t.ip, (SELECT count(*) FROM sg.ips_usage u WHERE u.ip = t.ip) AS users
FROM truth_all t WHERE t.ip <= '198.51.100.2' ORDER BY 1;
SELECT * FROM requests();
-- the same value as before is not asked for again
SELECT x, (SELECT count(*) FROM sg.ips_usage u WHERE u.ip = x)
FROM unnest('{198.51.100.2,198.51.100.2,198.51.100.9,198.51.100.9}'::inet[]) x;
SELECT * FROM requests();

-- in a PL/pgSQL loop, with an exception caught on the way
DO $$
DECLARE
	r record;
	found int := 0;
BEGIN
	FOR r IN SELECT ip FROM sg.ips_taken LOOP
		BEGIN
			found := found + 1 / (host(r.ip) <> '198.51.100.3')::int;
		EXCEPTION WHEN division_by_zero THEN
			found := found + 100;
		END;
		EXIT WHEN found > 103;
	END LOOP;
	RAISE NOTICE 'found %', found;
END $$;
SELECT request, status FROM requests();

-- a savepoint rolled back under an open cursor
BEGIN;
DECLARE c CURSOR FOR SELECT host(ip) FROM sg.ips_free;
FETCH 1 FROM c;
SAVEPOINT s;
DECLARE d CURSOR FOR SELECT host(ip) FROM sg.ips_free;
FETCH 1 FROM d;
ROLLBACK TO s;
FETCH 1 FROM c;
COMMIT;

-- INSERT … SELECT, CREATE TABLE AS, a recursive query, row locking
CREATE TABLE copied AS SELECT * FROM sg.ips_usage;
INSERT INTO copied SELECT * FROM sg.ips_usage;
SELECT count(*), count(DISTINCT (ip, username)) FROM copied;
WITH RECURSIVE r(n, ip) AS (
	SELECT 1, ip FROM sg.ips_free
	UNION ALL
	SELECT n + 1, f.ip FROM r JOIN sg.ips_free f ON f.ip = r.ip WHERE n < 3
) SELECT n, count(*) FROM r GROUP BY 1 ORDER BY 1;
SELECT host(ip) FROM sg.ips_free ORDER BY ip LIMIT 1 FOR UPDATE;
UPDATE truth_free t SET ip = t.ip FROM sg.ips_free f WHERE f.ip = t.ip;

-- rows that are kept go to a file when they exceed work_mem; it goes with the
-- scan, when that ends and when it fails
CALL import_from('many', 'rows=3000');
CREATE VIEW spilled AS SELECT n, (SELECT count(*) FROM many.ips_usage WHERE length(username) > 9 / (3 - n)) FROM generate_series(1, 3) n;
SET work_mem = '64kB';
BEGIN;
DECLARE c CURSOR FOR TABLE spilled;
FETCH 1 FROM c;
SELECT count(*) > 0 AS there FROM pg_ls_tmpdir();
CLOSE c;
SELECT count(*) AS left FROM pg_ls_tmpdir();
SAVEPOINT s;
DECLARE c CURSOR FOR TABLE spilled;
FETCH ALL FROM c; -- ERROR
ROLLBACK TO s;
SELECT count(*) AS left FROM pg_ls_tmpdir();
COMMIT;
RESET work_mem;
SELECT request FROM requests();

-- values that come again are answered from what is kept, in any order, as long as they are not too many
SET enable_memoize = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off;
SELECT count(*) AS forgotten FROM requests()
\gset
SELECT n, count(u.ip) FROM generate_series(0, 19) g, LATERAL (SELECT ('{acme-9,acme-13,acme-17,nobody,NULL}'::text[])[1 + g % 5] AS n) x
	LEFT JOIN LATERAL (SELECT ip FROM sg.ips_usage u WHERE u.username = n OFFSET 0) u ON true GROUP BY 1 ORDER BY 1;
SELECT count(*) AS requests, count(DISTINCT request) AS different FROM requests();
SELECT count(*) FROM generate_series(1, 192) g, LATERAL (SELECT ip FROM sg.ips_usage u WHERE u.username = 'nobody-' || g % 64 OFFSET 0) u;
SELECT count(*) AS requests FROM requests();
SELECT count(*) FROM generate_series(1, 132) g, LATERAL (SELECT ip FROM sg.ips_usage u WHERE u.username = 'nobody-' || g % 66 OFFSET 0) u;
SELECT count(*) AS requests FROM requests();
-- what was cut short is not taken for all
SELECT g, (SELECT count(*) FROM (SELECT ip FROM sg.ips_all a WHERE a.ip <> '10.0.0.1' OR g = 0 LIMIT 1 + g % 2) s) FROM generate_series(1, 4) g;
RESET enable_memoize; RESET enable_hashjoin; RESET enable_mergejoin; RESET enable_material;
