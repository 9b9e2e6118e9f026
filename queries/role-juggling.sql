-- Which loops of roles outlived their expiry?
-- question: 9
-- group: What outlives a credential
-- severity: high
-- shows: one line a role that a chain came back to (A -> B -> A, or A -> A) and that was used after the first
--   session of that role in the chain had expired. Each hop is new, so nobody has to sign in again. hops
--   counts from the first session to the last, outlived_minutes from the first expiry to the last call
-- cannot know: a loop whose hops are missing from the logs falls apart. Programs that renew their own
--   role by assuming it do the same without harm. Sessions whose expiry is not recorded count from one
--   hour after their start
-- :since time -- loops with calls from here on
-- :until time -- loops begun before
WITH RECURSIVE looped AS (
  SELECT session_id, parent_session_id, role_arn, started_at, last_event_at, event_count
  FROM sessions
  WHERE role_arn IS NOT NULL AND depth >= 2 AND last_event_at IS NOT NULL
    AND array_length(array_distinct(chain)) < array_length(chain)
), above AS (
  SELECT session_id AS last_session, parent_session_id AS session_id, CAST(1 AS BIGINT) AS steps FROM looped
  UNION ALL
  SELECT a.last_session, s.parent_session_id, a.steps + 1
  FROM above a
  JOIN sessions s ON s.session_id = a.session_id
  WHERE a.steps < 64 AND s.parent_session_id IS NOT NULL AND s.parent_session_id <> s.session_id
), first_held AS (
  SELECT a.last_session, s.session_id AS first_session, s.started_at AS first_started,
         coalesce(s.expires_at, s.started_at + INTERVAL '1 hour') AS first_expiry, a.steps,
         row_number() OVER (PARTITION BY a.last_session ORDER BY a.steps DESC) AS nth
  FROM above a
  JOIN looped l ON l.session_id = a.last_session
  JOIN sessions s ON s.session_id = a.session_id AND s.role_arn = l.role_arn
), ends AS (
  SELECT f.*, l.role_arn, l.last_event_at,
         row_number() OVER (PARTITION BY f.first_session, l.role_arn
                            ORDER BY f.steps DESC, l.last_event_at DESC, f.last_session) AS longest
  FROM first_held f
  JOIN looped l ON l.session_id = f.last_session
  WHERE f.nth = 1
)
SELECT s.origin_type, s.origin, e.role_arn, e.steps AS hops, array_to_string(s.chain, ' -> ') AS chain,
       s.chain_strength, e.first_started, e.first_expiry, e.last_event_at AS last_call,
       CAST((date_part('epoch', e.last_event_at) - date_part('epoch', e.first_expiry)) / 60 AS BIGINT)
         AS outlived_minutes,
       e.first_session, e.last_session
FROM ends e
JOIN sessions s ON s.session_id = e.last_session
WHERE e.longest = 1 AND e.last_event_at > e.first_expiry
  AND ($since IS NULL OR e.last_event_at >= $since) AND ($until IS NULL OR e.first_started < $until)
ORDER BY e.first_started, e.role_arn, e.first_session
