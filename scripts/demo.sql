-- What scripts/demo types.  It sets :v3 and :v2 (which of them is shown; both are made) and :here (the clone).
-- scripts/emulate.sql has been run: the servers ask the emulator, whatever their URL.

\set n 0
\set customers :here /scripts/customers.sql

\if :v3
\set n `expr :n + 1`
\echo
\echo '===' :n. An account of SendGrid: server, key, tables
\echo
CREATE EXTENSION sgip_fdw;
SELECT sgip_fdw_version();
CREATE SERVER sendgrid FOREIGN DATA WRAPPER sgip_fdw;
CREATE USER MAPPING FOR CURRENT_USER SERVER sendgrid OPTIONS (api_key 'SG.…');
CREATE SCHEMA sg;
IMPORT FOREIGN SCHEMA sendgrid FROM SERVER sendgrid INTO sg;
SELECT foreign_table_name FROM information_schema.foreign_tables WHERE foreign_table_schema = 'sg' ORDER BY 1;
\else
\set ECHO none
CREATE EXTENSION sgip_fdw;
CREATE SERVER sendgrid FOREIGN DATA WRAPPER sgip_fdw;
CREATE USER MAPPING FOR CURRENT_USER SERVER sendgrid OPTIONS (api_key 'SG.…');
CREATE SCHEMA sg;
IMPORT FOREIGN SCHEMA sendgrid FROM SERVER sendgrid INTO sg;
\set ECHO queries
\endif
\set ECHO none
\i :customers
\set ECHO queries

\if :v3
\set n `expr :n + 1`
\echo
\echo '===' :n. Who sends from which IP, and what is free?
\echo
SELECT * FROM sg.ips_usage LIMIT 5;
SELECT ip, subusers, pools, warmup, assigned_at FROM sg.ips_all LIMIT 5;
SELECT (SELECT count(*) FROM sg.ips_all) AS all, (SELECT count(*) FROM sg.ips_free) AS free,
	(SELECT count(*) FROM sg.ips_taken) AS taken, (SELECT count(*) FROM sg.ips_available) AS available;

SELECT network(set_masklen(ip, 24)) AS network, count(*) AS free
FROM sg.ips_free
GROUP BY 1
ORDER BY 1;

\set n `expr :n + 1`
\echo
\echo '===' :n. Joined with a table of our own: which customer has how many IPs?
\echo
SELECT * FROM customers LIMIT 3;
SELECT c.name, c.plan, count(*) AS ips
FROM customers c JOIN sg.ips_usage u ON u.username = c.sendgrid_user
GROUP BY c.name, c.plan
ORDER BY ips DESC, c.name
LIMIT 10;

SELECT c.plan, count(DISTINCT c.sendgrid_user) AS customers, count(u.ip) AS ips
FROM customers c LEFT JOIN sg.ips_usage u ON u.username = c.sendgrid_user
GROUP BY c.plan
ORDER BY c.plan;

\set n `expr :n + 1`
\echo
\echo '===' :n. What was sent?  One IP is asked for, and only its row came back
\echo
EXPLAIN (ANALYZE, COSTS OFF)
SELECT ip, pools FROM sg.ips_all WHERE ip = '198.51.100.2';

\set n `expr :n + 1`
\echo
\echo '===' :n. Which IPs are warming up, and for whom?
\echo
SELECT w.ip, w.started_at, a.pools, a.subusers
FROM sg.ip_warmup w JOIN sg.ips_all a ON a.ip = w.ip
ORDER BY w.started_at DESC
LIMIT 5;

\set n `expr :n + 1`
\echo
\echo '===' :n. Which IPs in use lack reverse DNS?
\echo
SELECT t.ip, t.subusers, count(*) OVER () AS of_so_many
FROM sg.ips_taken t
WHERE NOT EXISTS (SELECT FROM sg.reverse_dns r WHERE r.ip = t.ip AND r.valid)
ORDER BY t.ip
LIMIT 5;

