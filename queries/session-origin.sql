-- Who is behind this session?
-- question: 1
-- group: Who it was
-- severity: info
-- shows: one line a session: origin, chain, the rule that joins it to its parent and the strength of the
--   weakest hop
-- cannot know: a session whose issuing event is not in the logs has origin Unknown, with the reason. A
--   session name is chosen by the caller, so several sessions may fit
-- :id text -- session id, access key id or role session name; all sessions when empty
-- :since time -- sessions with calls from here on
-- :until time -- sessions with calls before
SELECT session_id, started_at, role_name, session_name, origin_type, origin, origin_account_id,
       depth, chain, link_rule, chain_strength, unresolved_reason
FROM sessions
WHERE ($id IS NULL OR session_id = $id OR session_name = $id OR array_has(access_key_ids, $id))
  AND ($since IS NULL OR coalesce(last_event_at, started_at) >= $since)
  AND ($until IS NULL OR coalesce(first_event_at, started_at) < $until)
ORDER BY started_at, session_id
