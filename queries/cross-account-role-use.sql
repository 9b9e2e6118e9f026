-- Who used roles of another account, and through which chain?
SELECT account_id, role_name, origin_type, origin, origin_account_id, count(*) AS sessions,
       sum(event_count) AS calls, sum(write_count) AS writes, min(started_at) AS first_session
FROM sessions
WHERE cross_account
GROUP BY account_id, role_name, origin_type, origin, origin_account_id
ORDER BY account_id, role_name, origin
