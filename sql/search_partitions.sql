--
-- Search columns of partitions: each account answers its part of a condition
-- about account and group, and is not asked for what it cannot answer.
--
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/sql/include/setup.psql'
\i :setup
SET client_min_messages = error;
CREATE TABLE everyones (account text, ip inet, username text, group_name text, include_system boolean) PARTITION BY LIST (account);
CREATE PROCEDURE add_account(name text) LANGUAGE plpgsql AS $$
BEGIN
	CALL make_server(name, 'rows=48;id=' || name);
	EXECUTE format('CREATE SCHEMA %I', name);
	EXECUTE format('IMPORT FOREIGN SCHEMA sendgrid LIMIT TO (ips_usage) FROM SERVER %1$I INTO %1$I OPTIONS (account %1$L)', name);
	EXECUTE format('ALTER TABLE everyones ATTACH PARTITION %I.ips_usage FOR VALUES IN (%L)', name, name);
END $$;
CALL add_account('a'); CALL add_account('b'); CALL add_account('c');
-- a partition of another shape, and one that is an ordinary table
CREATE FOREIGN TABLE d (whose text OPTIONS (constant 'd'), "group" text, ip inet, gone int OPTIONS (constant '1'), username text, include_system boolean, account text OPTIONS (constant 'd'))
	SERVER a OPTIONS (task 'usage');
ALTER FOREIGN TABLE d DROP COLUMN gone, DROP COLUMN whose;
ALTER FOREIGN TABLE d RENAME "group" TO group_name;
ALTER FOREIGN TABLE d ALTER group_name OPTIONS (field 'group');
ALTER TABLE everyones ATTACH PARTITION d FOR VALUES IN ('d');
CREATE TABLE local PARTITION OF everyones FOR VALUES IN ('local');
INSERT INTO local SELECT 'local', ip, username, 'west', false FROM a.ips_usage LIMIT 3;
CREATE TABLE teams (account text, team text);
INSERT INTO teams VALUES ('a', 'west'), ('b', 'east'), ('local', 'west'), (NULL, NULL);
ANALYZE local, teams;
SELECT count(*) AS forgotten FROM requests()
\gset
RESET client_min_messages;

CREATE FUNCTION asked() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT e->'switches'->>'id' || coalesce(' ' || (e->'query'->>'group'), '') || coalesce(' ' || (e->'query'->>'system'), '')
	FROM json_array_elements((SELECT line::json FROM log)) e ORDER BY 1 $$;
