--
-- What the WHERE and ON clauses of a query say about a search column is asked
-- of the API, met by asking nothing, or refused when the query is planned;
-- everywhere else the column is the value that it holds.
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
CREATE VIEW barrier WITH (security_barrier) AS SELECT * FROM sg.ips_usage WHERE ip > '198.51.100.0';
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

-- ... and of a length: what the column holds is what was asked for, not what the API has
CREATE FOREIGN TABLE of_length (ip inet, team varchar(30) OPTIONS (field 'group', match 'exact')) SERVER sg OPTIONS (task 'usage');
SELECT team, count(*) FROM of_length WHERE team IN ('west', 'west-2', repeat('x', 31)) GROUP BY 1 ORDER BY 1;
SELECT * FROM requests() ORDER BY request;

-- ... and of a part, which must be a value where there are few
CREATE FOREIGN TABLE in_part (ip inet, system text OPTIONS (match 'anywhere'), team text OPTIONS (field 'group'))
	SERVER sg OPTIONS (task 'usage');
SELECT system, count(*) > 0 AS found FROM in_part WHERE system LIKE '%true%' GROUP BY 1;
SELECT * FROM requests();
SELECT * FROM in_part WHERE system LIKE '%tr%'; -- ERROR
SELECT * FROM in_part WHERE team LIKE '%' || repeat('x', 2001) || '%'; -- ERROR

