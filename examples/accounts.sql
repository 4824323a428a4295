-- Many accounts as one table: makes server, user mapping and partitions for each account that a table lists.
--
--	psql -f examples/accounts.sql [-v accounts=TABLE] [-v worker=NAME] [-v api=v3] [-v target=SCHEMA]
--		[-v tables='ips_all ips_usage'] [-v role=ROLE] [-v buckets=N]
--
-- Run it again whenever the table has changed: it makes what is missing, alters what is different, drops what belongs to
-- accounts that are no longer listed, and does nothing else.  If it is interrupted, the next run goes on where it stopped.
-- psql -e shows the commands.
--
--	accounts	a table or view with the columns below; the table is made if it does not exist. Default: accounts
--	worker		only the accounts with this in the column worker, for several servers; see workers.sql. Default: empty
--	api			the accounts of one version of the API have the same columns, and so the same tables: v3 (default) or v2
--	target		schema of the partitioned tables, default sg_all (v2: sg2_all); their partitions are in the schema TARGET_accounts
--	tables		which tables, as IMPORT FOREIGN SCHEMA names them
--	role		who will query: the mappings are for this role, default the current one
--	buckets		for a thousand accounts and more, 64 say: the partitioned tables get so many partitions by a hash of the account,
--				and these the accounts', since PostgreSQL looks at all partitions beside a new one. It counts when a table is
--				made; default 0, none
--
-- Keys are in files on the database server, one a file; only a member of pg_read_server_files can name such files.
-- The server of the account acme is sg_acme; other options than those below (read_timeout, max_concurrency, ...) are left as
-- ALTER SERVER made them.

\set ON_ERROR_STOP on
\set quiet :QUIET
\set QUIET on
SET client_min_messages = warning;
\if :{?accounts} \else \set accounts accounts \endif
\if :{?worker} \else \set worker '' \endif
\if :{?api} \else \set api v3 \endif
SELECT CASE :'api' WHEN 'v3' THEN 'sg_all' ELSE 'sg2_all' END AS default_target \gset
\if :{?target} \else \set target :default_target \endif
\if :{?tables} \else \set tables 'ips_all ips_usage' \endif
\if :{?buckets} \else \set buckets 0 \endif
\if :{?role} \else
SELECT current_user AS role \gset
\endif
\set parts :target _accounts

CREATE EXTENSION IF NOT EXISTS sgip_fdw;
CREATE SCHEMA IF NOT EXISTS :"target";
CREATE SCHEMA IF NOT EXISTS :"parts";
SELECT format('GRANT USAGE ON SCHEMA %I TO %I', :'target', :'role')
WHERE NOT has_schema_privilege(:'role', :'target', 'USAGE') \gexec

CREATE TABLE IF NOT EXISTS :accounts (
	account text PRIMARY KEY CHECK (octet_length(account) <= 40),	-- its name in the tables; names of objects are made of it
	api_key_file text NOT NULL,				-- file on the database server that holds the key and nothing else
	on_behalf_of text,						-- v3: subuser, or account-id ..., that the key acts for
	api_version text NOT NULL DEFAULT 'v3',
	base_url text,							-- v2: of the gateway.  v3: NULL for SendGrid, https://api.eu.sendgrid.com for the EU
	api_user text,							-- v2
	worker text NOT NULL DEFAULT '',		-- the server that asks for it, if there are several
	CHECK (CASE api_version WHEN 'v3' THEN api_user IS NULL
							WHEN 'v2' THEN base_url IS NOT NULL AND api_user IS NOT NULL AND on_behalf_of IS NULL ELSE false END)
);

-- What there should be: one row for each account of this version, with options by name; null: not set
CREATE TEMP VIEW wanted AS
SELECT account, 'sg_' || account AS server,
	   jsonb_build_object('api_version', api_version, 'base_url', base_url, 'on_behalf_of', on_behalf_of) AS server_options,
	   jsonb_build_object('api_user', api_user, 'api_key_file', api_key_file) AS mapping_options
FROM :accounts
WHERE api_version = :'api' AND worker = :'worker';

-- and for each of its tables
CREATE TEMP VIEW wanted_table AS
SELECT account, server, name, account || '_' || name AS partition, to_regclass(format('%I.%I', :'parts', account || '_' || name)) AS made
FROM wanted, regexp_split_to_table(trim(:'tables'), '[ ,]+') AS name;

-- The words between the brackets of OPTIONS that make those that there are what is wanted; null where they are.
CREATE FUNCTION pg_temp.options(wanted jsonb, have text[]) RETURNS text
RETURN (SELECT string_agg(concat_ws(' ',
								 CASE WHEN have IS NULL THEN NULL WHEN value IS NULL THEN 'DROP' WHEN option_name IS NULL THEN 'ADD' ELSE 'SET' END,
								 quote_ident(key), quote_literal(value)), ', ' ORDER BY key)
		FROM jsonb_each_text(wanted) LEFT JOIN pg_options_to_table(have) ON option_name = key
		WHERE value IS DISTINCT FROM option_value);

