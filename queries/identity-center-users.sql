-- Which Identity Center user was it?
-- question: 24
-- group: Ways in
-- severity: info
-- shows: one line a user, account and role: the sessions that the portal or its command line handed out,
--   and the roles taken further on (depth 2 and more)
-- cannot know: without the log of Identity Center's own account a user is known by the session name that
--   it sets, and the strength says inferred. A user who was renamed is two
-- :user text -- user name; all users when empty
-- :account text -- account of the role; all when empty
-- :since time -- sessions started from here on
-- :until time -- sessions started before
SELECT origin AS user_name, origin_detail, account_id, role_name, depth,
       regexp_match(role_name, '^AWSReservedSSO_(.+)_[0-9a-f]{16}$')[1] AS permission_set,
       chain_strength, count(*) AS sessions, count(*) FILTER (WHERE from_console) AS console_sessions,
       sum(event_count) AS calls, sum(write_count) AS writes, min(started_at) AS first_session,
       max(last_event_at) AS last_call
FROM sessions
WHERE (origin_type = 'IdentityCenterUser' OR role_kind = 'sso') AND role_name IS NOT NULL
  AND ($user IS NULL OR origin = $user) AND ($account IS NULL OR account_id = $account)
  AND ($since IS NULL OR started_at >= $since) AND ($until IS NULL OR started_at < $until)
GROUP BY origin, origin_detail, account_id, role_name, depth, chain_strength
ORDER BY user_name, first_session, account_id, role_name, depth
