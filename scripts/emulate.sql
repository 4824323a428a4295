-- Lets what is typed for SendGrid ask the emulator: an event trigger gives every server that is made or altered in this
-- database the emulator's URL (unless its URL is http://127.0.0.1:1, where nothing listens), and every mapping the
-- emulator's credentials (unless the key begins with "wrong").  That is the only difference between what the
-- documentation says to type and what runs in scripts/demo and test/t/docs.
--
--     psql -v emulator=URL -v key_file=FILE -f scripts/emulate.sql       FILE holds the emulator's key

\set ON_ERROR_STOP on
CREATE SCHEMA emulate;
SELECT format($format$
CREATE FUNCTION emulate.point_at_emulator() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
	emulator text := %1$L;
	one record;
BEGIN
	FOR one IN SELECT srvname, bool_or(o LIKE 'base_url=%%') AS has_url, bool_or(o = 'api_version=v2') AS v2
		FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = srvfdw AND fdwname = 'sgip_fdw'
			LEFT JOIN unnest(srvoptions) o ON true
		GROUP BY srvname HAVING bool_or(o LIKE 'base_url=' || emulator || '%%' OR o = 'base_url=http://127.0.0.1:1') IS NOT TRUE
	LOOP
		EXECUTE format('ALTER SERVER %%I OPTIONS (%%s base_url %%L)', one.srvname,
					   CASE WHEN one.has_url THEN 'SET' ELSE 'ADD' END,
					   emulator || CASE WHEN one.v2 THEN '/api' ELSE '' END);
	END LOOP;
	FOR one IN SELECT srvname, usename, option_name, wanted
		FROM pg_user_mappings, pg_options_to_table(umoptions), LATERAL (VALUES
			('api_user', 'demo'), ('api_key', 'demo-key'), ('api_key_file', %2$L)) AS v(name, wanted)
		WHERE option_name = name AND option_value <> wanted AND option_value NOT LIKE 'wrong%%'
	LOOP
		EXECUTE format('ALTER USER MAPPING FOR %%s SERVER %%I OPTIONS (SET %%s %%L)',
					   CASE WHEN one.usename = 'public' THEN 'PUBLIC' ELSE quote_ident(one.usename) END,
					   one.srvname, one.option_name, one.wanted);
	END LOOP;
END $$ $format$, :'emulator', :'key_file')
\gexec
CREATE EVENT TRIGGER point_at_emulator ON ddl_command_end
	WHEN TAG IN ('CREATE SERVER', 'ALTER SERVER', 'CREATE USER MAPPING', 'ALTER USER MAPPING')
	EXECUTE FUNCTION emulate.point_at_emulator();
