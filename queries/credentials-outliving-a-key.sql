-- Which tokens outlived the access key that was deactivated or deleted?
-- question: 10
-- group: What outlives a credential
-- severity: high
-- shows: one line a federation token, session token or role session that was obtained with a key before
--   the key was deactivated or deleted, and was still valid then (or may have been: expires_at empty, and
--   no older than 36 hours); calls_after are those made since
-- cannot know: tokens obtained in regions or accounts without logs. A token that a policy has shut out
--   meanwhile is still listed: see whether its calls fail. When keys are rotated, tokens of the old key
--   run out by themselves. The record of a key that its owner deactivates names the key, not the owner
-- :key text -- access key id; all when empty
-- :since time -- keys deactivated from here on
-- :until time -- keys deactivated before
WITH ended AS (
  SELECT event_time AS ended_at, event_name, origin AS ended_by, event_id,
         regexp_match(request_parameters, '"accessKeyId"\s*:\s*"([^"\\]*)"')[1] AS access_key_id
  FROM activity
  WHERE event_source LIKE 'iam.amazonaws.com%' AND error_code IS NULL
    AND (event_name = 'DeleteAccessKey'
         OR event_name = 'UpdateAccessKey' AND regexp_like(request_parameters, '"status"\s*:\s*"Inactive"'))
    AND ($since IS NULL OR event_time >= $since) AND ($until IS NULL OR event_time < $until)
), tokens AS (
  SELECT e.access_key_id, e.ended_at, e.event_name, e.ended_by, g.kind, g.event_time AS issued_at,
         g.expires_at, g.session_name, g.role_arn, g.issued_session_id, g.issued_access_key_id, g.caller_arn
  FROM ended e
  JOIN grants g ON g.caller_access_key_id = e.access_key_id
  WHERE g.outcome = 'granted' AND g.kind IN ('GetFederationToken', 'GetSessionToken', 'AssumeRole', 'AssumeRoot')
    AND g.event_time <= e.ended_at
    AND (g.expires_at > e.ended_at
         OR g.expires_at IS NULL AND g.event_time > e.ended_at - INTERVAL '36 hours')
    AND ($key IS NULL OR e.access_key_id = $key)
), later AS (
  SELECT t.issued_access_key_id, t.ended_at, count(*) AS calls_after,
         count(*) FILTER (WHERE a.error_code IS NULL AND a.read_only = false) AS writes_after,
         count(a.error_code) AS errors_after, max(a.event_time) AS last_call,
         array_sort(array_agg(DISTINCT a.source_ip_address)) AS addresses
  FROM tokens t
  JOIN activity a ON a.session_id = t.issued_session_id AND a.event_time > t.ended_at
  GROUP BY t.issued_access_key_id, t.ended_at
)
SELECT t.access_key_id, t.caller_arn AS owner, t.ended_at, t.event_name AS ended_with, t.ended_by, t.kind,
       t.session_name, t.role_arn, t.issued_at, t.expires_at, coalesce(l.calls_after, 0) AS calls_after,
       coalesce(l.writes_after, 0) AS writes_after, coalesce(l.errors_after, 0) AS errors_after,
       l.last_call, l.addresses, t.issued_access_key_id, t.issued_session_id
FROM tokens t
LEFT JOIN later l ON l.issued_access_key_id = t.issued_access_key_id AND l.ended_at = t.ended_at
ORDER BY t.ended_at, t.access_key_id, t.issued_at, t.issued_access_key_id