\set n `expr :n + 1`
\echo
\echo '===' :n. Pools and their members, by region
\echo
SELECT p.name AS pool, count(*) AS ips,
	   count(*) FILTER (WHERE a.region = 'us') AS us,
	   count(*) FILTER (WHERE a.region = 'eu') AS eu
FROM sg.ip_pools p
	JOIN sg.ip_pool_members m ON m.pool_name = p.name
	JOIN sg.ip_addresses a ON a.ip = m.ip
GROUP BY p.name
ORDER BY ips DESC, p.name;
\endif

\if :v2
\set n `expr :n + 1`
\echo
\echo '===' :n. The same account by the older API, through a gateway that still speaks it
\echo
CREATE SERVER gateway FOREIGN DATA WRAPPER sgip_fdw
	OPTIONS (api_version 'v2', base_url 'https://gateway.example.com/api', resource 'reseller.ip', http_method 'post');
CREATE USER MAPPING FOR CURRENT_USER SERVER gateway OPTIONS (api_user 'me', api_key 'secret');
CREATE SCHEMA sg2;
IMPORT FOREIGN SCHEMA sendgrid FROM SERVER gateway INTO sg2;
\d sg2.*
SELECT * FROM sg2.ips_usage LIMIT 5;

\set n `expr :n + 1`
\echo
\echo '===' :n. Who has how many IPs in 198.51.100.0/24, those that SendGrid assigned included?  And who uses the group west?
\echo
SELECT c.name, count(*) AS ips
FROM customers c JOIN sg2.ips_usage u ON u.username = c.sendgrid_user
WHERE u.ip << '198.51.100.0/24' AND u.include_system
GROUP BY c.name
ORDER BY ips DESC, c.name
LIMIT 5;
SELECT ip, username, group_name FROM sg2.ips_usage WHERE group_name = 'west' LIMIT 5;

\set n `expr :n + 1`
\echo
\echo '===' :n. What was sent?  The conditions were, and only the rows that match came back
\echo
EXPLAIN (ANALYZE, COSTS OFF)
SELECT ip FROM sg2.ips_usage WHERE username = 'acme-117' AND ip << '198.51.100.0/24';

EXPLAIN (ANALYZE, COSTS OFF)
SELECT c.name, u.ip
FROM customers c JOIN sg2.ips_usage u ON u.username = c.sendgrid_user
WHERE c.name = 'Alder Airlines';
\else
\set ECHO none
CREATE SERVER gateway FOREIGN DATA WRAPPER sgip_fdw
	OPTIONS (api_version 'v2', base_url 'https://gateway.example.com/api', resource 'reseller.ip', http_method 'post');
CREATE USER MAPPING FOR CURRENT_USER SERVER gateway OPTIONS (api_user 'me', api_key 'secret');
CREATE SCHEMA sg2;
IMPORT FOREIGN SCHEMA sendgrid FROM SERVER gateway INTO sg2;
\set ECHO queries
\endif

\set n `expr :n + 1`
\echo
\echo '===' :n. Reports for dashboards: views, with comments on them and on the tables
\echo
\set ECHO none
\set comments_v3 :here /examples/comments_v3.sql
\set comments_v2 :here /examples/comments_v2.sql
\set views_v3 :here /examples/views_v3.sql
\set views_v2 :here /examples/views_v2.sql
\i :comments_v3
\i :views_v3
\unset source
\i :comments_v2
\i :views_v2
\set ECHO queries
\if :v3
SELECT network, ip_count, in_use_count, idle_count, pool_without_user_count, free_count, percent_in_use
FROM ip_report.network_utilisation;
SELECT ip_count, in_use_count, free_count, available_count, can_be_added, period, price_per_ip FROM ip_report.capacity;
\dv+ ip_report.*
\else
SELECT * FROM ip_report_v2.network_utilisation;
\dv+ ip_report_v2.*
\endif
