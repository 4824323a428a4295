-- What the tables of api_version 'v3' tell of an account, kept in materialized views: for dashboards, which ask often.
--
--     psql -f examples/cache_v3.sql [-v source=SCHEMA] [-v target=SCHEMA] [-v reader=ROLE]
--
--     source  holds the foreign tables; default sg
--     target  is where the cache is made; default cached
--     reader  may read it; a view over it needs no such right
--
-- Its tables are plain views that are called like the foreign tables and have their columns, so that a query runs on the one
-- schema as on the other.  CALL cached.refresh() reads five listings (12 requests for 2,400 IPs and 400 subusers), all in
-- one transaction: readers go on with the old state until the new one is complete, and keep it if the API fails.
-- cached.freshness says how old it is.  It must be called by the owner of the cache, and uses the owner's user mapping;
-- with pg_cron
--
--     SELECT cron.schedule('sendgrid', '*/15 * * * *', 'CALL cached.refresh()');
--
-- What else shall be refreshed with it is a materialized view with a unique index in the same schema.  This file can be run
-- again; to make the cache anew from other foreign tables, drop its schema first.

-- what is set here is set back at the end, so that the file can be included as well
\set quiet :QUIET
\set stop :ON_ERROR_STOP
\set QUIET on
\set ON_ERROR_STOP on
\set from sg
\if :{?source}
\set from :source
\endif
\set into cached
\if :{?target}
\set into :target
\endif

BEGIN;
SET LOCAL client_min_messages = warning;
CREATE SCHEMA IF NOT EXISTS :"into";
SET LOCAL search_path = :"into";

-- ---------------------------------------------------------------------------------------------------------------
-- The listings, in the order in which they are read: which subusers are disabled after who uses an IP.  The unique indexes
-- are what lets readers go on; a key that an answer repeats is kept once.
-- ---------------------------------------------------------------------------------------------------------------

CREATE MATERIALIZED VIEW IF NOT EXISTS listing_ips AS SELECT DISTINCT ON (ip) * FROM :"from".ips_all ORDER BY ip WITH NO DATA;
CREATE UNIQUE INDEX IF NOT EXISTS listing_ips_key ON listing_ips (ip);
CREATE MATERIALIZED VIEW IF NOT EXISTS listing_subusers AS
	SELECT DISTINCT ON (id) * FROM :"from".subusers ORDER BY id WITH NO DATA;
CREATE UNIQUE INDEX IF NOT EXISTS listing_subusers_key ON listing_subusers (id);
CREATE MATERIALIZED VIEW IF NOT EXISTS listing_reverse_dns AS
	SELECT DISTINCT ON (id) * FROM :"from".reverse_dns ORDER BY id WITH NO DATA;
CREATE UNIQUE INDEX IF NOT EXISTS listing_reverse_dns_key ON listing_reverse_dns (id);
CREATE MATERIALIZED VIEW IF NOT EXISTS listing_pools AS SELECT DISTINCT ON (id) * FROM :"from".ip_pools ORDER BY id WITH NO DATA;
CREATE UNIQUE INDEX IF NOT EXISTS listing_pools_key ON listing_pools (id);
CREATE MATERIALIZED VIEW IF NOT EXISTS listing_remaining AS
	SELECT *, row_number() OVER () AS offer FROM :"from".ip_remaining WITH NO DATA;
CREATE UNIQUE INDEX IF NOT EXISTS listing_remaining_key ON listing_remaining (offer);

-- When they were read: one row, once they have been
CREATE TABLE IF NOT EXISTS refreshed (as_of timestamptz NOT NULL, one boolean PRIMARY KEY DEFAULT true CHECK (one));
COMMENT ON TABLE refreshed IS 'When refresh() began to read';
CREATE OR REPLACE VIEW freshness AS SELECT as_of, now() - as_of AS age FROM refreshed;
COMMENT ON VIEW freshness IS 'How old the cache is';
COMMENT ON COLUMN freshness.as_of IS 'What has happened since then may be missing';
COMMENT ON COLUMN freshness.age IS 'How long ago that is';

-- ---------------------------------------------------------------------------------------------------------------
-- The tables
-- ---------------------------------------------------------------------------------------------------------------

-- The columns of some foreign tables that can be made from a listing, as expressions over it
SELECT string_agg(expression, ', ' ORDER BY attnum) FILTER (WHERE relname = 'ips_usage') AS usage_columns,
	   string_agg(expression, ', ' ORDER BY attnum) FILTER (WHERE relname = 'ip_pool_members') AS member_columns,
	   string_agg(expression, ', ' ORDER BY attnum) FILTER (WHERE relname = 'ip_warmup') AS warmup_columns,
	   string_agg(expression, ', ' ORDER BY attnum) FILTER (WHERE relname = 'ip_remaining') AS remaining_columns
