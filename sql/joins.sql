--
-- Joins: a search for each outer row or one listing, whichever is cheaper;
-- the result is the same.
--
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/sql/include/setup.psql'
\i :setup
CALL import_from('sg', 'rows=300');
CALL load_truth('rows=300');
CREATE TABLE customers (id int PRIMARY KEY, name text, account text);
INSERT INTO customers VALUES (1, 'Ann', 'acme-9'), (2, 'Bob', 'user4@example.com'), (3, 'Cid', 'nobody'), (4, 'Dot', NULL);
CREATE TABLE many AS SELECT i, 'acme-' || i AS account FROM generate_series(1, 2000) i;
ANALYZE customers, many;
CREATE VIEW truth AS SELECT ip, username FROM truth_usage WHERE NOT system;

-- few outer rows: one search for each; a NULL is not asked for
SELECT explain('COSTS OFF', $$SELECT c.name, count(*) FROM customers c JOIN sg.ips_usage u ON u.username = c.account GROUP BY 1 ORDER BY 1$$);
SELECT c.name, count(*) FROM customers c JOIN sg.ips_usage u ON u.username = c.account GROUP BY 1 ORDER BY 1;
SELECT * FROM requests();
SELECT c.name, count(*) FROM customers c JOIN truth u ON u.username = c.account GROUP BY 1 ORDER BY 1;

-- many outer rows: one listing
EXPLAIN (COSTS OFF) SELECT count(*) FROM many m JOIN sg.ips_usage u ON u.username = m.account;
SELECT count(*) FROM many m JOIN sg.ips_usage u ON u.username = m.account;
SELECT * FROM requests();
SELECT count(*) FROM many m JOIN truth u ON u.username = m.account;

-- every kind of join, by nested loop, hash and merge, finds what PostgreSQL alone finds
CREATE TABLE joins (id serial, query text);
INSERT INTO joins (query) VALUES
	('SELECT c.id, u.ip FROM customers c JOIN %s u ON u.username = c.account'),
	('SELECT c.id, u.ip FROM customers c LEFT JOIN %s u ON u.username = c.account'),
	('SELECT c.id, u.ip FROM customers c LEFT JOIN %s u ON u.username = c.account AND u.ip <<= ''10.0.0.0/8'''),
	('SELECT c.id, u.ip FROM customers c RIGHT JOIN %s u ON u.username = c.account'),
	('SELECT c.id, u.ip FROM customers c FULL JOIN %s u ON u.username = c.account'),
	('SELECT c.id FROM customers c WHERE EXISTS (SELECT FROM %s u WHERE u.username = c.account)'),
	('SELECT c.id FROM customers c WHERE NOT EXISTS (SELECT FROM %s u WHERE u.username = c.account)'),
	('SELECT c.id FROM customers c WHERE account IN (SELECT username FROM %s u)'),
	('SELECT c.id FROM customers c WHERE account NOT IN (SELECT username FROM %s u)'),
	('SELECT u.ip FROM %s u WHERE username IN (SELECT account FROM customers)'),
	('SELECT u.ip FROM %s u WHERE NOT EXISTS (SELECT FROM customers c WHERE account = u.username)'),
	('SELECT c.id, u.ip FROM customers c JOIN %s u ON u.username LIKE c.account || ''%%'''),
	('SELECT c.id, u.ip FROM customers c JOIN %s u ON u.username ^@ substr(c.account, 1, 5) WHERE c.id < 3'),
	('SELECT c.id, u.ip FROM customers c JOIN %s u ON u.username IN (c.account, c.name, ''acme-1'')'),
	('SELECT c.id, u.ip FROM customers c CROSS JOIN %s u WHERE u.username = c.account OR u.ip = ''198.51.100.7'''),
	('SELECT t.ip, u.username FROM truth_free t RIGHT JOIN %s u ON u.ip = t.ip WHERE u.ip <<= ''10.0.0.0/8'''),
	('SELECT t.ip, u.username FROM truth_taken t JOIN %s u ON u.ip <<= set_masklen(t.ip, 30) WHERE t.ip <= ''10.0.0.9'' AND t.ip >= ''10.0.0.0'''),
	('SELECT t.ip, u.username FROM truth_taken t JOIN %s u ON host(u.ip) = host(t.ip) WHERE t.ip < ''10.0.0.9'''),
	('SELECT a.ip, b.username FROM %1$s a JOIN %1$s b ON a.ip = b.ip WHERE a.username = ''acme-9'''),
	('SELECT c.id, s.ip FROM customers c, LATERAL (SELECT ip FROM %s u WHERE u.username = c.account ORDER BY ip LIMIT 2) s'),
	('SELECT c.id, s.n FROM customers c LEFT JOIN LATERAL (SELECT count(*) AS n FROM %s u WHERE u.username = c.account) s ON true'),
	('SELECT c.id, (SELECT max(host(ip)) FROM %s u WHERE u.username = c.account AND u.ip > ''10.0.0.0'') FROM customers c'),
	('SELECT c.id, d.id, u.ip FROM customers c JOIN %s u ON u.username = c.account LEFT JOIN customers d ON d.account = u.username AND d.id > 1');
