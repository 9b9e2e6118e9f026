-- Which session is the parent of a console session under a role?
-- question: 12
-- group: Ways in
-- severity: info
-- shows: one line a console session of a role, with the session that it was reached from (switch of role,
--   sign-in token, sign-in session) and the record that proves the hop. parent_key is the key of the
--   parent that made the hop, where it is shown
-- cannot know: sign-in events of other regions or accounts that have no logs; then the parent is unknown,
--   with the reason. A session that is not proven to be the console's is left out
-- :id text -- session id or role session name; all when empty
-- :since time -- sessions started from here on
-- :until time -- sessions started before
WITH hops AS (
  SELECT child_session_id, parent_session_id, max(parent_access_key_id) AS parent_key, min(rule) AS rule,
         min(grant_event_id) AS grant_event_id
  FROM links
  WHERE strength <> 'none' AND parent_session_id <> child_session_id
  GROUP BY child_session_id, parent_session_id
)
SELECT s.started_at, s.account_id, s.role_name, s.session_name, s.origin_type, s.origin, s.depth,
       s.issued_by_kind, h.rule, s.chain_strength, s.parent_session_id,
       p.role_name AS parent_role, p.session_name AS parent_session_name, p.started_at AS parent_started_at,
       p.from_console AS parent_from_console, h.parent_key, s.unresolved_reason, h.grant_event_id,
       s.session_id
FROM sessions s
LEFT JOIN sessions p ON p.session_id = s.parent_session_id
LEFT JOIN hops h ON h.child_session_id = s.session_id AND h.parent_session_id = s.parent_session_id
WHERE s.role_name IS NOT NULL AND s.from_console
  AND ($id IS NULL OR s.session_id = $id OR s.session_name = $id)
  AND ($since IS NULL OR s.started_at >= $since) AND ($until IS NULL OR s.started_at < $until)
ORDER BY s.started_at, s.session_id
