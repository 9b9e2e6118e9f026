-- What was changed under assumed roles, and by whom?
-- group: Changes
-- severity: info
-- shows: one line a call that changes something, denied ones too, made by people, workflows and others
--   under a role; services are left out
-- cannot know: whether a change took effect, where a call succeeds before its work is done
-- :role text -- role name; all roles when empty
-- :since time -- calls from here on
-- :until time -- calls before
SELECT event_time, origin, chain, event_source, event_name, recipient_account_id, error_code,
       chain_strength
FROM activity
WHERE depth > 0 AND read_only = false AND origin_type <> 'AWSService'
  AND ($role IS NULL OR role_name = $role)
  AND ($since IS NULL OR event_time >= $since) AND ($until IS NULL OR event_time < $until)
ORDER BY event_time, event_id
