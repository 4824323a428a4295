--
-- Columns with a constant: conditions on them are decided before anything is sent.
--
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/sql/include/setup.psql'
\i :setup
CALL make_server('acme', 'rows=24');
CALL make_server('beta', 'rows=24');
CALL make_server('corp', 'rows=24');
CREATE TABLE everyones (account text, nr int, ip inet, username text) PARTITION BY LIST (account);
CREATE FOREIGN TABLE acme (account text OPTIONS (constant 'acme'), nr int OPTIONS (constant '1'), ip inet, username text)
	SERVER acme OPTIONS (task 'usage');
CREATE FOREIGN TABLE beta (account text OPTIONS (constant 'beta'), nr int OPTIONS (constant '2'), ip inet, username text)
	SERVER beta OPTIONS (task 'usage');
CREATE FOREIGN TABLE corp (account text OPTIONS (constant 'corp'), nr int OPTIONS (constant '3'), ip inet, username text)
	SERVER corp OPTIONS (task 'usage');
ALTER TABLE everyones ATTACH PARTITION acme FOR VALUES IN ('acme');
ALTER TABLE everyones ATTACH PARTITION beta FOR VALUES IN ('beta');
ALTER TABLE everyones ATTACH PARTITION corp FOR VALUES IN ('corp');
CREATE TABLE wanted (account text, username text);
INSERT INTO wanted VALUES ('acme', 'acme-9'), ('corp', 'acme-9'), ('nobody', 'acme-9'), (NULL, NULL);
ANALYZE wanted;

-- known when the query is planned
SELECT explain('COSTS OFF', $$SELECT * FROM acme WHERE account = 'beta' AND username = 'acme-9'$$);
SELECT explain('COSTS OFF', $$SELECT * FROM acme WHERE upper(account) LIKE 'AC%' AND nr BETWEEN 0 AND 3 AND username = 'acme-9'$$);
SELECT explain('COSTS OFF', $$SELECT * FROM acme WHERE account = NULL$$);
SELECT count(*) FROM acme WHERE account = 'beta';
SELECT count(*) FROM acme WHERE account <> 'acme' OR nr IS NULL;
SELECT count(*) FROM acme WHERE NOT account = 'beta' AND nr < 2;
SELECT request, count(*) FROM requests() GROUP BY 1;

-- known when it runs: shown as a one-time filter
SELECT explain('COSTS OFF', $$SELECT * FROM acme WHERE account = current_setting('application_name') AND username = 'acme-9'$$);
SELECT count(*) FROM acme WHERE account = current_setting('application_name');
SELECT count(*) FROM acme WHERE account || nr = current_setting('application_name');
PREPARE of(text) AS SELECT count(*) FROM acme WHERE account = $1;
SET plan_cache_mode = force_generic_plan;
EXECUTE of('beta');
EXECUTE of(NULL);
SELECT count(*) AS requests FROM requests();
EXECUTE of('acme');
RESET plan_cache_mode;
SELECT count(*) AS requests FROM requests();
-- with a column that is not constant, or a value that changes, it is a condition like any other
SELECT explain('COSTS OFF', $$SELECT * FROM acme WHERE account = username OR nr = 2$$);
SELECT explain('COSTS OFF', $$SELECT * FROM acme WHERE nr = (random() * 0)::int$$);

-- parts of a union, and partitions where PostgreSQL does not prune
SELECT count(*) FROM (SELECT * FROM acme UNION ALL SELECT * FROM beta) u WHERE account = (SELECT min(account) FROM wanted);
SELECT account, count(*) FROM everyones WHERE account = ANY (ARRAY(SELECT account FROM wanted)) GROUP BY 1 ORDER BY 1;
SELECT account, count(*) FROM everyones WHERE upper(account) = (SELECT upper(max(account)) FROM wanted WHERE account < 'd') GROUP BY 1;
SELECT request, rows, count(*) FROM requests() GROUP BY 1, 2;

