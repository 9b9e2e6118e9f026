-- What is still valid at a given time?
-- question: 32
-- group: What outlives a credential
-- severity: info
-- shows: one line a credential that was issued before that time and had not expired: of the chosen
--   credential and of all that it obtained, down the chain, used or not; steps counts the hops. Access
--   keys that such a session made have no expiry and stay until they are deactivated in the logs
-- cannot know: what a policy has shut out meanwhile; console sessions, whose end is not recorded; expiries
--   of grants that are missing. Without at, the time is that of the last event in the logs
-- :id text -- session id, access key id or role session name; all credentials when empty
-- :at time -- the time in question
WITH RECURSIVE asked AS (
  SELECT coalesce($at, max(event_time)) AS at FROM events
), below AS (
  SELECT credential_id, CAST(0 AS BIGINT) AS steps
  FROM credentials
  WHERE session_id = $id OR access_key_id = $id OR session_name = $id
  UNION ALL
  SELECT c.credential_id, b.steps + 1
  FROM below b
  JOIN credentials c ON c.parent_credential_id = b.credential_id
  WHERE b.steps < 64 AND c.credential_id <> b.credential_id
), reached AS (
  SELECT credential_id, min(steps) AS steps FROM below GROUP BY credential_id
), ended AS (
  SELECT regexp_match(request_parameters, '"accessKeyId"\s*:\s*"([^"\\]*)"')[1] AS access_key_id,
         min(event_time) AS ended_at
  FROM events
  WHERE event_source LIKE 'iam.amazonaws.com%' AND error_code IS NULL
    AND (event_name = 'DeleteAccessKey'
         OR event_name = 'UpdateAccessKey' AND regexp_like(request_parameters, '"status"\s*:\s*"Inactive"'))
  GROUP BY 1
)
SELECT c.access_key_id, g.kind, g.event_time AS issued_at, g.expires_at,
       CAST((date_part('epoch', g.expires_at) - date_part('epoch', t.at)) / 60 AS BIGINT) AS minutes_left,
       r.steps, c.origin_type, c.origin, array_to_string(c.chain, ' -> ') AS chain, c.chain_strength,
       c.account_id, c.role_name, c.session_name, c.event_count AS calls, c.last_event_at AS last_call,
       c.session_id
FROM credentials c
JOIN grants g ON g.event_id = c.grant_event_id
CROSS JOIN asked t
LEFT JOIN reached r ON r.credential_id = c.credential_id
LEFT JOIN ended e ON e.access_key_id = c.access_key_id
WHERE g.outcome = 'granted' AND g.event_time <= t.at AND ($id IS NULL OR r.credential_id IS NOT NULL)
  AND (g.expires_at > t.at
       OR g.kind = 'CreateAccessKey' AND (e.ended_at IS NULL OR e.ended_at > t.at))
ORDER BY g.expires_at, issued_at, c.access_key_id, c.session_id
