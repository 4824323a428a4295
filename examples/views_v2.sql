-- Views for BI tools over the tables of api_version 'v2': readable names, comments.
--
--     psql -f examples/views_v2.sql [-v source=SCHEMA]       SCHEMA holds the foreign tables, default sg2
--
-- They are made in the schema ip_report_v2, and use the user mapping of whoever runs this file.

\if :{?source}
\else
\set source sg2
\endif
\set ON_ERROR_STOP on
BEGIN;
CREATE SCHEMA IF NOT EXISTS ip_report_v2;
COMMENT ON SCHEMA ip_report_v2 IS 'IPs of a v2 account, as reports; each query asks its API';
SET LOCAL search_path = :"source";

CREATE OR REPLACE VIEW ip_report_v2.ip_inventory AS
SELECT a.ip AS ip_address,
	   network(set_masklen(a.ip, 24)) AS network,
	   CASE WHEN f.ip IS NOT NULL THEN 'free'
			WHEN v.ip IS NOT NULL THEN 'idle'
			ELSE 'in use'
	   END AS state,
	   coalesce(u.user_count, 0) AS user_count,
	   u.users
FROM ips_all a
LEFT JOIN ips_free f USING (ip)
LEFT JOIN ips_available v USING (ip)
LEFT JOIN (SELECT ip, count(*) AS user_count, string_agg(username, ', ' ORDER BY username) AS users
		   FROM ips_usage GROUP BY ip) u USING (ip);
COMMENT ON VIEW ip_report_v2.ip_inventory IS 'Every IP of the account and what it is used for';
COMMENT ON COLUMN ip_report_v2.ip_inventory.ip_address IS 'The IP';
COMMENT ON COLUMN ip_report_v2.ip_inventory.network IS 'The /24 network that it lies in';
COMMENT ON COLUMN ip_report_v2.ip_inventory.state IS
  'free: neither used nor in a group; idle: used by inactive users only; in use: anything else';
COMMENT ON COLUMN ip_report_v2.ip_inventory.user_count IS 'How many users send from it';
COMMENT ON COLUMN ip_report_v2.ip_inventory.users IS 'Their usernames';

CREATE OR REPLACE VIEW ip_report_v2.user_ips AS
SELECT username AS "user", count(*) AS ip_count, count(*) FILTER (WHERE sharing > 1) AS shared_ip_count
FROM (SELECT ip, username, count(*) OVER (PARTITION BY ip) AS sharing FROM ips_usage) u
GROUP BY username;
COMMENT ON VIEW ip_report_v2.user_ips IS 'Every user who sends from an IP, and from how many';
COMMENT ON COLUMN ip_report_v2.user_ips."user" IS 'Username';
COMMENT ON COLUMN ip_report_v2.user_ips.ip_count IS 'How many IPs the user sends from';
COMMENT ON COLUMN ip_report_v2.user_ips.shared_ip_count IS 'How many of these are shared with others';

CREATE OR REPLACE VIEW ip_report_v2.network_utilisation AS
SELECT network,
	   count(*) AS ip_count,
	   count(*) FILTER (WHERE state = 'in use') AS in_use_count,
	   count(*) FILTER (WHERE state = 'idle') AS idle_count,
	   count(*) FILTER (WHERE state = 'free') AS free_count,
	   round(100.0 * count(*) FILTER (WHERE state = 'in use') / count(*), 1) AS percent_in_use
FROM ip_report_v2.ip_inventory
GROUP BY network ORDER BY network;
COMMENT ON VIEW ip_report_v2.network_utilisation IS 'How much of each /24 network is used';
COMMENT ON COLUMN ip_report_v2.network_utilisation.network IS 'The /24 network';
COMMENT ON COLUMN ip_report_v2.network_utilisation.ip_count IS 'IPs of the account in it';
COMMENT ON COLUMN ip_report_v2.network_utilisation.in_use_count IS 'Used by somebody active, or in a group';
COMMENT ON COLUMN ip_report_v2.network_utilisation.idle_count IS 'Used by inactive users only';
COMMENT ON COLUMN ip_report_v2.network_utilisation.free_count IS 'Neither used nor in a group';
COMMENT ON COLUMN ip_report_v2.network_utilisation.percent_in_use IS 'Share of the IPs that are in use';
COMMIT;
