--
-- Search columns: what can be asked about them, and what their rows hold.
-- What cannot be asked is in search_refused.
--
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/sql/include/setup.psql'
\i :setup
CALL import_from('sg', 'rows=48');
CALL load_truth('rows=48');
CREATE TABLE teams (id int, team text);
INSERT INTO teams VALUES (1, 'west'), (2, 'east'), (3, 'nowhere'), (4, NULL);
ANALYZE teams;

-- the rows hold the argument that they were found with; the API matches a
-- part of a group's name, so west finds west-2 and northwest as well
SELECT DISTINCT ip, group_name FROM sg.ips_usage WHERE group_name = 'west' ORDER BY ip;
SELECT * FROM requests();
SELECT DISTINCT ip, groups FROM truth_usage WHERE groups::text LIKE '%west%' ORDER BY ip;
SELECT count(*) FROM sg.ips_usage WHERE 'northwest' = group_name;
SELECT count(*) FROM sg.ips_usage WHERE group_name = 'no such group';
SELECT * FROM requests();

-- LIKE '%part%' sends the same, and the rows pass the condition
SELECT DISTINCT group_name FROM sg.ips_usage WHERE group_name LIKE '%west%';
SELECT count(*) = (SELECT count(*) FROM sg.ips_usage WHERE group_name = 'west') AS same FROM sg.ips_usage WHERE group_name LIKE '%west%';
SELECT count(*) FROM sg.ips_usage WHERE group_name LIKE '%no\_such\%group%';
SELECT count(*) FROM sg.ips_usage WHERE group_name LIKE '%%100\%%%';
SELECT * FROM requests();

-- ANY, IN and OR: a search for each distinct value; a row that several find comes with each
SELECT group_name, count(*) FROM sg.ips_usage WHERE group_name = ANY ('{west,east,west,NULL}') GROUP BY 1 ORDER BY 1;
SELECT DISTINCT ON (group_name) group_name, ip FROM sg.ips_usage WHERE group_name = ANY ('{west,east,west,NULL}') ORDER BY group_name, ip;
SELECT count(*) FROM sg.ips_usage WHERE group_name IN ('west', 'west-2');
SELECT count(*) FROM sg.ips_usage WHERE group_name = 'west' OR group_name = 'west-2';
SELECT * FROM requests() ORDER BY request;

-- without a condition nothing is sent: NULL, and without SendGrid's own IPs
SELECT DISTINCT group_name, include_system FROM sg.ips_usage;
SELECT DISTINCT include_system FROM sg.ips_all;
SELECT * FROM requests();

