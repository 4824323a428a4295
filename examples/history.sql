-- Who used which IP, since when and until when: the API tells what is, not what was.  For api_version 'v3' and 'v2'.
--
--     psql -f examples/history.sql [-v source=SCHEMA] [-v target=SCHEMA] [-v reader=ROLE]
--
--     source  holds the foreign tables, or what examples/cache_v3.sql made; default sg
--     target  is where the history is kept; default ip_report
--     reader  may read it
--
-- CALL ip_report.remember_ips() looks once.  It writes what has changed since the last look, so that looking every hour takes
-- no more space than looking once a day.  A look is complete, or does not exist if the API fails.  Over the cache it sends
-- no requests, and a state of the cache that has been looked at is not looked at again.  With pg_cron
--
--     SELECT cron.schedule('ip history', '5 * * * *', $$CALL ip_report.remember_ips(keep => '1 year')$$);
--
-- This file can be run again, with another source too.

-- what is set here is set back at the end, so that the file can be included as well
\set quiet :QUIET
\set stop :ON_ERROR_STOP
\set QUIET on
\set ON_ERROR_STOP on
\set from sg
\if :{?source}
\set from :source
\endif
\set into ip_report
\if :{?target}
\set into :target
\endif
SELECT CASE WHEN to_regclass(format('%I.freshness', :'from')) IS NULL THEN 'now()'
			ELSE format('(SELECT as_of FROM %I.freshness)', :'from') END AS as_of \gset

BEGIN;
SET LOCAL client_min_messages = warning;
CREATE SCHEMA IF NOT EXISTS :"into";
SET LOCAL search_path = :"into";

CREATE TABLE IF NOT EXISTS ip_look (seen_at timestamptz PRIMARY KEY);
COMMENT ON TABLE ip_look IS 'When IPs were looked at';
COMMENT ON COLUMN ip_look.seen_at IS 'The time';

CREATE TABLE IF NOT EXISTS ip_period (
	ip inet,
	usernames text[] COLLATE "C" NOT NULL,
	since timestamptz,
	until timestamptz CHECK (until > since),
	PRIMARY KEY (ip, since)
);
CREATE UNIQUE INDEX IF NOT EXISTS ip_period_last ON ip_period (ip) WHERE until IS NULL;
COMMENT ON TABLE ip_period IS 'From when until when an IP was used by the same users';
COMMENT ON COLUMN ip_period.ip IS 'The IP';
COMMENT ON COLUMN ip_period.usernames IS 'Who used it';
COMMENT ON COLUMN ip_period.since IS 'The first look that saw it so';
COMMENT ON COLUMN ip_period.until IS 'The first look that no longer did; NULL: the last look did';

CREATE OR REPLACE PROCEDURE remember_ips(keep interval DEFAULT NULL)
BEGIN ATOMIC
	-- In one statement, so that the API is asked once.  A period is ended before the next one of the same IP begins.
	WITH look AS (
		INSERT INTO ip_look VALUES (:as_of) ON CONFLICT DO NOTHING RETURNING seen_at
	), used AS MATERIALIZED (
		SELECT ip::inet AS ip, array_agg(DISTINCT username COLLATE "C" ORDER BY username COLLATE "C") AS usernames
		FROM :"from".ips_usage GROUP BY ip
	), ended AS (
		UPDATE ip_period p SET until = look.seen_at FROM look
		WHERE p.until IS NULL AND NOT EXISTS (SELECT FROM used u WHERE u.ip = p.ip AND u.usernames = p.usernames)
		RETURNING p.ip
	)
	INSERT INTO ip_period (ip, usernames, since)
	SELECT u.ip, u.usernames, look.seen_at
	FROM look CROSS JOIN used u LEFT JOIN ended e ON e.ip = u.ip
	WHERE e.ip IS NOT NULL OR NOT EXISTS (SELECT FROM ip_period p WHERE p.ip = u.ip AND p.until IS NULL);

	DELETE FROM ip_look WHERE seen_at < now() - keep;
	DELETE FROM ip_period WHERE until < now() - keep;
END;
COMMENT ON PROCEDURE remember_ips IS 'Looks at who uses which IP, and forgets what ended longer ago than keep';

-- What the first look saw is no change
CREATE OR REPLACE VIEW ip_change AS
SELECT coalesce(a.since, b.until) AS seen_at, coalesce(a.ip, b.ip) AS ip_address,
	   CASE WHEN b.ip IS NULL THEN 'granted' WHEN a.ip IS NULL THEN 'freed' ELSE 'moved' END AS change,
	   array_to_string(b.usernames, ', ') AS from_users, array_to_string(a.usernames, ', ') AS to_users
FROM (SELECT ip, usernames, until FROM ip_period WHERE until > (SELECT min(seen_at) FROM ip_look)) b
FULL JOIN (SELECT ip, usernames, since FROM ip_period WHERE since > (SELECT min(seen_at) FROM ip_look)) a
	ON a.ip = b.ip AND a.since = b.until
ORDER BY seen_at DESC, ip_address;
COMMENT ON VIEW ip_change IS 'Which IPs were granted to users, freed or moved from some to others, the last change first';
COMMENT ON COLUMN ip_change.seen_at IS 'The look that saw it; it happened after the one before';
COMMENT ON COLUMN ip_change.ip_address IS 'The IP';
COMMENT ON COLUMN ip_change.change IS 'granted: nobody used it before; freed: nobody does now; moved: the users are others';
COMMENT ON COLUMN ip_change.from_users IS 'Who used it before';
COMMENT ON COLUMN ip_change.to_users IS 'Who used it then';

\if :{?reader}
GRANT USAGE ON SCHEMA :"into" TO :"reader";
GRANT SELECT ON ip_look, ip_period, ip_change TO :"reader";
\endif
COMMIT;

\set ON_ERROR_STOP :stop
\set QUIET :quiet
