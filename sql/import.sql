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

-- a name that no task has is an error, in both lists: what was misspelt would not be made, or be made
DROP SCHEMA sg CASCADE; CREATE SCHEMA sg;
IMPORT FOREIGN SCHEMA sendgrid LIMIT TO (ips_usge) FROM SERVER sg INTO sg; -- ERROR
IMPORT FOREIGN SCHEMA sendgrid EXCEPT (ips_fre) FROM SERVER sg INTO sg; -- ERROR
IMPORT FOREIGN SCHEMA sendgrid LIMIT TO (ips_free, "IPS_ALL") FROM SERVER sg INTO sg; -- ERROR
IMPORT FOREIGN SCHEMA sendgrid LIMIT TO (customers) FROM SERVER sg INTO sg; -- ERROR
\echo :LAST_ERROR_SQLSTATE
-- ... with the prefix that the table will have
IMPORT FOREIGN SCHEMA sendgrid LIMIT TO (sg_ips_usage) FROM SERVER sg INTO sg OPTIONS (prefix 'sg_'); -- ERROR
-- ... or of the other version
IMPORT FOREIGN SCHEMA sendgrid EXCEPT (ip_pools) FROM SERVER sg INTO sg; -- ERROR
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

-- ip_type 'text', for tools that compare addresses with texts
DROP SCHEMA sg CASCADE; CREATE SCHEMA sg;
CALL make_server('v3', 'rows=8', api => 'v3');
IMPORT FOREIGN SCHEMA sendgrid LIMIT TO (ips_usage, ip_pools) FROM SERVER v3 INTO sg OPTIONS (ip_type 'text');
SELECT * FROM imported;
-- search columns of v3 are made where they are asked for
IMPORT FOREIGN SCHEMA sendgrid LIMIT TO (ips_usage) FROM SERVER v3 INTO sg OPTIONS (prefix 'searched_', search_columns 'true');
SELECT * FROM imported WHERE table_name ~ 'searched';
SELECT ip, username FROM sg.ips_usage WHERE ip = '198.51.100.2'::text ORDER BY username;
SELECT name FROM sg.ip_pools WHERE '198.51.100.3'::text = ANY (ips_preview);

-- every column can be renamed
ALTER FOREIGN TABLE sg.ips_usage RENAME COLUMN username TO customer;
ALTER FOREIGN TABLE sg.ips_usage RENAME COLUMN ip TO address;
ALTER FOREIGN TABLE sg.ip_pools RENAME COLUMN name TO pool;
SELECT customer FROM sg.ips_usage WHERE address = '198.51.100.2' ORDER BY 1;
SELECT count(pool) FROM sg.ip_pools;

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
