--
-- EXPLAIN: the request, without asking; and with ANALYZE what was counted.
--
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/sql/include/setup.psql'
\i :setup
CALL import_from('sg', 'rows=24');
CREATE TABLE t AS SELECT * FROM (VALUES ('acme-9'), ('acme-17')) v(name);
ANALYZE t;

-- EXPLAIN of anything asks nothing, and needs no mapping
EXPLAIN (COSTS OFF) SELECT * FROM sg.ips_all;
EXPLAIN (VERBOSE, COSTS OFF) SELECT username FROM sg.ips_usage WHERE ip <<= '198.51.100.0/24' AND username LIKE '%@example.com' AND group_name = 'we st' AND include_system;
SELECT explain('COSTS OFF', $$SELECT * FROM sg.ips_usage WHERE username = NULL$$);
EXPLAIN (COSTS OFF) SELECT * FROM sg.ips_usage WHERE username IN ('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j');
EXPLAIN (COSTS OFF) SELECT * FROM sg.ips_usage u JOIN t ON u.username = t.name WHERE u.ip = '198.51.100.7';
-- values of enclosing queries are shown as the expressions they are
SELECT explain('COSTS OFF', $$SELECT (SELECT count(*) FROM sg.ips_usage u WHERE u.username = t.name || max(t.name)) FROM t GROUP BY name$$);
SELECT explain('COSTS OFF', $$SELECT (SELECT count(*) FROM (SELECT * FROM sg.ips_usage u WHERE u.username = t.name OFFSET 0) x
	WHERE EXISTS (SELECT FROM sg.ips_usage z WHERE z.username = t.name AND z.ip = x.ip OFFSET 0)) FROM t$$);
EXPLAIN (COSTS OFF, SETTINGS OFF) UPDATE t SET name = host(f.ip) FROM sg.ips_free f WHERE f.ip = '198.51.100.7';
DROP USER MAPPING FOR CURRENT_USER SERVER sg;
EXPLAIN (COSTS OFF) SELECT * FROM sg.ips_all;
CREATE USER MAPPING FOR CURRENT_USER SERVER sg OPTIONS (api_user 'demo', api_key 'demo-key');
SELECT * FROM requests();

-- the request is a property in every format
SELECT explain('FORMAT json, COSTS OFF', 'SELECT * FROM sg.ips_usage WHERE username = ''a"b\c''')::json #>> '{0,Plan,Request}' AS request;
SELECT explain('FORMAT json, COSTS OFF', $$SELECT ip FROM sg.ips_free$$);
SELECT explain('FORMAT yaml, COSTS OFF', $$SELECT ip FROM sg.ips_free$$);
SELECT explain('FORMAT xml, COSTS OFF', $$SELECT ip FROM sg.ips_free WHERE ip <<= '198.51.100.0/24'$$);

-- ANALYZE: counters as separate properties; the bytes are those of the body
SELECT explain('ANALYZE, BUFFERS OFF, COSTS OFF, TIMING OFF, SUMMARY OFF', $$SELECT * FROM sg.ips_free$$);
SELECT length('[{"ip":"198.51.100.5"},{"ip":"198.51.100.11"},{"ip":"198.51.100.12"},{"ip":"198.51.100.21"}]') AS bytes;
SELECT key, value FROM explain('ANALYZE, FORMAT json', 'SELECT * FROM sg.ips_free') plan,
	LATERAL json_each(plan::json #> '{0,Plan}')
WHERE key IN ('Requests', 'Rows Received', 'Bytes Received', 'Retries', 'Connections Opened');
SELECT explain('ANALYZE, BUFFERS OFF, FORMAT yaml, COSTS OFF, TIMING OFF, SUMMARY OFF', $$SELECT * FROM sg.ips_free$$);
SELECT m[1] AS element FROM explain('ANALYZE, FORMAT xml', 'SELECT * FROM sg.ips_free') plan,
	regexp_matches(plan, '<(?:Requests|Rows-Received|Bytes-Received|Retries|Connections-Opened)>\d+<', 'g') m;

-- Rows Received counts what came, before PostgreSQL's own check
SELECT explain('ANALYZE, BUFFERS OFF, COSTS OFF, TIMING OFF, SUMMARY OFF', $$SELECT * FROM sg.ips_usage WHERE username = 'acme-1'$$);
-- several requests: a list, a nested loop; one at a time, or the second may or may not need a connection of its own
ALTER SERVER sg OPTIONS (ADD max_concurrency '1');
SELECT explain('ANALYZE, BUFFERS OFF, COSTS OFF, TIMING OFF, SUMMARY OFF', $$SELECT * FROM sg.ips_usage WHERE username IN ('acme-9', 'acme-17')$$);
SELECT explain('ANALYZE, BUFFERS OFF, COSTS OFF, TIMING OFF, SUMMARY OFF', $$SELECT * FROM t JOIN sg.ips_usage u ON u.username = t.name$$);
-- a rescan counts no request; an answer cut short by LIMIT has counted what came
SELECT explain('ANALYZE, BUFFERS OFF, COSTS OFF, TIMING OFF, SUMMARY OFF', $$SELECT name, (SELECT count(*) FROM sg.ips_free f WHERE f.ip <> '10.0.0.1' OR name IS NULL) FROM t$$);
SELECT (plan::json #>> '{0,Plan,Plans,0,Rows Received}')::int AS rows, (plan::json #>> '{0,Plan,Plans,0,Bytes Received}')::int > 0 AS some_bytes
FROM explain('ANALYZE, FORMAT json', 'SELECT * FROM sg.ips_free LIMIT 2') plan;
-- retries
CALL make_server('busy', 'rows=3;fail_first=2:503;retry_after=0;id=explain-busy');
CREATE FOREIGN TABLE busy (ip inet) SERVER busy OPTIONS (task 'all');
SELECT explain('ANALYZE, BUFFERS OFF, COSTS OFF, TIMING OFF, SUMMARY OFF', $$SELECT * FROM busy$$);
-- parts that never run count nothing
SELECT explain('ANALYZE, BUFFERS OFF, COSTS OFF, TIMING OFF, SUMMARY OFF', $$SELECT * FROM t JOIN sg.ips_usage u ON u.username = t.name WHERE t.name = 'x'$$);
SELECT explain('ANALYZE, BUFFERS OFF, COSTS OFF, TIMING OFF, SUMMARY OFF', $$SELECT * FROM sg.ips_free WHERE ip = NULL::text::inet$$);
SELECT explain('ANALYZE, BUFFERS OFF, COSTS OFF, TIMING OFF, SUMMARY OFF', $$SELECT * FROM sg.ips_free LIMIT 0$$);

-- nothing of the credentials in any format, of any method
CALL make_server('post', 'rows=3', ', http_method ''post''');
CREATE FOREIGN TABLE posted (ip inet) SERVER post OPTIONS (task 'all');
SELECT count(*) AS lines, count(*) FILTER (WHERE plan ~ 'demo') AS secrets, count(*) FILTER (WHERE plan ~ 'POST') AS posts
FROM unnest('{text,json,xml,yaml}'::text[]) f, explain('ANALYZE, VERBOSE, BUFFERS OFF, TIMING OFF, SUMMARY OFF, FORMAT ' || f, 'SELECT * FROM posted') plan;
SELECT count(*) AS secrets FROM pg_stat_activity WHERE query ~ ('demo-' || 'key');
