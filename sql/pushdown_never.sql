--
-- Conditions that must not be sent: the API's answer could lack rows.
--
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/sql/include/setup.psql'
\i :setup
CALL import_from('sg', 'rows=300');
CALL load_truth('rows=300');
SET client_min_messages = warning;
CREATE EXTENSION citext;
CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE FOREIGN TABLE as_citext (ip inet, username citext) SERVER sg OPTIONS (task 'usage');
CREATE FOREIGN TABLE as_nocase (ip inet, username text COLLATE nocase) SERVER sg OPTIONS (task 'usage');
CREATE FOREIGN TABLE as_char (ip inet, username char(30)) SERVER sg OPTIONS (task 'usage');
CREATE FOREIGN TABLE as_name (ip cidr, username name) SERVER sg OPTIONS (task 'usage');

-- operators of a user's own, by the names of PostgreSQL's
CREATE SCHEMA mine;
CREATE FUNCTION mine.same_letters(text, text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE
	AS $$ BEGIN RETURN upper($1) = upper($2); END $$;
CREATE OPERATOR mine.= (LEFTARG = text, RIGHTARG = text, FUNCTION = mine.same_letters, COMMUTATOR = OPERATOR(mine.=));
CREATE OPERATOR mine.~~ (LEFTARG = text, RIGHTARG = text, FUNCTION = mine.same_letters);
CREATE FUNCTION mine.starts_with(text, text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE
	AS $$ BEGIN RETURN upper($1) LIKE upper($2) || '%'; END $$;
CREATE FUNCTION mine.host(inet) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN '1'; END $$;
CREATE FUNCTION mine.volatile_name() RETURNS text LANGUAGE plpgsql VOLATILE AS $$ BEGIN RETURN 'acme-9'; END $$;

-- The request of a query, and how many rows it finds; then the same by
-- PostgreSQL alone, on the truth with the same types
CREATE TABLE conditions (id serial, tab text, condition text);
INSERT INTO conditions (tab, condition) VALUES
	('sg.ips_usage', $$username ILIKE 'ACME%'$$),
	('sg.ips_usage', $$username ~~* 'acme-9'$$),
	('sg.ips_usage', $$username ~ '^acme'$$),
	('sg.ips_usage', $$username SIMILAR TO 'acme%'$$),
	('sg.ips_usage', $$upper(username) = 'ACME-9'$$),
	('sg.ips_usage', $$username <> 'acme-9'$$),
	('sg.ips_usage', $$NOT username = 'acme-9'$$),
	('sg.ips_usage', $$username NOT LIKE 'acme%'$$),
	('sg.ips_usage', $$username NOT IN ('acme-9', 'acme-1')$$),
	('sg.ips_usage', $$NOT (username = 'acme-9' OR username = 'acme-1')$$),
	('sg.ips_usage', $$(username = 'acme-9') IS NOT TRUE$$),
	('sg.ips_usage', $$username IS DISTINCT FROM 'acme-9'$$),
	('sg.ips_usage', $$username IS NULL$$),
	('sg.ips_usage', $$username > 'acme-9'$$),
	('sg.ips_usage', $$coalesce(username, 'x') = 'acme-9'$$),
	('sg.ips_usage', $$username || '' = 'acme-9'$$),
	('sg.ips_usage', $$username = username$$),
	('sg.ips_usage', $$username LIKE host(ip)$$),
	('sg.ips_usage', $$ip <> '198.51.100.7'$$),
	('sg.ips_usage', $$NOT ip <<= '198.51.100.0/24'$$),
	('sg.ips_usage', $$set_masklen(ip, 24) = '198.51.100.7/24'$$),
	('sg.ips_usage', $$mine.host(ip) = '1'$$),
	('sg.ips_usage', $$username OPERATOR(mine.=) 'ACME-9'$$),
	('sg.ips_usage', $$'ACME-9' OPERATOR(mine.=) username$$),
	('sg.ips_usage', $$username OPERATOR(mine.~~) 'ACME-9'$$),
	('sg.ips_usage', $$username OPERATOR(mine.=) ANY ('{ACME-9}')$$),
	('sg.ips_usage', $$mine.starts_with(username, 'ACME-')$$),
	('sg.ips_usage', $$username = mine.volatile_name()$$),
	('sg.ips_usage', $$username = 'acme-' || (random() * 0 + 9)::int$$),
	('sg.ips_usage', $$username = 'ACME-9' COLLATE nocase$$),
	('sg.ips_usage', $$username IN ('ACME-9' COLLATE nocase, 'ACME-1')$$),
	('as_citext', $$username = 'ACME-9'$$),
	('as_citext', $$username LIKE 'ACME%'$$),
	('as_citext', $$username IN ('ACME-9', 'ACME-1')$$),
	('as_citext', $$username::text = 'acme-9'$$),
	('as_nocase', $$username = 'ACME-9'$$),
	('as_nocase', $$username IN ('ACME-9', 'ACME-1')$$),
	('as_nocase', $$username COLLATE "C" = 'acme-9'$$),
	('as_char', $$username = 'acme-9'$$),
	('as_char', $$username = 'acme-9     '$$),
	('as_name', $$username = 'acme-9'$$),
	('as_name', $$ip = '198.51.100.7'$$);
CREATE FUNCTION count_rows(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	result bigint;
BEGIN
	EXECUTE 'SELECT count(*) FROM ' || query INTO result;
	RETURN result;
END $$;
CREATE FUNCTION asked(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN SELECT FROM ' || query LOOP
		IF line ~ 'Request: ' THEN
			RETURN substring(line FROM 'json\?(.*)');
		END IF;
	END LOOP;
END $$;
CREATE TABLE truth AS SELECT ip, username FROM truth_usage WHERE NOT system;
CREATE TABLE "truth as_citext" (ip inet, username citext);
CREATE TABLE "truth as_nocase" (ip inet, username text COLLATE nocase);
CREATE TABLE "truth as_char" (ip inet, username char(30));
CREATE TABLE "truth as_name" (ip cidr, username name);
INSERT INTO "truth as_citext" TABLE truth; INSERT INTO "truth as_nocase" TABLE truth;
INSERT INTO "truth as_char" TABLE truth; INSERT INTO "truth as_name" TABLE truth;
SELECT tab, condition, asked(q) AS request, count_rows(q) AS rows,
	   count_rows(format('%I WHERE %s', CASE tab WHEN 'sg.ips_usage' THEN 'truth' ELSE 'truth ' || tab END, condition)) AS truth
FROM (SELECT *, format('%s WHERE %s', tab, condition) AS q FROM conditions) c
ORDER BY id;

-- a condition above an outer join, an aggregate or a window does not reach the scan
SELECT explain('COSTS OFF', $$SELECT * FROM (SELECT username, count(*) OVER (PARTITION BY ip) FROM sg.ips_usage) s WHERE username = 'acme-9'$$);
EXPLAIN (COSTS OFF) SELECT * FROM (SELECT DISTINCT ON (ip) ip, username FROM sg.ips_usage ORDER BY ip, username) s WHERE username = 'acme-9';
EXPLAIN (COSTS OFF) SELECT * FROM (SELECT ip, username FROM sg.ips_usage LIMIT 5) s WHERE username = 'acme-9';
-- but one below them does, where PostgreSQL moves it there
SELECT explain('COSTS OFF', $$SELECT * FROM (SELECT username, count(*) FROM sg.ips_usage GROUP BY username) s WHERE username = 'acme-9'$$);

-- nor is one sent where the column does not hold what the API compares, where
-- a part of the value would be taken for the whole of it, or where the
-- parameter cannot have the value
CALL import_from('today', 'rows=300', '', 'v3');
CREATE FOREIGN TABLE as_number (username bigint) SERVER today OPTIONS (task 'subusers');
CREATE FOREIGN TABLE as_flag (username boolean) SERVER today OPTIONS (task 'subusers');
CREATE FOREIGN TABLE as_address (username inet) SERVER today OPTIONS (task 'subusers');
CREATE FOREIGN TABLE as_moment (username timestamptz) SERVER today OPTIONS (task 'subusers');
CREATE FOREIGN TABLE as_written (added_at text, pool_ids text[]) SERVER today OPTIONS (task 'addresses');
CREATE FOREIGN TABLE as_whole (username text OPTIONS (match 'exact'), region text) SERVER today OPTIONS (task 'subusers');
CREATE FOREIGN TABLE as_id (id text) SERVER today OPTIONS (task 'reverse_dns');
CREATE FUNCTION asked_today(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN SELECT FROM ' || query LOOP
		CONTINUE WHEN line !~ 'Request: ';
		RETURN left(substring(line FROM '/v3/(.*)'), 60);
	END LOOP;
END $$;
SELECT q AS query, asked_today(q) AS request FROM unnest(ARRAY[
	$$as_number WHERE username = 7$$, $$as_number WHERE username IN (7, 8)$$, $$as_flag WHERE username$$,
	$$as_address WHERE username = '10.0.0.1'$$, $$as_address WHERE username << '10.0.0.0/8'$$, $$as_moment WHERE username > '2024-05-01'$$,
	$$as_written WHERE added_at = '2024-05-01'$$, $$as_written WHERE added_at = '1714521599~'$$, $$as_written WHERE '20002' = ANY (pool_ids)$$,
	$$as_whole WHERE username = 'acme-9'$$, $$as_whole WHERE username LIKE 'acme-9'$$, $$as_whole WHERE username LIKE 'müller'$$, $$as_whole WHERE username = 'müller'$$,
	$$as_whole WHERE username LIKE rpad('x', 2001, 'x')$$, $$as_whole WHERE username = rpad('x', 2001, 'x')$$,
	$$as_whole WHERE region LIKE 'eu'$$, $$as_whole WHERE region LIKE 'mars'$$, $$as_whole WHERE region = 'mars'$$,
	$$as_id WHERE id = '503'$$, $$as_id WHERE id = '..'$$]) WITH ORDINALITY x(q, o) ORDER BY o;
