-- Who took the emergency role, for how long, doing what?
-- question: 29
-- group: Changes
-- severity: high
-- shows: one line a session of a role whose name matches pattern, and each denied attempt to take one;
--   minutes is from its start to its last call, open_until its expiry. changes and denied list the actions
-- cannot know: which role is the emergency role: name yours in pattern. Whether the use was agreed. What
--   sessions that it obtained did: chain-activity tells (obtained counts them)
-- :pattern text = (?i)(break.?glass|emergency|fire.?fighter|firecall) -- regular expression over role names
-- :since time -- sessions started from here on
-- :until time -- sessions started before
WITH taken AS (
  SELECT started_at, account_id, role_name, session_name, origin_type, origin, chain, chain_strength,
         mfa_authenticated, mfa_serial, source_identity, source_ip_addresses, event_count, write_count,
         error_count, last_event_at, expires_at, session_id
  FROM sessions
  WHERE regexp_like(role_name, $pattern)
    AND ($since IS NULL OR started_at >= $since) AND ($until IS NULL OR started_at < $until)
), actions AS (
  SELECT t.session_id, concat(split_part(a.event_source, '.', 1), ':', a.event_name) AS action,
         bool_or(a.read_only = false AND a.error_code IS NULL) AS changed,
         bool_or(regexp_like(a.error_code, '(AccessDenied|Unauthorized|Forbidden)')) AS refused
  FROM taken t JOIN events a ON a.session_id = t.session_id
  WHERE $since IS NULL OR a.event_time >= $since
  GROUP BY t.session_id, concat(split_part(a.event_source, '.', 1), ':', a.event_name)
), work AS (
  SELECT session_id, array_sort(array_agg(action) FILTER (WHERE changed)) AS changes,
         array_sort(array_agg(action) FILTER (WHERE refused)) AS denied
  FROM actions GROUP BY session_id
), obtained AS (
  SELECT parent_session_id AS session_id, count(*) AS obtained FROM sessions
  WHERE parent_session_id IS NOT NULL GROUP BY parent_session_id
)
SELECT t.started_at, 'granted' AS outcome, t.account_id, t.role_name, t.session_name, t.origin_type, t.origin,
       array_to_string(t.chain, ' -> ') AS chain, t.chain_strength, t.mfa_authenticated, t.mfa_serial,
       t.source_identity,
       CAST((date_part('epoch', t.last_event_at) - date_part('epoch', t.started_at)) / 60 AS BIGINT) AS minutes,
       t.expires_at AS open_until, t.event_count AS calls, t.write_count AS writes, t.error_count AS errors,
       w.changes, w.denied, coalesce(o.obtained, 0) AS obtained, t.source_ip_addresses AS addresses,
       t.session_id
FROM taken t
LEFT JOIN work w ON w.session_id = t.session_id
LEFT JOIN obtained o ON o.session_id = t.session_id
UNION ALL
SELECT g.event_time, 'denied', g.role_account_id, g.role_name, g.session_name,
       coalesce(s.origin_type, g.caller_type), coalesce(s.origin, g.caller_arn),
       array_to_string(s.chain, ' -> '), s.chain_strength, NULL, g.mfa_serial, g.source_identity, NULL, NULL,
       0, 0, 0, NULL, NULL, 0, make_array(g.source_ip_address), NULL
FROM grants g
LEFT JOIN sessions s ON s.session_id = g.caller_session_id
WHERE g.outcome = 'denied' AND g.propagation IS NOT TRUE AND regexp_like(g.role_name, $pattern)
  AND ($since IS NULL OR g.event_time >= $since) AND ($until IS NULL OR g.event_time < $until)
ORDER BY started_at, session_id, origin
