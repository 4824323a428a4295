--
-- Options: which there are, their values, what is said about wrong ones.
--
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/sql/include/setup.psql'
\i :setup

-- Tries one option of one object; prints SQLSTATE, message and hint of the refusal
CREATE FUNCTION try(object text, option text, value text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	option_text text := format('%I %L', option, value);
	hint text;
BEGIN
	EXECUTE CASE object
		WHEN 'server' THEN format('CREATE SERVER tried FOREIGN DATA WRAPPER sgip_fdw OPTIONS (%s%s)',
								  CASE WHEN option IN ('resource', 'http_method') THEN 'api_version ''v2'', ' END, option_text)
		WHEN 'mapping' THEN format('CREATE USER MAPPING FOR PUBLIC SERVER plain OPTIONS (%s)', option_text)
		WHEN 'table' THEN format('CREATE FOREIGN TABLE tried (ip inet) SERVER plain OPTIONS (%s%s)',
								 CASE WHEN option <> 'task' THEN 'task ''all'', ' END, option_text)
		WHEN 'column' THEN format('CREATE FOREIGN TABLE tried (ip inet OPTIONS (%s)) SERVER plain OPTIONS (task ''all'')',
								  option_text)
		WHEN 'import' THEN format('IMPORT FOREIGN SCHEMA sendgrid FROM SERVER plain INTO imported OPTIONS (%s)',
								  option_text)
	END;
	IF object = 'import' THEN
		DROP SCHEMA imported CASCADE;
		CREATE SCHEMA imported;
	ELSE
		EXECUTE CASE object WHEN 'server' THEN 'DROP SERVER tried'
			WHEN 'mapping' THEN 'DROP USER MAPPING FOR PUBLIC SERVER plain'
			ELSE 'DROP FOREIGN TABLE tried' END;
	END IF;
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n', SQLSTATE || ' ' || SQLERRM, nullif(hint, ''));
END $$;
CREATE SERVER plain FOREIGN DATA WRAPPER sgip_fdw;
CREATE SCHEMA imported;
SET client_min_messages = warning;
\a\t

-- an unknown option: the hint names the closest one
SELECT object, option, try(object, option, 'x') FROM (VALUES
	('server', 'base_ur'), ('server', 'api_versoin'), ('server', 'Resource'), ('server', 'retry'),
	('mapping', 'apikey'), ('mapping', 'api_user_name'), ('table', 'tasks'), ('table', 'fdw_tupel_cost'),
	('column', 'felid'), ('column', 'matches'), ('import', 'search_column')) AS v(object, option);

-- ... or all of them
SELECT object, option, try(object, option, 'x') FROM (VALUES
	('server', 'x'), ('mapping', 'password'), ('table', 'qqqqqq'), ('column', 'zz'), ('import', 'zz'),
	('server', repeat('a', 60)), ('server', '')) AS v(object, option);

-- an option of another kind of object is unknown
SELECT object, option, try(object, option, 'x') FROM (VALUES
	('server', 'api_key'), ('server', 'task'), ('mapping', 'base_url'), ('table', 'base_url'),
	('table', 'field'), ('column', 'task'), ('import', 'task')) AS v(object, option);

-- choices: exactly these words
SELECT object, option, value, try(object, option, value) FROM (VALUES
	('server', 'api_version', 'v2'), ('server', 'api_version', 'v3'),
	('server', 'api_version', 'V2'), ('server', 'api_version', '2'), ('server', 'api_version', ''),
	('server', 'api_version', 'v2 v3'),
	('server', 'http_method', 'get'), ('server', 'http_method', 'post'), ('server', 'http_method', 'put'),
	('table', 'task', 'all'), ('table', 'task', 'usage'), ('table', 'task', 'al'), ('table', 'task', ''),
	('column', 'match', 'exact'), ('column', 'match', 'prefix'), ('column', 'match', 'anywhere'),
	('column', 'match', 'suffix'),
	('column', 'field', 'ip'), ('column', 'field', 'system'), ('column', 'field', 'include_system'),
	('column', 'field', 'ipss')) AS v(object, option, value);

-- base_url: https anywhere, http on this machine only, no user and no query
SELECT value, try('server', 'base_url', value) FROM unnest(ARRAY[
	'https://sendgrid.com/api', 'HTTPS://gate.example:8443/x/y/', 'https://[2001:db8::1]:444/api',
	'http://127.0.0.1:8080/api', 'http://127.9.9.9', 'http://localhost/api', 'http://LOCALHOST:1', 'http://[::1]:99/x',
	'http://sendgrid.com/api', 'http://127.0.0.1.example.com', 'http://127.0.0.256', 'http://1270.0.0.1',
	'http://localhost.example', 'http://[::2]',
	'https://me:secret@sendgrid.com/api', 'https://me@sendgrid.com', 'http://localhost@evil.example/',
	'https://sendgrid.com/api?x=1', 'https://sendgrid.com/api#x', 'https://sendgrid.com\@evil.example',
	'https://send grid.com', 'https://sendgrid.com/ä', 'https://', 'https:///api', 'https://:443',
	'https://h:65536', 'https://h:44x', 'http://2130706433', 'http://2852039166', 'ftp://sendgrid.com', 'sendgrid.com/api', '']) AS value;

-- resource: a name, no path
SELECT value, try('server', 'resource', value) FROM unnest(ARRAY[
	'distributor.ip', 'reseller.ip', '', 'a/b', '../x', 'a?b', 'a b']) AS value;

-- durations: PostgreSQL's units, a bare number is milliseconds
SELECT option, value, try('server', option, value) FROM (VALUES
	('connect_timeout', '500ms'), ('connect_timeout', '10s'), ('read_timeout', '2min'), ('read_timeout', '1h'),
	('read_timeout', '1'), ('read_timeout', '1.5s'), ('max_retry_wait', '0'),
	('connect_timeout', '0'), ('read_timeout', '-1'), ('read_timeout', '2h'), ('read_timeout', '10 parsecs'),
	('max_retry_wait', ''), ('max_retry_wait', '99999999999')) AS v(option, value);

-- numbers
SELECT option, value, try('server', option, value) FROM (VALUES
	('max_retries', '0'), ('max_retries', '100'), ('max_retries', '101'), ('max_retries', '-1'), ('max_retries', 'many'),
	('max_concurrency', '1'), ('max_concurrency', '64'), ('max_concurrency', '0'), ('max_concurrency', '65'),
	('page_size', '500'), ('page_size', '0'), ('page_size', '5001'),
	('fdw_startup_cost', '0'), ('fdw_startup_cost', '1e3'), ('fdw_tuple_cost', '0.01'),
	('fdw_startup_cost', '-1'), ('fdw_tuple_cost', 'NaN'), ('fdw_tuple_cost', 'Infinity'), ('fdw_tuple_cost', '')) AS v(option, value);

-- booleans as PostgreSQL reads them
SELECT object, option, value, try(object, option, value) FROM (VALUES
	('server', 'async_capable', 'on'), ('table', 'async_capable', 'f'), ('import', 'search_columns', 'no'),
	('server', 'analyzable', '0'), ('table', 'analyzable', 'yes'), ('server', 'allow_http', 'https'),
	('server', 'async_capable', 'maybe'), ('import', 'search_columns', '2')) AS v(object, option, value);

-- proxy: a form that libcurl reads as we do, so that no message quotes a password in it
SELECT try('server', 'proxy', 'ftp://p');
SELECT value, split_part(try('server', 'proxy', value), E'\n', 1) FROM unnest('{"",p,p:3128,http://p/,HTTPS://u:w@p:1,"socks5h://u:w@[::1]:1080",
	p:65536,http://p/x,p?x,p#x,u:w@,u@w@p,"u:w w@p",u:w/x@p,//p,http://:1,é.example}'::text[]) value;
-- ... and only for https: the credentials of a plain http request could be read by it
CREATE SERVER through FOREIGN DATA WRAPPER sgip_fdw OPTIONS (base_url 'http://127.0.0.1:1', proxy 'p'); -- ERROR
CREATE SERVER through FOREIGN DATA WRAPPER sgip_fdw OPTIONS (base_url 'https://127.0.0.1:1', proxy 'p');
ALTER SERVER through OPTIONS (SET base_url 'http://127.0.0.1:1'); -- ERROR
ALTER SERVER through OPTIONS (SET proxy '', SET base_url 'http://127.0.0.1:1');
ALTER SERVER through OPTIONS (SET proxy 'p'); -- ERROR

-- allow_http: plain http to other hosts, never by way of a proxy
CREATE SERVER inside FOREIGN DATA WRAPPER sgip_fdw OPTIONS (base_url 'http://gateway:8080'); -- ERROR
CREATE SERVER inside FOREIGN DATA WRAPPER sgip_fdw OPTIONS (base_url 'http://gateway:8080', allow_http 'on');
ALTER SERVER inside OPTIONS (ADD proxy 'p'); -- ERROR
ALTER SERVER inside OPTIONS (DROP allow_http); -- ERROR
ALTER SERVER inside OPTIONS (SET allow_http 'false'); -- ERROR
ALTER SERVER inside OPTIONS (DROP allow_http, SET base_url 'https://gateway:8080');
SELECT replace(emulator('rows=3', ''), '127.0.0.1', '0.0.0.0') AS url
\gset
CREATE SERVER near FOREIGN DATA WRAPPER sgip_fdw OPTIONS (base_url :'url'); -- ERROR
CREATE SERVER near FOREIGN DATA WRAPPER sgip_fdw OPTIONS (base_url :'url', allow_http 'true');
CREATE USER MAPPING FOR CURRENT_USER SERVER near OPTIONS (api_key 'demo-key');
CREATE FOREIGN TABLE near (ip inet) SERVER near OPTIONS (task 'all');
SELECT count(*) FROM near;
SELECT count(*) AS forgotten FROM requests()
\gset

-- a key is one line of what a header may have, and the key alone
SELECT value, try('mapping', 'api_key', value) FROM unnest(ARRAY['SG.a-b_c', '', ' k', 'k ', 'Bearer k', 'bearer k', 'a b',
	'"k"', E'k\x7f', E'k\tk']) AS value;
-- ... but a password of v2 may hold other characters
CREATE USER MAPPING FOR PUBLIC SERVER plain OPTIONS (api_user 'me', api_key U&'Bearer k\00e9');
ALTER USER MAPPING FOR PUBLIC SERVER plain OPTIONS (SET api_key 'k '); -- ERROR
ALTER USER MAPPING FOR PUBLIC SERVER plain OPTIONS (DROP api_user); -- ERROR
DROP USER MAPPING FOR PUBLIC SERVER plain;

-- no option may hold a line break: it would begin a new header; nor what a terminal that shows a message obeys
SELECT object, option, try(object, option, E'\x1b[2J') FROM (VALUES
	('server', 'ca_file'), ('server', 'on_behalf_of'), ('mapping', 'api_user'), ('column', 'constant'), ('import', 'account')) AS v(object, option);
SELECT try('column', 'constant', U&'\009B2J'), try('column', 'constant', U&'\00A02J\00C2');
SELECT object, option, try(object, option, E'a\r\nX-Evil: 1') FROM (VALUES
	('server', 'proxy'), ('server', 'ca_file'), ('server', 'on_behalf_of'), ('server', 'base_url'),
	('mapping', 'api_user'), ('mapping', 'api_key'), ('mapping', 'api_key_file'), ('mapping', 'on_behalf_of'),
	('column', 'constant'), ('import', 'account'), ('import', 'prefix')) AS v(object, option);
SELECT try('mapping', 'api_key', E'secret\n');
\a\t

-- task is required
CREATE FOREIGN TABLE tried (ip inet) SERVER plain; -- ERROR
CREATE FOREIGN TABLE tried (ip inet) SERVER plain OPTIONS (task 'all');
ALTER FOREIGN TABLE tried OPTIONS (DROP task); -- ERROR

-- options that exclude each other
CREATE USER MAPPING FOR CURRENT_USER SERVER plain OPTIONS (api_key 'x', api_key_file '/x'); -- ERROR
CREATE USER MAPPING FOR CURRENT_USER SERVER plain OPTIONS (api_user 'x', on_behalf_of 'x'); -- ERROR
ALTER FOREIGN TABLE tried ADD who text OPTIONS (constant 'x', field 'user'); -- ERROR
ALTER FOREIGN TABLE tried ADD who text OPTIONS (constant 'x', match 'exact'); -- ERROR

-- ALTER is validated like CREATE
ALTER SERVER plain OPTIONS (ADD read_timeout 'soon'); -- ERROR
ALTER SERVER plain OPTIONS (ADD read_timeout '5s', ADD page_size '10');
ALTER SERVER plain OPTIONS (SET read_timeout '-5s'); -- ERROR
ALTER FOREIGN TABLE tried ALTER ip OPTIONS (ADD match 'any'); -- ERROR
ALTER FOREIGN TABLE tried ALTER ip OPTIONS (ADD match 'exact');

-- a mapping without options is accepted, and refused when a scan starts
CREATE USER MAPPING FOR CURRENT_USER SERVER plain;
\set VERBOSITY sqlstate
SELECT * FROM tried; -- ERROR
\set VERBOSITY default

-- SendGrid's own host and its API of today are the default, as EXPLAIN shows without asking it
EXPLAIN (COSTS OFF) SELECT * FROM tried;
CREATE SERVER gate FOREIGN DATA WRAPPER sgip_fdw OPTIONS (
	api_version 'v2', base_url 'https://gate.example/x/y///', resource 'reseller.ip', http_method 'post');
CREATE FOREIGN TABLE posted (ip inet) SERVER gate OPTIONS (task 'all');
EXPLAIN (COSTS OFF) SELECT * FROM posted;

-- http_method: parameters in the URL, or all of them in a form body; the
-- emulator refuses the other one
CALL make_server('get', 'rows=4;method=get');
CALL make_server('post', 'rows=4;method=post', ', http_method ''post''');
CALL make_server('wrong', 'rows=4;method=get', ', http_method ''post''');
CREATE FOREIGN TABLE by_get (ip inet) SERVER get OPTIONS (task 'all');
CREATE FOREIGN TABLE by_post (ip inet) SERVER post OPTIONS (task 'all');
CREATE FOREIGN TABLE by_wrong (ip inet) SERVER wrong OPTIONS (task 'all');
SELECT (SELECT count(*) FROM by_get WHERE ip <<= '198.51.100.0/24') AS get,
	   (SELECT count(*) FROM by_post WHERE ip <<= '198.51.100.0/24') AS post;
SELECT count(*) FROM by_wrong; -- ERROR
SELECT * FROM requests();

-- resource and path of base_url
CREATE SERVER reseller FOREIGN DATA WRAPPER sgip_fdw OPTIONS (api_version 'v2', base_url 'https://x.example', resource 'reseller.ip');
SELECT emulator('rows=4', '/some/where/apiv2/') AS url
\gset
ALTER SERVER reseller OPTIONS (SET base_url :'url');
CREATE USER MAPPING FOR CURRENT_USER SERVER reseller OPTIONS (api_user 'demo', api_key 'demo-key');
CREATE FOREIGN TABLE resold (ip inet) SERVER reseller OPTIONS (task 'all');
SELECT count(*) FROM resold;
EXPLAIN (COSTS OFF) SELECT * FROM resold;

-- a changed option holds for the next query of the same session, and for a
-- prepared statement that has run before
PREPARE counting AS SELECT count(*) FROM resold;
EXECUTE counting;
SELECT emulator('rows=7') AS url
\gset
ALTER SERVER reseller OPTIONS (SET base_url :'url');
EXECUTE counting;
ALTER FOREIGN TABLE resold OPTIONS (SET task 'free');
EXECUTE counting;
ALTER USER MAPPING FOR CURRENT_USER SERVER reseller OPTIONS (SET api_key 'wrong');
EXECUTE counting; -- ERROR

-- a wrapper without its validator: what stands in the catalog is checked when it is used, and never believed
SET client_min_messages = error;
ALTER FOREIGN DATA WRAPPER sgip_fdw NO VALIDATOR;
CREATE FUNCTION unchecked(object text, options text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	CALL make_server('unchecked', 'rows=3', CASE object WHEN 'server' THEN options ELSE '' END, 'v3');
	IF object = 'url' THEN
		EXECUTE format('ALTER SERVER unchecked OPTIONS (SET base_url %s)', options);
	ELSIF object = 'mapping' THEN
		DROP USER MAPPING FOR CURRENT_USER SERVER unchecked;
		EXECUTE format('CREATE USER MAPPING FOR CURRENT_USER SERVER unchecked OPTIONS (%s)', options);
	END IF;
	EXECUTE format('CREATE FOREIGN TABLE unchecked (ip inet %s) SERVER unchecked %s',
				   CASE object WHEN 'column' THEN 'OPTIONS (' || options || ')' END,
				   CASE object WHEN 'table' THEN options ELSE 'OPTIONS (task ''all'')' END);
	RETURN QUERY SELECT 'EXPLAIN: ' || split_part(l, ':', 1) FROM failure('EXPLAIN SELECT * FROM unchecked') l LIMIT 1;
	RETURN QUERY SELECT replace(l, current_user, 'me') FROM failure('SELECT * FROM unchecked') l;
	DROP SERVER unchecked CASCADE;
END $$;
\a\t
SELECT object || options || E'\n' || string_agg(u, E'\n') FROM (VALUES
	('url', $$'nowhere'$$), ('url', $$''$$), ('url', $$'http:'$$), ('url', $$'http://192.0.2.1'$$), ('url', $$'https://u@h'$$), ('url', $$E'https://h/\r\nX: 1'$$),
	('server', $$, http_method 'get'$$), ('server', $$, read_timeout 'soon'$$), ('server', $$, max_concurrency '-1'$$),
	('server', $$, page_size '0'$$), ('server', $$, async_capable 'x'$$), ('server', $$, fdw_tuple_cost 'NaN'$$), ('server', $$, on_behalf_of E'a\r\nX: 1'$$),
	('server', $$, proxy 'p'$$), ('server', $$, nonsense '1'$$),
	('mapping', $$api_key E'k\r\nX: 1'$$), ('mapping', $$api_key U&'SG.\2026'$$), ('mapping', $$api_key 'k', on_behalf_of E'a\r\nX: 1'$$), ('mapping', $$api_user 'x', api_key 'k'$$),
	('mapping', $$api_key 'demo-key', api_key_file 'relative'$$),
	('table', ''), ('table', $$OPTIONS (task E'a\x1b')$$), ('table', $$OPTIONS (task 'all', fdw_startup_cost 'x')$$),
	('column', $$field 'x'$$), ('column', $$match 'some'$$), ('column', $$constant E'\x1b'$$), ('column', $$constant '::1', field 'ip'$$)) AS v(object, options), unchecked(object, options) u
GROUP BY object, options ORDER BY object, options COLLATE "C";
\a\t
ALTER FOREIGN DATA WRAPPER sgip_fdw VALIDATOR sgip_fdw_validator;
