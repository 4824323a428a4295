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

-- A mixture of the versions is one error, and each of its two ways out is what its hint says to type: this does so, with
-- the emulator's URL and key in the gaps, until the query has rows, and tells what was typed.
CREATE FUNCTION mended(query text, speak text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	command text;
	hint text;
BEGIN
	FOR step IN 1 .. 5 LOOP
		BEGIN
			EXECUTE query;
			RETURN NEXT 'no error';
			RETURN;
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
			RETURN NEXT replace(SQLSTATE || ': ' || SQLERRM, current_user, 'me');
		END;
		hint := substring(hint FROM 'To speak ' || speak || ': (.*?)(?: To speak|$)');
		FOR command IN SELECT m[1] FROM regexp_matches(hint, '([A-Z]+ .*?;)', 'g') m LOOP
			RETURN NEXT '  ' || replace(command, current_user, 'me');
			command := replace(command, 'DROP base_url', format('SET base_url %L', emulator('rows=28', '')));
			command := replace(command, $x$'https://…'$x$, quote_literal(emulator('rows=28')));
			command := replace(replace(command, 'SG.…', 'demo-key'), '…', 'demo');
			EXECUTE command;
		END LOOP;
	END LOOP;
END $$;
-- A server, a mapping, and tables imported under that version; the URL is that of v2 if the way out leads to it
CREATE PROCEDURE mix(server text, mapping text, import_as text, more text DEFAULT '', way text DEFAULT 'v3') LANGUAGE plpgsql AS $$
BEGIN
	DROP SERVER IF EXISTS mixed CASCADE;
	DROP SCHEMA IF EXISTS mixed CASCADE;
	CREATE SCHEMA mixed;
	CALL make_server('mixed', 'rows=28', '', import_as);
	IMPORT FOREIGN SCHEMA sendgrid FROM SERVER mixed INTO mixed OPTIONS (search_columns 'true');
	EXECUTE format('ALTER SERVER mixed OPTIONS (SET api_version %L, SET base_url %L %s)', server,
				   emulator('rows=28', CASE WHEN 'v2' IN (server, way) THEN '/api' ELSE '' END), more);
	DROP USER MAPPING FOR CURRENT_USER SERVER mixed;
	EXECUTE format('CREATE USER MAPPING FOR CURRENT_USER SERVER mixed OPTIONS (%s)', mapping);
END $$;
CREATE FUNCTION both_ways(query text, server text, mapping text, import_as text, more text DEFAULT '') RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	FOR n IN 2 .. 3 LOOP
		CALL mix(server, mapping, import_as, more, 'v' || n);
		RETURN NEXT format('-- v%s', n);
		RETURN QUERY SELECT * FROM mended(query, 'v' || n);
	END LOOP;
END $$;
SET client_min_messages = error;
\a\t
-- credentials of the other version, in the own mapping and in that of PUBLIC
SELECT both_ways('SELECT ip FROM mixed.ips_free', 'v3', $$api_user 'demo', api_key 'demo-key'$$, 'v3');
SELECT both_ways('SELECT ip FROM mixed.ips_free', 'v3', $$api_user 'demo'$$, 'v3');
SELECT both_ways('SELECT ip FROM mixed.ips_free', 'v2', $$api_key 'demo-key'$$, 'v2');
SELECT both_ways('SELECT ip FROM mixed.ips_free', 'v2', $$api_key 'demo-key', on_behalf_of 'acme-1'$$, 'v2');
CALL mix('v2', $$api_user 'demo', api_key 'demo-key'$$, 'v2');
DROP USER MAPPING FOR CURRENT_USER SERVER mixed;
CREATE USER MAPPING FOR PUBLIC SERVER mixed OPTIONS (api_key 'demo-key', on_behalf_of 'acme-1');
SELECT failure('SELECT ip FROM mixed.ips_free');
-- tables of the other version
SELECT both_ways('SELECT * FROM mixed.ips_all', 'v3', $$api_key 'demo-key'$$, 'v2');
SELECT both_ways('SELECT * FROM mixed.ips_all', 'v2', $$api_user 'demo', api_key 'demo-key'$$, 'v3');
CALL mix('v2', $$api_user 'demo', api_key 'demo-key'$$, 'v3');
SELECT failure('SELECT * FROM mixed.subusers');
SELECT mended('SELECT * FROM mixed.subusers', 'v3');
-- all of it: a v2 account whose server was made without api_version, and one that was moved to v3
SELECT both_ways('SELECT * FROM mixed.ips_usage', 'v3', $$api_user 'demo', api_key 'demo-key'$$, 'v2', ', ADD page_size ''10''');
SELECT both_ways('SELECT * FROM mixed.ips_usage', 'v2', $$api_key 'demo-key'$$, 'v3', ', ADD resource ''reseller.ip'', ADD http_method ''post''');
-- ... without base_url
CALL mix('v3', $$api_user 'demo', api_key 'demo-key'$$, 'v2');
ALTER SERVER mixed OPTIONS (DROP api_version, DROP base_url);
SELECT mended('SELECT * FROM mixed.ips_usage', 'v2');
-- the five tables without search columns are the same in both
CALL mix('v3', $$api_key 'demo-key'$$, 'v2');
SELECT failure('SELECT * FROM mixed.ips_taken');
\a\t

-- options of the other version, when they are set
CREATE SERVER other FOREIGN DATA WRAPPER sgip_fdw OPTIONS (resource 'reseller.ip'); -- ERROR
CREATE SERVER other FOREIGN DATA WRAPPER sgip_fdw OPTIONS (api_version 'v3', http_method 'post'); -- ERROR
CREATE SERVER other FOREIGN DATA WRAPPER sgip_fdw OPTIONS (api_version 'v2', page_size '10'); -- ERROR
CREATE SERVER other FOREIGN DATA WRAPPER sgip_fdw OPTIONS (page_size '10', on_behalf_of 'acme-1');
ALTER SERVER other OPTIONS (ADD api_version 'v2'); -- ERROR
ALTER SERVER other OPTIONS (ADD api_version 'v2', DROP page_size); -- ERROR
ALTER SERVER other OPTIONS (ADD api_version 'v2', DROP page_size, DROP on_behalf_of, ADD resource 'reseller.ip', ADD http_method 'post');
ALTER SERVER other OPTIONS (DROP api_version); -- ERROR
ALTER SERVER other OPTIONS (ADD on_behalf_of 'acme-1'); -- ERROR
