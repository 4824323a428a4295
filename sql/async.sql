--
-- Asynchronous Append: tables of several accounts as partitions, or under UNION ALL.
--
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/sql/include/setup.psql'
\i :setup
CALL make_server('one', 'rows=20');
CALL make_server('two', 'rows=30');
CALL make_server('three', 'rows=40');
CREATE TABLE everyones (account text, ip inet, username text) PARTITION BY LIST (account);
CREATE FOREIGN TABLE part_one (account text OPTIONS (constant 'one'), ip inet, username text) SERVER one OPTIONS (task 'usage');
ALTER TABLE everyones ATTACH PARTITION part_one FOR VALUES IN ('one');
CREATE FOREIGN TABLE part_two (account text OPTIONS (constant 'two'), ip inet, username text) SERVER two OPTIONS (task 'usage');
ALTER TABLE everyones ATTACH PARTITION part_two FOR VALUES IN ('two');
CREATE FOREIGN TABLE part_three (account text OPTIONS (constant 'three'), ip inet, username text) SERVER three OPTIONS (task 'usage');
ALTER TABLE everyones ATTACH PARTITION part_three FOR VALUES IN ('three');
CALL load_truth('rows=40');

-- all partitions are read at once
EXPLAIN (COSTS OFF) SELECT * FROM everyones;
CREATE PROCEDURE switch(server text, switches text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('ALTER SERVER %I OPTIONS (SET base_url %L)', server, emulator(switches));
END $$;
CALL switch('one', 'rows=20;delay_ms=400'); CALL switch('two', 'rows=30;delay_ms=400'); CALL switch('three', 'rows=40;delay_ms=400');
SELECT clock_timestamp() AS start
\gset
SELECT account, count(*), count(DISTINCT ip) FROM everyones GROUP BY 1 ORDER BY 1;
SELECT clock_timestamp() - :'start' < '1100 ms' AS at_once;
CALL switch('one', 'rows=20'); CALL switch('two', 'rows=30'); CALL switch('three', 'rows=40');
SELECT count(*) FILTER (WHERE ip < '198.51.100.20') AS one, count(*) FILTER (WHERE ip < '198.51.100.30') AS two, count(*) AS three
FROM truth_usage WHERE NOT system;
SELECT * FROM requests() ORDER BY rows;

-- the same rows with and without
SELECT differences('SELECT * FROM everyones', 'SELECT * FROM part_one UNION ALL SELECT * FROM part_two UNION ALL SELECT * FROM part_three');
SET enable_async_append = off;
EXPLAIN (COSTS OFF) SELECT * FROM everyones;
SELECT account, count(*) FROM everyones GROUP BY 1 ORDER BY 1;
RESET enable_async_append;

-- conditions and projections, pruning
EXPLAIN (COSTS OFF) SELECT upper(username) FROM everyones WHERE username LIKE 'acme%' AND account <> 'two';
SELECT account, upper(username), host(ip) FROM everyones WHERE username = 'acme-17' AND account <> 'two' ORDER BY account, ip;

-- LIMIT: what is not needed any more is stopped
SELECT count(*) FROM (SELECT * FROM everyones LIMIT 5) s;
SELECT count(*) FROM (SELECT * FROM everyones LIMIT 0) s;
SELECT EXISTS (SELECT FROM everyones);

-- UNION ALL of whole tables, with parts that are not foreign
EXPLAIN (COSTS OFF) SELECT ip FROM part_one UNION ALL SELECT ip FROM part_two UNION ALL SELECT ip FROM truth_free;
SELECT count(*) FROM (SELECT ip FROM part_one UNION ALL SELECT ip FROM part_two UNION ALL SELECT ip FROM truth_free) s;
SELECT (SELECT count(*) FROM part_one) + (SELECT count(*) FROM part_two) + (SELECT count(*) FROM truth_free) AS count;

-- tables of one server, and one table many times: more scans than one session's connections
SELECT count(*) FROM (SELECT ip FROM part_one UNION ALL SELECT ip FROM part_one UNION ALL SELECT ip FROM part_one
	UNION ALL SELECT ip FROM part_one UNION ALL SELECT ip FROM part_one UNION ALL SELECT ip FROM part_one) s;

-- rescans of an asynchronous Append ask again for nothing they have
SELECT count(*) AS forgotten FROM requests()
\gset
SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_material = off;
SELECT g, (SELECT count(*) FROM everyones e WHERE length(e.username) > g) FROM generate_series(5, 7) g;
SELECT g, (SELECT count(*) FROM truth_usage e WHERE NOT system AND length(e.username) > g AND ip < '198.51.100.20')
	+ (SELECT count(*) FROM truth_usage e WHERE NOT system AND length(e.username) > g AND ip < '198.51.100.30')
	+ (SELECT count(*) FROM truth_usage e WHERE NOT system AND length(e.username) > g) AS count FROM generate_series(5, 7) g;
SELECT count(*) AS requests FROM requests();
RESET enable_hashjoin; RESET enable_mergejoin; RESET enable_material;
-- parameters: a search for each outer value in each partition
SELECT n, (SELECT count(*) FROM everyones e WHERE e.username = n) FROM unnest('{acme-17,acme-9}'::text[]) n;
SELECT request, count(*) FROM requests() GROUP BY 1 ORDER BY 1;

-- EXPLAIN ANALYZE counts for each
SELECT explain('ANALYZE, BUFFERS OFF, COSTS OFF, TIMING OFF, SUMMARY OFF', 'SELECT * FROM everyones');

-- async_capable: of the table, of the server
ALTER FOREIGN TABLE part_one OPTIONS (ADD async_capable 'false');
ALTER SERVER two OPTIONS (ADD async_capable 'false');
EXPLAIN (COSTS OFF) SELECT * FROM everyones;
SELECT count(*) FROM everyones;
ALTER FOREIGN TABLE part_one OPTIONS (SET async_capable 'true');
ALTER SERVER two OPTIONS (SET async_capable 'true');

-- an error in one part ends the query, and leaves the session in order
CALL switch('two', 'rows=30;fault=status_500');
SELECT count(*) FROM everyones; -- ERROR
CALL switch('two', 'rows=30;fault=close_body;fault_at=500');
ALTER SERVER two OPTIONS (ADD max_retries '0');
\set VERBOSITY terse
SELECT count(*) FROM everyones; -- ERROR
-- one that had to wait for a place, and fails at once when it gets it
SET sgip_fdw.max_connections = 1; SET statement_timeout = '20s';
ALTER SERVER two OPTIONS (SET base_url 'http://127.0.0.1:1');
SELECT count(*) FROM everyones; -- ERROR
RESET sgip_fdw.max_connections; RESET statement_timeout;
CALL switch('two', 'rows=30');
-- what holds the only place does not go on before this query does: a cursor that is not read, an Append around this one
CALL switch('one', 'rows=60000');
SET sgip_fdw.max_connections = 1; SET statement_timeout = '20s';
BEGIN;
DECLARE held CURSOR FOR SELECT * FROM part_one UNION ALL SELECT * FROM part_three;
MOVE 1 FROM held;
SELECT count(*) FROM everyones WHERE account <> 'one';
COMMIT;
CALL switch('one', 'rows=20;delay_ms=100');
SELECT account, count(*) FROM (SELECT * FROM part_one UNION ALL
	SELECT * FROM everyones WHERE account <> 'one' AND username <> (SELECT 'nobody')) s GROUP BY 1 ORDER BY 1;
-- scans begin one after the other, whichever of them a rescan leaves
SELECT a, b, (SELECT count(*) FROM everyones e WHERE e.account IN (a, b) AND e.username > b)
FROM (VALUES ('one', 'two'), ('two', 'three'), ('three', 'three'), ('none', 'none'), ('two', 'one')) v (a, b);
SET enable_async_append = off;
SELECT a, b, (SELECT count(*) FROM everyones e WHERE e.account IN (a, b) AND e.username > b)
FROM (VALUES ('one', 'two'), ('two', 'three'), ('three', 'three'), ('none', 'none'), ('two', 'one')) v (a, b);
RESET enable_async_append;
-- another wrapper's scans can wait in the same Append
CREATE EXTENSION postgres_fdw;
CREATE SERVER loopback FOREIGN DATA WRAPPER postgres_fdw OPTIONS (async_capable 'true');
DO $$ BEGIN EXECUTE format('ALTER SERVER loopback OPTIONS (host %L, port %L, dbname %L)',
	split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_database()); END $$;
CREATE USER MAPPING FOR CURRENT_USER SERVER loopback;
CREATE VIEW elsewhere AS SELECT 'elsewhere' AS account, inet '192.0.2.1' AS ip, 'x' AS username;
CREATE FOREIGN TABLE loop (account text, ip inet, username text) SERVER loopback OPTIONS (table_name 'elsewhere');
SET client_min_messages = warning;
SELECT account, count(*) FROM (SELECT * FROM loop UNION ALL SELECT * FROM part_one UNION ALL SELECT * FROM part_three) s GROUP BY 1 ORDER BY 1;
SELECT account, count(*) FROM (SELECT * FROM part_one UNION ALL SELECT * FROM loop UNION ALL SELECT * FROM part_three) s GROUP BY 1 ORDER BY 1;
DROP EXTENSION postgres_fdw CASCADE;
RESET client_min_messages;
RESET sgip_fdw.max_connections; RESET statement_timeout;
CALL switch('one', 'rows=20');
ALTER USER MAPPING FOR CURRENT_USER SERVER two OPTIONS (DROP api_key);
SELECT count(*) FROM everyones; -- ERROR
SELECT count(*) FROM everyones WHERE account <> 'two';
-- cancelled in the middle
CALL switch('three', 'rows=30;fault=silence_before');
SET statement_timeout = '200ms';
SELECT count(*) FROM everyones WHERE account <> 'two'; -- ERROR
RESET statement_timeout;
SELECT count(*) FROM everyones WHERE account = 'one';
