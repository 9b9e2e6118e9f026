-- Who used this role?
-- group: Who it was
-- severity: info
-- shows: one line a role and origin, with first and last call and the number of sessions; origin_detail
--   tells those of one name apart: the provider of a subject, the certificate's trust anchor, the id of
--   a user
-- cannot know: calls that no trail recorded, such as data events; sessions that were never used show in
--   cross-account-role-use and in the table sessions
-- :role text -- role name; all roles when empty
-- :account text -- account of the role; all when empty
-- :since time -- calls from here on
-- :until time -- calls before
SELECT role_arn, origin_type, origin,
       CASE WHEN origin_type <> 'AWSService' THEN origin_detail END AS origin_detail,
       count(DISTINCT session_id) AS sessions, count(*) AS calls,
       count(*) FILTER (WHERE read_only = false) AS writes,
       min(event_time) AS first_call, max(event_time) AS last_call
FROM activity
WHERE role_arn IS NOT NULL AND ($role IS NULL OR role_name = $role)
  AND ($account IS NULL OR split_part(role_arn, ':', 5) = $account)
  AND ($since IS NULL OR event_time >= $since) AND ($until IS NULL OR event_time < $until)
GROUP BY role_arn, origin_type, origin,
         CASE WHEN origin_type <> 'AWSService' THEN origin_detail END
ORDER BY role_arn, calls DESC, origin, origin_detail
