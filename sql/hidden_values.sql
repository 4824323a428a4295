--
-- What others ask for: values known at run time are shown to roles that may
-- use the server, and to others as the expressions that they are.
--
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/sql/include/setup.psql'
\i :setup
SET client_min_messages = error;
DROP ROLE IF EXISTS regress_sgip_guest, regress_sgip_user;
CREATE ROLE regress_sgip_guest;
CREATE ROLE regress_sgip_user;
CALL make_server('sg', 'rows=48');
CALL make_server('broken', 'rows=48;fail_first=9:500;id=hidden', ', max_retries ''0''');
CALL make_server('partner', 'rows=8', api => 'v3');
GRANT USAGE ON FOREIGN SERVER sg, broken, partner TO regress_sgip_user;
CREATE SCHEMA private;
CREATE FOREIGN TABLE private.usage (ip inet, username text) SERVER sg OPTIONS (task 'usage');
CREATE FOREIGN TABLE private.broken (ip inet, username text) SERVER broken OPTIONS (task 'usage');
CREATE FOREIGN TABLE private.wrong (ip inet, username int) SERVER sg OPTIONS (task 'usage');
CREATE FOREIGN TABLE private.partner_ips (account_id text, ip inet) SERVER partner OPTIONS (task 'partner_account_ips');
CREATE TABLE private.customers (name text, login text);
INSERT INTO private.customers VALUES ('Amber Coffee', 'acme-9'), ('Blue Shoes', 'acme-17');
CREATE VIEW counts AS SELECT c.name, (SELECT count(*) FROM private.usage u WHERE u.username = c.login AND u.ip << '198.51.100.0/25') AS ips FROM private.customers c;
CREATE VIEW failing AS SELECT c.name, (SELECT count(*) FROM private.broken u WHERE u.username = c.login AND u.ip << '198.51.100.0/25') AS ips FROM private.customers c;
CREATE VIEW misread AS SELECT * FROM private.wrong u WHERE u.ip = current_setting('app.ip')::inet;
CREATE VIEW partners AS SELECT count(*) FROM private.partner_ips;
-- a field of a record that another part of the plan makes
CREATE VIEW of_record AS WITH s AS MATERIALIZED (SELECT ROW(1, 'acme-9'::text) AS r) SELECT count(*) FROM s JOIN private.usage u ON u.username = (s.r).f2;
CREATE FUNCTION counted() RETURNS SETOF counts LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN RETURN QUERY SELECT * FROM counts; END $$;
GRANT USAGE ON SCHEMA public TO regress_sgip_guest, regress_sgip_user;
GRANT SELECT ON counts, failing, misread, partners, of_record TO regress_sgip_guest, regress_sgip_user;
RESET client_min_messages;

-- the context of an error
SET app.ip = '198.51.100.7';
SET ROLE regress_sgip_user;
SELECT failure('SELECT * FROM failing');
SELECT failure('SELECT * FROM misread');
SET ROLE regress_sgip_guest;
SELECT failure('SELECT * FROM failing');
SELECT failure('SELECT * FROM misread');
SELECT explain('COSTS OFF', $$SELECT * FROM counts$$);
-- requests that look alike are two
SELECT * FROM counts ORDER BY name;
SELECT * FROM of_record;
RESET ROLE;

-- the line of each request, of a function of another role as well; how much came is hidden with the values
\setenv DATABASE :DBNAME
\set lines '2>&1 | sed -nE "s/.*sgip_fdw: (GET [^,]*), status 200, ([0-9]+ bytes,( [0-9]+ elements), )?[0-9]+ ms, try 1, complete/\\1\\3/p"'
\setenv LINES :lines
\! echo 'SET client_min_messages = debug1; SET ROLE regress_sgip_user; SELECT * FROM counts; SELECT * FROM counted(); SELECT * FROM of_record; SELECT * FROM partners;' | eval "psql -X \"$DATABASE\" $LINES"
\! echo 'SET client_min_messages = debug1; SET ROLE regress_sgip_guest; SELECT * FROM counts; SELECT * FROM counted(); SELECT * FROM of_record; SELECT * FROM partners;' | eval "psql -X \"$DATABASE\" $LINES"

DROP OWNED BY regress_sgip_guest, regress_sgip_user;
DROP ROLE regress_sgip_guest, regress_sgip_user;
