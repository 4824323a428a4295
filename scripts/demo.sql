-- What scripts/demo types.  It sets :emulator (URL of the API), :customers (a
-- file), :v2 and :v3 (which parts are shown).

\echo
\echo '=== The extension, and a table of our own to join with'
\echo
CREATE EXTENSION sgip_fdw;
SELECT sgip_fdw_version();
CREATE TABLE customers (name text, plan text, sendgrid_user text);
COPY customers FROM :'customers' (FORMAT csv);
SELECT * FROM customers LIMIT 5;

\if :v2
\echo
\echo '=== 1. An account of the legacy API: server, credentials, tables'
\echo
\set base_url :emulator /api
-- without base_url, it is https://sendgrid.com/api
CREATE SERVER sendgrid FOREIGN DATA WRAPPER sgip_fdw OPTIONS (api_version 'v2', base_url :'base_url');
CREATE USER MAPPING FOR CURRENT_USER SERVER sendgrid OPTIONS (api_user 'demo', api_key 'demo-key');
CREATE SCHEMA sg;
IMPORT FOREIGN SCHEMA sendgrid FROM SERVER sendgrid INTO sg;
\d sg.*

\echo
\echo '=== 2. The five tables'
\echo
SELECT * FROM sg.ips_all LIMIT 5;
SELECT count(*) FROM sg.ips_all;
SELECT * FROM sg.ips_free LIMIT 5;
SELECT count(*) FROM sg.ips_free;
SELECT * FROM sg.ips_taken LIMIT 5;
SELECT count(*) FROM sg.ips_taken;
SELECT * FROM sg.ips_available LIMIT 5;
SELECT count(*) FROM sg.ips_available;
SELECT * FROM sg.ips_usage LIMIT 5;
SELECT count(*) FROM sg.ips_usage;

\echo
\echo '=== 3. Joined with our customers: who has how many IPs?'
\echo
SELECT c.name, c.plan, count(*) AS ips
FROM customers c JOIN sg.ips_usage u ON u.username = c.sendgrid_user
GROUP BY c.name, c.plan
ORDER BY ips DESC, c.name
LIMIT 10;

SELECT c.plan, count(DISTINCT c.sendgrid_user) AS customers, count(u.ip) AS ips
FROM customers c LEFT JOIN sg.ips_usage u ON u.username = c.sendgrid_user
GROUP BY c.plan
ORDER BY c.plan;

\echo
\echo '=== 4. Who uses 198.51.100.0/24?'
\echo
SELECT u.ip, u.username, c.name
FROM sg.ips_usage u LEFT JOIN customers c ON c.sendgrid_user = u.username
WHERE u.ip << '198.51.100.0/24'
ORDER BY u.ip, u.username
LIMIT 10;

\echo
\echo '=== 5. What is free, by network?  What could be had beyond that?'
\echo
SELECT network(set_masklen(ip, 24)) AS network, count(*) AS free
FROM sg.ips_free
GROUP BY 1
ORDER BY 1;

SELECT count(*) AS used_by_inactive_subusers
FROM sg.ips_available a
WHERE NOT EXISTS (SELECT FROM sg.ips_free f WHERE f.ip = a.ip);

\echo
\echo '=== 6. Searching by group, and with the IPs that SendGrid assigned'
\echo
SELECT ip, username, group_name FROM sg.ips_usage WHERE group_name = 'west' LIMIT 5;
SELECT count(*) FROM sg.ips_all WHERE include_system;

\echo
\echo '=== 7. What was sent?  The conditions were, and only the rows that match came back'
\echo
EXPLAIN (ANALYZE, COSTS OFF)
SELECT ip FROM sg.ips_usage WHERE username = 'acme-117' AND ip << '198.51.100.0/24';

EXPLAIN (ANALYZE, COSTS OFF)
SELECT c.name, u.ip
FROM customers c JOIN sg.ips_usage u ON u.username = c.sendgrid_user
WHERE c.name = 'Alder Airlines';
\endif

\if :v3
\echo
\echo '=== 8. The same account by the Web API of today'
\echo
-- without base_url, it is https://api.sendgrid.com
CREATE SERVER sendgrid3 FOREIGN DATA WRAPPER sgip_fdw OPTIONS (base_url :'emulator');
CREATE USER MAPPING FOR CURRENT_USER SERVER sendgrid3 OPTIONS (api_key 'demo-key');
CREATE SCHEMA sg3;
IMPORT FOREIGN SCHEMA sendgrid FROM SERVER sendgrid3 INTO sg3;
SELECT foreign_table_name FROM information_schema.foreign_tables WHERE foreign_table_schema = 'sg3' ORDER BY 1;
SELECT ip, subusers, pools, warmup, assigned_at FROM sg3.ips_all LIMIT 5;

\echo
\if :v2
\echo '=== 9. The same question to each version (the legacy API must be asked for SendGrid''s own IPs, too)'
\echo
SELECT c.name, count(*) AS ips
FROM customers c JOIN sg.ips_usage u ON u.username = c.sendgrid_user
WHERE u.ip << '198.51.100.0/24' AND u.include_system
GROUP BY c.name
ORDER BY ips DESC, c.name
LIMIT 5;
\else
\echo '=== 9. Who has how many IPs in 198.51.100.0/24?'
\echo
\endif

SELECT c.name, count(*) AS ips
FROM customers c JOIN sg3.ips_usage u ON u.username = c.sendgrid_user
WHERE u.ip << '198.51.100.0/24'
GROUP BY c.name
ORDER BY ips DESC, c.name
LIMIT 5;

EXPLAIN (ANALYZE, COSTS OFF)
SELECT ip, pools FROM sg3.ips_all WHERE ip = '198.51.100.2';

\echo
\echo '=== 10. What only this version knows: which IPs are warming up, and for whom?'
\echo
SELECT count(*) AS warming_up FROM sg3.ip_warmup;
SELECT w.ip, w.started_at, a.pools, a.subusers
FROM sg3.ip_warmup w JOIN sg3.ips_all a ON a.ip = w.ip
ORDER BY w.started_at DESC
LIMIT 5;

\echo
\echo '=== 11. Which IPs in use lack reverse DNS?'
\echo
SELECT t.ip, t.subusers, count(*) OVER () AS of_so_many
FROM sg3.ips_taken t
WHERE NOT EXISTS (SELECT FROM sg3.reverse_dns r WHERE r.ip = t.ip AND r.valid)
ORDER BY t.ip
LIMIT 5;

\echo
\echo '=== 12. Pools and their members, by region'
\echo
SELECT p.name AS pool, count(*) AS ips,
	   count(*) FILTER (WHERE a.region = 'us') AS us,
	   count(*) FILTER (WHERE a.region = 'eu') AS eu
FROM sg3.ip_pools p
	JOIN sg3.ip_pool_members m ON m.pool_name = p.name
	JOIN sg3.ip_addresses a ON a.ip = m.ip
GROUP BY p.name
ORDER BY ips DESC, p.name;
\endif
