-- Which member accounts were taken with AssumeRoot?
-- question: 23
-- group: Roles and accounts
-- severity: high
-- shows: one line an AssumeRoot, granted or denied: who took root of which account, with which task
--   policy, and what was done with it
-- cannot know: the work in a member account whose logs are not here; then calls is 0. The denial of an
--   attempt names the account only in its message. Administrators clean up root passwords and locked
--   bucket policies in this way on purpose
-- :account text -- member account; all when empty
-- :since time -- attempts from here on
-- :until time -- attempts before
WITH roots AS (
  SELECT g.event_time, g.outcome, g.denial_cause, g.caller_arn, g.caller_session_id, g.source_ip_address,
         coalesce(g.role_account_id, regexp_match(e.request_parameters, '([0-9]{12})')[1]) AS member_account_id,
         regexp_match(e.request_parameters, 'root-task/([A-Za-z0-9]+)')[1] AS task, g.issued_session_id,
         g.expires_at, g.event_id
  FROM grants g
  JOIN events e ON e.event_id = g.event_id
  WHERE g.kind = 'AssumeRoot' AND e.event_name = 'AssumeRoot'
    AND ($since IS NULL OR g.event_time >= $since) AND ($until IS NULL OR g.event_time < $until)
    AND ($since IS NULL OR e.event_time >= $since) AND ($until IS NULL OR e.event_time < $until)
), work AS (
  SELECT r.issued_session_id, count(*) AS calls, count(*) FILTER (WHERE a.read_only = false) AS writes,
         count(a.error_code) AS errors, max(a.event_time) AS last_call,
         array_sort(array_agg(DISTINCT concat(split_part(a.event_source, '.', 1), ':', a.event_name))) AS actions
  FROM roots r
  JOIN events a ON a.session_id = r.issued_session_id
  WHERE $since IS NULL OR a.event_time >= $since
  GROUP BY r.issued_session_id
)
SELECT r.event_time, r.member_account_id, r.outcome, r.denial_cause, r.task, s.origin_type, s.origin,
       array_to_string(s.chain, ' -> ') AS chain, s.chain_strength, r.caller_arn, r.source_ip_address,
       coalesce(w.calls, 0) AS calls, coalesce(w.writes, 0) AS writes, coalesce(w.errors, 0) AS errors,
       w.actions, w.last_call, r.expires_at, r.issued_session_id, r.event_id
FROM roots r
LEFT JOIN sessions s ON s.session_id = r.caller_session_id
LEFT JOIN work w ON w.issued_session_id = r.issued_session_id
WHERE $account IS NULL OR r.member_account_id = $account
ORDER BY r.event_time, r.event_id