-- every query here must be refused when it is planned, and send nothing
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
	($$SELECT ip FROM sg.ips_usage WHERE group_name LIKE '%west%' AND group_name LIKE '%east%'$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name LIKE '%west%' AND group_name <> 'west'$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name ^@ 'west'$$),
	($$SELECT ip FROM sg.ips_usage WHERE starts_with(group_name, 'west')$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name ~ 'west'$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name > 'west'$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name BETWEEN 'a' AND 'z'$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name <> 'west' AND username <> (SELECT 'nobody')$$),
	($$SELECT ip FROM sg.ips_usage WHERE upper(group_name) = (SELECT 'WEST')$$),
	($$SELECT ip FROM sg.ips_usage WHERE upper(group_name) = (SELECT 'WEST') OR length(username) > 3$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name = 'west' AND username <> (SELECT 'nobody') OR username > 'b'$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name IS NOT NULL$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name = ''$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name IN ('', 'west')$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name = repeat('x', 3000)$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name = ALL ('{west}')$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name <> ALL ('{west}')$$),
	($$SELECT ip FROM sg.ips_usage WHERE NOT group_name = 'west'$$),
	($$SELECT ip FROM sg.ips_usage WHERE lower(group_name) = 'west'$$),
	($$SELECT ip FROM sg.ips_usage WHERE coalesce(group_name, 'x') = 'west'$$),
	($$SELECT ip FROM sg.ips_usage WHERE is_west(group_name)$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name = username$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name = 'we' || substr(md5(random()::text), 1, 0) || 'st'$$),
	($$SELECT ip FROM sg.ips_usage WHERE random() < 2 OR group_name = 'west'$$),
	-- inside OR, with what is about the row
	($$SELECT ip FROM sg.ips_usage WHERE group_name = 'west' OR username = 'acme-9'$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name = 'west' OR group_name LIKE '%east%'$$),
	($$SELECT ip FROM sg.ips_usage WHERE group_name = 'west' OR include_system$$),
	($$SELECT ip FROM sg.ips_usage WHERE (group_name = 'west' AND username = 'acme-9') OR username = 'acme-1'$$),
	($$SELECT ip FROM sg.ips_usage WHERE (group_name IS NOT NULL) = (username IS NULL)$$),
	-- the row as a whole
	($$SELECT ip FROM sg.ips_usage u WHERE u IS NOT NULL$$),
	($$SELECT ip FROM sg.ips_usage u WHERE to_jsonb(u)->>'group_name' = 'west'$$),
	($$SELECT id FROM teams t JOIN sg.ips_usage u ON to_jsonb(u)->>'group_name' = t.team$$),
	-- where PostgreSQL moves a condition to where the table stands
	($$SELECT ip FROM everything WHERE group_name > 'w'$$),
	($$SELECT * FROM (SELECT ip, upper(group_name) AS g FROM sg.ips_usage) s WHERE g = 'WEST'$$),
	($$WITH u AS (SELECT * FROM sg.ips_usage) SELECT ip FROM u WHERE group_name <> 'west'$$),
	($$SELECT group_name FROM sg.ips_usage GROUP BY group_name HAVING group_name <> 'west'$$),
	($$SELECT * FROM (SELECT DISTINCT group_name FROM sg.ips_usage) s WHERE group_name <> 'west'$$),
	-- joins that need the rows before they know the value
	($$SELECT t.id FROM sg.ips_usage u LEFT JOIN teams t ON u.group_name = t.team$$),
	($$SELECT t.id FROM sg.ips_usage u LEFT JOIN teams t ON u.username = t.team AND u.group_name = 'west'$$),
	($$SELECT t.id FROM teams t FULL JOIN sg.ips_usage u ON u.group_name = t.team$$),
	($$SELECT t.id FROM teams t RIGHT JOIN sg.ips_usage u ON u.group_name = t.team$$),
	($$SELECT t.id FROM teams t JOIN sg.ips_usage u ON u.group_name <> t.team$$),
	($$SELECT t.id FROM teams t JOIN sg.ips_usage u ON u.group_name = t.team OR u.username = t.team$$),
	($$SELECT t.id FROM teams t JOIN sg.ips_usage u ON upper(u.group_name) = t.team$$),
	($$SELECT t.id FROM teams t JOIN members m ON true JOIN sg.ips_usage u ON u.group_name || m.name = t.team$$),
	($$SELECT t.id FROM sg.ips_usage u LEFT JOIN teams t ON t.team = u.username WHERE u.group_name = coalesce(t.team, 'west')$$),
	($$SELECT t.id FROM sg.ips_usage u LEFT JOIN teams t ON t.team = u.username WHERE u.group_name = 'west' OR t.id IS NULL$$),
	($$SELECT t.id FROM sg.ips_usage u LEFT JOIN members m ON m.name = u.username LEFT JOIN teams t ON t.team = m.team WHERE u.group_name = coalesce(t.team, 'west')$$),
	($$SELECT t.id FROM teams t JOIN sg.ips_usage u ON true LEFT JOIN members m ON m.name = t.team WHERE u.group_name = coalesce(m.team, t.team)$$),
	($$SELECT s.g FROM sg.ips_usage u LEFT JOIN teams t ON t.team = u.username, LATERAL (SELECT t.team || '' AS g OFFSET 0) s WHERE u.group_name = s.g$$),
	($$SELECT a.ip FROM sg.ips_all a LEFT JOIN teams t ON t.team = host(a.ip) JOIN members m ON a.include_system OR t.team = m.team$$),
	($$SELECT t.id FROM sg.ips_usage u LEFT JOIN teams t ON false WHERE u.group_name <> 'west'$$),
	($$SELECT a.ip FROM sg.ips_usage a JOIN sg.ips_usage b ON a.group_name = b.group_name$$),
	($$SELECT a.ip FROM sg.ips_usage a JOIN sg.ips_usage b USING (group_name, include_system)$$),
	($$SELECT a.ip FROM sg.ips_usage a, sg.ips_usage b, sg.ips_usage c WHERE a.group_name = b.group_name || '' AND b.group_name = c.group_name || '' AND c.group_name = a.group_name || ''$$),
	($$SELECT ip FROM sg.ips_usage u WHERE NOT EXISTS (SELECT FROM teams t WHERE t.team = u.group_name)$$),
	($$SELECT ip FROM sg.ips_usage u WHERE group_name NOT IN (SELECT team FROM teams)$$),
	($$SELECT ip FROM sg.ips_usage u WHERE EXISTS (SELECT FROM teams t WHERE t.team = u.group_name OFFSET 0)$$),
	($$SELECT ip FROM sg.ips_usage u WHERE (SELECT count(*) FROM teams t WHERE t.team = u.group_name) > 0$$),
	($$SELECT ip FROM sg.ips_usage u JOIN members m ON m.name = u.username WHERE group_name IN (SELECT team FROM teams)$$),
	($$SELECT ip FROM sg.ips_usage u WHERE EXISTS (SELECT FROM teams t WHERE t.team = u.group_name AND t.id < length(u.username))$$),
	($$SELECT id FROM teams WHERE team IN (SELECT upper(group_name) FROM sg.ips_usage)$$),
	-- booleans
	($$SELECT ip FROM sg.ips_all WHERE include_system IS NULL$$),
	($$SELECT ip FROM sg.ips_all WHERE include_system > false$$),
	($$SELECT ip FROM sg.ips_all WHERE include_system::text = 'true'$$),
	($$SELECT ip FROM sg.ips_all WHERE include_system OR ip = '198.51.100.28'$$),
	-- writing
	($$UPDATE teams SET id = 3 FROM sg.ips_usage u WHERE u.group_name > team$$),
	($$DELETE FROM teams WHERE EXISTS (SELECT FROM sg.ips_usage u WHERE u.group_name < team)$$),
	($$MERGE INTO teams USING sg.ips_usage u ON team = group_name WHEN NOT MATCHED THEN INSERT VALUES (1)$$);