CREATE FUNCTION wrong(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text := '';
	setting text;
BEGIN
	FOREACH setting IN ARRAY ARRAY['', 'enable_hashjoin,enable_mergejoin', 'enable_nestloop,enable_mergejoin',
								   'enable_nestloop,enable_hashjoin', 'enable_hashjoin,enable_mergejoin,enable_memoize,enable_material',
								   'sgip_fdw.enable_pushdown']
	LOOP
		PERFORM set_config(s, 'off', true) FROM unnest(string_to_array(setting, ',')) s;
		result := result || ' ' || differences(format(query, 'sg.ips_usage'), format(query, 'truth'));
		PERFORM set_config(s, 'on', true) FROM unnest(string_to_array(setting, ',')) s;
	END LOOP;
	RETURN ltrim(result);
END $$;
SELECT id, wrong(query), query FROM joins ORDER BY id;
SELECT count(*) > 0 AS forgotten FROM requests();

-- LATERAL with LIMIT: a search for each outer row
EXPLAIN (COSTS OFF) SELECT c.id, s.ip FROM customers c, LATERAL (SELECT ip FROM sg.ips_usage u WHERE u.username = c.account LIMIT 2) s;

-- a semi-join and an anti-join by searches
SET enable_hashjoin = off; SET enable_mergejoin = off;
EXPLAIN (COSTS OFF) SELECT c.id FROM customers c WHERE NOT EXISTS (SELECT FROM sg.ips_usage u WHERE u.username = c.account);
SELECT c.id FROM customers c WHERE NOT EXISTS (SELECT FROM sg.ips_usage u WHERE u.username = c.account) ORDER BY 1;
SELECT * FROM requests();

-- the same outer value twice: Memoize keeps the rows, or the scan does
CREATE TABLE repeated AS SELECT account FROM customers, generate_series(1, 50) WHERE account = 'acme-9';
INSERT INTO repeated SELECT 'acme-1' FROM generate_series(1, 50);
ANALYZE repeated;
SELECT explain('COSTS OFF', $$SELECT count(*) FROM repeated r JOIN sg.ips_usage u ON u.username = r.account$$);
SELECT count(*) FROM repeated r JOIN sg.ips_usage u ON u.username = r.account;
SELECT * FROM requests();
SET enable_memoize = off;
SELECT count(*) FROM repeated r JOIN sg.ips_usage u ON u.username = r.account;
SELECT * FROM requests();
RESET enable_memoize;
RESET enable_hashjoin; RESET enable_mergejoin;

-- an outer join's other side may be the parameter of a scan below
EXPLAIN (COSTS OFF) SELECT c.id, u.username FROM customers c LEFT JOIN truth_taken t ON t.ip <<= '198.51.100.7' LEFT JOIN sg.ips_usage u ON u.ip = t.ip AND u.username = c.account;
SELECT c.id, u.username FROM customers c LEFT JOIN truth_taken t ON t.ip <<= '198.51.100.7'
LEFT JOIN sg.ips_usage u ON u.ip = t.ip AND u.username = c.account ORDER BY 1, 2;

-- two searches depend on each other: usage finds the users of free's neighbours
SELECT count(*) AS forgotten FROM requests()
\gset
SELECT f.ip, u.ip AS next, u.username
FROM sg.ips_free f JOIN sg.ips_usage u ON u.ip = f.ip + 1
WHERE f.ip <<= '198.51.100.0/28' ORDER BY 1, 2, u.username COLLATE "C";
SELECT f.ip, u.ip AS next, u.username
FROM truth_free f JOIN truth u ON u.ip = f.ip + 1
WHERE f.ip <<= '198.51.100.0/28' ORDER BY 1, 2, u.username COLLATE "C";
