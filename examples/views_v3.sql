-- Views for BI tools over the tables of api_version 'v3': readable names, comments, no arrays.
--
--     psql -f examples/views_v3.sql [-v source=SCHEMA] [-v target=SCHEMA] [-v reader=ROLE]
--
--     source  holds the foreign tables, or what examples/cache_v3.sql made; default sg
--     target  is where the views are made, or made anew; default ip_report
--     reader  may read them
--
-- Over foreign tables they ask the API, with the user mapping of whoever runs this file; each reads a listing once.  Over
-- the cache they send no requests.  as_of says how old the data is.

-- what is set here is set back at the end, so that the file can be included as well
\set quiet :QUIET
\set stop :ON_ERROR_STOP
\set QUIET on
\set ON_ERROR_STOP on
\set from sg
\if :{?source}
\set from :source
\endif
\set into ip_report
\if :{?target}
\set into :target
\endif
-- the cache knows when it was filled
SELECT CASE WHEN to_regclass(format('%I.freshness', :'from')) IS NULL THEN 'date_trunc(''second'', now())'
			ELSE format('(SELECT date_trunc(''second'', as_of) FROM %I.freshness)', :'from') END AS as_of \gset

BEGIN;
SET LOCAL client_min_messages = warning;
CREATE SCHEMA IF NOT EXISTS :"into";
SET LOCAL search_path = :"from";

-- Of the subusers it needs no more than which are disabled, once
CREATE OR REPLACE VIEW :"into".ip_inventory AS
WITH disabled AS MATERIALIZED (SELECT coalesce(array_agg(username), '{}') AS names FROM subusers WHERE disabled)
SELECT ip::inet AS ip_address,
	   network(set_masklen(ip::inet, 24)) AS network,
	   CASE WHEN coalesce(subusers, '{}') <> '{}' THEN CASE WHEN subusers <@ names THEN 'idle' ELSE 'in use' END
			WHEN coalesce(pools, '{}') <> '{}' THEN 'pool without user'
			ELSE 'free'
	   END AS state,
	   coalesce(cardinality(subusers), 0) AS subuser_count,
	   coalesce(array_to_string(subusers, ', '), '') AS subusers,
	   coalesce(array_to_string(pools, ', '), '') AS pools,
	   rdns AS reverse_dns_name,
	   whitelabeled AS has_reverse_dns,
	   warmup AS is_warming_up,
	   warmup_started_at,
	   assigned_at,
	   :as_of AS as_of
FROM ips_all CROSS JOIN disabled;
COMMENT ON VIEW :"into".ip_inventory IS 'Every IP of the account and what it is used for';
COMMENT ON COLUMN :"into".ip_inventory.ip_address IS 'The IP';
COMMENT ON COLUMN :"into".ip_inventory.network IS 'The /24 network that it lies in';
COMMENT ON COLUMN :"into".ip_inventory.state IS
  'in use; idle: disabled subusers only; pool without user: in a pool, no subuser; free: neither subuser nor pool';
COMMENT ON COLUMN :"into".ip_inventory.subuser_count IS 'How many subusers may send from it';
COMMENT ON COLUMN :"into".ip_inventory.subusers IS 'Their usernames';
COMMENT ON COLUMN :"into".ip_inventory.pools IS 'Names of the IP pools that it belongs to';
COMMENT ON COLUMN :"into".ip_inventory.reverse_dns_name IS 'The name in reverse DNS';
COMMENT ON COLUMN :"into".ip_inventory.has_reverse_dns IS 'Whether reverse DNS has been set up';
COMMENT ON COLUMN :"into".ip_inventory.is_warming_up IS 'Whether it is warming up';
COMMENT ON COLUMN :"into".ip_inventory.warmup_started_at IS 'When warming up began, if it ever did';
COMMENT ON COLUMN :"into".ip_inventory.assigned_at IS 'When it was assigned';
COMMENT ON COLUMN :"into".ip_inventory.as_of IS 'Of when the data is';

CREATE OR REPLACE VIEW :"into".subuser_ips AS
SELECT s.username AS subuser, s.email, NOT s.disabled AS is_active, s.region, count(u.ip) AS ip_count,
	   count(*) FILTER (WHERE u.sharing > 1) AS shared_ip_count, :as_of AS as_of
