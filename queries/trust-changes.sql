-- Which trust policies and permission boundaries changed, and who used the role afterwards?
-- question: 30
-- group: Changes
-- severity: high
-- shows: one line a change, tried or done, of who may assume a role or of the limit of what a role or user
--   may do, with who made it and who used it within the hours after; new_users had never used the role
--   before in these logs
-- cannot know: what the policy said before. Uses in accounts without logs, and uses before the logs begin,
--   so that everybody is new at their start. Other policies of a role are in writes-under-assumed-roles.
--   Pipelines change trust policies on purpose
-- :role text -- name of the role or user; all when empty
-- :hours int = 168 -- hours after the change in which uses count
-- :since time -- changes from here on
-- :until time -- changes before
WITH changes AS (
  SELECT event_time, event_id, event_name, recipient_account_id AS account_id, origin_type, origin, chain,
         chain_strength, error_code, source_ip_address,
         coalesce(regexp_match(request_parameters, '"roleName"\s*:\s*"([^"\\]*)"')[1],
                  regexp_match(request_parameters, '"userName"\s*:\s*"([^"\\]*)"')[1]) AS subject,
         event_name NOT LIKE '%User%' AS is_role,
         coalesce(regexp_match(request_parameters, '"permissionsBoundary"\s*:\s*"([^"\\]*)"')[1],
                  regexp_match(request_parameters, '"policyDocument"\s*:\s*"((?:[^"\\]|\\.)*)"')[1]) AS policy
  FROM activity
  WHERE event_source LIKE 'iam.amazonaws.com%'
    AND event_name IN ('UpdateAssumeRolePolicy', 'PutRolePermissionsBoundary', 'DeleteRolePermissionsBoundary',
                       'PutUserPermissionsBoundary', 'DeleteUserPermissionsBoundary')
    AND ($since IS NULL OR event_time >= $since) AND ($until IS NULL OR event_time < $until)
), uses AS (
  SELECT c.event_id, c.event_time, coalesce(s.origin, s.principal_id) AS who, s.started_at, s.event_count,
         s.write_count
  FROM changes c
  JOIN sessions s ON s.role_name = c.subject AND s.account_id = c.account_id
  WHERE c.is_role AND c.error_code IS NULL AND s.started_at IS NOT NULL
), users AS (
  SELECT event_id, who, bool_or(started_at < event_time) AS before_it,
         count(*) FILTER (WHERE started_at >= event_time
           AND date_part('epoch', started_at) - date_part('epoch', event_time) <= 3600 * $hours) AS sessions_after,
         sum(event_count) FILTER (WHERE started_at >= event_time
           AND date_part('epoch', started_at) - date_part('epoch', event_time) <= 3600 * $hours) AS calls_after,
         min(started_at) FILTER (WHERE started_at >= event_time) AS first_after
  FROM uses GROUP BY event_id, who
), after AS (
  SELECT event_id, sum(sessions_after) AS sessions_after, sum(calls_after) AS calls_after,
         min(first_after) AS first_use, array_sort(array_agg(who)) AS users_after,
         array_sort(array_agg(who) FILTER (WHERE NOT before_it)) AS new_users
  FROM users WHERE sessions_after > 0 GROUP BY event_id
)
SELECT c.event_time, c.event_name, c.account_id, c.subject, c.error_code, c.origin_type, c.origin,
       array_to_string(c.chain, ' -> ') AS chain, c.chain_strength, c.source_ip_address,
       coalesce(a.sessions_after, 0) AS sessions_after, coalesce(a.calls_after, 0) AS calls_after, a.first_use,
       a.users_after, a.new_users, replace(replace(c.policy, '\n', ' '), '\"', '"') AS policy, c.event_id
FROM changes c
LEFT JOIN after a ON a.event_id = c.event_id
WHERE $role IS NULL OR c.subject = $role
ORDER BY c.event_time, c.event_id
