--
-- ANALYZE: numbers of rows and statistics, and what the planner makes of them.
--
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/sql/include/setup.psql'
\i :setup
CALL import_from('sg', 'rows=3000');
CREATE FUNCTION estimate(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
	RETURN plan #>> '{0,Plan,Plan Rows}';
END $$;

-- without statistics a table is taken to have 10000 rows
SELECT relname, reltuples FROM pg_class WHERE relnamespace = 'sg'::regnamespace AND relkind = 'f' ORDER BY 1;
SELECT estimate('SELECT * FROM sg.ips_all'), estimate('SELECT * FROM sg.ips_usage');

-- ANALYZE reads all rows once
\setenv DATABASE :DBNAME
\! psql -X -c "ANALYZE VERBOSE sg.ips_usage" "$DATABASE" 2>&1 | grep sample
ANALYZE sg.ips_all, sg.ips_free, sg.ips_taken, sg.ips_available;
SELECT * FROM requests();
SELECT relname, reltuples FROM pg_class WHERE relnamespace = 'sg'::regnamespace AND relkind = 'f' ORDER BY 1;
SELECT estimate('SELECT * FROM sg.ips_all') AS all, estimate('SELECT * FROM sg.ips_free') AS free;

-- statistics of the columns: 24 users, all addresses different; search columns have no value
SELECT attname, null_frac, n_distinct, most_common_vals IS NOT NULL AS mcv, histogram_bounds IS NOT NULL AS histogram
FROM pg_stats WHERE schemaname = 'sg' AND tablename = 'ips_usage' ORDER BY attname;
SELECT attname, null_frac, n_distinct FROM pg_stats WHERE schemaname = 'sg' AND tablename = 'ips_free';

-- the estimates are near the truth
SELECT estimate($$SELECT * FROM sg.ips_usage WHERE username = 'acme-9'$$) BETWEEN 100 AND 250 AS one_user,
	   estimate($$SELECT * FROM sg.ips_usage WHERE username LIKE 'acme%'$$) BETWEEN 500 AND 1500 AS users_by_pattern,
	   estimate($$SELECT * FROM sg.ips_usage WHERE ip = '10.0.0.1'$$) < 5 AS one_ip,
	   (SELECT count(*) FROM sg.ips_usage WHERE username = 'acme-9') AS truly;

-- those of search columns are not believed: a search is expected to find rows, so that another table is read once,
-- and not asked for each row that is found
SELECT estimate($$SELECT * FROM sg.ips_usage WHERE group_name = 'west'$$) > 10 AS one_group,
	   estimate($$SELECT * FROM sg.ips_usage WHERE include_system$$) > 1000 AS with_system,
	   estimate($$SELECT * FROM sg.ips_usage u JOIN generate_series(1, 100) n ON u.group_name = 'g' || n$$) > 100 AS joined;
SELECT count(*) AS forgotten FROM requests()
\gset
SELECT count(*) FROM sg.ips_usage u JOIN sg.ips_all a USING (ip) WHERE u.group_name = 'west';
SELECT request FROM requests() ORDER BY request;

-- the planner's choice follows them: with few rows in the table one listing is
-- cheaper than three searches, with many it is not
CREATE TABLE three AS SELECT * FROM (VALUES ('acme-1'), ('acme-9'), ('acme-13')) v(name);
ANALYZE three;
CALL import_from('small', 'rows=8');
CALL import_from('large', 'rows=60000');
ANALYZE small.ips_usage; ANALYZE large.ips_usage;
SELECT explain('COSTS OFF', $$SELECT count(*) FROM three JOIN small.ips_usage u ON u.username = three.name$$);
SELECT explain('COSTS OFF', $$SELECT count(*) FROM three JOIN large.ips_usage u ON u.username = three.name$$);
SELECT count(*) AS forgotten FROM requests()
\gset
-- an IN list is one listing, or a search for each value
SELECT count(*) FROM small.ips_usage WHERE username IN ('acme-1', 'acme-9', 'acme-13');
SELECT request FROM requests();
SELECT count(*) FROM large.ips_usage WHERE username IN ('acme-1', 'acme-9', 'acme-13');
SELECT request FROM requests() ORDER BY request;

-- fdw_startup_cost and fdw_tuple_cost, of server and table
ALTER SERVER large OPTIONS (ADD fdw_startup_cost '1000000');
SELECT explain('COSTS OFF', $$SELECT count(*) FROM three JOIN large.ips_usage u ON u.username = three.name$$);
ALTER FOREIGN TABLE large.ips_usage OPTIONS (ADD fdw_startup_cost '1', ADD fdw_tuple_cost '5');
SELECT explain('COSTS OFF', $$SELECT count(*) FROM three JOIN large.ips_usage u ON u.username = three.name$$);
EXPLAIN SELECT * FROM large.ips_all;

-- a table without rows; columns that are constants; a failure
CALL import_from('none', 'rows=0');
ANALYZE none.ips_all;
SELECT reltuples FROM pg_class WHERE oid = 'none.ips_all'::regclass;
CREATE FOREIGN TABLE labelled (account text OPTIONS (constant 'one'), ip inet) SERVER small OPTIONS (task 'all');
ANALYZE labelled;
SELECT attname, n_distinct, most_common_vals FROM pg_stats WHERE tablename = 'labelled' AND attname = 'account';
ANALYZE labelled (account);
CREATE FOREIGN TABLE broken (ip inet) SERVER small OPTIONS (task 'all');
ALTER USER MAPPING FOR CURRENT_USER SERVER small OPTIONS (SET api_key 'wrong');
\set VERBOSITY terse
ANALYZE broken; -- ERROR
-- one account that cannot be asked ends an ANALYZE of all, unless an option of its server or table leaves it out;
-- then it is asked for nothing, and the others are analyzed
CREATE TABLE ips_of_all (account text, ip inet) PARTITION BY LIST (account);
CREATE FOREIGN TABLE ips_of_sg PARTITION OF ips_of_all FOR VALUES IN ('sg') SERVER sg OPTIONS (task 'all');
ALTER FOREIGN TABLE ips_of_sg ALTER account OPTIONS (ADD constant 'sg');
CREATE FOREIGN TABLE ips_of_dead PARTITION OF ips_of_all FOR VALUES IN ('dead') SERVER small OPTIONS (task 'all');
ALTER FOREIGN TABLE ips_of_dead ALTER account OPTIONS (ADD constant 'dead');
ANALYZE ips_of_all; -- ERROR
SELECT count(*) AS forgotten FROM requests()
\gset
ALTER SERVER small OPTIONS (ADD analyzable 'false');
ANALYZE ips_of_dead;
ANALYZE ips_of_all;
SELECT * FROM requests();
SELECT count(*) > 0 AS has_statistics FROM pg_stats WHERE tablename = 'ips_of_all' AND inherited;
ALTER FOREIGN TABLE ips_of_sg OPTIONS (ADD analyzable 'false');
ANALYZE ips_of_all;
ALTER FOREIGN TABLE ips_of_dead OPTIONS (ADD analyzable 'true');
ANALYZE ips_of_dead; -- ERROR
-- VACUUM leaves foreign tables alone, as always
VACUUM sg.ips_all;
