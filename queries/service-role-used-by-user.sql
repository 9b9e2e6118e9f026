-- Which role of a service was then assumed by a user?
-- question: 16
-- group: Roles and accounts
-- severity: high
-- shows: one line a role that services take, and somebody who is no service took later; origin is who was
--   behind it
-- cannot know: a service's use before the logs. Roles made to be tested by people trust both. A role
--   handed to a service for the first time after its user is not listed
-- :role text -- role name; all roles when empty
-- :since time -- users' assumptions from here on
-- :until time -- users' assumptions before
WITH services AS (
  SELECT g.role_arn, min(g.event_time) AS first_by_service,
         array_sort(array_agg(DISTINCT s.origin)) AS services,
         -- A role made again under its name has another id, and is another role.
         bool_or(coalesce(g.assumed_role_id, s.principal_id) IS NULL) AS unknown,
         array_agg(DISTINCT split_part(coalesce(g.assumed_role_id, s.principal_id), ':', 1)) AS ids
  FROM grants g
  JOIN sessions s ON s.session_id = g.issued_session_id
  WHERE g.outcome = 'granted' AND g.caller_type = 'AWSService' AND s.origin_type = 'AWSService'
    AND g.role_arn IS NOT NULL
  GROUP BY g.role_arn
)
SELECT v.role_arn, v.services, v.first_by_service, coalesce(s.origin_type, g.caller_type) AS origin_type,
       coalesce(s.origin, g.caller_arn) AS origin, max(array_to_string(s.chain, ' -> ')) AS chain,
       count(*) AS assumptions, min(g.event_time) AS first_time, max(g.event_time) AS last_time,
       sum(s.event_count) AS calls, sum(s.write_count) AS writes,
       array_sort(array_agg(DISTINCT g.source_ip_address)) AS addresses,
       array_sort(array_agg(DISTINCT g.session_name)) AS session_names
FROM services v
JOIN grants g ON g.role_arn = v.role_arn
LEFT JOIN sessions s ON s.session_id = g.issued_session_id
WHERE g.outcome = 'granted' AND g.caller_type <> 'AWSService' AND g.event_time > v.first_by_service
  AND coalesce(s.origin_type, '') <> 'AWSService' AND g.kind LIKE 'AssumeRole%'
  AND g.kind <> 'AssumeRoleForPodIdentity'
  AND (coalesce(g.assumed_role_id, s.principal_id) IS NULL OR v.unknown
    OR array_has(v.ids, split_part(coalesce(g.assumed_role_id, s.principal_id), ':', 1)))
  AND ($role IS NULL OR g.role_name = $role)
  AND ($since IS NULL OR g.event_time >= $since) AND ($until IS NULL OR g.event_time < $until)
GROUP BY v.role_arn, v.services, v.first_by_service, coalesce(s.origin_type, g.caller_type),
         coalesce(s.origin, g.caller_arn)
ORDER BY first_time, v.role_arn, origin