SELECT id, line, query FROM (SELECT id, query, (SELECT substr(f, 1, 5) FROM failure('EXPLAIN ' || query) f LIMIT 1) AS line FROM refused) s
WHERE line <> '0A000' ORDER BY id;
SELECT count(*), count(*) FILTER (WHERE (SELECT f FROM failure('EXPLAIN ' || query) f LIMIT 1) ~ 'group_name|include_system') AS named FROM refused;

-- everywhere else: what these give
CREATE FUNCTION answer(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	r record;
	result text[] := '{}';
BEGIN
	FOR r IN EXECUTE query LOOP
		result := result || r::text;
	END LOOP;
	RETURN coalesce((SELECT string_agg(l, ' ' ORDER BY l COLLATE "C") FROM unnest(result) l), 'no row');
EXCEPTION WHEN feature_not_supported THEN
	RETURN SQLSTATE;
END $$;
CREATE TABLE answered (id serial, query text, result text);
INSERT INTO answered (query) VALUES
	-- met by asking nothing
	($$SELECT count(*) FROM sg.ips_usage WHERE group_name IS NULL$$),
	($$SELECT count(*) FROM sg.ips_usage WHERE group_name IS NULL OR group_name = ''$$),
	($$SELECT count(*) FROM sg.ips_usage WHERE group_name IS DISTINCT FROM 'west'$$),
	($$SELECT count(*) FROM sg.ips_usage WHERE coalesce(group_name, '') = ''$$),
	($$SELECT count(*) FROM sg.ips_usage WHERE group_name IS NOT DISTINCT FROM NULL$$),
	($$SELECT count(*) FROM sg.ips_usage WHERE (group_name = 'west') IS NOT TRUE$$),
	($$SELECT count(*) FROM sg.ips_usage WHERE group_name IS NULL OR username = 'acme-9'$$),
	($$SELECT count(*) FROM sg.ips_all WHERE NOT include_system$$),
	($$SELECT count(*) FROM sg.ips_all WHERE NOT include_system OR ip = '198.51.100.28'$$),
	($$SELECT count(*) FROM sg.ips_all WHERE include_system IS NOT NULL$$),
	($$SELECT count(*) FROM teams t LEFT JOIN sg.ips_usage u ON u.username = t.team WHERE u.group_name IS NULL$$),
	-- rows that hold the value asked for are judged by it
	($$SELECT count(*) FROM sg.ips_usage WHERE group_name = 'east' AND group_name IS NOT NULL AND group_name <> '' AND group_name LIKE 'e%'$$),
	($$SELECT count(*) FROM sg.ips_usage WHERE group_name IN ('east', 'west') AND group_name <> 'west'$$),
	($$SELECT count(*) FROM sg.ips_usage WHERE group_name = 'east' AND (username = 'acme-9' OR group_name = 'west' OR ip < '198.51.100.9')$$),
	($$SELECT count(*) FROM sg.ips_usage WHERE group_name = 'east' AND group_name IS NULL$$),
	($$SELECT count(*) FROM sg.ips_usage u LEFT JOIN teams t ON u.group_name = t.team WHERE u.group_name = 'east'$$),
	($$SELECT count(*) FROM sg.ips_usage WHERE group_name = current_setting('app.team') AND group_name LIKE 'w_st'$$),
	-- no row is wanted, and what else is said does not matter
	($$SELECT count(*) FROM sg.ips_usage u LEFT JOIN teams t ON t.team = u.group_name WHERE u.group_name = 'west' AND false$$),
	($$SELECT count(*) FROM sg.ips_usage u JOIN teams t ON t.team <> u.group_name WHERE u.group_name = 'west' AND false$$),
	($$SELECT count(*) FROM sg.ips_all a LEFT JOIN teams t ON t.team = host(a.ip) JOIN members m ON a.include_system OR t.team = m.team WHERE a.include_system AND false$$),
	($$SELECT count(*) FROM teams t LEFT JOIN sg.ips_usage u ON u.group_name = 'west' AND false WHERE coalesce(u.group_name, 'west') = t.team$$),
	($$SELECT count(*) FROM teams t WHERE NOT EXISTS (SELECT FROM sg.ips_usage u WHERE u.group_name <> t.team AND u.group_name = 'west' AND false)$$),
	-- the same column in each alternative
	($$SELECT group_name, username, count(*) FROM sg.ips_usage WHERE (group_name, username) IN (('east', 'acme-9'), ('west', 'acme-9')) GROUP BY 1, 2$$),
	($$SELECT count(*) FROM sg.ips_usage WHERE group_name IS NOT DISTINCT FROM 'east'$$),
	($$SELECT count(*) FROM sg.ips_usage WHERE (group_name = 'east') IS TRUE$$),
	-- groups, aggregates, windows, sorting
	($$SELECT group_name, include_system, count(*) FROM sg.ips_usage GROUP BY 1, 2$$),
	($$SELECT count(group_name), max(group_name), count(DISTINCT group_name), count(*) FILTER (WHERE group_name = 'west') FROM sg.ips_usage$$),
	($$SELECT max(group_name), min(group_name), max(username) FROM sg.ips_usage$$),
	($$SELECT max(group_name), min(username) FROM sg.ips_usage WHERE group_name = 'west'$$),
	($$SELECT t.id, (SELECT max(group_name) FROM sg.ips_usage u WHERE u.group_name = t.team) FROM teams t$$),
	($$SELECT count(DISTINCT (group_name, username)) > 10 FROM sg.ips_usage$$),
	($$SELECT username FROM sg.ips_usage GROUP BY username HAVING max(group_name) = 'west'$$),
	($$SELECT group_name, count(*) FROM sg.ips_usage GROUP BY 1 HAVING group_name = 'east'$$),
	($$SELECT group_name, count(*) FROM sg.ips_usage WHERE username >= NULL AND group_name = 'east' GROUP BY 1 HAVING group_name IS NOT NULL$$),
	($$SELECT count(*) FROM (SELECT 'a' AS account, * FROM sg.ips_usage) u WHERE account = 'b' AND group_name <> 'west'$$),
	($$SELECT DISTINCT count(*) OVER (PARTITION BY group_name), rank() OVER (ORDER BY group_name), lag(group_name) OVER (ORDER BY group_name) FROM sg.ips_usage$$),
	($$SELECT DISTINCT ON (group_name) group_name FROM sg.ips_usage ORDER BY group_name, ip$$),
	($$SELECT group_name, count(*) FROM sg.ips_usage GROUP BY GROUPING SETS ((group_name), ())$$),
	($$SELECT DISTINCT CASE WHEN group_name = 'west' THEN 'w' ELSE 'none' END, coalesce(group_name, 'none'), group_name = 'west' FROM sg.ips_usage$$),
	($$SELECT DISTINCT to_jsonb(u)->>'group_name' FROM sg.ips_usage u$$),
	($$SELECT group_name FROM sg.ips_usage INTERSECT SELECT NULL$$),
	($$SELECT count(*) FROM sg.ips_usage u, jsonb_each_text(to_jsonb(u)) WHERE u.ip = '198.51.100.7'$$),
	-- above a subquery that PostgreSQL does not merge the column is NULL
	($$SELECT count(*) FROM (SELECT * FROM sg.ips_usage OFFSET 0) s WHERE group_name = 'west'$$),
	($$SELECT count(*) FROM (SELECT * FROM sg.ips_usage LIMIT 100) s WHERE group_name <> 'west'$$),
	($$WITH u AS MATERIALIZED (SELECT * FROM sg.ips_usage) SELECT count(*) FROM u WHERE group_name IS NULL$$),
	($$SELECT count(*) FROM (SELECT ip, row_number() OVER () AS n, group_name AS g FROM sg.ips_usage) s WHERE g = 'west'$$),
	($$SELECT id FROM teams t, LATERAL (SELECT * FROM sg.ips_usage u OFFSET 0) s WHERE s.group_name = t.team$$),
	($$SELECT id FROM teams WHERE team IN (SELECT group_name FROM sg.ips_usage OFFSET 0)$$),
	($$SELECT id FROM teams WHERE team = (SELECT group_name FROM sg.ips_usage LIMIT 1)$$),
	($$SELECT DISTINCT (SELECT id FROM teams t WHERE t.team = u.group_name) FROM sg.ips_usage u$$),
	($$WITH RECURSIVE t(a, b, n) AS (SELECT username, group_name, 1 FROM sg.ips_usage UNION ALL SELECT b, a, n + 1 FROM t WHERE n < 4 AND a IS NOT NULL) SELECT max(n) FROM t$$),
	-- so is a security barrier, but for what tells nobody what it sees
	($$SELECT count(*) FROM barrier WHERE is_west(group_name)$$),
	($$SELECT count(*) FROM barrier WHERE group_name LIKE '%west%'$$),
	($$SELECT count(*) FROM barrier WHERE group_name = 'west'$$),
	-- inside it the condition is asked
	($$SELECT count(*) FROM (SELECT * FROM sg.ips_usage WHERE group_name = 'east' OFFSET 0) s$$),
	($$SELECT group_name FROM (SELECT DISTINCT group_name FROM sg.ips_usage) s WHERE group_name = 'east'$$),
	-- joins: a search for each outer value, whatever else is joined, and in which order
	($$SELECT t.id, count(*) FROM teams t JOIN sg.ips_usage u ON u.group_name = t.team GROUP BY 1$$),
	($$SELECT count(*) FROM sg.ips_usage u JOIN sg.ips_all a ON a.ip = u.ip JOIN teams t ON t.team = u.group_name$$),
	($$SELECT count(*) FROM sg.ips_usage u LEFT JOIN members m ON m.name = u.username JOIN teams t ON t.team = u.group_name$$),
	($$SELECT count(*) FROM (teams t LEFT JOIN members m ON m.name = t.team) LEFT JOIN sg.ips_usage u ON u.group_name = coalesce(m.team, 'east')$$),
	($$SELECT count(*) FROM teams t LEFT JOIN (sg.ips_usage u JOIN sg.ips_all a USING (ip)) ON u.group_name = t.team$$),
	($$SELECT count(*) FROM teams t JOIN sg.ips_usage u ON u.group_name = t.team AND u.include_system = (t.id = 1)$$),
	($$SELECT count(*) FROM teams t JOIN sg.ips_usage u ON u.group_name LIKE '%' || t.team || '%'$$),
	($$SELECT count(*) FROM teams t JOIN sg.ips_usage a ON a.group_name = t.team JOIN sg.ips_usage b ON b.group_name = a.group_name AND b.ip = a.ip$$),
	($$SELECT count(*) FROM teams t CROSS JOIN sg.ips_usage a JOIN sg.ips_usage b ON b.group_name = a.group_name WHERE a.group_name = t.team || '-2'$$),
	($$SELECT count(*) FROM (teams t LEFT JOIN members m ON m.name = t.team) JOIN sg.ips_usage u ON u.group_name = coalesce(m.team, t.team)$$),
	($$SELECT count(*) FROM teams t JOIN sg.ips_usage u ON u.group_name = t.team LEFT JOIN members m ON m.name = t.team WHERE u.group_name = t.team || coalesce(m.team, '') OR m.name IS NULL$$),
	($$SELECT count(*) FROM teams t JOIN sg.ips_usage u ON t.team IS NULL OR u.group_name = t.team$$),
	($$SELECT id FROM teams t WHERE EXISTS (SELECT FROM sg.ips_usage u WHERE u.group_name = t.team)$$),
	($$SELECT id FROM teams t WHERE NOT EXISTS (SELECT FROM sg.ips_usage u WHERE u.group_name = t.team)$$),
	($$SELECT id FROM teams t WHERE team IN (SELECT group_name FROM sg.ips_usage)$$),
	($$SELECT id, (SELECT count(*) FROM sg.ips_usage u WHERE u.group_name = t.team) FROM teams t$$),
	($$SELECT id, n FROM teams t, LATERAL (SELECT count(*) AS n FROM sg.ips_usage u WHERE u.group_name = t.team) s$$),
	($$SELECT count(*) FROM sg.ips_usage WHERE group_name IN (SELECT team FROM teams)$$),
	($$SELECT count(*) FROM sg.ips_usage u JOIN sg.ips_all a USING (ip) WHERE group_name = ANY (ARRAY(SELECT team FROM teams))$$),
	($$SELECT count(*) FROM (SELECT * FROM sg.ips_usage UNION ALL SELECT * FROM sg.ips_usage) u JOIN teams t ON t.team = u.group_name$$);
SET app.team = 'west';
UPDATE answered SET result = answer(query);
SELECT result, query FROM answered ORDER BY id;
-- EXPLAIN shows what is asked, and refuses nothing that might not be
EXPLAIN (COSTS OFF) SELECT ip FROM sg.ips_usage WHERE group_name = current_setting('app.team') AND group_name LIKE 'w_st';
EXPLAIN (COSTS OFF) SELECT ip FROM sg.ips_usage WHERE current_setting('app.team') = 'west' OR group_name LIKE 'w_st' OR group_name = 'north';
SELECT count(*) AS forgotten FROM requests()
\gset

-- the same whatever the planner would like, and with ANALYZE's statistics
CREATE FUNCTION differing(changed text, value text, OUT setting text, OUT queries bigint) LANGUAGE plpgsql AS $$
BEGIN
	setting := changed || ' = ' || value;
	PERFORM set_config(changed, value, true);
	SELECT count(*) INTO queries FROM (
		SELECT FROM answered WHERE answer(query) IS DISTINCT FROM result
		UNION ALL
		SELECT FROM refused WHERE answer('EXPLAIN ' || query) <> '0A000') d;
	PERFORM set_config(changed, reset_val, true) FROM pg_settings WHERE name = changed;
END $$;
SELECT * FROM (VALUES ('enable_nestloop', 'off'), ('enable_hashjoin', 'off'), ('enable_mergejoin', 'off'), ('enable_memoize', 'off'), ('enable_material', 'off'),
	('enable_sort', 'off'), ('enable_hashagg', 'off'), ('enable_async_append', 'off'), ('from_collapse_limit', '1'), ('join_collapse_limit', '1'),
	('geqo_threshold', '2'), ('plan_cache_mode', 'force_generic_plan'), ('sgip_fdw.enable_pushdown', 'off')) v(s, v), differing(s, v);
ANALYZE sg.ips_usage, sg.ips_all;
SELECT * FROM differing('cpu_tuple_cost', '1');
SELECT count(*) AS forgotten FROM requests()
\gset

-- what is written may be written by a value or without one
INSERT INTO members SELECT username, group_name FROM sg.ips_usage WHERE ip = '198.51.100.9'
	ON CONFLICT (name) DO UPDATE SET team = coalesce(excluded.team, 'x') WHERE excluded.team IS NULL;
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
