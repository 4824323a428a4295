-- Views that tell who harms which IP, and which domain sends from where; over the tables of api_version 'v3'.
--
--     psql -f examples/risk_v3.sql [-v source=SCHEMA] [-v target=SCHEMA] [-v reader=ROLE]
--
--     source  holds the foreign tables; default sg
--     target  is where the views are made, or made anew; default ip_report
--     reader  may read them
--
-- They ask the API, with the user mapping of whoever runs this file; each reads a listing once.  Reputations of subusers
-- in the EU are said to be inaccurate.

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

BEGIN;
SET LOCAL client_min_messages = warning;
CREATE SCHEMA IF NOT EXISTS :"into";
SET LOCAL search_path = :"from";

CREATE OR REPLACE VIEW :"into".ip_risk AS
WITH reputation AS MATERIALIZED (SELECT username, reputation FROM subuser_reputations)
SELECT u.ip::inet AS ip_address,
	   min(r.reputation) AS worst_reputation,
	   (array_agg(r.username ORDER BY r.reputation, r.username) FILTER (WHERE r.reputation IS NOT NULL))[1] AS worst_subuser,
	   count(*) AS subuser_count,
	   count(r.reputation) AS rated_count,
	   date_trunc('second', now()) AS as_of
FROM ips_usage u LEFT JOIN reputation r USING (username)
GROUP BY u.ip ORDER BY min(r.reputation), u.ip;
COMMENT ON VIEW :"into".ip_risk IS 'IPs in use by the worst reputation among their subusers, the most endangered first';
COMMENT ON COLUMN :"into".ip_risk.ip_address IS 'The IP';
COMMENT ON COLUMN :"into".ip_risk.worst_reputation IS 'The lowest reputation of those who send from it, 100 at best';
COMMENT ON COLUMN :"into".ip_risk.worst_subuser IS 'Whose reputation that is';
COMMENT ON COLUMN :"into".ip_risk.subuser_count IS 'How many may send from it, the account itself included';
COMMENT ON COLUMN :"into".ip_risk.rated_count IS 'Of those, how many have a reputation';
COMMENT ON COLUMN :"into".ip_risk.as_of IS 'Of when the data is';

-- A domain without IPs of its own is sent from those of its subuser
CREATE OR REPLACE VIEW :"into".domain_ips AS
SELECT d.domain, d.subdomain, d.username AS subuser, d.is_default, d.valid AS is_valid,
	   coalesce(own.ip::inet, u.ip) AS ip_address,
	   own.ip IS NOT NULL AS is_assigned,
	   date_trunc('second', now()) AS as_of
FROM authenticated_domains d
	LEFT JOIN LATERAL unnest(d.ips) AS own (ip) ON true
	LEFT JOIN (SELECT ip::inet AS ip, username FROM ips_usage) u ON own.ip IS NULL AND u.username = d.username
ORDER BY d.domain, 6;
COMMENT ON VIEW :"into".domain_ips IS 'Which authenticated domain is sent from which IP, a row for each pair';
COMMENT ON COLUMN :"into".domain_ips.domain IS 'The domain';
COMMENT ON COLUMN :"into".domain_ips.subdomain IS 'Subdomain that its records are made under';
COMMENT ON COLUMN :"into".domain_ips.subuser IS 'The subuser that it belongs to, or the account itself';
COMMENT ON COLUMN :"into".domain_ips.is_default IS 'Whether it is used where no other domain fits';
COMMENT ON COLUMN :"into".domain_ips.is_valid IS 'Whether its records were found to be right';
COMMENT ON COLUMN :"into".domain_ips.ip_address IS 'An IP that it is sent from; NULL if its subuser has none';
COMMENT ON COLUMN :"into".domain_ips.is_assigned IS 'True if the IP is the domain''s own, false if it is one of its subuser''s';
COMMENT ON COLUMN :"into".domain_ips.as_of IS 'Of when the data is';

\if :{?reader}
GRANT USAGE ON SCHEMA :"into" TO :"reader";
GRANT SELECT ON :"into".ip_risk, :"into".domain_ips TO :"reader";
\endif
COMMIT;

\set ON_ERROR_STOP :stop
\set QUIET :quiet
