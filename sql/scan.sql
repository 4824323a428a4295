--
-- Scans: all tasks, every shape of answer, hand-declared tables, and what the
-- executor asks of a scan.
--
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/sql/include/setup.psql'
\i :setup
CALL import_from('sg', 'rows=24');
CALL load_truth('rows=24');

-- all tasks give what the account has, without SendGrid's own IPs; nothing is left out or doubled
SELECT differences('SELECT ip FROM sg.ips_all', 'SELECT ip FROM truth_all WHERE NOT system') AS all,
	   differences('TABLE sg.ips_free', 'TABLE truth_free') AS free,
	   differences('TABLE sg.ips_taken', 'TABLE truth_taken') AS taken,
	   differences('TABLE sg.ips_available', 'TABLE truth_available') AS available,
	   differences('SELECT ip, username FROM sg.ips_usage', 'SELECT ip, username FROM truth_usage WHERE NOT system') AS usage;
SELECT * FROM sg.ips_free ORDER BY ip;
SELECT * FROM sg.ips_usage WHERE ip = '198.51.100.2' ORDER BY username COLLATE "C";
-- every shape in which the API is known to answer, and JSON written in every
-- way, give the same rows
CREATE TABLE shapes AS SELECT row_number() OVER () AS id, switches FROM unnest(ARRAY[
	'shape=objects', 'shape=strings', 'shape=ips_strings', 'shape=ips_objects', 'shape=bare_strings',
	'shape=bare_objects', 'shape=success', 'shape=page',
	'ws=pretty', 'ws=crazy', 'escape=ascii', 'escape=php', 'escape=unicode', 'escape=keys', 'bom=yes', 'ctype=html',
	'gzip=yes', 'length=exact', 'length=chunked', 'length=close', 'drip=7;drip_ms=1', 'order=shuffle', 'sndbuf=2048',
	'shape=bare_strings;ws=crazy;drip=1;drip_ms=0', 'shape=bare_objects;bom=yes;gzip=yes',
	'shape=success;escape=keys;ws=pretty;length=close']) switches;
DO $$
DECLARE
	shape shapes;
BEGIN
	FOR shape IN SELECT * FROM shapes LOOP
		CALL import_from('shape' || shape.id, 'rows=24;' || shape.switches);
	END LOOP;
END $$;
SELECT switches, differences(format('SELECT ip FROM shape%s.ips_all', id), 'SELECT ip FROM truth_all WHERE NOT system') AS all,
	   differences(format('TABLE shape%s.ips_free', id), 'TABLE truth_free') AS free,
	   differences(format('SELECT ip, username FROM shape%s.ips_usage', id),
				   'SELECT ip, username FROM truth_usage WHERE NOT system') AS usage
FROM shapes ORDER BY id;

