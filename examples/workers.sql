-- The accounts of several database servers as one table: on the coordinator, makes a partition for each worker.
--
--	psql -f examples/workers.sql [-v accounts=TABLE] [-v api=v3] [-v target=SCHEMA] [-v tables='ips_all ips_usage'] [-v role=ROLE]
--
-- For each name in the column worker of the accounts (see accounts.sql, which runs on the workers, with the same target and
-- tables) there must be a server of postgres_fdw, and a user mapping for the role.  Run it again whenever accounts come, go
-- or move: the partitions of a table are exchanged in one transaction, so that no query misses an account.

\set ON_ERROR_STOP on
\set quiet :QUIET
\set QUIET on
SET client_min_messages = warning;
\if :{?accounts} \else \set accounts accounts \endif
\if :{?api} \else \set api v3 \endif
SELECT CASE :'api' WHEN 'v3' THEN 'sg_all' ELSE 'sg2_all' END AS default_target \gset
\if :{?target} \else \set target :default_target \endif
\if :{?tables} \else \set tables 'ips_all ips_usage' \endif
\if :{?role} \else
SELECT current_user AS role \gset
\endif

CREATE SCHEMA IF NOT EXISTS :"target";
SELECT format('GRANT USAGE ON SCHEMA %I TO %I', :'target', :'role')
WHERE NOT has_schema_privilege(:'role', :'target', 'USAGE') \gexec

-- What there should be: for each worker and table the partition, in a schema of the worker's, and its bound
CREATE TEMP VIEW wanted AS
SELECT worker, name, :'target' || '_' || worker AS schema, to_regclass(format('%I.%I', :'target' || '_' || worker, name)) AS made, bound
FROM (SELECT worker, format('FOR VALUES IN (%s)', string_agg(quote_literal(account), ', ' ORDER BY account)) AS bound
	  FROM :accounts WHERE api_version = :'api' AND worker <> '' GROUP BY worker) w,
	 regexp_split_to_table(trim(:'tables'), '[ ,]+') AS name;

-- The workers' tables
SELECT format('CREATE SCHEMA IF NOT EXISTS %I; IMPORT FOREIGN SCHEMA %I LIMIT TO (%s) FROM SERVER %I INTO %1$I',
			  schema, :'target', string_agg(quote_ident(name), ', ' ORDER BY name), worker)
FROM wanted
WHERE made IS NULL GROUP BY worker, schema ORDER BY worker \gexec

SELECT DISTINCT ON (name) format('CREATE TABLE %I.%I (LIKE %s) PARTITION BY LIST (account); GRANT SELECT ON %1$I.%2$I TO %4$I',
								 :'target', name, made, :'role')
FROM wanted
WHERE to_regclass(format('%I.%I', :'target', name)) IS NULL ORDER BY name, worker \gexec

-- Partitions whose accounts have changed, and those of workers that have no accounts any more, are taken out; what is
-- wanted is put in.  All commands for one table are one transaction.
SELECT string_agg(command, '; ' ORDER BY command DESC)
FROM (SELECT parent.relname AS name, format('ALTER TABLE %s DETACH PARTITION %s', parent.oid::regclass, c.oid::regclass) AS command
	  FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid JOIN pg_class parent ON parent.oid = inhparent
	  WHERE parent.relnamespace = :'target'::regnamespace AND parent.relname = ANY (regexp_split_to_array(trim(:'tables'), '[ ,]+'))
		  AND NOT EXISTS (SELECT FROM wanted WHERE made = c.oid AND bound = pg_get_expr(c.relpartbound, c.oid))
	  UNION ALL
	  SELECT w.name, format('ALTER TABLE %I.%I ATTACH PARTITION %s %s', :'target', w.name, made, bound)
	  FROM wanted w JOIN pg_class c ON c.oid = made
	  WHERE bound IS DISTINCT FROM pg_get_expr(c.relpartbound, c.oid)) change
GROUP BY name \gexec

DROP VIEW wanted;
RESET client_min_messages;
\set QUIET :quiet
