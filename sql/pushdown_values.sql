--
-- Conditions whose value is known at run time only, and what is sent for them.
--
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/sql/include/setup.psql'
\i :setup
CALL import_from('sg', 'rows=300');
CALL load_truth('rows=300');

-- the log proves what was sent
SELECT host(ip) FROM sg.ips_usage WHERE username = 'acme-9' AND ip <<= '198.51.100.0/28' ORDER BY ip;
SELECT * FROM requests();

-- a prepared statement, with a plan for each value and with one for all
PREPARE by_user(text) AS SELECT count(*) FROM sg.ips_usage WHERE username = $1;
SET plan_cache_mode = force_custom_plan;
EXPLAIN (COSTS OFF) EXECUTE by_user('acme-9');
EXECUTE by_user('acme-9');
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE by_user('acme-9');
EXECUTE by_user('acme-9');
EXECUTE by_user('acme-1');
SELECT count(*) FROM truth_usage WHERE NOT system AND username = 'acme-1';
SELECT * FROM requests();

-- NULL: no row and no request, in both plans and whatever the operator
EXECUTE by_user(NULL);
SET plan_cache_mode = force_custom_plan;
EXECUTE by_user(NULL);
RESET plan_cache_mode;
PREPARE by_pattern(text) AS SELECT count(*) FROM sg.ips_usage WHERE username LIKE $1;
PREPARE by_net(inet) AS SELECT count(*) FROM sg.ips_usage WHERE ip <<= $1;
PREPARE by_range(inet, inet) AS SELECT count(*) FROM sg.ips_usage WHERE ip BETWEEN $1 AND $2;
PREPARE by_array(text[]) AS SELECT count(*) FROM sg.ips_usage WHERE username = ANY ($1);
PREPARE by_start(text) AS SELECT count(*) FROM sg.ips_usage WHERE username ^@ $1;
SET plan_cache_mode = force_generic_plan;
EXECUTE by_pattern(NULL); EXECUTE by_net(NULL); EXECUTE by_range('10.0.0.1', NULL);
EXECUTE by_array(NULL); EXECUTE by_array('{}'); EXECUTE by_array('{NULL,NULL}'); EXECUTE by_start(NULL);
SELECT * FROM requests();
-- nor for a strict condition that cannot be sent
PREPARE by_length(int) AS SELECT count(*) FROM sg.ips_usage WHERE length(username) = $1;
PREPARE by_upper(text, text[]) AS SELECT count(*) FROM sg.ips_usage WHERE upper(username) = ANY ($2) OR $1 <> lower(username);
EXPLAIN (COSTS OFF) EXECUTE by_length(6);
EXECUTE by_length(NULL); EXECUTE by_upper(NULL, NULL);
SELECT count(*) FROM sg.ips_usage WHERE upper(username) = (SELECT NULL::text);
SELECT (SELECT count(*) FROM sg.ips_usage WHERE upper(username) = v.name) FROM (VALUES (NULL::text)) v (name);
SELECT * FROM requests();
-- but for one that is not strict, or holds without
PREPARE by_other(text, text[]) AS SELECT count(*) > 0 AS found FROM sg.ips_usage
	WHERE username IS DISTINCT FROM $1 AND ($1 <> ALL ($2) OR username || coalesce($1, 'x') = upper($1)) OR username <> 'x' AND length(username) > 0;
EXECUTE by_other(NULL, '{}');
SELECT * FROM requests();

-- each kind of condition with a value of a generic plan
EXPLAIN (COSTS OFF) EXECUTE by_pattern('%x');
EXPLAIN (COSTS OFF) EXECUTE by_net('10.0.0.0/8');
EXPLAIN (COSTS OFF) EXECUTE by_range('10.0.0.0', '10.0.0.255');
EXPLAIN (COSTS OFF) EXECUTE by_array('{a,b}');
EXPLAIN (COSTS OFF) EXECUTE by_start('x');
EXECUTE by_pattern('user%@example.com');
EXECUTE by_net('10.0.0.0/27');
EXECUTE by_range('10.0.0.3', '10.0.0.99');
EXECUTE by_start('Shop1');
SELECT * FROM requests();
-- the same numbers, by PostgreSQL alone
SELECT count(*) FILTER (WHERE username LIKE 'user%@example.com') AS by_pattern,
	   count(*) FILTER (WHERE ip <<= '10.0.0.0/27') AS by_net,
	   count(*) FILTER (WHERE ip BETWEEN '10.0.0.3' AND '10.0.0.99') AS by_range,
	   count(*) FILTER (WHERE username ^@ 'Shop1') AS by_start
