-- Views for BI tools over the tables of api_version 'v3': readable names, comments, no arrays.
--
--     psql -f examples/views_v3.sql [-v source=SCHEMA]       SCHEMA holds the foreign tables, default sg
--
-- They are made in the schema ip_report, and use the user mapping of whoever runs this file.

\if :{?source}
\else
\set source sg
\endif
\set ON_ERROR_STOP on
BEGIN;
CREATE SCHEMA IF NOT EXISTS ip_report;
COMMENT ON SCHEMA ip_report IS 'SendGrid IPs, as reports; each query asks SendGrid''s API';
SET LOCAL search_path = :"source";

-- One listing of IPs and one of subusers answer each query on this view
CREATE VIEW ip_report.ip_inventory AS
SELECT ip AS ip_address,
	   network(set_masklen(ip, 24)) AS network,
	   CASE WHEN subusers = '{}' AND pools = '{}' THEN 'free'
			WHEN subusers = '{}' THEN 'pool without user'
			WHEN subusers <@ ARRAY(SELECT username FROM subusers WHERE disabled) THEN 'idle'
			ELSE 'in use'
	   END AS state,
	   cardinality(subusers) AS subuser_count,
	   array_to_string(subusers, ', ') AS subusers,
	   array_to_string(pools, ', ') AS pools,
	   rdns AS reverse_dns_name,
	   whitelabeled AS has_reverse_dns,
	   warmup AS is_warming_up,
	   warmup_started_at,
	   assigned_at
FROM ips_all;
COMMENT ON VIEW ip_report.ip_inventory IS 'Every IP of the account and what it is used for';
COMMENT ON COLUMN ip_report.ip_inventory.ip_address IS 'The IP';
COMMENT ON COLUMN ip_report.ip_inventory.network IS 'The /24 network that it lies in';
COMMENT ON COLUMN ip_report.ip_inventory.state IS
  'free: neither subuser nor pool; pool without user; idle: used by disabled subusers only; in use';
COMMENT ON COLUMN ip_report.ip_inventory.subuser_count IS 'How many subusers may send from it';
COMMENT ON COLUMN ip_report.ip_inventory.subusers IS 'Their usernames';
COMMENT ON COLUMN ip_report.ip_inventory.pools IS 'Names of the IP pools that it belongs to';
COMMENT ON COLUMN ip_report.ip_inventory.reverse_dns_name IS 'The name in reverse DNS';
COMMENT ON COLUMN ip_report.ip_inventory.has_reverse_dns IS 'Whether reverse DNS has been set up';
COMMENT ON COLUMN ip_report.ip_inventory.is_warming_up IS 'Whether it is warming up';
COMMENT ON COLUMN ip_report.ip_inventory.warmup_started_at IS 'When warming up began, if it ever did';
COMMENT ON COLUMN ip_report.ip_inventory.assigned_at IS 'When it was assigned';

CREATE VIEW ip_report.subuser_ips AS
SELECT s.username AS subuser, s.email, NOT s.disabled AS is_active, s.region, count(u.ip) AS ip_count,
	   count(*) FILTER (WHERE u.sharing > 1) AS shared_ip_count
FROM subusers s
LEFT JOIN (SELECT ip, username, count(*) OVER (PARTITION BY ip) AS sharing FROM ips_usage) u USING (username)
GROUP BY 1, 2, 3, 4;
COMMENT ON VIEW ip_report.subuser_ips IS 'Every subuser and how many IPs it may send from';
COMMENT ON COLUMN ip_report.subuser_ips.subuser IS 'Username';
COMMENT ON COLUMN ip_report.subuser_ips.email IS 'E-mail address of the subuser';
COMMENT ON COLUMN ip_report.subuser_ips.is_active IS 'False if it is disabled';
COMMENT ON COLUMN ip_report.subuser_ips.region IS 'global or eu';
COMMENT ON COLUMN ip_report.subuser_ips.ip_count IS 'How many IPs it may send from';
COMMENT ON COLUMN ip_report.subuser_ips.shared_ip_count IS 'How many of these are shared with others';

CREATE VIEW ip_report.network_utilisation AS
SELECT network,
	   count(*) AS ip_count,
	   count(*) FILTER (WHERE state = 'in use') AS in_use_count,
	   count(*) FILTER (WHERE state = 'idle') AS idle_count,
	   count(*) FILTER (WHERE state = 'free') AS free_count,
	   round(100.0 * count(*) FILTER (WHERE state = 'in use') / count(*), 1) AS percent_in_use
