--
-- Connections are kept between the queries of a session, and can be seen and closed.
--
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/sql/include/setup.psql'
\i :setup
CALL import_from('sg', 'rows=24');
CALL import_from('other', 'rows=24');
SELECT sgip_fdw_disconnect_all() IS NOT NULL AS asked;
CREATE VIEW connections AS
SELECT server_name, user_name = current_user AS mine, open, in_use, valid, requests, age >= '0' AS age_known
FROM sgip_fdw_connections() ORDER BY server_name;
-- On which of its connections did the emulator get the last requests?
CREATE FUNCTION conns() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM FROM requests();
	RETURN (SELECT count(DISTINCT e->>'conn') || ' for ' || count(*) || ' requests'
			FROM log, json_array_elements(line::json) e);
END $$;

-- nothing before the first request; then one connection that goes on being used
SELECT * FROM connections;
SELECT count(*) FROM sg.ips_free;
SELECT count(*) FROM sg.ips_free;
SELECT count(*) FROM sg.ips_usage WHERE username = 'acme-9';
SELECT conns();
SELECT * FROM connections;

-- also after an error of SQL, and in another transaction
SELECT 1 / (count(*) - 4) FROM sg.ips_free; -- ERROR
BEGIN;
SELECT count(*) FROM sg.ips_free;
ROLLBACK;
SELECT conns();

-- while a cursor is open its connection is in use
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM sg.ips_all;
FETCH 1 FROM c;
SELECT in_use, count(*) FROM connections GROUP BY 1;
-- another cursor has another one, and they are told apart
DECLARE d CURSOR FOR SELECT * FROM sg.ips_all;
FETCH 1 FROM d;
SELECT count(*), count(DISTINCT id) FROM sgip_fdw_connections() WHERE in_use;
COMMIT;

-- closed by name, of one server or of all; then queries open new ones
SELECT count(*) FROM other.ips_free;
SELECT server_name, count(*) FROM connections GROUP BY 1 ORDER BY 1;
SELECT sgip_fdw_disconnect('sg'), sgip_fdw_disconnect('sg');
SELECT server_name FROM connections;
SELECT sgip_fdw_disconnect('no such server'); -- ERROR
SELECT sgip_fdw_disconnect_all(), sgip_fdw_disconnect_all();
SELECT * FROM connections;
SELECT count(*) FROM sg.ips_free;
SELECT server_name, requests FROM connections;

-- changed options are obeyed by the next query: its connection is a new one
ALTER USER MAPPING FOR CURRENT_USER SERVER sg OPTIONS (SET api_key 'wrong');
\set VERBOSITY terse
SELECT count(*) FROM sg.ips_free; -- ERROR
