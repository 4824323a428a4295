/* sgip_fdw--1.0.sql */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION sgip_fdw" to load this file. \quit

CREATE FUNCTION sgip_fdw_handler()
RETURNS fdw_handler
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT;

CREATE FUNCTION sgip_fdw_validator(text[], oid)
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT;

CREATE FOREIGN DATA WRAPPER sgip_fdw
  HANDLER sgip_fdw_handler
  VALIDATOR sgip_fdw_validator;
COMMENT ON FOREIGN DATA WRAPPER sgip_fdw IS 'SendGrid IP management';

CREATE FUNCTION sgip_fdw_version()
RETURNS text
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT STABLE PARALLEL SAFE;
COMMENT ON FUNCTION sgip_fdw_version() IS
  'version of sgip_fdw, of libcurl with its TLS library, and of jansson';

CREATE FUNCTION sgip_fdw_connections(
  OUT server_name text, OUT user_name text, OUT open integer, OUT in_use boolean,
  OUT valid boolean, OUT requests bigint, OUT age interval)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION sgip_fdw_connections() IS
  'connections to the API that this session keeps open';

CREATE FUNCTION sgip_fdw_disconnect(server_name text)
RETURNS boolean
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION sgip_fdw_disconnect(text) IS
  'closes the connections to a server; those in use are closed when their scan ends';

CREATE FUNCTION sgip_fdw_disconnect_all()
RETURNS boolean
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION sgip_fdw_disconnect_all() IS
  'closes the connections to all servers; those in use are closed when their scan ends';
