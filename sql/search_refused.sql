--
-- Uses of search columns that no search can answer: always an error that
-- says what is possible, never a result that looks like an answer.
--
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/sql/include/setup.psql'
\i :setup
CALL import_from('sg', 'rows=48');
CREATE TABLE teams (id int, team text);
INSERT INTO teams VALUES (1, 'west'), (2, NULL);
ANALYZE teams;
CREATE TABLE members (name text PRIMARY KEY, team text);
CREATE VIEW everything AS SELECT * FROM sg.ips_usage;
CREATE VIEW barrier WITH (security_barrier) AS SELECT * FROM sg.ips_usage;
CREATE FUNCTION is_west(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN $1 = 'west'; END $$;

-- the error in full
SELECT * FROM sg.ips_usage WHERE group_name <> 'west'; -- ERROR
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM sg.ips_all WHERE include_system IS NULL; -- ERROR

-- columns declared otherwise: what is said of a type that compares otherwise, of match, and of values that there are not
CREATE EXTENSION citext;
CREATE FOREIGN TABLE declared (ip inet, group_name citext, include_system text, whole text OPTIONS (field 'group', match 'exact'))
	SERVER sg OPTIONS (task 'usage');
SELECT ip FROM declared WHERE group_name = 'west'; -- ERROR
SELECT ip FROM declared WHERE whole LIKE '%west%'; -- ERROR
SELECT ip FROM declared WHERE include_system LIKE '%true%'; -- ERROR
SELECT ip FROM declared WHERE include_system = 'yes'; -- ERROR
SELECT count(*), count(*) FILTER (WHERE include_system = 'true') FROM declared WHERE include_system IN ('true', 'false') AND whole = 'west';
SELECT * FROM requests() ORDER BY length(request) DESC;

-- every query here must fail with 0A000, and send nothing
CREATE TABLE refused (id serial, query text);
INSERT INTO refused (query) VALUES
	-- operators that no search stands for
	($$SELECT ip FROM sg.ips_usage WHERE group_name <> 'west'$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name ILIKE '%west%'$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name LIKE 'a%b'$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name LIKE 'west%'$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name LIKE '%west'$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name LIKE '%we_t%'$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name LIKE '%100\%'$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name LIKE '%we\__%'$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name LIKE '%west%\'$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name LIKE '%'$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name LIKE '%%'$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name LIKE ''$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name NOT LIKE '%west%'$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name ^@ 'west'$$),
	($$SELECT ip FROM sg.ips_usage WHERE starts_with(group_name, 'west')$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name ~ 'west'$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name > 'west'$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name BETWEEN 'a' AND 'z'$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name IS NULL$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name IS NOT NULL$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name IS DISTINCT FROM 'west'$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name = ''$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name = repeat('x', 3000)$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name = ALL ('{west}')$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name <> ALL ('{west}')$$),
	($$SELECT ip FROM sg.ips_usage WHERE NOT group_name = 'west'$$),
	($$SELECT ip FROM sg.ips_usage WHERE lower(group_name) = 'west'$$),
	($$SELECT ip FROM sg.ips_usage WHERE coalesce(group_name, 'west') = 'west'$$),
	($$SELECT ip FROM sg.ips_usage WHERE is_west(group_name)$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name = username$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name = 'we' || substr(md5(random()::text), 1, 0) || 'st'$$),
	-- inside OR
	($$SELECT ip FROM sg.ips_usage WHERE group_name = 'west' OR username = 'acme-9'$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name = 'west' OR group_name LIKE '%east%'$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name = 'west' OR include_system$$),
	($$SELECT ip FROM sg.ips_usage WHERE (group_name = 'west') IS TRUE$$),
	-- above a subquery, a CTE, a view that PostgreSQL does not look into
	($$SELECT ip FROM (SELECT * FROM sg.ips_usage OFFSET 0) s WHERE group_name = 'west'$$),
	($$SELECT ip FROM (SELECT * FROM sg.ips_usage LIMIT 100) s WHERE group_name = 'west'$$),
	($$WITH u AS MATERIALIZED (SELECT * FROM sg.ips_usage) SELECT ip FROM u WHERE group_name = 'west'$$),
	($$WITH u AS (SELECT * FROM sg.ips_usage) SELECT a.ip FROM u a JOIN u b USING (ip) WHERE a.group_name = 'west'$$),
	($$SELECT ip FROM barrier WHERE is_west(group_name)$$),
	($$SELECT ip FROM everything WHERE group_name > 'w'$$),
	($$SELECT * FROM (SELECT ip, upper(group_name) AS g FROM sg.ips_usage) s WHERE g = 'WEST'$$),
	($$SELECT * FROM (SELECT ip, row_number() OVER () AS n, group_name AS g FROM sg.ips_usage) s WHERE g = 'west'$$),
	-- by what the second round of a recursive query has, and around another recursive query
	($$WITH RECURSIVE t(a, b, n) AS (SELECT username, group_name, 1 FROM sg.ips_usage UNION ALL SELECT b, a, n + 1 FROM t WHERE n < 4 AND a IS NOT NULL) SELECT count(*) FROM t$$),
	($$WITH RECURSIVE t(g, n) AS (SELECT group_name, 1 FROM sg.ips_usage UNION ALL (WITH RECURSIVE k(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM k WHERE i < 2) SELECT g, n + 1 FROM t, k WHERE n < 3 AND g IS NULL)) SELECT count(*) FROM t$$),
	($$SELECT * FROM (SELECT u FROM sg.ips_usage u OFFSET 0) s WHERE (u).group_name = 'west'$$),
	($$SELECT ip FROM sg.ips_usage u WHERE u IS NOT NULL$$),
	($$SELECT ip FROM sg.ips_usage u WHERE to_jsonb(u)->>'group_name' = 'west'$$),
	-- joins that would need the column's value first
	($$SELECT t.id FROM sg.ips_usage u LEFT JOIN teams t ON u.group_name = t.team$$),
	($$SELECT t.id FROM teams t FULL JOIN sg.ips_usage u ON u.group_name = t.team$$),
	($$SELECT t.id FROM teams t RIGHT JOIN sg.ips_usage u ON u.group_name = t.team$$),
	($$SELECT t.id FROM teams t JOIN sg.ips_usage u ON u.group_name <> t.team$$),
	($$SELECT t.id FROM teams t JOIN sg.ips_usage u ON u.group_name = t.team OR u.username = t.team$$),
	($$SELECT t.id FROM teams t JOIN sg.ips_usage u ON upper(u.group_name) = t.team$$),
	($$SELECT a.ip FROM sg.ips_usage a JOIN sg.ips_usage b ON a.group_name = b.group_name$$),
	($$SELECT ip FROM sg.ips_usage u WHERE NOT EXISTS (SELECT FROM teams t WHERE t.team = u.group_name)$$),
	($$SELECT ip FROM sg.ips_usage u WHERE group_name NOT IN (SELECT team FROM teams)$$),
	($$SELECT ip FROM sg.ips_usage u WHERE EXISTS (SELECT FROM teams t WHERE t.team = u.group_name OFFSET 0)$$),
	($$SELECT ip FROM sg.ips_usage u WHERE (SELECT count(*) FROM teams t WHERE t.team = u.group_name) > 0$$),
	($$SELECT ip, (SELECT id FROM teams t WHERE t.team = u.group_name) FROM sg.ips_usage u$$),
	($$SELECT id FROM teams WHERE team IN (SELECT group_name FROM sg.ips_usage OFFSET 0)$$),
	($$SELECT id FROM teams WHERE team = ANY (ARRAY(SELECT group_name FROM sg.ips_usage))$$),
	($$SELECT id FROM teams WHERE team = (SELECT group_name FROM sg.ips_usage LIMIT 1)$$),
	($$SELECT id FROM teams WHERE team NOT IN (SELECT group_name FROM sg.ips_usage)$$),
	($$SELECT id FROM teams WHERE ctid > (SELECT group_name::tid FROM sg.ips_usage LIMIT 1)$$),
	-- groups, aggregates, windows
	($$SELECT group_name, count(*) FROM sg.ips_usage GROUP BY group_name$$),
	($$SELECT count(group_name) FROM sg.ips_usage$$),
	($$SELECT max(group_name) FROM sg.ips_usage$$),
	($$SELECT count(DISTINCT group_name) FROM sg.ips_usage$$),
	($$SELECT string_agg(username, ',' ORDER BY group_name) FROM sg.ips_usage$$),
	($$SELECT count(*) FILTER (WHERE group_name = 'west') FROM sg.ips_usage$$),
	($$SELECT username FROM sg.ips_usage GROUP BY username HAVING max(group_name) = 'west'$$),
	($$SELECT username FROM sg.ips_usage GROUP BY username, group_name HAVING group_name LIKE 'w%'$$),
	($$SELECT rank() OVER (ORDER BY group_name) FROM sg.ips_usage$$),
	($$SELECT count(*) OVER (PARTITION BY group_name) FROM sg.ips_usage$$),
	($$SELECT lag(group_name) OVER (ORDER BY ip) FROM sg.ips_usage$$),
	($$SELECT * FROM (SELECT id, row_number() OVER () AS n FROM teams) s WHERE n <= (SELECT length(group_name) FROM sg.ips_usage LIMIT 1)$$),
	($$SELECT percentile_disc((SELECT length(group_name) FROM sg.ips_usage LIMIT 1)) WITHIN GROUP (ORDER BY id) FROM teams$$),
	($$SELECT ip, group_name, count(*) FROM sg.ips_usage GROUP BY GROUPING SETS ((ip), (group_name))$$),
	($$SELECT count(*) FILTER (WHERE u IS NOT NULL) FROM sg.ips_usage u$$),
	($$SELECT count(*) FILTER (WHERE to_jsonb(u)->>'group_name' = 'west') FROM sg.ips_usage u$$),
	($$SELECT bool_and(to_jsonb(u)->>'group_name' = 'west') FROM sg.ips_usage u$$),
	-- expressions that decide
	($$SELECT CASE WHEN group_name = 'west' THEN 1 ELSE 0 END FROM sg.ips_usage$$),
	($$SELECT CASE group_name WHEN 'west' THEN 1 ELSE 0 END FROM sg.ips_usage$$),
	($$SELECT group_name = 'west' FROM sg.ips_usage$$),
	($$SELECT group_name IS NULL FROM sg.ips_usage$$),
	($$SELECT nullif(group_name, 'west') FROM sg.ips_usage$$),
	($$SELECT coalesce(group_name, 'no group') FROM sg.ips_usage$$),
	($$SELECT greatest(group_name, 'west') FROM sg.ips_usage$$),
	($$SELECT CASE WHEN username = 'x' THEN CASE group_name WHEN 'west' THEN 1 END END FROM sg.ips_usage$$),
	($$SELECT count(*) FROM sg.ips_usage WHERE ip = '198.51.100.7' AND (group_name IS NULL OR username = 'x')$$),
	-- functions that return truth, or as many rows as the column says
	($$SELECT starts_with(group_name, 'west') FROM sg.ips_usage$$),
	($$SELECT ip, unnest(string_to_array(group_name, '-')) FROM sg.ips_usage$$),
	($$SELECT ip, part FROM sg.ips_usage, unnest(string_to_array(group_name, '-')) part$$),
	($$SELECT ip, part FROM sg.ips_usage, LATERAL (SELECT regexp_split_to_table(group_name, '-') AS part OFFSET 0) s$$),
	($$SELECT ip, x.* FROM sg.ips_usage, xmltable('//a' PASSING (('<a>' || group_name || '</a>')::xml) COLUMNS a text PATH '.') x$$),
	($$SELECT count(*) FROM sg.ips_usage u, jsonb_each_text(to_jsonb(u)) WHERE value = 'west'$$),
	($$SELECT id FROM teams LIMIT (SELECT length(group_name) FROM sg.ips_usage LIMIT 1)$$),
	($$SELECT id FROM teams OFFSET (SELECT length(group_name) FROM sg.ips_usage LIMIT 1)$$),
	($$SELECT ip FROM sg.ips_usage ORDER BY group_name FETCH FIRST ROW WITH TIES$$),
	-- set operations that compare
	($$SELECT group_name FROM sg.ips_usage INTERSECT SELECT team FROM teams$$),
	($$SELECT team FROM teams EXCEPT SELECT group_name FROM sg.ips_usage$$),
	($$SELECT * FROM (SELECT group_name AS g FROM sg.ips_usage UNION ALL SELECT team FROM teams) s WHERE g > 'w'$$),
	-- include_system is false where it was not asked for
	($$SELECT ip FROM sg.ips_all WHERE include_system IS NULL$$),
	($$SELECT ip FROM sg.ips_all WHERE include_system OR ip = '198.51.100.7'$$),
	($$SELECT ip FROM sg.ips_all WHERE include_system > false$$),
	($$SELECT ip FROM (SELECT * FROM sg.ips_all OFFSET 0) s WHERE include_system$$),
	($$SELECT CASE WHEN include_system THEN 1 END FROM sg.ips_all$$),
	($$SELECT count(*) FILTER (WHERE include_system) FROM sg.ips_all$$),
	($$SELECT bool_or(include_system) FROM sg.ips_all$$),
	($$SELECT NOT include_system FROM sg.ips_all$$),
	-- writing by it
	($$UPDATE teams SET id = 3 FROM sg.ips_usage u WHERE u.group_name > team$$),
	($$DELETE FROM teams WHERE EXISTS (SELECT FROM sg.ips_usage u WHERE u.group_name < team)$$),
	($$MERGE INTO teams USING sg.ips_usage u ON team = username WHEN MATCHED AND u.group_name = 'west' THEN DELETE$$),
	($$MERGE INTO teams USING sg.ips_usage u ON team = username WHEN MATCHED THEN UPDATE SET id = CASE u.group_name WHEN 'west' THEN 1 END$$),
	($$MERGE INTO teams USING sg.ips_usage u ON team = username WHEN NOT MATCHED AND u.group_name IS NULL THEN INSERT VALUES (1)$$),
	($$MERGE INTO teams USING sg.ips_usage u ON team = group_name WHEN NOT MATCHED THEN INSERT VALUES (1)$$),
	($$INSERT INTO members SELECT username, group_name FROM sg.ips_usage ON CONFLICT (name) DO UPDATE SET team = 'x' WHERE excluded.team = 'west'$$),
	($$INSERT INTO members SELECT username, group_name FROM sg.ips_usage ON CONFLICT (name) DO UPDATE SET team = coalesce(excluded.team, 'x')$$),
	($$SELECT id FROM teams t, LATERAL (SELECT * FROM sg.ips_usage u OFFSET 0) s WHERE s.group_name = t.team$$);
SELECT id, line, query FROM (SELECT id, query, (SELECT substr(f, 1, 5) FROM failure(query) f LIMIT 1) AS line FROM refused) s
WHERE line <> '0A000' ORDER BY id;
SELECT count(*), count(*) FILTER (WHERE (SELECT f FROM failure(query) f LIMIT 1) ~ 'group_name|include_system') AS named FROM refused;
SELECT * FROM requests();

-- the same whatever join the planner would like
SET enable_nestloop = off;
SELECT t.id FROM teams t RIGHT JOIN sg.ips_usage u ON u.group_name = t.team; -- ERROR
SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_nestloop = on;
SELECT t.id FROM teams t RIGHT JOIN sg.ips_usage u ON u.group_name = t.team; -- ERROR
RESET ALL;

-- whole rows may be collected and taken apart, and what is written may be written by a value or without one
SELECT jsonb_agg(u) FROM sg.ips_usage u WHERE ip = '198.51.100.7';
SELECT coalesce(jsonb_agg(u), '[]'), count(u) FROM (SELECT * FROM sg.ips_usage WHERE ip = '198.51.100.7') u;
SELECT jsonb_agg(u) FROM (SELECT * FROM sg.ips_usage WHERE ip = '198.51.100.7' LIMIT 1) u;
SELECT key, value FROM sg.ips_usage u, jsonb_each_text(to_jsonb(u)) WHERE u.ip = '198.51.100.7';
SELECT ip, part FROM sg.ips_usage, unnest(string_to_array(group_name, '-')) part WHERE group_name = 'west-2' AND username = 'acme-9';
INSERT INTO members SELECT username, group_name FROM sg.ips_usage WHERE ip = '198.51.100.9' ON CONFLICT (name) DO UPDATE SET team = excluded.team;
MERGE INTO members USING sg.ips_usage u ON name = username AND u.group_name = 'west' AND u.ip = '198.51.100.9'
	WHEN MATCHED AND u.group_name = 'west' THEN UPDATE SET team = u.group_name;
SELECT * FROM members ORDER BY name COLLATE "C";

-- more values than anybody means
SELECT count(*) FROM sg.ips_usage WHERE group_name = ANY (ARRAY(SELECT 'g' || i FROM generate_series(1, 10001) i)); -- ERROR
-- a cancel is heard while they are gone through: this one comes when they are known, and before they are too many
CREATE FUNCTION cancelled(pid int) RETURNS boolean STABLE LANGUAGE internal AS 'pg_cancel_backend';
SET plan_cache_mode = force_generic_plan;
PREPARE many(text[], int) AS SELECT count(*) FROM sg.ips_usage WHERE group_name = ANY (CASE WHEN cancelled($2) THEN $1 END);
SELECT array_agg('g' || i) AS names FROM generate_series(1, 10001) i \gset
EXECUTE many(:'names', pg_backend_pid()); -- ERROR
DEALLOCATE many;
RESET plan_cache_mode;
-- DISTINCT ON chooses rows by its columns; DISTINCT does not, also when a column is the same in all rows
SELECT DISTINCT ON (group_name) group_name, ip FROM sg.ips_usage; -- ERROR
SET enable_hashagg = off;
SELECT count(*) FROM (SELECT DISTINCT ip, username, group_name FROM sg.ips_usage WHERE username = 'nobody') s;
RESET enable_hashagg;
SELECT DISTINCT ON (group_name) group_name FROM sg.ips_usage WHERE group_name = 'east';

-- a CTE is looked at once, not once for each time that it is scanned, nor a condition of CASE for each CASE around it
SET statement_timeout = '5s';
SELECT format('WITH c0 AS MATERIALIZED (SELECT group_name AS g FROM sg.ips_usage LIMIT 1)%s SELECT count(*) FROM c40',
			  string_agg(format(', c%s AS MATERIALIZED (SELECT a.g FROM c%s a, c%s b)', i, i - 1, i - 1), '' ORDER BY i)) AS ctes,
	format('SELECT%s ip IS NULL%s, group_name FROM sg.ips_usage LIMIT 1', repeat(' CASE WHEN', 40), repeat(' THEN ip IS NOT NULL END', 40)) AS cases
FROM generate_series(1, 40) i \gset
\set ECHO none
:ctes;
:cases;
\set ECHO all
RESET statement_timeout;