-- accounts and groups, and what was asked of whom
CREATE FUNCTION answer(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	r record;
	rows text[] := '{}';
BEGIN
	PERFORM FROM requests();
	FOR r IN EXECUTE query LOOP
		rows := rows || r::text;
	END LOOP;
	PERFORM FROM requests();
	RETURN coalesce(array_to_string(rows, ' '), '') || ' <- ' || coalesce((SELECT string_agg(a, ', ') FROM asked() a), 'nothing');
EXCEPTION WHEN feature_not_supported THEN
	PERFORM FROM requests();
	RETURN SQLSTATE || ' <- ' || coalesce((SELECT string_agg(a, ', ') FROM asked() a), 'nothing');
END $$;
SELECT answer(format('SELECT account, group_name, count(*) FROM everyones WHERE %s GROUP BY 1, 2 ORDER BY 1, 2', condition)), condition
FROM unnest(ARRAY[
	$$(account, group_name) IN (('a', 'west'), ('b', 'east'), ('local', 'west'), ('x', 'y'))$$,
	$$account = 'a' AND group_name = 'west' OR account = 'b' AND group_name = 'east'$$,
	$$account = 'a' AND group_name = 'west' OR account = 'b' AND group_name IS NULL$$,
	$$account = 'a' AND group_name = 'west' OR account = 'b'$$,
	$$account <> 'a' AND group_name = 'west'$$,
	$$group_name = CASE account WHEN 'a' THEN 'west' ELSE 'east' END AND account IN ('a', 'b')$$,
	$$account = 'a' AND (group_name = 'west' OR account = 'b' AND username = 'x')$$,
	$$account = 'a' AND group_name = 'west' OR account = 'b' AND group_name <> 'east'$$,
	$$account = 'a' AND group_name = 'west' OR username = 'acme-9'$$,
	$$account = 'local' OR group_name = 'west'$$,
	$$account = 'local' AND group_name ~ 'w'$$]) condition;

-- known when it runs
SET app.a = 'a'; SET app.b = 'b'; SET app.g = 'west'; SET app.h = 'east';
SELECT answer(format('SELECT account, group_name, count(*) FROM everyones WHERE %s GROUP BY 1, 2 ORDER BY 1, 2', condition)), condition
FROM unnest(ARRAY[
	$$account = current_setting('app.a') AND group_name = current_setting('app.g') OR account = current_setting('app.b') AND group_name = current_setting('app.h')$$,
	$$(account, group_name) IN ((current_setting('app.a'), current_setting('app.g')), (current_setting('app.b'), current_setting('app.h')))$$,
	$$(current_setting('app.g') = '' OR group_name = current_setting('app.g')) AND account = current_setting('app.a')$$,
	$$account = current_setting('app.a') AND group_name = 'west' OR account = current_setting('app.b') AND username = 'acme-9'$$,
	$$account = current_setting('app.a') AND group_name <> 'west'$$]) condition;

-- joins: one search for each outer row, of the accounts that can have rows
SELECT answer($$SELECT account, group_name, count(*) FROM teams t JOIN everyones u USING (account) WHERE u.group_name = t.team GROUP BY 1, 2 ORDER BY 1, 2$$);
SELECT answer($$SELECT account, count(*) FROM teams t JOIN (SELECT account, group_name AS team FROM everyones) u USING (account, team) GROUP BY 1 ORDER BY 1$$);
SELECT answer($$SELECT t.account, count(u.ip) FROM teams t LEFT JOIN everyones u ON u.group_name = t.team AND u.account = t.account GROUP BY 1 ORDER BY 1$$);
SELECT answer($$SELECT t.account FROM teams t WHERE EXISTS (SELECT FROM everyones u WHERE u.group_name = t.team AND u.account = t.account) ORDER BY 1$$);
SELECT answer($$SELECT count(*) FROM everyones u JOIN teams t ON u.group_name || '' = t.team$$);
SELECT answer($$SELECT count(*) FROM everyones u LEFT JOIN teams t ON u.group_name = t.team$$);
-- neither side supplies the other
SELECT answer($$SELECT u.username FROM everyones u WHERE u.group_name = ANY (SELECT group_name FROM everyones)$$);
SELECT answer($$SELECT u.username FROM everyones u, everyones o WHERE u.group_name = o.group_name$$);
SELECT answer($$SELECT u.username FROM everyones u WHERE EXISTS (SELECT FROM everyones o WHERE u.group_name = o.group_name)$$);
SET enable_partitionwise_join = on; SET enable_partitionwise_aggregate = on; SET enable_nestloop = off;
SELECT answer($$SELECT u.username FROM everyones u WHERE u.group_name = ANY (SELECT group_name FROM everyones)$$);
SELECT answer($$SELECT account, count(*) FROM teams t JOIN (SELECT account, group_name AS team FROM everyones) u USING (account, team) GROUP BY 1 ORDER BY 1$$);
RESET ALL;

-- elsewhere the column is the value that it holds
SELECT answer($$SELECT account, group_name, include_system, count(*) FROM everyones GROUP BY 1, 2, 3 ORDER BY 1$$);
SELECT answer($$SELECT DISTINCT group_name FROM everyones ORDER BY group_name$$);

-- a condition that is not leakproof is not sent before that of a policy
CREATE ROLE regress_sgip_guest;
GRANT USAGE ON SCHEMA public TO regress_sgip_guest;
GRANT SELECT ON everyones TO regress_sgip_guest;
ALTER TABLE everyones ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON everyones TO regress_sgip_guest USING (ip << '198.51.100.0/28' AND account = 'a');
GRANT USAGE ON FOREIGN SERVER a TO regress_sgip_guest;
SET client_min_messages = error;
CREATE USER MAPPING FOR PUBLIC SERVER a OPTIONS (api_user 'demo', api_key 'demo-key');
RESET client_min_messages;
SET ROLE regress_sgip_guest;
EXPLAIN (COSTS OFF) SELECT * FROM everyones WHERE username LIKE 'acme%';
EXPLAIN (COSTS OFF) SELECT * FROM everyones WHERE username = 'acme-9' AND group_name = 'west';
EXPLAIN (COSTS OFF) SELECT * FROM everyones WHERE group_name LIKE '%west%'; -- ERROR
RESET ROLE;
DROP OWNED BY regress_sgip_guest; DROP ROLE regress_sgip_guest;
