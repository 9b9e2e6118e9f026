-- Who used this role?
-- One line an origin, with first and last call and the number of sessions; origin_detail tells those of
-- one name apart: the provider of a subject, the certificate's trust anchor, the id of a user.
-- Cannot know: calls that no trail recorded, such as data events.
SELECT origin_type, origin,
       CASE WHEN origin_type <> 'AWSService' THEN origin_detail END AS origin_detail,
       count(DISTINCT session_id) AS sessions, count(*) AS calls,
       count(*) FILTER (WHERE read_only = false) AS writes,
       min(event_time) AS first_call, max(event_time) AS last_call
FROM activity
WHERE role_name = $role
GROUP BY origin_type, origin, CASE WHEN origin_type <> 'AWSService' THEN origin_detail END
ORDER BY calls DESC, origin, origin_detail