FROM (SELECT relname, attnum,
			 CASE WHEN relname = 'ips_usage' AND attname = 'username' THEN 'username'
				  WHEN relname = 'ip_pool_members' AND attname = 'pool_name' THEN 'pool_name'
				  WHEN relname = 'ip_warmup' AND attname = 'started_at' THEN 'warmup_started_at AS started_at'
				  WHEN EXISTS (SELECT FROM pg_attribute
							   WHERE attrelid = (CASE relname WHEN 'ip_remaining' THEN 'listing_remaining' ELSE 'listing_ips' END)::regclass
								 AND attname = a.attname) THEN quote_ident(attname)
			 END AS expression
	  FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
	  WHERE relnamespace = quote_ident(:'from')::regnamespace AND attnum > 0 AND NOT attisdropped) columns
\gset

CREATE OR REPLACE VIEW ips_all AS SELECT * FROM listing_ips;
CREATE OR REPLACE VIEW ips_free AS
	SELECT * FROM listing_ips WHERE coalesce(subusers, '{}') = '{}' AND coalesce(pools, '{}') = '{}';
CREATE OR REPLACE VIEW ips_taken AS
	SELECT * FROM listing_ips WHERE coalesce(subusers, '{}') <> '{}' OR coalesce(pools, '{}') <> '{}';
CREATE OR REPLACE VIEW ips_available AS
	SELECT * FROM listing_ips
	WHERE coalesce(subusers, '{}') = '{}' AND coalesce(pools, '{}') = '{}'
	   OR subusers <> '{}' AND subusers <@ ARRAY(SELECT username FROM listing_subusers WHERE disabled);
CREATE OR REPLACE VIEW ips_usage AS SELECT :usage_columns FROM listing_ips CROSS JOIN LATERAL unnest(subusers) AS username;
CREATE OR REPLACE VIEW ip_pool_members AS SELECT :member_columns FROM listing_ips CROSS JOIN LATERAL unnest(pools) AS pool_name;
CREATE OR REPLACE VIEW ip_warmup AS SELECT :warmup_columns FROM listing_ips WHERE warmup;
CREATE OR REPLACE VIEW ip_pools AS SELECT * FROM listing_pools;
CREATE OR REPLACE VIEW ip_remaining AS SELECT :remaining_columns FROM listing_remaining;
CREATE OR REPLACE VIEW subusers AS SELECT * FROM listing_subusers;
CREATE OR REPLACE VIEW reverse_dns AS SELECT * FROM listing_reverse_dns;

-- They say what the foreign tables say, if these say something
SELECT format('COMMENT ON %s IS %L', v.name, v.comment)
FROM pg_class t
JOIN pg_class c ON c.relname = t.relname AND c.relnamespace = quote_ident(:'into')::regnamespace AND c.relkind = 'v'
CROSS JOIN LATERAL (
	SELECT format('VIEW %s', c.oid::regclass) AS name, obj_description(t.oid, 'pg_class') AS comment
	UNION ALL
	SELECT format('COLUMN %s.%I', c.oid::regclass, b.attname), col_description(t.oid, a.attnum)
	FROM pg_attribute a JOIN pg_attribute b ON b.attrelid = c.oid AND b.attname = a.attname
	WHERE a.attrelid = t.oid AND a.attnum > 0) v
WHERE t.relnamespace = quote_ident(:'from')::regnamespace AND v.comment IS NOT NULL
\gexec

-- ---------------------------------------------------------------------------------------------------------------
-- Reading them
-- ---------------------------------------------------------------------------------------------------------------

SELECT format($create$
CREATE OR REPLACE PROCEDURE refresh() LANGUAGE plpgsql AS $$
DECLARE
	listing record;
	began timestamptz;
BEGIN
	-- All of them from one state, as far as the API allows it.  A transaction of that level is not ended.
	IF pg_catalog.current_setting('transaction_isolation') NOT IN ('repeatable read', 'serializable') THEN
		COMMIT;
		SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
	END IF;
	-- Two at a time take turns, and readers do not wait.  What is read is read after this.
	LOCK TABLE %1$s.refreshed IN SHARE ROW EXCLUSIVE MODE;
	began := pg_catalog.clock_timestamp();
	FOR listing IN
		SELECT c.oid::pg_catalog.regclass AS name, c.relispopulated
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = %2$L AND c.relkind = 'm' ORDER BY c.oid
	LOOP
		EXECUTE pg_catalog.format('REFRESH MATERIALIZED VIEW %%s %%s',
								  CASE WHEN listing.relispopulated THEN 'CONCURRENTLY' END, listing.name);
	END LOOP;
	INSERT INTO %1$s.refreshed (as_of) VALUES (began) ON CONFLICT (one) DO UPDATE SET as_of = excluded.as_of;
END $$
$create$, quote_ident(:'into'), :'into') \gexec
COMMENT ON PROCEDURE refresh IS 'Reads all listings anew, or none if one cannot be read';

\if :{?reader}
GRANT USAGE ON SCHEMA :"into" TO :"reader";
GRANT SELECT ON ALL TABLES IN SCHEMA :"into" TO :"reader";
\endif
COMMIT;

CALL :"into".refresh();

\set ON_ERROR_STOP :stop
\set QUIET :quiet
