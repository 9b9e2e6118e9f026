-- Who used roles of another account, and through which chain?
-- question: 4
-- group: Roles and accounts
-- severity: info
-- shows: one line a role, origin and chain: sessions that a caller of another account obtained, whether
--   they were used or not, and what was done under them
-- cannot know: which person of an account without logs it was; of them only account and principal id
--   are known. Data events that no trail records are missing from the calls
-- :role text -- role name; all roles when empty
-- :account text -- account of the role; all when empty
-- :since time -- sessions started from here on
-- :until time -- sessions started before
SELECT account_id, role_name, origin_type, origin, origin_account_id,
       array_to_string(chain, ' -> ') AS chain, chain_strength, count(*) AS sessions,
       sum(event_count) AS calls, sum(write_count) AS writes, min(started_at) AS first_session,
       max(started_at) AS last_session
FROM sessions
WHERE cross_account
  AND ($role IS NULL OR role_name = $role) AND ($account IS NULL OR account_id = $account)
  AND ($since IS NULL OR started_at >= $since) AND ($until IS NULL OR started_at < $until)
GROUP BY account_id, role_name, origin_type, origin, origin_account_id, 6, chain_strength
ORDER BY account_id, role_name, origin, chain, chain_strength
