-- What the page is made of, as one line of JSON: run by examples/dashboard/build, which sets schema, title and days.
--
-- One statement, so that all is of one state.  A < is written as \u003c, so that no value can end the element of the page
-- in which the line is put.

\set QUIET on
\set ON_ERROR_STOP on
\pset format unaligned
\pset tuples_only on
SELECT to_regclass(format('%I.ip_change', :'schema')) IS NOT NULL AS has_history \gset
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL search_path = :"schema";

WITH missing AS MATERIALIZED (SELECT ip_address, subusers, invalid_name FROM reverse_dns_missing),
	 subuser AS MATERIALIZED (SELECT subuser, is_active, ip_count, shared_ip_count FROM subuser_ips),
	 warming AS MATERIALIZED (SELECT started_at FROM warming_up),
\if :has_history
	 look AS MATERIALIZED (SELECT min(seen_at) AS first, max(seen_at) AS last FROM ip_look),
	 change AS MATERIALIZED (SELECT seen_at, ip_address, change, from_users, to_users FROM ip_change
							 WHERE seen_at > now() - make_interval(days => :'days'))
\else
	 look AS (SELECT NULL::timestamptz AS first, NULL::timestamptz AS last),
	 change AS (SELECT NULL::timestamptz AS seen_at, NULL AS ip_address, NULL AS change, NULL AS from_users, NULL AS to_users WHERE false)
\endif
SELECT replace(jsonb_build_object(
	'title', :'title',
	'made_at', now(),
	'days', :'days'::int,
	'capacity', (SELECT to_jsonb(c) FROM capacity c LIMIT 1),
	'networks', (SELECT jsonb_agg(to_jsonb(n) - 'as_of' ORDER BY network) FROM network_utilisation n),
	'pools', (SELECT jsonb_agg(to_jsonb(p) - 'as_of' ORDER BY ip_count DESC, pool) FROM pool_overview p),
	'subuser_count', (SELECT count(*) FROM subuser),
	'subusers', (SELECT jsonb_agg(s) FROM (SELECT * FROM subuser WHERE ip_count > 0 ORDER BY ip_count DESC, subuser LIMIT 15) s),
	'warming', (SELECT jsonb_agg(w) FROM (SELECT started_at::date AS day, count(*) AS ip_count FROM warming GROUP BY 1 ORDER BY 1) w),
	'has_history', :'has_history'::boolean,
	'looks', (SELECT to_jsonb(look) FROM look),
	'change_count', (SELECT count(*) FROM change),
	'change_days', (SELECT jsonb_agg(d) FROM (SELECT seen_at::date AS day, change, count(*) AS ip_count FROM change
											  GROUP BY 1, 2 ORDER BY 1, 2) d),
	'changes', (SELECT jsonb_agg(c) FROM (SELECT * FROM change ORDER BY seen_at DESC, ip_address LIMIT 500) c),
	'missing_count', (SELECT count(*) FROM missing),
	'missing', (SELECT jsonb_agg(m) FROM (SELECT * FROM missing ORDER BY ip_address LIMIT 1000) m)
)::text, '<', '\u003c');
COMMIT;
