--
-- Who may do what, and whose credentials a scan uses.
--
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/sql/include/setup.psql'
\i :setup
SET client_min_messages = error;
DROP ROLE IF EXISTS regress_sgip_alice, regress_sgip_bob, regress_sgip_reader;
CREATE ROLE regress_sgip_alice;
CREATE ROLE regress_sgip_bob;
CREATE ROLE regress_sgip_reader IN ROLE pg_read_server_files;
CALL import_from('sg', 'rows=24');
GRANT USAGE, CREATE ON SCHEMA public, sg TO regress_sgip_alice, regress_sgip_bob, regress_sgip_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA sg TO regress_sgip_alice, regress_sgip_bob, regress_sgip_reader;
GRANT USAGE ON FOREIGN SERVER sg TO regress_sgip_alice, regress_sgip_bob, regress_sgip_reader;

-- a role without a mapping has no credentials; the hint says how to give some
SET ROLE regress_sgip_bob;
SELECT count(*) FROM sg.ips_free; -- ERROR
\echo :LAST_ERROR_SQLSTATE
-- EXPLAIN needs none
EXPLAIN (COSTS OFF) SELECT count(*) FROM sg.ips_free;

-- an empty mapping, half a mapping, a whole one
CREATE USER MAPPING FOR CURRENT_USER SERVER sg;
SELECT count(*) FROM sg.ips_free; -- ERROR
ALTER USER MAPPING FOR CURRENT_USER SERVER sg OPTIONS (ADD api_user 'demo');
SELECT count(*) FROM sg.ips_free; -- ERROR
ALTER USER MAPPING FOR CURRENT_USER SERVER sg OPTIONS (ADD api_key '');
SELECT count(*) FROM sg.ips_free; -- ERROR
ALTER USER MAPPING FOR CURRENT_USER SERVER sg OPTIONS (SET api_key 'bobs-wrong-key');
SELECT count(*) FROM sg.ips_free; -- ERROR
\echo :LAST_ERROR_SQLSTATE
ALTER USER MAPPING FOR CURRENT_USER SERVER sg OPTIONS (SET api_key 'demo-key');
SELECT count(*) FROM sg.ips_free;

-- the options are not readable by others
SET ROLE regress_sgip_alice;
SELECT srvname, usename, umoptions FROM pg_user_mappings WHERE srvname = 'sg' AND usename <> session_user ORDER BY usename COLLATE "C";
SELECT umoptions FROM pg_user_mapping; -- ERROR
SELECT authorization_identifier, option_name, option_value FROM information_schema.user_mapping_options
WHERE foreign_server_name = 'sg' AND authorization_identifier <> session_user ORDER BY authorization_identifier COLLATE "C";

-- PUBLIC's mapping is for those who have none of their own
RESET ROLE;
CREATE USER MAPPING FOR PUBLIC SERVER sg OPTIONS (api_user 'demo', api_key 'demo-key');
SET ROLE regress_sgip_alice;
SELECT count(*) FROM sg.ips_free;
RESET ROLE;
ALTER USER MAPPING FOR regress_sgip_bob SERVER sg OPTIONS (SET api_key 'wrong');
SET ROLE regress_sgip_bob;
SELECT count(*) FROM sg.ips_free; -- ERROR
RESET ROLE;

-- a view scans with its owner's mapping, whoever reads it
DROP USER MAPPING FOR PUBLIC SERVER sg;
CREATE USER MAPPING FOR regress_sgip_alice SERVER sg OPTIONS (api_user 'demo', api_key 'demo-key');
SET ROLE regress_sgip_alice;
CREATE VIEW sg.alices_view AS SELECT * FROM sg.ips_free;
CREATE VIEW sg.invokers_view WITH (security_invoker = true) AS SELECT * FROM sg.ips_free;
CREATE FUNCTION sg.definers() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM sg.ips_free';
CREATE FUNCTION sg.invokers() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM sg.ips_free';
GRANT SELECT ON sg.alices_view, sg.invokers_view TO regress_sgip_bob;
SET ROLE regress_sgip_bob;
SELECT count(*) FROM sg.ips_free; -- ERROR
SELECT count(*) FROM sg.alices_view;
SELECT count(*) FROM sg.invokers_view; -- ERROR
-- the same for functions: SECURITY DEFINER uses the definer's
SELECT sg.definers();
SELECT sg.invokers(); -- ERROR
-- both in one query
SELECT count(*) FROM sg.alices_view a JOIN sg.ips_free f ON a.ip = f.ip; -- ERROR
-- the other way round: the owner's mapping is the wrong one
CREATE VIEW sg.bobs_view AS SELECT * FROM sg.ips_free;
GRANT SELECT ON sg.bobs_view TO regress_sgip_alice;
SET ROLE regress_sgip_alice;
SELECT count(*) FROM sg.bobs_view; -- ERROR
SELECT count(*) FROM sg.ips_free;

