--
-- The extension's objects: made, described, moved, dumped and dropped.
--
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/sql/include/setup.psql'
\i :setup

-- these objects belong to the extension, and no others
SELECT pg_describe_object(classid, objid, 0) AS object FROM pg_depend
WHERE refclassid = 'pg_extension'::regclass AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'sgip_fdw')
	AND deptype = 'e' AND classid <> 'pg_type'::regclass
ORDER BY 1;

-- the wrapper has handler and validator, and no options
SELECT fdwname, fdwhandler::regproc, fdwvalidator::regproc, fdwoptions,
	   obj_description(oid, 'pg_foreign_data_wrapper')
FROM pg_foreign_data_wrapper WHERE fdwname = 'sgip_fdw';
ALTER FOREIGN DATA WRAPPER sgip_fdw OPTIONS (ADD base_url 'https://x.example'); -- ERROR

-- version: own, libcurl's with its TLS library, jansson's
SELECT sgip_fdw_version() ~ '^sgip_fdw \S+, libcurl \d+\.\d+\S* \(\S+/\d\S*\), jansson \d+\.\d+' AS version_ok,
	   sgip_fdw_version() LIKE 'sgip_fdw ' || extversion || ',%' AS agrees_with_catalogue
FROM pg_extension WHERE extname = 'sgip_fdw';

-- the extension can be moved to another schema, and its servers go on working
CALL make_server('moved', 'rows=4');
CREATE FOREIGN TABLE ips_all (ip inet) SERVER moved OPTIONS (task 'all');
CREATE SCHEMA elsewhere;
ALTER EXTENSION sgip_fdw SET SCHEMA elsewhere;
SELECT elsewhere.sgip_fdw_version() IS NOT NULL AS version_there;
SELECT count(*) FROM ips_all;

-- it cannot be dropped while servers depend on it; with CASCADE all goes
\set VERBOSITY terse
DROP EXTENSION sgip_fdw; -- ERROR
SET client_min_messages = warning;
DROP EXTENSION sgip_fdw CASCADE;
SELECT count(*) FROM pg_foreign_server;
SELECT to_regproc('elsewhere.sgip_fdw_version');

-- made again in a schema of choice, by the same session
CREATE EXTENSION sgip_fdw SCHEMA elsewhere VERSION '1.0';
CALL make_server('again', 'rows=4');
CREATE FOREIGN TABLE ips_all (ip inet) SERVER again OPTIONS (task 'all');
SELECT count(*) FROM ips_all;
DROP SERVER again CASCADE;
DROP EXTENSION sgip_fdw;
DROP SCHEMA elsewhere;
CREATE EXTENSION sgip_fdw;

-- what pg_dump writes restores to the same: all options of all objects, and a
-- mapping whose options the dumping role might not see
CREATE SERVER dumped FOREIGN DATA WRAPPER sgip_fdw OPTIONS (
	api_version 'v2', base_url 'https://gate.example:8443/sendgrid', resource 'reseller.ip',
	http_method 'post', connect_timeout '500ms', read_timeout '2min', max_retries '0',
	max_retry_wait '1h', max_concurrency '64', ca_file '/etc/ssl/it''s.pem',
	proxy 'http://proxy.example:3128', async_capable 'off', fdw_startup_cost '1.5',
	fdw_tuple_cost '0');
CREATE SERVER dumped3 FOREIGN DATA WRAPPER sgip_fdw OPTIONS (
	base_url 'http://gateway.example:8080', allow_http 'on', page_size '17', on_behalf_of 'acme-117', analyzable 'off');
CREATE USER MAPPING FOR PUBLIC SERVER dumped OPTIONS (api_user 'me@example.com', api_key 'it''s "secret" \n');
CREATE USER MAPPING FOR CURRENT_USER SERVER dumped;
CREATE SCHEMA dump;
IMPORT FOREIGN SCHEMA sendgrid FROM SERVER dumped INTO dump OPTIONS (account 'a''b', prefix 'X ');
CREATE FOREIGN TABLE dump.by_hand (
	who varchar(20) OPTIONS (field 'user', match 'prefix'),
	label integer OPTIONS (constant '7')
) SERVER dumped OPTIONS (task 'usage', fdw_startup_cost '3', fdw_tuple_cost '0.5', async_capable 'false');

CREATE FUNCTION sorted(text[]) RETURNS text LANGUAGE sql
RETURN (SELECT string_agg(o, ' ' ORDER BY o COLLATE "C") FROM unnest($1) o);
CREATE VIEW definitions AS
SELECT format('server %s %s', srvname, sorted(srvoptions)) AS definition
FROM pg_foreign_server
UNION ALL
SELECT format('mapping %s %s %s', srvname, replace(usename, current_user, 'me'), sorted(umoptions))
FROM pg_user_mappings
UNION ALL
SELECT format('table %s %s', ftrelid::regclass, sorted(ftoptions))
FROM pg_foreign_table
UNION ALL
SELECT format('column %s.%s %s %s', attrelid::regclass, attname, format_type(atttypid, atttypmod), sorted(attfdwoptions))
FROM pg_attribute
WHERE attrelid IN (SELECT ftrelid FROM pg_foreign_table) AND attnum > 0;
\a\t
SELECT * FROM definitions ORDER BY definition COLLATE "C";
\a\t
SELECT string_agg(definition, ' ' ORDER BY definition COLLATE "C") AS before FROM definitions
\gset
CREATE DATABASE regress_sgip_restored TEMPLATE template0;
\setenv DUMPED :DBNAME
\! pg_dump --schema-only "$DUMPED" | psql -X -q -v ON_ERROR_STOP=1 regress_sgip_restored > /dev/null || echo "not restored"
\set dumped :DBNAME
\c regress_sgip_restored
SELECT string_agg(definition, ' ' ORDER BY definition COLLATE "C") = :'before' AS same FROM definitions;
\c :dumped
SET client_min_messages = warning;
DROP DATABASE regress_sgip_restored;
DROP SERVER dumped, dumped3 CASCADE;
