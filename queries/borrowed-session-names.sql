-- Which sessions are named after somebody who is not their origin?
-- question: 26
-- group: Stolen credentials
-- severity: medium
-- shows: one line a session whose name is that of another user who is known from the logs, or of an
--   instance though EC2 did not start it, with who was really behind it
-- cannot know: users whom the logs never show cannot be recognised by name. Names such as admin or deploy
--   that are a user's and everybody's are reported as well. Where the origin is unknown, only names of
--   instances are judged (instance_name_unproven)
-- :since time -- sessions started from here on
-- :until time -- sessions started before
SELECT started_at, session_name, origin_type, origin, role_arn, array_to_string(chain, ' -> ') AS chain,
       chain_strength, source_identity, contradictions, event_count AS calls, write_count AS writes,
       source_ip_addresses, last_event_at AS last_call, session_id
FROM sessions
WHERE (array_has(contradictions, 'named_after_somebody_else')
       OR array_has(contradictions, 'instance_name_unproven'))
  AND ($since IS NULL OR started_at >= $since) AND ($until IS NULL OR started_at < $until)
ORDER BY started_at, session_id