-- include_system in all its spellings
CREATE FUNCTION count_all(condition text, OUT system text, OUT rows bigint, OUT with_system bigint, OUT sent text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE 'SELECT count(*), count(*) FILTER (WHERE ip = ''198.51.100.28''), string_agg(DISTINCT s, '','')
		FROM (SELECT ip, include_system::text AS s FROM sg.ips_all WHERE ' || condition || ' OFFSET 0) q'
	INTO rows, with_system, system;
	SELECT string_agg(request, ', ' ORDER BY request) INTO sent FROM requests();
END $$;
SELECT c AS condition, f.*
FROM unnest(ARRAY['include_system', 'include_system = true', 'true = include_system', 'include_system IS TRUE',
	'include_system IS NOT FALSE', 'include_system IN (true)', 'include_system = ANY (''{t}'')', 'include_system <> false',
	'NOT NOT include_system', 'NOT include_system', 'include_system = false', 'include_system IS FALSE', 'include_system IS NOT TRUE',
	'include_system IN (true, false)', 'include_system = NULL', 'include_system = ''on''',
	'include_system AND ip >= ''198.51.100.20''']) WITH ORDINALITY AS x(c, o), count_all(c) f ORDER BY o;
-- ... also of a domain
CREATE DOMAIN flag AS boolean;
CREATE FOREIGN TABLE flagged (ip inet, include_system flag) SERVER sg OPTIONS (task 'all');
SELECT (SELECT count(*) FROM flagged WHERE include_system) AS "with", (SELECT count(*) FROM flagged WHERE include_system = true) AS with_too,
	(SELECT count(*) FROM flagged WHERE NOT include_system) AS without;
SELECT request FROM requests();

-- a value known at run time only
PREPARE by_group(text) AS SELECT count(*) FROM sg.ips_usage WHERE group_name = $1;
PREPARE by_part(text) AS SELECT count(*) FROM sg.ips_usage WHERE group_name LIKE $1;
PREPARE by_system(boolean) AS SELECT count(*) FROM sg.ips_all WHERE include_system = $1;
SET plan_cache_mode = force_generic_plan;
EXECUTE by_group('east'); EXECUTE by_group(NULL);
EXECUTE by_part('%east%'); EXECUTE by_part('east%'); -- ERROR
EXECUTE by_system(true); EXECUTE by_system(false); EXECUTE by_system(NULL);
SELECT * FROM requests();
RESET plan_cache_mode;
SET app.team = 'east';
SELECT count(*) FROM sg.ips_usage WHERE group_name = current_setting('app.team');
SELECT count(*) FROM sg.ips_usage WHERE group_name = (SELECT team FROM teams WHERE id = 2);

-- combined with other columns
SELECT host(ip), username, group_name, include_system FROM sg.ips_usage
WHERE group_name = 'west' AND username LIKE 'acme%' AND ip <<= '198.51.100.0/27' AND include_system ORDER BY ip;
SELECT count(*) AS forgotten FROM requests()
\gset

-- a join: one search for each outer value, whatever plan the planner would like
SELECT explain('COSTS OFF', $$SELECT t.id, u.ip FROM teams t JOIN sg.ips_usage u ON u.group_name = t.team$$);
SELECT t.id, count(DISTINCT u.ip) FROM teams t JOIN sg.ips_usage u ON u.group_name = t.team GROUP BY 1 ORDER BY 1;
SELECT * FROM requests();
SET enable_nestloop = off;
SELECT t.id, count(DISTINCT u.ip) FROM teams t JOIN sg.ips_usage u ON u.group_name = t.team GROUP BY 1 ORDER BY 1;
RESET enable_nestloop;
SELECT t.id, count(u.ip) > 0 AS found FROM teams t LEFT JOIN sg.ips_usage u ON u.group_name = t.team GROUP BY 1 ORDER BY 1;
SELECT id FROM teams t WHERE EXISTS (SELECT FROM sg.ips_usage u WHERE u.group_name = t.team) ORDER BY 1;
SELECT id FROM teams t WHERE NOT EXISTS (SELECT FROM sg.ips_usage u WHERE u.group_name = t.team) ORDER BY 1;
SELECT id, (SELECT count(*) FROM sg.ips_usage u WHERE u.group_name = t.team) FROM teams t ORDER BY 1;
SELECT id, n FROM teams t, LATERAL (SELECT count(*) AS n FROM sg.ips_usage u WHERE u.group_name = t.team) s ORDER BY 1;
SELECT count(*) FROM teams t JOIN sg.ips_usage u ON u.group_name = t.team AND u.include_system = (t.id = 1);
SELECT count(*) FROM sg.ips_usage WHERE group_name IN (SELECT team FROM teams);

-- shown, sorted, made distinct, passed on: no decision
CREATE VIEW everything AS SELECT * FROM sg.ips_usage;
SELECT count(*) FROM everything WHERE group_name = 'east';
SELECT group_name FROM everything WHERE ip = '198.51.100.7' ORDER BY group_name;
WITH u AS (SELECT * FROM sg.ips_usage) SELECT count(*) FROM u WHERE group_name = 'east';
SELECT host(ip), group_name FROM sg.ips_usage WHERE ip = '198.51.100.7'
UNION ALL SELECT host(ip), group_name FROM sg.ips_usage WHERE group_name = 'transactional' AND ip = '198.51.100.7' ORDER BY 2 NULLS FIRST;
-- once it has a value, it may be used for anything
SELECT upper(group_name), CASE WHEN group_name = 'east' THEN 1 END, count(*) FROM sg.ips_usage WHERE group_name = 'east' GROUP BY group_name;