-- joins: accounts that no outer row names are not asked, the others once
SELECT explain('COSTS OFF', $$SELECT * FROM wanted w JOIN everyones u USING (account)$$);
SELECT account, count(u.ip) FROM wanted w JOIN everyones u USING (account) GROUP BY 1 ORDER BY 1;
SELECT request, rows, count(*) FROM requests() GROUP BY 1, 2;
SELECT account, u.ip FROM wanted w LEFT JOIN everyones u USING (account, username) ORDER BY 1, 2;
SELECT count(*) FROM everyones u WHERE EXISTS (SELECT FROM wanted w WHERE w.account = u.account);
SELECT request, rows, count(*) FROM requests() GROUP BY 1, 2 ORDER BY 1;
SELECT w.account, (SELECT count(*) FROM acme u WHERE u.account = w.account) FROM wanted w ORDER BY 1;
SELECT w.account, (SELECT count(*) FROM acme u WHERE u.account = w.account) FROM generate_series(1, 2) g, wanted w ORDER BY 1, 2;
SELECT request, rows, count(*) FROM requests() GROUP BY 1, 2;
-- with many outer rows they are read whole
SELECT explain('COSTS OFF', $$SELECT * FROM (SELECT 'acme' || g % 1000 AS account FROM generate_series(1, 100000) g) w JOIN everyones u USING (account)$$);

-- without pushdown the same rows, and a request each time
SET sgip_fdw.enable_pushdown = off;
SELECT explain('COSTS OFF', $$SELECT * FROM acme WHERE account = 'beta'$$);
SELECT count(*) FROM acme WHERE account = 'beta';
SELECT account, count(*) FROM everyones WHERE account = ANY (ARRAY(SELECT account FROM wanted)) GROUP BY 1 ORDER BY 1;
SELECT request, rows, count(*) FROM requests() GROUP BY 1, 2;
RESET sgip_fdw.enable_pushdown;
EXECUTE of('beta');

-- a barrier's conditions come first
CREATE FUNCTION tell(text) RETURNS boolean LANGUAGE plpgsql STABLE COST 0.1 AS $$ BEGIN RAISE NOTICE 'told %', $1; RETURN false; END $$;
CREATE VIEW barrier WITH (security_barrier) AS SELECT * FROM acme WHERE username = 'nobody';
SELECT * FROM barrier WHERE tell(account);
CREATE VIEW plain AS SELECT * FROM acme WHERE username = 'nobody';
SELECT * FROM plain WHERE tell(account);

-- a constant that is no value of the column's type
CREATE FOREIGN TABLE wrong (nr int OPTIONS (constant 'x'), ip inet) SERVER acme OPTIONS (task 'all');
SELECT * FROM wrong WHERE nr = 1; -- ERROR
SELECT count(*) FROM wrong;
SELECT nr FROM wrong; -- ERROR

-- one whose value depends on settings, or on the day: it is what the scan's rows hold, also in a plan made before
CREATE TYPE kind AS ENUM ('one', 'two');
CREATE FOREIGN TABLE dated (since date OPTIONS (constant '02/01/2024'), at timestamptz(0) OPTIONS (constant '2024-01-01 00:00'),
	days date[] OPTIONS (constant '{today}'), kind kind OPTIONS (constant 'one'), ip inet) SERVER acme OPTIONS (task 'all');
SET plan_cache_mode = force_generic_plan;
PREPARE since(date) AS SELECT count(*), min(since) FROM dated WHERE since = $1;
PREPARE at AS SELECT count(*) FROM dated WHERE at = '2023-12-31 15:00Z';
EXECUTE since('2024-02-01'); EXECUTE since('2024-01-02'); EXECUTE at;
SET datestyle = 'ISO, DMY'; SET timezone = 'Asia/Tokyo';
EXECUTE since('2024-02-01'); EXECUTE since('2024-01-02'); EXECUTE at;
RESET datestyle; SET timezone = 'UTC';
SELECT count(*) FROM dated WHERE days = ARRAY[current_date] AND kind = 'one';
SELECT count(*) FROM requests();
EXECUTE since('2024-01-02');
SELECT count(*) FROM dated WHERE days = ARRAY[current_date - 1];
SELECT count(*) FROM dated WHERE kind = 'two';
SELECT count(*) FROM requests();
SELECT explain('COSTS OFF', $$SELECT ip FROM dated WHERE since = '2024-02-01'$$);
