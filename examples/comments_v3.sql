-- Comments on the foreign tables of api_version 'v3' and on their columns, as psql's \d+ and BI tools show them: IMPORT
-- cannot write any.
--
--     psql -f examples/comments_v3.sql [-v source=SCHEMA]
--
--     source  holds the foreign tables; default sg
--
-- A table is known by its option task and a column by its option field, whatever their names are.

\set QUIET on
\set ON_ERROR_STOP on
\if :{?source}
\else
\set source sg
\endif

BEGIN;
WITH comment(tasks, field, words) AS (VALUES
	('all', NULL, 'Every IP of the account'),
	('free', NULL, 'IPs with neither subuser nor pool'),
	('taken', NULL, 'IPs with a subuser or a pool'),
	('available', NULL, 'IPs that may be handed out: free, or all of their subusers are disabled'),
	('usage', NULL, 'Who may send from which IP: a row for each pair of IP and subuser'),
	('pool_members', NULL, 'Which IP is in which pool: a row for each pair'),
	('pool_ips', NULL, 'Which IP is in which pool, by the id of the pool: a row for each pair'),
	('assigned', NULL, 'IPs that the account itself may send from, or the subuser that it acts for'),
	('addresses', NULL, 'Every IP with its region, ownership and state'),
	('pools', NULL, 'IP pools'),
	('warmup', NULL, 'IPs that are warming up'),
	('remaining', NULL, 'How many IPs can still be added, and what each costs'),
	('subusers', NULL, 'Subusers of the account'),
	('subuser_reputations', NULL, 'How well the mail of subusers is received'),
	('reverse_dns', NULL, 'Reverse DNS records'),
	('authenticated_domains', NULL, 'Domains that mail is authenticated for'),
	('account', NULL, 'The account itself: one row'),
	('scopes', NULL, 'What the key may do'),
	('partner_accounts', NULL, 'Customer accounts of a reseller'),
	('partner_account_ips', NULL, 'IPs of a reseller''s customer accounts'),
	('partner_account_states', NULL, 'State of a reseller''s customer accounts'),
	('all free taken available usage pool_members pool_ips assigned addresses warmup reverse_dns partner_account_ips', 'ip', 'The IP'),
	('all free taken available', 'subusers', 'Usernames that may send from it, perhaps that of the account itself'),
	('all free taken available usage assigned addresses', 'pools', 'Names of the pools that it is in'),
	('all free taken available', 'rdns', 'Its name in reverse DNS'),
	('all free taken available', 'whitelabeled', 'Whether reverse DNS has been set up'),
	('all free taken available assigned', 'warmup', 'Whether it is warming up'),
	('all free taken available assigned warmup', 'start_date', 'When warming up began'),
	('all free taken available', 'assigned_at', 'When it was assigned'),
	('usage', 'user', 'The subuser, or the account itself'),
	('usage', 'group', 'The pool that was searched for, NULL without a condition on it'),
	('pool_members', 'pool', 'Name of the pool'),
	('pool_ips', 'pool', 'Id of the pool'),
	('pool_ips', 'pool_name', 'Its name'),
	('addresses pool_ips partner_account_ips', 'region', 'us or eu'),
	('addresses', 'pool_ids', 'Ids of the pools, in the order of their names'),
	('addresses', 'is_leased', 'Whether it is leased from SendGrid, rather than brought along'),
	('addresses', 'is_enabled', 'Whether an IP that was brought along is in use; NULL for a leased one'),
	('addresses', 'is_parent_assigned', 'Whether the account itself may send from it'),
	('addresses', 'is_auto_warmup', 'Whether it is warmed up automatically'),
	('addresses', 'added_at', 'When it was added to the account'),
	('addresses', 'updated_at', 'When it was last changed'),
	('pools', 'id', 'Id of the pool'),
	('pools', 'name', 'Its name'),
	('pools', 'total_ip_count', 'How many IPs are in it'),
	('pools', 'regions', 'Regions of its IPs'),
	('pools', 'ips_preview', 'A few of its IPs; ip_pool_members has all'),
	('remaining', 'remaining', 'How many IPs can still be added in the period'),
	('remaining', 'period', 'The period, such as month'),
	('remaining', 'price_per_ip', 'Price of one more IP'),
	('subusers', 'id', 'Id of the subuser'),
	('subusers', 'username', 'Its username'),
	('subusers', 'email', 'Its e-mail address'),
	('subusers', 'disabled', 'Whether it is disabled, and may not send'),
	('subusers', 'region', 'global or eu'),
	('subuser_reputations', 'username', 'The subuser'),
	('subuser_reputations', 'reputation', '100 at best; said to be inaccurate in the EU'),
	('reverse_dns', 'id', 'Id of the record'),
	('reverse_dns', 'rdns', 'The name that the IP shall have'),
	('reverse_dns', 'users', 'Usernames that may send from the IP'),
	('reverse_dns', 'user_ids', 'Their ids, in the same order'),
	('reverse_dns', 'subdomain', 'Subdomain that the name was made of'),
	('reverse_dns', 'domain', 'Domain that the name was made of'),
	('reverse_dns', 'valid', 'Whether the record was found to be right when it was last looked at'),
	('reverse_dns', 'legacy', 'Whether it was made by the old version of this feature'),
	('reverse_dns', 'last_validation_attempt_at', 'When it was last looked at'),
	('reverse_dns', 'a_record_valid', 'Whether the DNS has the address record'),
	('reverse_dns', 'a_record_host', 'Name of the record that the DNS should have'),
	('reverse_dns', 'a_record_data', 'Its value'),
	('authenticated_domains', 'id', 'Id of the domain'),
	('authenticated_domains', 'domain', 'The domain'),
	('authenticated_domains', 'subdomain', 'Subdomain that the records are made under'),
	('authenticated_domains', 'username', 'The subuser that it belongs to, or the account itself'),
	('authenticated_domains', 'user_id', 'Its id'),
	('authenticated_domains', 'ips', 'IPs that its mail is sent from; without any, those of the subuser'),
	('authenticated_domains', 'default', 'Whether it is used where no other domain fits'),
	('authenticated_domains', 'valid', 'Whether its records were found to be right'),
	('authenticated_domains', 'legacy', 'Whether it was made by the old version of this feature'),
	('account', 'username', 'Username of the account'),
	('account', 'user_id', 'Its id'),
	('scopes', 'scope', 'Such as ips.read'),
	('partner_accounts', 'id', 'Id of the account'),
	('partner_accounts', 'email', 'Its e-mail address'),
	('partner_accounts', 'created_at', 'When it was created'),
	('partner_accounts', 'updated_at', 'When it was last changed'),
	('partner_account_ips partner_account_states', 'account', 'Id of the account'),
	('partner_account_states', 'state', 'Such as activated or deactivated')
), target AS (
	SELECT t.ftrelid AS relid, c.relname, substring(array_to_string(t.ftoptions, E'\n') FROM '(?n)^task=(.*)$') AS task
	FROM pg_foreign_table t JOIN pg_class c ON c.oid = t.ftrelid
		JOIN pg_foreign_server s ON s.oid = t.ftserver
		JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw AND w.fdwname = 'sgip_fdw'
	WHERE c.relnamespace = to_regnamespace(quote_ident(:'source'))
)
SELECT format('COMMENT ON FOREIGN TABLE %I.%I IS %L', :'source', relname, words)
FROM target JOIN comment ON task = ANY (string_to_array(tasks, ' ')) AND field IS NULL
UNION ALL
SELECT format('COMMENT ON COLUMN %I.%I.%I IS %L', :'source', relname, attname, words)
FROM target JOIN comment ON task = ANY (string_to_array(tasks, ' '))
	JOIN pg_attribute ON attrelid = relid AND attnum > 0 AND NOT attisdropped
		AND field = coalesce(substring(array_to_string(attfdwoptions, E'\n') FROM '(?n)^field=(.*)$'), attname)
\gexec
COMMIT;
