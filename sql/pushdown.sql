--
-- Which conditions are sent, how the value is found, and that the result is
-- SQL's in any case.
--
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/sql/include/setup.psql'
\i :setup
CALL import_from('sg', 'rows=300');
CALL load_truth('rows=300');
-- the same table with the API's two other ways of comparing, declared as such
CREATE FOREIGN TABLE as_exact (ip inet OPTIONS (match 'exact'), username text OPTIONS (match 'exact'))
	SERVER sg OPTIONS (task 'usage');
CREATE FOREIGN TABLE as_prefix (ip inet OPTIONS (match 'prefix'), username text OPTIONS (match 'prefix'))
	SERVER sg OPTIONS (task 'usage');
CREATE FOREIGN TABLE as_anywhere (ip inet OPTIONS (match 'anywhere'), username text OPTIONS (match 'anywhere'))
	SERVER sg OPTIONS (task 'usage');
-- ip as text, and names of other types
CREATE FOREIGN TABLE as_text (ip text, username varchar(30)) SERVER sg OPTIONS (task 'usage');
CREATE VIEW truth AS SELECT ip, username FROM truth_usage WHERE NOT system;

-- What is sent for a condition, by match; and how many rows of the result
-- differ from the same condition on the truth (none, that is), also with
-- pushdown off.  The emulator compares exactly, by prefix or anywhere, as the
-- table's columns say.
CREATE FUNCTION sent(condition text, match text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE format('EXPLAIN SELECT * FROM as_%s WHERE %s', match, condition) LOOP
		CONTINUE WHEN line !~ 'Request: ';
		RETURN coalesce(substring(line FROM 'task=usage&?(.*)'), substring(line FROM 'Request: (.*)'));
	END LOOP;
	RETURN 'no scan';
END $$;
CREATE FUNCTION wrong(condition text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	result bigint := 0;
	pushdown text;
	match text;
	truth text := format('SELECT * FROM truth WHERE %s', condition);
BEGIN
	FOREACH pushdown IN ARRAY ARRAY['on', 'off'] LOOP
		PERFORM set_config('sgip_fdw.enable_pushdown', pushdown, true);
		FOREACH match IN ARRAY ARRAY['exact', 'prefix', 'anywhere'] LOOP
			EXECUTE format('ALTER SERVER sg OPTIONS (SET base_url %L)',
						   emulator(format('rows=300;ip_match=%s;user_match=%s', match, match)));
			result := result + differences(format('SELECT * FROM as_%s WHERE %s', match, condition), truth);
		END LOOP;
		-- the defaults: ip by prefix, user anywhere
		EXECUTE format('ALTER SERVER sg OPTIONS (SET base_url %L)', emulator('rows=300'));
		result := result + differences(format('SELECT ip, username FROM sg.ips_usage WHERE %s', condition), truth);
	END LOOP;
	PERFORM set_config('sgip_fdw.enable_pushdown', 'on', true);
	RETURN result;
END $$;
CREATE FUNCTION show(text[]) RETURNS TABLE (condition text, exact text, prefix text, anywhere text, wrong bigint)
LANGUAGE sql AS $$
	SELECT c, sent(c, 'exact'), sent(c, 'prefix'), sent(c, 'anywhere'), wrong(c)
	FROM unnest($1) WITH ORDINALITY AS x(c, o) ORDER BY o
$$;
\pset footer off

-- equality of a text: the value, whatever the match; either way round
SELECT * FROM show(ARRAY[
	$$username = 'acme-9'$$, $$'acme-9' = username$$, $$username = 'user4@example.com'$$, $$username = 'acme'$$,
	$$username = ''$$, $$username = 'no &?#=%/+ such "user"'$$, $$username = 'äß€'$$,
	$$username = 'acme-9'::varchar$$, $$username = 'acme-9'::name$$, $$username::varchar = 'acme-9'$$,
	$$username COLLATE "C" = 'acme-9'$$, $$lower(username) = 'acme-9'$$]);

-- several values: a search for each distinct one
SELECT * FROM show(ARRAY[
	$$username IN ('acme-9', 'acme-1')$$, $$username = ANY ('{acme-1,acme-13,acme-1}')$$,
	$$username = 'acme-9' OR username = 'acme-1' OR 'acme-5' = username$$,
	$$username IN ('acme-9', NULL)$$, $$username = ANY ('{}')$$, $$username = ANY (NULL::text[])$$,
	$$username = ANY (ARRAY['acme-1', NULL, 'ACME.mail7'])$$,
	$$username = 'acme-9' OR username IN ('acme-1', 'acme-5')$$,
	$$username = 'acme-9' OR ip = '198.51.100.1'$$, $$username = 'acme-9' OR username LIKE 'user%'$$,
	$$username = ALL ('{acme-9}')$$]);

-- patterns: the literal beginning, or the longest literal piece
SELECT * FROM show(ARRAY[
	$$username LIKE 'acme%'$$, $$username ~~ 'acme-_'$$, $$username LIKE '%example.com'$$, $$username LIKE 'a%-1%3'$$,
	$$username LIKE '%@example%'$$, $$username LIKE 'acme-9'$$, $$username LIKE '%'$$, $$username LIKE ''$$,
	$$username LIKE '_cme-9'$$, $$username LIKE 'acme\_%'$$, $$username LIKE '100\%%'$$, $$username LIKE 'a\\b%'$$,
	$$username LIKE 'acme!-1%' ESCAPE '!'$$, $$username LIKE 'acme\-1%' ESCAPE ''$$,
	$$username ^@ 'acme'$$, $$starts_with(username, 'Shop')$$, $$username ^@ ''$$,
	$$username LIKE 'us%' AND username LIKE '%example.com'$$, $$username LIKE 'acme%' AND username = 'acme-9'$$]);

-- addresses: whole, and the whole octets that a range has in common
SELECT * FROM show(ARRAY[
	$$ip = '198.51.100.7'$$, $$'198.51.100.7' = ip$$, $$ip = '198.51.100.7/24'$$, $$ip = '2001:db8::1'$$,
	$$ip IN ('198.51.100.7', '198.51.100.9', '10.0.0.1')$$, $$ip = '198.51.100.7' OR ip = '198.51.100.9'$$,
	$$ip << '198.51.100.0/24'$$, $$ip <<= '10.0.0.0/8'$$, $$'10.0.0.0/8' >> ip$$, $$'10.0.0.0/16' >>= ip$$,
	$$ip && '198.51.100.128/25'$$, $$'198.51.0.0/17' && ip$$, $$ip <<= '0.0.0.0/0'$$, $$ip <<= '198.51.100.7/32'$$,
	$$ip <<= '::/0'$$, $$ip >> '198.51.100.0/24'$$, $$ip >>= '198.51.100.7'$$,
	$$ip >= '198.51.100.16' AND ip < '198.51.100.32'$$, $$ip BETWEEN '198.51.100.0' AND '198.51.100.255'$$,
	$$ip > '10.0.0.255' AND ip <= '198.51.100.3'$$, $$'198.51.100.250' <= ip$$, $$ip < '10.0.0.5'$$,
	$$ip BETWEEN '198.51.100.7' AND '198.51.100.7'$$, $$ip BETWEEN '10.0.0.0' AND '10.255.255.255' AND ip <<= '10.0.0.0/24'$$]);

-- addresses as text
SELECT * FROM show(ARRAY[
	$$host(ip) = '198.51.100.7'$$, $$host(ip) LIKE '10.0.0.1%'$$, $$host(ip) LIKE '%.7'$$, $$host(ip) ^@ '10.'$$,
	$$text(ip) = '198.51.100.7/32'$$, $$text(ip) LIKE '198.51.100.7%'$$, $$text(ip) LIKE '198.51.100.7/32'$$,
	$$text(ip) LIKE '%.7/32'$$, $$text(ip) LIKE '%32%'$$, $$text(ip) LIKE '%2'$$, $$text(ip) LIKE '198.%2'$$,
	$$host(ip) LIKE '%2'$$, $$abbrev(ip) = '198.51.100.7'$$, $$abbrev(ip) LIKE '10.0.0.2_'$$,
	$$host(ip) IN ('198.51.100.7', '10.0.0.3')$$, $$host(ip) = '198.51.100.07'$$,
	$$ip::text LIKE '10.%'$$, $$family(ip) = 4$$]);

-- conditions on both columns are combined; so are those of a view
SELECT * FROM show(ARRAY[
	$$username = 'acme-9' AND ip <<= '198.51.100.0/24'$$,
	$$username IN ('acme-9', 'acme-1') AND ip IN ('198.51.100.7', '198.51.100.9', '198.51.100.204')$$,
	$$(username = 'acme-9' AND ip = '198.51.100.7') OR (username = 'acme-1' AND ip = '198.51.100.204')$$,
	$$username IS NOT NULL AND ip = '198.51.100.7' AND length(username) > 3$$]);