-- an answer without rows, in every shape; but a body without a byte could be
-- one that was cut, and is not taken for an empty list
CALL import_from('nothing', 'rows=24;shape=bare_strings;bare_empty=nothing');
SELECT count(*) FROM nothing.ips_free WHERE ip <<= '192.0.2.0/24'; -- ERROR
CREATE FUNCTION count_rows(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	result bigint;
BEGIN
	EXECUTE 'SELECT count(*) FROM ' || query INTO result;
	RETURN result;
END $$;
SELECT sum(count_rows(format('shape%s.ips_free WHERE ip <<= ''192.0.2.0/24''', id))) FROM shapes;

-- an address that the API lists twice comes twice: it promises no distinct list
CALL make_server('dup', 'rows=24;dup=yes');
CREATE FOREIGN TABLE dup (ip inet) SERVER dup OPTIONS (task 'all');
SELECT ip, count(*) FROM dup GROUP BY ip HAVING count(*) > 1 ORDER BY ip;

-- a table declared by hand: any subset and order of columns, by name ...
CREATE FOREIGN TABLE by_name ("group" text, "user" text, system boolean, ip inet) SERVER sg OPTIONS (task 'usage');
SELECT * FROM by_name WHERE "user" LIKE 'acme%' ORDER BY ip, "user" COLLATE "C";
-- ... or by the option field, also twice, and with other types
CREATE FOREIGN TABLE by_option (
	who varchar(4) OPTIONS (field 'username'),
	again text OPTIONS (field 'user'),
	address text OPTIONS (field 'ip'),
	account text OPTIONS (constant 'A'),
	number numeric(5,1) OPTIONS (constant '12.34'),
	nothing text OPTIONS (constant ''),
	short varchar(9) OPTIONS (field 'ip'),
	net cidr OPTIONS (field 'ip')
) SERVER sg OPTIONS (task 'usage');
SELECT * FROM by_option WHERE address = '198.51.100.4'; -- ERROR
SELECT again, address, account, number, nothing, net FROM by_option WHERE address = '198.51.100.4';
-- a domain's constraint holds for what the API sends
CREATE DOMAIN lower_name AS text CHECK (value = lower(value));
CREATE FOREIGN TABLE domains (username lower_name, ip inet NOT NULL) SERVER sg OPTIONS (task 'usage');
SELECT username FROM domains WHERE ip = '198.51.100.7';
SELECT username FROM domains WHERE ip = '198.51.100.4'; -- ERROR

-- dropped and added columns
ALTER FOREIGN TABLE by_name DROP COLUMN "group";
ALTER FOREIGN TABLE by_name ADD COLUMN label text OPTIONS (constant 'new');
SELECT * FROM by_name WHERE ip = '198.51.100.7';

-- a column that names no field: error at the first scan
CREATE FOREIGN TABLE wrong (ip inet, pools text[]) SERVER sg OPTIONS (task 'usage');
SELECT ip FROM wrong; -- ERROR
\echo :LAST_ERROR_SQLSTATE
CREATE FOREIGN TABLE wrong_free (ip inet, username text) SERVER sg OPTIONS (task 'free');
SELECT ip FROM wrong_free; -- ERROR
CREATE FOREIGN TABLE wrong_task (ip inet) SERVER sg OPTIONS (task 'subusers');
SELECT * FROM wrong_task; -- ERROR

-- no column at all is needed: count(*), a table without columns, a constant
SELECT count(*) FROM sg.ips_usage;
CREATE FOREIGN TABLE no_columns () SERVER sg OPTIONS (task 'all');
SELECT count(*) FROM no_columns;
SELECT 1 AS one FROM sg.ips_free;
SELECT EXISTS (SELECT FROM sg.ips_free), EXISTS (SELECT FROM sg.ips_free WHERE ip = '192.0.2.1');

-- rows as a whole, system columns, also in conditions, and expressions
SELECT u FROM sg.ips_usage u WHERE ip = '198.51.100.7';
SELECT to_jsonb(u) FROM sg.ips_usage u WHERE ip = '198.51.100.7';
SELECT tableoid::regclass, host(ip) || '!' AS shout FROM sg.ips_all WHERE ip = '198.51.100.7';
SELECT ip FROM sg.ips_all WHERE tableoid = 'sg.ips_all'::regclass AND ip = '198.51.100.7';
SELECT count(*) FROM sg.ips_usage WHERE tableoid = ANY ('{sg.ips_usage,sg.ips_all}'::regclass[]) AND tableoid <> 'sg.ips_free'::regclass;
SELECT (u).username FROM (SELECT u FROM sg.ips_usage u WHERE ip = '198.51.100.7' OFFSET 0) s;

-- nobody changes anything
INSERT INTO sg.ips_free VALUES ('192.0.2.1'); -- ERROR
UPDATE sg.ips_free SET ip = '192.0.2.1'; -- ERROR
DELETE FROM sg.ips_free; -- ERROR
TRUNCATE sg.ips_free; -- ERROR