FROM subusers s
LEFT JOIN (SELECT ip, username, count(*) OVER (PARTITION BY ip) AS sharing FROM ips_usage) u USING (username)
GROUP BY s.username, s.email, s.disabled, s.region;
COMMENT ON VIEW :"into".subuser_ips IS 'Every subuser and how many IPs it may send from';
COMMENT ON COLUMN :"into".subuser_ips.subuser IS 'Username';
COMMENT ON COLUMN :"into".subuser_ips.email IS 'E-mail address of the subuser';
COMMENT ON COLUMN :"into".subuser_ips.is_active IS 'False if it is disabled';
COMMENT ON COLUMN :"into".subuser_ips.region IS 'global or eu';
COMMENT ON COLUMN :"into".subuser_ips.ip_count IS 'How many IPs it may send from';
COMMENT ON COLUMN :"into".subuser_ips.shared_ip_count IS 'How many of these are shared with others';
COMMENT ON COLUMN :"into".subuser_ips.as_of IS 'Of when the data is';

CREATE OR REPLACE VIEW :"into".network_utilisation AS
SELECT network,
	   count(*) AS ip_count,
	   count(*) FILTER (WHERE state = 'in use') AS in_use_count,
	   count(*) FILTER (WHERE state = 'idle') AS idle_count,
	   count(*) FILTER (WHERE state = 'pool without user') AS pool_without_user_count,
	   count(*) FILTER (WHERE state = 'free') AS free_count,
	   round(100.0 * count(*) FILTER (WHERE state = 'in use') / count(*), 1) AS percent_in_use,
	   max(as_of) AS as_of
FROM :"into".ip_inventory
GROUP BY network ORDER BY network;
COMMENT ON VIEW :"into".network_utilisation IS 'How much of each /24 network is used; the four states add up to ip_count';
COMMENT ON COLUMN :"into".network_utilisation.network IS 'The /24 network';
COMMENT ON COLUMN :"into".network_utilisation.ip_count IS 'IPs of the account in it';
COMMENT ON COLUMN :"into".network_utilisation.in_use_count IS 'Used by an active subuser';
COMMENT ON COLUMN :"into".network_utilisation.idle_count IS 'Used by disabled subusers only';
COMMENT ON COLUMN :"into".network_utilisation.pool_without_user_count IS 'In a pool, but no subuser may send from it';
COMMENT ON COLUMN :"into".network_utilisation.free_count IS 'In neither use nor pool';
COMMENT ON COLUMN :"into".network_utilisation.percent_in_use IS 'Share of the IPs that are in use';
COMMENT ON COLUMN :"into".network_utilisation.as_of IS 'Of when the data is';

CREATE OR REPLACE VIEW :"into".pool_overview AS
SELECT pool,
	   count(*) AS ip_count,
	   count(*) FILTER (WHERE coalesce(subusers, '{}') <> '{}') AS used_count,
	   count(*) FILTER (WHERE coalesce(subusers, '{}') = '{}') AS unused_count,
	   count(*) FILTER (WHERE warmup) AS warming_up_count,
	   :as_of AS as_of
FROM ips_all CROSS JOIN LATERAL unnest(pools) AS pool
GROUP BY pool ORDER BY pool;
COMMENT ON VIEW :"into".pool_overview IS 'IP pools with the state of their members; used and unused add up to ip_count';
COMMENT ON COLUMN :"into".pool_overview.pool IS 'Name of the pool';
COMMENT ON COLUMN :"into".pool_overview.ip_count IS 'IPs in it';
COMMENT ON COLUMN :"into".pool_overview.used_count IS 'Of those, how many a subuser may send from';
COMMENT ON COLUMN :"into".pool_overview.unused_count IS 'Of those, how many no subuser may send from';
COMMENT ON COLUMN :"into".pool_overview.warming_up_count IS 'Of those, how many are warming up';
COMMENT ON COLUMN :"into".pool_overview.as_of IS 'Of when the data is';

CREATE OR REPLACE VIEW :"into".warming_up AS
SELECT ip::inet AS ip_address, warmup_started_at AS started_at, current_date - warmup_started_at::date AS days,
	   coalesce(array_to_string(pools, ', '), '') AS pools, coalesce(array_to_string(subusers, ', '), '') AS subusers,
	   :as_of AS as_of