FROM truth_usage WHERE NOT system;

-- an array: one request for each distinct value, each row once, though the
-- API's answers overlap (acme-1 finds acme-13 as well)
EXECUTE by_array('{acme-1,acme-13,NULL,acme-1,acme}');
SELECT * FROM requests() ORDER BY request;
SELECT count(*) FROM truth_usage WHERE NOT system AND username IN ('acme-1', 'acme-13', 'acme');
-- more values than a listing costs: one listing instead
SELECT count(*) FROM sg.ips_usage WHERE username = ANY (ARRAY(SELECT 'acme-' || i FROM generate_series(1, 500) i));
SELECT * FROM requests();
SELECT count(*) FROM truth_usage WHERE NOT system AND username LIKE 'acme-%';
RESET plan_cache_mode;

-- stable expressions are evaluated when the scan starts
SET app.customer = 'acme-9';
EXPLAIN (COSTS OFF) SELECT count(*) FROM sg.ips_usage WHERE username = current_setting('app.customer');
SELECT count(*) FROM sg.ips_usage WHERE username = current_setting('app.customer');
PREPARE by_setting AS SELECT count(*) FROM sg.ips_usage WHERE username LIKE current_setting('app.customer') || '%';
EXECUTE by_setting;
SET app.customer = 'user4';
EXECUTE by_setting;
SELECT * FROM requests();
SELECT count(*) FROM sg.ips_usage WHERE username = 'acme-' || extract(day FROM now() - now() + '9 days'::interval)::text;
SELECT count(*) FROM sg.ips_usage WHERE username = nullif(current_setting('app.customer'), 'user4');
SELECT * FROM requests();

-- immutable expressions are constants, functions in PL/pgSQL take variables
SELECT count(*) FROM sg.ips_usage WHERE username = 'acme' || '-' || 9;
CREATE FUNCTION count_of(name text) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
	RETURN (SELECT count(*) FROM sg.ips_usage u WHERE u.username = name);
END $$;
SELECT count_of(name) FROM unnest('{acme-9,acme-1,NULL}'::text[]) name;
-- the value of an uncorrelated subquery, which is NULL if it has no row
SELECT explain('COSTS OFF', $$SELECT count(*) FROM sg.ips_usage WHERE username = (SELECT username FROM truth_usage WHERE username = 'acme-5' LIMIT 1)$$);
SELECT count(*) FROM sg.ips_usage WHERE username = (SELECT username FROM truth_usage WHERE username = 'acme-5' LIMIT 1);
SELECT count(*) FROM sg.ips_usage WHERE username = (SELECT username FROM truth_usage WHERE username = 'nobody');
SELECT * FROM requests();

-- ip declared as text or varchar is compared as text; a cast does no harm
CREATE FOREIGN TABLE as_text (ip text, username varchar(30)) SERVER sg OPTIONS (task 'usage');
CREATE FOREIGN TABLE as_varchar (ip varchar(15), username varchar) SERVER sg OPTIONS (task 'usage');
SELECT count(*) FROM as_text WHERE ip = '10.0.0.1';
SELECT count(*) FROM as_text WHERE ip LIKE '10.0.0.1%' AND username = 'ACME.mail3';
SELECT count(*) FROM as_varchar WHERE ip = '10.0.0.1' AND username LIKE 'A%';
SELECT count(*) FROM as_varchar WHERE ip::text IN ('10.0.0.1', '10.0.0.2');
SELECT count(*) FROM as_varchar WHERE ip::inet = '10.0.0.1';
SELECT * FROM requests() ORDER BY request;

-- a value too long for a request line is sent in part, or not at all
SELECT count(*) FROM sg.ips_usage WHERE username = repeat('x', 5000);
SELECT length(request) FROM requests();

-- sgip_fdw.enable_pushdown = off: nothing is sent but search columns, also by
-- a plan that was made before
SET plan_cache_mode = force_generic_plan;
SET sgip_fdw.enable_pushdown = off;
EXECUTE by_user('acme-9');
EXPLAIN (COSTS OFF) SELECT ip FROM sg.ips_usage WHERE ip = '10.0.0.1' AND group_name = 'west' AND include_system;
SELECT count(*) FROM sg.ips_usage WHERE username = 'acme-9' AND group_name = 'west' AND include_system;
SELECT request FROM requests();
RESET sgip_fdw.enable_pushdown;
EXECUTE by_user('acme-9');
SELECT count(*) FROM sg.ips_usage WHERE username = 'acme-9' AND group_name = 'west' AND include_system;
SELECT request FROM requests();
