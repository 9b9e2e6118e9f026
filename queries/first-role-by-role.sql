-- Which role was assumed by a role for the first time?
-- question: 8
-- group: Roles and accounts
-- severity: low
-- shows: one line a pair of roles, the first time that sessions of the one obtained the other, with who
--   was behind it. history_days is how far the logs reach back before that: a first time after one day
--   of logs says little
-- cannot know: what happened before the logs. A role that is made anew under its old name is taken for
--   the same. Where the caller's account has no logs its role is known by id alone
-- :role text -- name of the role that was obtained; all when empty
-- :history float = 0 -- only where the logs reach back so many days before
-- :since time -- first times from here on; earlier logs count as history
-- :until time -- first times before
WITH pairs AS (
  SELECT coalesce(s.role_arn, split_part(g.caller_principal_id, ':', 1)) AS by_role, g.role_arn,
         g.event_time, g.event_id, g.issued_session_id, g.caller_arn, g.source_ip_address,
         row_number() OVER (PARTITION BY coalesce(s.role_arn, split_part(g.caller_principal_id, ':', 1)),
                                         g.role_arn ORDER BY g.event_time, g.event_id) AS nth,
         count(*) OVER (PARTITION BY coalesce(s.role_arn, split_part(g.caller_principal_id, ':', 1)),
                                     g.role_arn) AS times
  FROM grants g
  LEFT JOIN sessions s ON s.session_id = g.caller_session_id
  WHERE g.outcome = 'granted' AND g.kind = 'AssumeRole'
    AND (g.caller_type = 'AssumedRole' OR g.caller_principal_id LIKE 'AROA%')
), logs AS (SELECT min(hour) AS first_hour FROM coverage)
SELECT p.event_time AS first_time, p.by_role, p.role_arn, i.origin_type, i.origin,
       array_to_string(i.chain, ' -> ') AS chain, i.chain_strength, p.times,
       round((date_part('epoch', p.event_time) - date_part('epoch', l.first_hour)) / 86400, 1) AS history_days,
       p.source_ip_address, p.event_id
FROM pairs p
CROSS JOIN logs l
LEFT JOIN sessions i ON i.session_id = p.issued_session_id
WHERE p.nth = 1
  AND ($role IS NULL OR split_part(p.role_arn, '/', -1) = $role)
  AND ($since IS NULL OR p.event_time >= $since) AND ($until IS NULL OR p.event_time < $until)
  AND (date_part('epoch', p.event_time) - date_part('epoch', l.first_hour)) / 86400 >= $history
ORDER BY p.event_time, p.by_role, p.role_arn
