-- Did an instance role sign in to the console?
-- question: 13
-- group: Stolen credentials
-- severity: critical
-- shows: one line a sign-in, sign-in token or switch of role by credentials that a service obtained for a
--   workload (an instance, a function, a task), and one line a console session of such a role whose
--   sign-in is not in the logs. A machine needs no browser
-- cannot know: a session that calls itself after an instance and whose grant is missing is listed with
--   origin unknown. Requests that tools for operators make on purpose, from the instance, look the same
-- :since time -- sign-ins from here on
-- :until time -- sign-ins before
WITH sign_ins AS (
  SELECT event_time, event_name, recipient_account_id AS account_id, origin, origin_detail, role_arn,
         session_name, chain_strength, source_ip_address, user_agent, error_code, session_id, event_id
  FROM activity
  WHERE event_source = 'signin.amazonaws.com'
    AND event_name IN ('ConsoleLogin', 'GetSigninToken', 'SwitchRole', 'RenewRole', 'CreateOAuth2Token')
    AND (origin_type = 'AWSService' AND depth >= 1
         OR origin IS NULL AND regexp_like(session_name, '^i-[0-9a-f]{8,17}$'))
)
SELECT * FROM sign_ins
WHERE ($since IS NULL OR event_time >= $since) AND ($until IS NULL OR event_time < $until)
UNION ALL
SELECT s.first_event_at, 'console calls', s.account_id, s.origin, s.origin_detail, s.role_arn,
       s.session_name, s.chain_strength, s.source_ip_addresses[1], s.user_agents[1], NULL, s.session_id, NULL
FROM sessions s
LEFT JOIN sign_ins i ON i.session_id = s.session_id
WHERE s.from_console AND s.origin_type = 'AWSService' AND s.depth >= 1 AND i.session_id IS NULL
  AND ($since IS NULL OR s.first_event_at >= $since) AND ($until IS NULL OR s.first_event_at < $until)
ORDER BY event_time, event_id, session_id