-- Servers and mappings.  What stands in one cell is one transaction.
SELECT format('CREATE SERVER %I FOREIGN DATA WRAPPER sgip_fdw OPTIONS (%s)', server, pg_temp.options(server_options, NULL))
FROM wanted
WHERE server NOT IN (SELECT srvname FROM pg_foreign_server) ORDER BY account \gexec

SELECT format('ALTER SERVER %I OPTIONS (%s)', server, pg_temp.options(server_options, coalesce(srvoptions, '{}')))
FROM wanted JOIN pg_foreign_server ON srvname = server
WHERE pg_temp.options(server_options, coalesce(srvoptions, '{}')) IS NOT NULL ORDER BY account \gexec

SELECT format('CREATE USER MAPPING FOR %I SERVER %I OPTIONS (%s)', :'role', server, pg_temp.options(mapping_options, NULL))
FROM wanted
WHERE NOT EXISTS (SELECT FROM pg_user_mappings WHERE srvname = server AND usename = :'role') ORDER BY account \gexec

SELECT format('ALTER USER MAPPING FOR %I SERVER %I OPTIONS (%s)', :'role', server, pg_temp.options(mapping_options, coalesce(umoptions, '{}')))
FROM wanted JOIN pg_user_mappings ON srvname = server AND usename = :'role'
WHERE pg_temp.options(mapping_options, coalesce(umoptions, '{}')) IS NOT NULL ORDER BY account \gexec

-- The foreign tables of each account
SELECT format('IMPORT FOREIGN SCHEMA sendgrid LIMIT TO (%s) FROM SERVER %I INTO %I OPTIONS (account %L, prefix %L)',
			  string_agg(quote_ident(name), ', ' ORDER BY name), server, :'parts', account, account || '_')
FROM wanted_table
WHERE made IS NULL GROUP BY account, server ORDER BY account \gexec

-- The partitioned tables are made like the first ones, of which all have the same columns
SELECT DISTINCT ON (name) concat_ws('; ',
	format('CREATE TABLE %I.%I (LIKE %I.%I) PARTITION BY ' || CASE WHEN :buckets > 0 THEN 'HASH' ELSE 'LIST' END || ' (account)',
		   :'target', name, :'parts', partition),
	format('GRANT SELECT ON %I.%I TO %I', :'target', name, :'role'),
	(SELECT string_agg(format('CREATE TABLE %I.%I PARTITION OF %I.%I FOR VALUES WITH (MODULUS %s, REMAINDER %s) PARTITION BY LIST (account)',
							  :'parts', name || '_' || n, :'target', name, :buckets, n), '; ')
	 FROM generate_series(0, :buckets - 1) n))
FROM wanted_table
WHERE to_regclass(format('%I.%I', :'target', name)) IS NULL ORDER BY name, account \gexec

SELECT format('ALTER TABLE %s ATTACH PARTITION %s FOR VALUES IN (%L)',
			  CASE partstrat WHEN 'l' THEN partrelid::regclass ELSE to_regclass(format('%I.%I', :'parts', name || '_' || n)) END, made, account)
FROM wanted_table
	JOIN pg_partitioned_table ON partrelid = to_regclass(format('%I.%I', :'target', name))
	CROSS JOIN LATERAL (SELECT count(*)::integer AS buckets FROM pg_inherits WHERE inhparent = partrelid AND partstrat = 'h') b
	LEFT JOIN LATERAL generate_series(0, buckets - 1) n ON satisfies_hash_partition(partrelid, buckets, n, account)
WHERE made NOT IN (SELECT inhrelid FROM pg_inherits) ORDER BY name, account \gexec

-- Accounts that are gone.  A server that something else uses remains, and the error says what it is.  Nothing is dropped
-- when no account is left: it is more likely that a variable was forgotten.
SELECT concat_ws('; ', 'DROP FOREIGN TABLE ' || string_agg(c.oid::regclass::text, ', ' ORDER BY relname),
				 (SELECT string_agg(format('DROP USER MAPPING FOR %I SERVER %I', usename, srvname), '; ') FROM pg_user_mappings WHERE srvid = s.oid),
				 format('DROP SERVER %I', srvname))
FROM pg_class c JOIN pg_foreign_table ON ftrelid = c.oid JOIN pg_foreign_server s ON s.oid = ftserver
WHERE relnamespace = :'parts'::regnamespace AND EXISTS (SELECT FROM wanted) AND srvname NOT IN (SELECT server FROM wanted)
GROUP BY s.oid, srvname ORDER BY srvname \gexec

DROP VIEW wanted_table, wanted;
DROP FUNCTION pg_temp.options;
RESET client_min_messages;
\set QUIET :quiet
