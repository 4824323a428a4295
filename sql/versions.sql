--
-- SQL over the five tables runs unchanged against v2 and v3, with the same answers.
--
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/sql/include/setup.psql'
\i :setup
-- IPs that SendGrid assigned are hidden in v2 unless they are asked for, and unknown to v3; the first 28 have none
CREATE PROCEDURE import_both(switches text) LANGUAGE plpgsql AS $$
BEGIN
	DROP SERVER IF EXISTS v2, v3 CASCADE;
	DROP SCHEMA IF EXISTS v2, v3 CASCADE;
	CALL import_from('v2', switches);
	CALL import_from('v3', switches, api => 'v3');
END $$;
SET client_min_messages = error;
CALL import_both('rows=28');
RESET client_min_messages;
CREATE TABLE customers (name text, sendgrid_user text);
INSERT INTO customers VALUES ('Acme', 'acme-9'), ('Beta', 'acme-13'), ('Gone', 'acme-999'), ('None', NULL);

\set same :srcdir '/sql/include/same.psql'
SET search_path = v2, public;
\i :same
SET search_path = v3, public;
\i :same
RESET search_path;

-- every row
SELECT t AS table, differences(format('SELECT ip FROM v2.%I', t), format('SELECT ip FROM v3.%I', t)) AS differences
FROM unnest('{ips_all,ips_free,ips_taken,ips_available}'::text[]) t;
SELECT differences('SELECT ip, username FROM v2.ips_usage', 'SELECT ip, username FROM v3.ips_usage');
-- of the whole account, with the IPs that SendGrid assigned
SET client_min_messages = error;
CALL import_both(NULL);
RESET client_min_messages;
SELECT differences('SELECT ip FROM v2.ips_all WHERE include_system', 'SELECT ip FROM v3.ips_all');
SELECT differences('SELECT ip, username FROM v2.ips_usage WHERE include_system', 'SELECT ip, username FROM v3.ips_usage');

-- of a listing nothing is remembered once its last page is read
ALTER SERVER v3 OPTIONS (ADD max_concurrency '1');
BEGIN;
DECLARE c CURSOR FOR SELECT ip FROM v3.ips_all WHERE ip = ANY (ARRAY(SELECT '198.51.100.0'::inet + i FROM generate_series(1, 20) i));
MOVE 19 IN c;
SELECT count(*) <= 2 AS few FROM pg_backend_memory_contexts WHERE name = 'sgip_fdw networks';
COMMIT;
