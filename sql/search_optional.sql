--
-- Optional arguments: what has no column decides, when the scan starts,
-- whether the rest is asked for.  The same rows and requests with custom and
-- generic plans.
--
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/sql/include/setup.psql'
\i :setup
CALL import_from('sg', 'rows=48');
CREATE TABLE teams (id int, team text);
INSERT INTO teams VALUES (1, 'west'), (2, NULL);
ANALYZE teams;
SET app.team = 'east';

-- rows and requests of a statement with arguments, by a custom plan and by a generic one
CREATE FUNCTION executed(arguments text, mode text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	PERFORM set_config('plan_cache_mode', mode, true);
	EXECUTE 'EXECUTE optional' || arguments INTO result;
	RETURN result || (SELECT coalesce(string_agg(' ' || regexp_replace(request, '^GET task=usage', '-'), ',' ORDER BY request), ' nothing') FROM requests());
EXCEPTION WHEN feature_not_supported THEN
	RETURN SQLSTATE;
END $$;
CREATE FUNCTION optional(types text, condition text, VARIADIC executions text[]) RETURNS TABLE (arguments text, custom text, generic text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('PREPARE optional%s AS SELECT count(*) FROM sg.ips_usage u WHERE %s', types, condition);
	RETURN QUERY SELECT a, executed(a, 'force_custom_plan'), executed(a, 'force_generic_plan') FROM unnest(executions) a;
	DEALLOCATE optional;
END $$;

-- every spelling
SELECT * FROM optional('(text)', '$1 IS NULL OR group_name = $1', '(NULL)', '(''west'')', '('''')');
SELECT * FROM optional('(text)', 'coalesce($1, '''') = '''' OR group_name = $1', '(NULL)', '('''')', '(''west'')');
SELECT * FROM optional('(text)', 'group_name = $1 OR $1 = ''all'' OR group_name LIKE ''%'' || $1 || ''%'' AND length($1) = 2', '(''all'')', '(''west'')');
SELECT * FROM optional('(text)', 'CASE WHEN $1 IS NULL THEN true ELSE group_name = $1 END', '(NULL)', '(''west'')');
SELECT * FROM optional('(text)', 'CASE WHEN $1 = ''e'' THEN group_name = ''east'' WHEN $1 = ''w'' THEN group_name = ''west'' ELSE group_name IS NULL END', '(''e'')', '(''w'')', '(NULL)');
SELECT * FROM optional('(text)', 'group_name = coalesce($1, current_setting(''app.team''), group_name)', '(NULL)', '(''west'')');
SELECT * FROM optional('(text)', 'group_name = coalesce($1, group_name)', '(''west'')', '(NULL)');
SELECT * FROM optional('(text)', 'group_name IS NOT DISTINCT FROM $1', '(NULL)', '(''west'')');
SELECT * FROM optional('(text)', 'coalesce(group_name, '''') = coalesce($1, '''')', '(NULL)', '('''')', '(''west'')');
SELECT * FROM optional('(text)', '($1 IS NULL OR group_name = $1) IS TRUE', '(NULL)', '(''west'')');
SELECT * FROM optional('(text)', '$1 IS NULL OR (group_name = $1 AND username LIKE ''acme%'')', '(NULL)', '(''west'')');
SELECT * FROM optional('(text[])', 'cardinality($1) = 0 OR group_name = ANY ($1)', '(''{}'')', '(''{west,east}'')', '(NULL)');
SELECT * FROM optional('(text)', '$1 IS NULL OR group_name LIKE ''%'' || $1 || ''%''', '(NULL)', '(''wes'')', '(''w%t'')');
SELECT * FROM optional('(boolean)', 'NOT $1 OR include_system', '(true)', '(false)', '(NULL)');
SELECT * FROM optional('(boolean)', 'include_system = $1 OR $1 IS NULL', '(true)', '(false)', '(NULL)');
-- several beside each other, with ordinary columns
SELECT * FROM optional('(text, text, cidr, boolean)', '($1 IS NULL OR group_name = $1) AND ($2 IS NULL OR username = $2) AND ($3 IS NULL OR ip << $3) AND (NOT coalesce($4, false) OR include_system)',
	'(NULL, NULL, NULL, NULL)', '(''west'', NULL, NULL, NULL)', '(NULL, ''acme-9'', NULL, NULL)', '(NULL, NULL, ''198.51.100.0/24'', NULL)', '(''west'', ''acme-9'', ''198.51.100.0/24'', true)');
SELECT * FROM optional('(text)', '$1 IS NULL OR username IN ($1, ''acme-1'')', '(NULL)', '(''acme-9'')');
SELECT * FROM optional('(text)', 'username = coalesce($1, username)', '(NULL)', '(''acme-9'')');
-- what is not needed is not evaluated
SELECT * FROM optional('(text)', '$1 = '''' OR ip = $1::inet', '('''')', '(''198.51.100.7'')');
SELECT * FROM optional('(int)', '($1 <> 0 AND username = ''acme-9'' AND 100 / $1 > 5) OR username = ''acme-1''', '(0)', '(1)');
-- ... nor is what a CASE or coalesce() evaluates for some rows only
SET app.share = '0';
SELECT * FROM optional('', 'CASE WHEN username = ''zero'' THEN coalesce(100 / current_setting(''app.share'')::int, length(username)) > 5 ELSE username = ''acme-9'' END', '');
SELECT * FROM optional('', 'coalesce(username, CASE WHEN 100 / current_setting(''app.share'')::int > 5 THEN username END) = ''acme-9''', '');
-- PostgreSQL does not simplify what a sub-select compares when it has been planned
SELECT * FROM optional('(text)', 'CASE WHEN $1 IS NULL THEN username ELSE upper(username) END NOT IN (SELECT ''acme-9'' FROM generate_series(1, 2)) AND username = ''acme-9''', '(NULL)', '(''x'')');
-- a CASE and the conversion of an array in the value of a CASE have arguments of their own
SELECT * FROM optional('(text, text)', 'CASE $1 WHEN (CASE $2 WHEN ''a'' THEN ''b'' ELSE ''c'' END) THEN username = ''acme-9'' ELSE true END', '(''b'', ''a'')', '(''c'', ''a'')', '(''a'', ''x'')', '(''c'', ''x'')');
SELECT * FROM optional('(int, numeric[])', 'CASE $1 WHEN array_length($2::int[], 1) THEN username = ''acme-9'' ELSE true END', '(2, ''{1,2}'')', '(5, ''{1,2}'')');
-- what cannot be answered is refused, when nothing else makes the condition true
SELECT * FROM optional('(text)', '$1 IS NULL OR group_name <> $1', '(NULL)', '(''west'')');
SELECT * FROM optional('(text)', '$1 IS NULL OR group_name = $1 OR username = $1', '(NULL)', '(''west'')');
SELECT * FROM optional('(text, boolean)', '$2 AND group_name = $1 OR NOT $2 AND username = $1', '(''west'', true)', '(''acme-9'', false)', '(''west'', NULL)');
SELECT * FROM optional('(text)', '($1 IS NULL OR group_name = $1) AND group_name IS NOT NULL', '(NULL)', '(''west'')');
-- with pushdown off the arguments of the search alone
SET sgip_fdw.enable_pushdown = off;
SELECT * FROM optional('(text, text)', '($1 IS NULL OR group_name = $1) AND ($2 IS NULL OR username = $2)', '(NULL, ''acme-9'')', '(''west'', ''acme-9'')');
RESET sgip_fdw.enable_pushdown;

-- a function, call after call in one session: PostgreSQL weighs a generic plan from the sixth on
CREATE FUNCTION ips_of(p_group text DEFAULT NULL) RETURNS bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT count(*) FROM sg.ips_usage u WHERE p_group IS NULL OR u.group_name = p_group);
END $$;
SELECT ips_of(), ips_of(), ips_of(), ips_of(), ips_of(), ips_of(), ips_of('west'), ips_of('east');
SELECT request, count(*) FROM requests() GROUP BY 1 ORDER BY 1;
CREATE FUNCTION ips_of_sql(p_group text DEFAULT NULL) RETURNS SETOF inet LANGUAGE sql VOLATILE AS
	'SELECT ip FROM sg.ips_usage u WHERE p_group IS NULL OR u.group_name = p_group';
SELECT (SELECT count(*) FROM ips_of_sql()), (SELECT count(*) FROM ips_of_sql('west'));
-- of each row of a join
SELECT id, count(*) FROM teams t JOIN sg.ips_usage u ON t.team IS NULL OR u.group_name = t.team GROUP BY 1 ORDER BY 1;
SELECT id, (SELECT count(*) FROM sg.ips_usage u WHERE t.team IS NULL OR u.username = 'acme-9') FROM teams t ORDER BY 1;
SELECT request, count(*) FROM requests() GROUP BY 1 ORDER BY 1;

-- a join is a search for each outer row whatever else has to be found out when the scan starts
SELECT id, count(*) FROM teams t JOIN sg.ips_usage u ON u.group_name = t.team WHERE u.username <> (SELECT 'nobody') GROUP BY 1;
SELECT id, count(u.ip) FROM teams t LEFT JOIN sg.ips_usage u ON u.group_name = t.team AND u.username <> (SELECT 'nobody') GROUP BY 1 ORDER BY 1;
SELECT id, count(*) FROM teams t JOIN sg.ips_usage u ON u.group_name = t.team WHERE ((SELECT true) AND u.username <> 'nobody') IS TRUE GROUP BY 1;
SELECT id, count(*) FROM teams t JOIN sg.ips_usage u ON CASE WHEN (SELECT true) THEN u.group_name = t.team ELSE false END GROUP BY 1;
SELECT request, count(*) FROM requests() GROUP BY 1 ORDER BY 1;

-- EXPLAIN shows what is sent, and unless what
PREPARE filters(text, text, text) AS SELECT * FROM sg.ips_usage
	WHERE ($1 IS NULL OR username = $1) AND ($2 IS NULL OR group_name LIKE $2) AND (CASE $3 WHEN 'x' THEN ip = '198.51.100.7' ELSE true END);
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE filters('a', NULL, NULL);