-- a prepared statement follows the role, and connections are not shared between users
PREPARE free AS SELECT count(*) FROM sg.ips_free;
EXECUTE free;
SET ROLE regress_sgip_bob;
EXECUTE free; -- ERROR
SET ROLE regress_sgip_alice;
EXECUTE free;

-- a role without SELECT gets PostgreSQL's error, and no request is sent
RESET ROLE;
REVOKE SELECT ON sg.ips_taken FROM regress_sgip_alice;
SELECT count(*) AS forgotten FROM requests()
\gset
SET ROLE regress_sgip_alice;
SELECT count(*) FROM sg.ips_taken; -- ERROR
RESET ROLE;
SELECT * FROM requests();

-- api_key_file may be set by members of pg_read_server_files only ...
SET ROLE regress_sgip_bob;
ALTER USER MAPPING FOR CURRENT_USER SERVER sg OPTIONS (DROP api_key, ADD api_key_file '/etc/passwd'); -- ERROR
\echo :LAST_ERROR_SQLSTATE
SET ROLE regress_sgip_reader;
CREATE USER MAPPING FOR CURRENT_USER SERVER sg OPTIONS (api_user 'demo', api_key_file 'relative/key'); -- ERROR
-- ... and is read at each scan, its trailing newline dropped
RESET ROLE;
SELECT current_setting('data_directory') || '/regress_sgip_key' AS key_file
\gset
SET ROLE regress_sgip_reader;
CREATE USER MAPPING FOR CURRENT_USER SERVER sg OPTIONS (api_user 'demo', api_key_file :'key_file');
SELECT count(*) FROM sg.ips_free; -- ERROR
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
CREATE PROCEDURE write_key(content text, name text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('COPY (SELECT) TO PROGRAM %L', format('cat; printf %%b ''%s'' > ''%s''', content, name));
END $$;
CALL write_key('demo-key', :'key_file');
SET ROLE regress_sgip_reader;
SELECT count(*) FROM sg.ips_free;
RESET ROLE;
CALL write_key('demo-key\n', :'key_file');
SET ROLE regress_sgip_reader;
SELECT count(*) FROM sg.ips_free;
RESET ROLE;
CALL write_key('demo-key\r\n', :'key_file');
SET ROLE regress_sgip_reader;
SELECT count(*) FROM sg.ips_free;
-- a key that was changed on disk is used by the next scan
RESET ROLE;
CALL write_key('another-key', :'key_file');
SET ROLE regress_sgip_reader;
SELECT count(*) FROM sg.ips_free; -- ERROR
-- a file that holds no key, or more than a key
RESET ROLE;
CALL write_key('\n', :'key_file');
SET ROLE regress_sgip_reader;
SELECT count(*) FROM sg.ips_free; -- ERROR
RESET ROLE;
CALL write_key('demo-key\nsecond-line\n', :'key_file');
SET ROLE regress_sgip_reader;
SELECT count(*) FROM sg.ips_free; -- ERROR
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
CALL write_key('\0357\0273\0277demo-key\r\n', :'key_file');
SET ROLE regress_sgip_reader;
SELECT count(*) FROM sg.ips_free; -- of an editor of Windows
RESET ROLE;
CALL write_key('d\0000e\0000m\0000o\0000', :'key_file');
SET ROLE regress_sgip_reader;
SELECT count(*) FROM sg.ips_free; -- ERROR
RESET ROLE;
CALL write_key('\tdemo-key', :'key_file');
SET ROLE regress_sgip_reader;
SELECT count(*) FROM sg.ips_free; -- ERROR
RESET ROLE;
CALL write_key(repeat('k', 5000), :'key_file');
SET ROLE regress_sgip_reader;
SELECT count(*) FROM sg.ips_free; -- ERROR

RESET ROLE;
COPY (SELECT) TO PROGRAM 'cat; rm regress_sgip_key';
DROP SERVER sg CASCADE;
DROP SCHEMA sg CASCADE;
DROP OWNED BY regress_sgip_alice, regress_sgip_bob, regress_sgip_reader;
DROP ROLE regress_sgip_alice, regress_sgip_bob, regress_sgip_reader;
