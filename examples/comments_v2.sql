-- Comments on the foreign tables of api_version 'v2' and on their columns, as psql's \d+ and BI tools show them: IMPORT
-- cannot write any.
--
--     psql -f examples/comments_v2.sql [-v source=SCHEMA]
--
--     source  holds the foreign tables; default sg2
--
-- A table is known by its option task and a column by its option field, whatever their names are.

\set QUIET on
\set ON_ERROR_STOP on
\if :{?source}
\else
\set source sg2
\endif

BEGIN;
WITH comment(tasks, field, words) AS (VALUES
	('all', NULL, 'Every IP of the account'),
	('free', NULL, 'IPs that no user uses and no group holds'),
	('taken', NULL, 'IPs that a user uses or a group holds'),
	('available', NULL, 'IPs that may be handed out: free, or used by inactive users alone'),
	('usage', NULL, 'Who may send from which IP: a row for each pair of IP and user'),
	('all free taken available usage', 'ip', 'The IP'),
	('usage', 'user', 'The user (subuser) who may send from it'),
	('usage', 'group', 'The group that was searched for, NULL without a condition on it; the API finds every group whose name contains it'),
	('all usage', 'system', 'Whether IPs that SendGrid assigned were asked for as well: true only with a condition that says so')
), target AS (
	SELECT t.ftrelid AS relid, c.relname, substring(array_to_string(t.ftoptions, E'\n') FROM '(?n)^task=(.*)$') AS task
	FROM pg_foreign_table t JOIN pg_class c ON c.oid = t.ftrelid
		JOIN pg_foreign_server s ON s.oid = t.ftserver
		JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw AND w.fdwname = 'sgip_fdw'
	WHERE c.relnamespace = to_regnamespace(quote_ident(:'source'))
)
SELECT format('COMMENT ON FOREIGN TABLE %I.%I IS %L', :'source', relname, words)
FROM target JOIN comment ON task = ANY (string_to_array(tasks, ' ')) AND field IS NULL
UNION ALL
SELECT format('COMMENT ON COLUMN %I.%I.%I IS %L', :'source', relname, attname, words)
FROM target JOIN comment ON task = ANY (string_to_array(tasks, ' '))
	JOIN pg_attribute ON attrelid = relid AND attnum > 0 AND NOT attisdropped
		AND field = coalesce(substring(array_to_string(attfdwoptions, E'\n') FROM '(?n)^field=(.*)$'), attname)
\gexec
COMMIT;
