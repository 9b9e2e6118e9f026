-- What was done across a chain, in every account?
-- question: 3
-- group: Who it was
-- severity: info
-- shows: one line a call of the chosen sessions and of all that they obtained, down the chain and in
--   whatever account; steps counts the hops from the chosen session. Without an id: all chains, each
--   from its first session on
-- cannot know: calls that no trail recorded; what a key that a session made for somebody else was used
--   for (minted-credentials tells); sessions whose grant is missing hang on nothing
-- :id text -- session id, access key id or role session name; all chains when empty
-- :since time -- calls from here on
-- :until time -- calls before
WITH RECURSIVE below AS (
  SELECT session_id AS first_session, session_id, CAST(0 AS BIGINT) AS steps
  FROM sessions
  WHERE CASE WHEN $id IS NULL THEN parent_session_id IS NULL AND depth IS NOT NULL
             ELSE session_id = $id OR session_name = $id OR array_has(access_key_ids, $id) END
  UNION ALL
  SELECT b.first_session, s.session_id, b.steps + 1
  FROM below b
  JOIN sessions s ON s.parent_session_id = b.session_id
  WHERE b.steps < 64 AND s.session_id <> b.session_id
)
SELECT b.first_session, b.steps, a.event_time, a.origin, array_to_string(a.chain, ' -> ') AS chain,
       a.recipient_account_id, a.event_source, a.event_name, a.read_only, a.error_code,
       a.source_ip_address, a.chain_strength, a.session_id, a.event_id
FROM below b
JOIN activity a ON a.session_id = b.session_id
WHERE ($since IS NULL OR a.event_time >= $since) AND ($until IS NULL OR a.event_time < $until)
ORDER BY b.first_session, a.event_time, a.event_id
