--
-- What goes wrong, and what is said: SQLSTATE, message, DETAIL, HINT, CONTEXT.
--
\getenv srcdir PG_ABS_SRCDIR
\set setup :srcdir '/sql/include/setup.psql'
\i :setup
-- A scan of a server with that fault (or other switches) and those options
CREATE FUNCTION say(switches text, query text DEFAULT 'SELECT ip FROM f', options text DEFAULT ', max_retries ''0''')
RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	SET LOCAL client_min_messages = warning;
	DROP SERVER IF EXISTS sg CASCADE;
	CALL make_server('sg', 'rows=8;' || switches, options);
	CREATE FOREIGN TABLE f (ip inet) SERVER sg OPTIONS (task 'all');
	CREATE FOREIGN TABLE u (ip inet, username text) SERVER sg OPTIONS (task 'usage');
	RETURN QUERY SELECT replace(l, '~rows=8;' || switches, '~') FROM failure(query) l;
END $$;
\a\t

-- 28000: the three ways in which the API refuses, and statuses 401 and 403
CALL make_server('sg');
SELECT * FROM say('fault=status_401');
SELECT * FROM say('fault=status_403');
SELECT * FROM say('fault=error_object_200');
CREATE FUNCTION refused(auth_error text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM say('auth_error=' || auth_error);
	ALTER USER MAPPING FOR CURRENT_USER SERVER sg OPTIONS (SET api_key 'not-the-demo-key');
	RETURN QUERY SELECT replace(l, '~rows=8;auth_error=' || auth_error, '~') FROM failure('SELECT ip FROM f') l;
END $$;
SELECT * FROM refused('403html');
SELECT * FROM refused('message');
SELECT * FROM refused('error_object');

-- 08001: no connection.  Port 1 of this machine has no listener; the name has no address
ALTER SERVER sg OPTIONS (SET base_url 'http://127.0.0.1:1/api', ADD connect_timeout '2s');
SELECT regexp_replace(l, '(DETAIL: ).*', '\1(libcurl''s words)') FROM failure('SELECT ip FROM f') l;
ALTER SERVER sg OPTIONS (SET base_url 'https://no-such-host.invalid/api');
SELECT regexp_replace(l, '(DETAIL: ).*', '\1(libcurl''s words)') FROM failure('SELECT ip FROM f') l;
-- TLS with somebody who does not speak it
SELECT replace(emulator(''), 'http:', 'https:') AS url
\gset
ALTER SERVER sg OPTIONS (SET base_url :'url');
SELECT regexp_replace(l, '(DETAIL: ).*', '\1(libcurl''s words)') FROM failure('SELECT ip FROM f') l;

-- 08006: the connection is lost, or silent, within an answer, or the answer is cut short
SELECT * FROM say('fault=silence_before', options => ', read_timeout ''200ms'', max_retries ''0''');
SELECT * FROM say('fault=silence_headers', options => ', read_timeout ''200ms'', max_retries ''0''');
SELECT * FROM say('fault=silence_body', options => ', read_timeout ''200ms'', max_retries ''0''');
SELECT * FROM say('fault=silence_end', options => ', read_timeout ''200ms'', max_retries ''0''');
SELECT fault, l FROM unnest('{reset_before,reset_headers,reset_body,close_before,close_headers,close_body,length_long,
	chunked_endless,chunk_garbage}'::text[]) fault,
	LATERAL (SELECT l FROM say('fault=' || fault || ';fault_at=60') l LIMIT 1) s;
-- ... which only the JSON, or the compression, may tell
SELECT fault, l ~ '^(08006|HV00L)' FROM unnest('{close_eof_body,length_short,gzip_truncated,truncated_json}'::text[]) fault,
	LATERAL (SELECT l FROM say('fault=' || fault || ';fault_at=60') l LIMIT 1) s;

-- 53400: too many requests
SELECT regexp_replace(l, 'wait \d+ s', 'wait N s') FROM say('fault=status_429') l;
SELECT * FROM say('rate_limit=0:60;retry_after=3600;rate_headers=no;id=errors-1', options => ', max_retries ''3''');
SELECT * FROM say('rate_limit=0:60;retry_after=0;rate_headers=no;id=errors-2', options => ', max_retries ''2''');
-- HV000: other statuses, redirects, and the API's error objects under any status
SELECT * FROM say('fault=status_404');
SELECT * FROM say('fault=status_400');
SELECT * FROM say('fault=status_500');
SELECT * FROM say('fault=status_503;rate_headers=no');
SELECT * FROM say('fault=status_500;fault_body=html');
SELECT * FROM say('fault=status_500;fault_body=empty');
SELECT * FROM say('fault=redirect_302');
SELECT * FROM say('fault=error_200');
SELECT * FROM say('fault=error_string_200');
SELECT * FROM say('fault=errors_200');
SELECT length(l) < 400 AS short, left(l, 60) FROM say('fault=error_long_200') l;
SELECT * FROM say('fault=error_late');
SELECT * FROM say('fault=error_with_rows');
SELECT fault, l FROM unnest('{status_402,status_409,status_410,status_451,status_501,status_599,redirect_301,redirect_303,
	redirect_307,redirect_308}'::text[]) fault,
	LATERAL (SELECT l FROM say('fault=' || fault) l LIMIT 1) s;
-- ... and what is no HTTP at all, or more of it than anybody means
SELECT fault, left(l, 6) FROM unnest('{length_negative,gzip_garbage,encoding_unknown,garbage_status,garbage_bytes,http09,header_huge,
	header_countless,interim_endless}'::text[]) fault,
	LATERAL (SELECT l FROM say('fault=' || fault) l LIMIT 1) s;

-- HV00L: not the JSON that the task gives, too large, too deep
SELECT * FROM say('fault=html_200');
SELECT * FROM say('fault=nesting_100000');
SELECT * FROM say('fault=element_1g;fault_size=2000000');
SELECT fault, left(l, 6) FROM unnest('{empty_200,blank_200,null_200,number_200,utf16,status_204,two_documents,trailing_garbage,trailing_comma,
	unquoted,string_endless,number_million,invalid_utf8,nul_escape,control_character,lone_surrogate,bad_escape,
	ip_object,ip_list,ip_null,ip_missing,row_null,row_number,row_list,rows_object,duplicate_keys}'::text[]) fault,
	LATERAL (SELECT l FROM say('fault=' || fault) l LIMIT 1) s;
SELECT * FROM say('fault=ip_object');

-- the value's own SQLSTATE, with the element's number and the column
SELECT * FROM say('fault=ip_bad');
SELECT fault, l FROM unnest('{ip_number,ip_empty,ip_v6,row_string}'::text[]) fault,
	LATERAL (SELECT l FROM say('fault=' || fault) l LIMIT 1) s;
-- a broken row breaks the query also when no column of it is read; but not one that is never reached
SELECT * FROM say('fault=trailing_garbage', 'SELECT count(*) FROM f');
SELECT * FROM say('fault=ip_bad', 'SELECT ip FROM f LIMIT 3');
-- a good answer after all
SELECT fault, l FROM unnest('{status_100,status_103}'::text[]) fault,
	LATERAL (SELECT l FROM say('fault=' || fault) l LIMIT 1) s;

-- blanks for ever are nothing's beginning; whoever has enough of them cancels
SET statement_timeout = '300ms';
SELECT ip FROM f LIMIT 0;
SELECT emulator('rows=8;fault=spaces_endless') AS url
\gset
ALTER SERVER sg OPTIONS (SET base_url :'url');
SELECT count(*) FROM f; -- ERROR
RESET statement_timeout;
\a\t