FROM ips_all
WHERE warmup
ORDER BY warmup_started_at DESC NULLS LAST, ip;
COMMENT ON VIEW :"into".warming_up IS 'IPs that are warming up, the newest first';
COMMENT ON COLUMN :"into".warming_up.ip_address IS 'The IP';
COMMENT ON COLUMN :"into".warming_up.started_at IS 'When warming up began';
COMMENT ON COLUMN :"into".warming_up.days IS 'Days since then';
COMMENT ON COLUMN :"into".warming_up.pools IS 'Names of the IP pools that it belongs to';
COMMENT ON COLUMN :"into".warming_up.subusers IS 'Subusers that may send from it';
COMMENT ON COLUMN :"into".warming_up.as_of IS 'Of when the data is';

-- An IP may have several records; one that is valid is enough
CREATE OR REPLACE VIEW :"into".reverse_dns_missing AS
SELECT t.ip::inet AS ip_address, coalesce(array_to_string(t.subusers, ', '), '') AS subusers, r.names AS invalid_name,
	   r.last_validation_attempt_at, :as_of AS as_of
FROM ips_taken t
LEFT JOIN (SELECT ip, bool_or(valid) AS valid, string_agg(rdns, ', ' ORDER BY rdns) AS names,
				  max(last_validation_attempt_at) AS last_validation_attempt_at
		   FROM reverse_dns GROUP BY ip) r USING (ip)
WHERE r.valid IS NOT TRUE
ORDER BY t.ip;
COMMENT ON VIEW :"into".reverse_dns_missing IS 'IPs in use or in a pool whose reverse DNS is missing or not valid';
COMMENT ON COLUMN :"into".reverse_dns_missing.ip_address IS 'The IP';
COMMENT ON COLUMN :"into".reverse_dns_missing.subusers IS 'Subusers that may send from it';
COMMENT ON COLUMN :"into".reverse_dns_missing.invalid_name IS 'The name that is not valid, if there is one';
COMMENT ON COLUMN :"into".reverse_dns_missing.last_validation_attempt_at IS 'When it was last looked at';
COMMENT ON COLUMN :"into".reverse_dns_missing.as_of IS 'Of when the data is';

CREATE OR REPLACE VIEW :"into".capacity AS
SELECT i.ip_count, i.in_use_count, i.idle_count, i.pool_without_user_count, i.free_count,
	   i.idle_count + i.free_count AS available_count, i.warming_up_count,
	   r.remaining AS can_be_added, r.period, r.price_per_ip, :as_of AS as_of
FROM (SELECT count(*) AS ip_count,
			 count(*) FILTER (WHERE state = 'in use') AS in_use_count,
			 count(*) FILTER (WHERE state = 'idle') AS idle_count,
			 count(*) FILTER (WHERE state = 'pool without user') AS pool_without_user_count,
			 count(*) FILTER (WHERE state = 'free') AS free_count,
			 count(*) FILTER (WHERE is_warming_up) AS warming_up_count
	  FROM :"into".ip_inventory) i
LEFT JOIN ip_remaining r ON true;
COMMENT ON VIEW :"into".capacity IS 'What the account has, what is left, and what more would cost';
COMMENT ON COLUMN :"into".capacity.ip_count IS 'IPs of the account; the four states add up to it';
COMMENT ON COLUMN :"into".capacity.in_use_count IS 'Used by an active subuser';
COMMENT ON COLUMN :"into".capacity.idle_count IS 'Used by disabled subusers only';
COMMENT ON COLUMN :"into".capacity.pool_without_user_count IS 'In a pool, but no subuser may send from it';
COMMENT ON COLUMN :"into".capacity.free_count IS 'In neither use nor pool';
COMMENT ON COLUMN :"into".capacity.available_count IS 'What may be handed out: free or idle';
COMMENT ON COLUMN :"into".capacity.warming_up_count IS 'IPs that are warming up';
COMMENT ON COLUMN :"into".capacity.can_be_added IS 'IPs that can still be added in the period';
COMMENT ON COLUMN :"into".capacity.period IS 'The period';
COMMENT ON COLUMN :"into".capacity.price_per_ip IS 'Price of one more IP';
COMMENT ON COLUMN :"into".capacity.as_of IS 'Of when the data is';

\if :{?reader}
GRANT USAGE ON SCHEMA :"into" TO :"reader";
GRANT SELECT ON :"into".ip_inventory, :"into".subuser_ips, :"into".network_utilisation, :"into".pool_overview,
	:"into".warming_up, :"into".reverse_dns_missing, :"into".capacity TO :"reader";
\endif
COMMIT;

\set ON_ERROR_STOP :stop
\set QUIET :quiet
