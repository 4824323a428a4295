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
  OUT id integer, OUT server_name text, OUT user_name text, OUT open integer, OUT in_use boolean,
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

CREATE FUNCTION sgip_fdw_stats(
  OUT server_name name, OUT user_name name, OUT requests bigint, OUT rows bigint,
  OUT bytes bigint, OUT retries bigint, OUT refused bigint, OUT errors bigint,
  OUT waited_ms double precision, OUT rate_limit bigint, OUT rate_remaining bigint,
  OUT rate_reset timestamptz, OUT stats_reset timestamptz)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION sgip_fdw_stats() IS
  'rows of the view sgip_fdw_stats';

CREATE VIEW sgip_fdw_stats AS SELECT * FROM sgip_fdw_stats();
COMMENT ON VIEW sgip_fdw_stats IS
  'what each account of the API was asked by all sessions, and last told of its rate limit';
COMMENT ON COLUMN sgip_fdw_stats.server_name IS 'foreign server';
COMMENT ON COLUMN sgip_fdw_stats.user_name IS 'user of the mapping; public for PUBLIC''s';
COMMENT ON COLUMN sgip_fdw_stats.requests IS 'requests sent, further tries included';
COMMENT ON COLUMN sgip_fdw_stats.rows IS 'elements received';
COMMENT ON COLUMN sgip_fdw_stats.bytes IS 'bytes of the bodies, after decompression';
COMMENT ON COLUMN sgip_fdw_stats.retries IS 'further tries';
COMMENT ON COLUMN sgip_fdw_stats.refused IS 'answers with status 429';
COMMENT ON COLUMN sgip_fdw_stats.errors IS 'other failures: tried again, or the end of a query';
COMMENT ON COLUMN sgip_fdw_stats.waited_ms IS 'waited for rate limits and before further tries';
COMMENT ON COLUMN sgip_fdw_stats.rate_limit IS 'requests that a window allows, as told last';
COMMENT ON COLUMN sgip_fdw_stats.rate_remaining IS 'requests that remained, as told last';
COMMENT ON COLUMN sgip_fdw_stats.rate_reset IS 'when that window ends';
COMMENT ON COLUMN sgip_fdw_stats.stats_reset IS 'since when the row counts';
GRANT SELECT ON sgip_fdw_stats TO PUBLIC;

CREATE FUNCTION sgip_fdw_stats_reset()
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION sgip_fdw_stats_reset() IS
  'lets the counting of sgip_fdw_stats begin anew';
REVOKE ALL ON FUNCTION sgip_fdw_stats_reset() FROM PUBLIC;
