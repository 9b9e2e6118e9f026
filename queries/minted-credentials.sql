-- Which access keys, passwords and users were created by a session, and what did they do?
-- question: 31
-- group: What outlives a credential
-- severity: medium
-- shows: one line an access key, a password or a user that somebody made, with who made it and what was
--   done with it since: calls with that key; for a password the user's calls in the console from then on
--   until the next one is set; for a user all that the user did. They outlive the session that made them
-- cannot know: who holds a key afterwards: what is done with it is its user's. A password that was set is
--   no proof that it was the one typed, and a console session that began with the one before goes on. Keys
--   of users whose account has no logs. Users make keys for themselves, too (for_oneself)
-- :id text -- session id, session name or origin of the maker; all when empty
-- :since time -- made from here on
-- :until time -- made before
WITH minted AS (
  SELECT a.event_time, a.event_id, a.event_name, a.recipient_account_id AS account_id, a.origin_type, a.origin,
         a.chain, a.chain_strength, a.session_id, a.session_name, a.source_ip_address,
         coalesce(g.user_name, regexp_match(a.request_parameters, '"userName"\s*:\s*"([^"\\]*)"')[1],
                  split_part(a.principal_arn, '/', -1)) AS user_name,
         g.issued_access_key_id AS access_key_id,
         (a.event_name LIKE '%LoginProfile' OR a.event_name = 'ChangePassword') AS is_password
  FROM activity a
  LEFT JOIN (SELECT event_id, user_name, issued_access_key_id FROM grants
             WHERE kind IN ('CreateAccessKey', 'CreateLoginProfile', 'UpdateLoginProfile')) g
         ON g.event_id = a.event_id
  WHERE a.event_source LIKE 'iam.amazonaws.com%' AND a.error_code IS NULL
    AND a.event_name IN ('CreateAccessKey', 'CreateUser', 'CreateLoginProfile', 'UpdateLoginProfile',
                         'ChangePassword')
    AND ($since IS NULL OR a.event_time >= $since)
), replaced AS (
  SELECT *, lead(event_time) OVER (PARTITION BY account_id, user_name, is_password
                                   ORDER BY event_time, event_id) AS next_time
  FROM minted
), made AS (
  SELECT * FROM replaced
  -- A user's own change ends the password before it, and is nothing that outlives a session of another.
  WHERE event_name <> 'ChangePassword'
    AND ($id IS NULL OR session_id = $id OR session_name = $id OR origin = $id)
    AND ($until IS NULL OR event_time < $until)
), calls AS (
  SELECT event_time, event_source, event_name, read_only, error_code, source_ip_address, access_key_id,
         origin_account_id AS account_id, split_part(origin, '/', -1) AS user_name
  FROM activity
  WHERE depth = 0 AND origin_type = 'IAMUser' AND ($since IS NULL OR event_time >= $since)
), theirs AS (
  SELECT m.event_id, c.*
  FROM made m
  JOIN calls c ON c.access_key_id = m.access_key_id AND c.account_id = m.account_id AND c.user_name = m.user_name
  WHERE m.event_name = 'CreateAccessKey' AND c.event_time >= m.event_time
  UNION ALL
  SELECT m.event_id, c.*
  FROM made m
  JOIN calls c ON c.account_id = m.account_id AND c.user_name = m.user_name
  WHERE m.event_name = 'CreateUser' AND c.event_time >= m.event_time
  UNION ALL
  SELECT m.event_id, c.*
  FROM made m
  JOIN calls c ON c.account_id = m.account_id AND c.user_name = m.user_name
  WHERE m.is_password AND c.event_time >= m.event_time AND (m.next_time IS NULL OR c.event_time < m.next_time)
    AND (c.access_key_id IS NULL OR c.access_key_id NOT LIKE 'AKIA%')
), kinds AS (
  SELECT event_id, source_ip_address, concat(split_part(event_source, '.', 1), ':', event_name) AS action,
         count(*) AS calls, count(*) FILTER (WHERE read_only = false) AS writes,
         count(error_code) AS errors, min(event_time) AS first_call, max(event_time) AS last_call
  FROM theirs GROUP BY event_id, source_ip_address, concat(split_part(event_source, '.', 1), ':', event_name)
), used AS (
  SELECT event_id, sum(calls) AS calls, sum(writes) AS writes, sum(errors) AS errors,
         min(first_call) AS first_call, max(last_call) AS last_call,
         array_sort(array_agg(DISTINCT source_ip_address)) AS addresses,
         array_sort(array_agg(DISTINCT action)) AS actions
  FROM kinds GROUP BY event_id
)
SELECT m.event_time AS made_at, m.event_name, m.account_id, m.user_name, m.access_key_id, m.origin_type,
       m.origin AS made_by, array_to_string(m.chain, ' -> ') AS chain, m.chain_strength, m.source_ip_address,
       (m.origin_type = 'IAMUser' AND split_part(m.origin, '/', -1) = m.user_name) AS for_oneself,
       coalesce(u.calls, 0) AS calls, coalesce(u.writes, 0) AS writes, coalesce(u.errors, 0) AS errors,
       u.first_call, u.last_call, u.addresses, u.actions, m.event_id
FROM made m
LEFT JOIN used u ON u.event_id = m.event_id
ORDER BY m.event_time, m.event_id
