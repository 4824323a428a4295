--
-- IMPORT FOREIGN SCHEMA: the tables of the server's api_version.
--
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/sql/include/setup.psql'
\i :setup
CALL make_server('sg', 'rows=8');
CREATE SCHEMA sg;
CREATE VIEW imported AS
SELECT c.relname AS table_name,
	   string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)) ||
				  coalesce(' ' || a.attfdwoptions::text, ''), ', ' ORDER BY a.attnum) AS columns,
	   f.ftoptions AS options
FROM pg_foreign_table f
JOIN pg_class c ON c.oid = f.ftrelid
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relnamespace::regnamespace::text = 'sg'
GROUP BY c.relname, f.ftoptions ORDER BY c.relname COLLATE "C";
SET client_min_messages = warning;

-- exactly the five tables, with these columns; nothing is asked of the API
IMPORT FOREIGN SCHEMA sendgrid FROM SERVER sg INTO sg;
SELECT * FROM imported;
SELECT * FROM requests();

-- they can be read as they are
SELECT 'all' AS task, count(*) FROM sg.ips_all UNION ALL
SELECT 'free', count(*) FROM sg.ips_free UNION ALL
SELECT 'taken', count(*) FROM sg.ips_taken UNION ALL
SELECT 'available', count(*) FROM sg.ips_available UNION ALL
SELECT 'usage', count(*) FROM sg.ips_usage;

-- a second import into the same schema collides, and makes nothing
IMPORT FOREIGN SCHEMA sendgrid FROM SERVER sg INTO sg; -- ERROR
DROP FOREIGN TABLE sg.ips_usage;
IMPORT FOREIGN SCHEMA sendgrid FROM SERVER sg INTO sg; -- ERROR
SELECT table_name FROM imported;

-- EXCEPT, and the rest by LIMIT TO
DROP SCHEMA sg CASCADE; CREATE SCHEMA sg;
IMPORT FOREIGN SCHEMA sendgrid EXCEPT (ips_usage, ips_free) FROM SERVER sg INTO sg;
SELECT table_name FROM imported;
IMPORT FOREIGN SCHEMA sendgrid LIMIT TO (ips_free, ips_usage) FROM SERVER sg INTO sg;
SELECT table_name FROM imported;

-- names that do not exist are no error, as with postgres_fdw
DROP SCHEMA sg CASCADE; CREATE SCHEMA sg;
IMPORT FOREIGN SCHEMA sendgrid LIMIT TO (ip_pools, "IPS_ALL") FROM SERVER sg INTO sg;
SELECT table_name FROM imported;
IMPORT FOREIGN SCHEMA sendgrid EXCEPT (ip_pools) FROM SERVER sg INTO sg;
SELECT count(*) FROM imported;

-- prefix, whose letters are kept; LIMIT TO and EXCEPT name tables without it
DROP SCHEMA sg CASCADE; CREATE SCHEMA sg;
IMPORT FOREIGN SCHEMA sendgrid LIMIT TO (ips_all, ips_free) FROM SERVER sg INTO sg OPTIONS (prefix 'sg_');
IMPORT FOREIGN SCHEMA sendgrid EXCEPT (ips_all, ips_free, ips_usage) FROM SERVER sg INTO sg OPTIONS (prefix 'My "IPs" ');
SELECT table_name, options FROM imported;
SELECT count(*) FROM sg."My ""IPs"" ips_taken";

-- a name that would be cut is refused
IMPORT FOREIGN SCHEMA sendgrid LIMIT TO (ips_free) FROM SERVER sg INTO sg
	OPTIONS (prefix 'a23456789012345678901234567890123456789012345678901234567890'); -- ERROR

-- search_columns 'false': what the API answers, nothing that is an argument
DROP SCHEMA sg CASCADE; CREATE SCHEMA sg;
IMPORT FOREIGN SCHEMA sendgrid FROM SERVER sg INTO sg OPTIONS (search_columns 'false');
SELECT * FROM imported;

-- account: a constant column in front, so that tables of many accounts can be
-- partitions of one; a query for one account asks no other
DROP SCHEMA sg CASCADE; CREATE SCHEMA sg;
CALL make_server('sg2', 'rows=3');
IMPORT FOREIGN SCHEMA sendgrid LIMIT TO (ips_all) FROM SERVER sg INTO sg OPTIONS (prefix 'one_', account 'it''s 1');
IMPORT FOREIGN SCHEMA sendgrid LIMIT TO (ips_all) FROM SERVER sg2 INTO sg OPTIONS (prefix 'two_', account 'two');
SELECT * FROM imported;
CREATE TABLE sg.everyones_ips (account text, ip inet, include_system boolean) PARTITION BY LIST (account);
ALTER TABLE sg.everyones_ips ATTACH PARTITION sg.one_ips_all FOR VALUES IN ('it''s 1');
ALTER TABLE sg.everyones_ips ATTACH PARTITION sg.two_ips_all FOR VALUES IN ('two');
SELECT account, count(*) FROM sg.everyones_ips GROUP BY 1 ORDER BY 1;
SELECT count(*) AS forgotten FROM requests();
SELECT * FROM sg.everyones_ips WHERE account = 'two' ORDER BY ip;
SELECT * FROM requests();

-- another remote schema is an error with a hint
IMPORT FOREIGN SCHEMA public FROM SERVER sg INTO sg; -- ERROR
IMPORT FOREIGN SCHEMA "SendGrid" FROM SERVER sg INTO sg; -- ERROR
\echo :LAST_ERROR_SQLSTATE
IMPORT FOREIGN SCHEMA sendgrid FROM SERVER sg INTO sg OPTIONS (import_default 'true'); -- ERROR
