-- Who used this role?
-- One line an origin, with first and last call and the number of sessions.
-- Cannot know: calls that no trail recorded, such as data events.
SELECT origin_type, origin, count(DISTINCT session_id) AS sessions, count(*) AS calls,
       count(*) FILTER (WHERE read_only = false) AS writes,
       min(event_time) AS first_call, max(event_time) AS last_call
FROM activity
WHERE role_name = $role
GROUP BY origin_type, origin
ORDER BY calls DESC, origin