FROM ip_report.ip_inventory
GROUP BY network ORDER BY network;
COMMENT ON VIEW ip_report.network_utilisation IS 'How much of each /24 network is used';
COMMENT ON COLUMN ip_report.network_utilisation.network IS 'The /24 network';
COMMENT ON COLUMN ip_report.network_utilisation.ip_count IS 'IPs of the account in it';
COMMENT ON COLUMN ip_report.network_utilisation.in_use_count IS 'Used by an active subuser';
COMMENT ON COLUMN ip_report.network_utilisation.idle_count IS 'Used by disabled subusers only';
COMMENT ON COLUMN ip_report.network_utilisation.free_count IS 'In neither use nor pool';
COMMENT ON COLUMN ip_report.network_utilisation.percent_in_use IS 'Share of the IPs that are in use';

CREATE VIEW ip_report.pool_overview AS
SELECT m.pool_name AS pool, count(*) AS ip_count,
	   count(*) FILTER (WHERE a.warmup) AS warming_up_count,
	   count(*) FILTER (WHERE a.subusers = '{}') AS unused_count
FROM ip_pool_members m JOIN ips_all a USING (ip)
GROUP BY m.pool_name ORDER BY m.pool_name;
COMMENT ON VIEW ip_report.pool_overview IS 'IP pools with the state of their members';
COMMENT ON COLUMN ip_report.pool_overview.pool IS 'Name of the pool';
COMMENT ON COLUMN ip_report.pool_overview.ip_count IS 'IPs in it';
COMMENT ON COLUMN ip_report.pool_overview.warming_up_count IS 'Of those, how many are warming up';
COMMENT ON COLUMN ip_report.pool_overview.unused_count IS 'Of those, how many no subuser may send from';

CREATE VIEW ip_report.warming_up AS
SELECT w.ip AS ip_address, w.started_at, (current_date - w.started_at::date) AS days,
	   array_to_string(a.pools, ', ') AS pools, array_to_string(a.subusers, ', ') AS subusers
FROM ip_warmup w LEFT JOIN ips_all a USING (ip)
ORDER BY w.started_at DESC;
COMMENT ON VIEW ip_report.warming_up IS 'IPs that are warming up, the newest first';
COMMENT ON COLUMN ip_report.warming_up.ip_address IS 'The IP';
COMMENT ON COLUMN ip_report.warming_up.started_at IS 'When warming up began';
COMMENT ON COLUMN ip_report.warming_up.days IS 'Days since then';
COMMENT ON COLUMN ip_report.warming_up.pools IS 'Names of the IP pools that it belongs to';
COMMENT ON COLUMN ip_report.warming_up.subusers IS 'Subusers that may send from it';

CREATE VIEW ip_report.reverse_dns_missing AS
SELECT t.ip AS ip_address, array_to_string(t.subusers, ', ') AS subusers, r.rdns AS invalid_name,
	   r.last_validation_attempt_at
FROM ips_taken t LEFT JOIN reverse_dns r USING (ip)
WHERE r.valid IS NOT TRUE
ORDER BY t.ip;
COMMENT ON VIEW ip_report.reverse_dns_missing IS 'IPs in use whose reverse DNS is missing or not valid';
COMMENT ON COLUMN ip_report.reverse_dns_missing.ip_address IS 'The IP';
COMMENT ON COLUMN ip_report.reverse_dns_missing.subusers IS 'Subusers that may send from it';
COMMENT ON COLUMN ip_report.reverse_dns_missing.invalid_name IS 'The name that is not valid, if there is one';
COMMENT ON COLUMN ip_report.reverse_dns_missing.last_validation_attempt_at IS 'When it was last looked at';

CREATE VIEW ip_report.capacity AS
SELECT (SELECT count(*) FROM ips_all) AS ip_count,
	   (SELECT count(*) FROM ips_free) AS free_count,
	   (SELECT count(*) FROM ips_available) AS available_count,
	   remaining AS can_be_added, period, price_per_ip
FROM ip_remaining;
COMMENT ON VIEW ip_report.capacity IS 'What is left, and what more would cost';
COMMENT ON COLUMN ip_report.capacity.ip_count IS 'IPs of the account';
COMMENT ON COLUMN ip_report.capacity.free_count IS 'IPs in neither use nor pool';
COMMENT ON COLUMN ip_report.capacity.available_count IS 'IPs that are free or used by disabled subusers only';
COMMENT ON COLUMN ip_report.capacity.can_be_added IS 'IPs that can still be added in the period';
COMMENT ON COLUMN ip_report.capacity.period IS 'The period';
COMMENT ON COLUMN ip_report.capacity.price_per_ip IS 'Price of one more IP';
COMMIT;
