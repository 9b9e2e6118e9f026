-- How many calls have a known origin, and why not the rest?
-- group: Logs
-- severity: info
-- shows: calls and sessions by outcome: known, or the reason why the origin is unknown, and by the
--   strength of the weakest hop
-- cannot know: calls that no trail recorded
-- :since time -- calls from here on
-- :until time -- calls before
SELECT coalesce(unresolved_reason, 'known') AS outcome, chain_strength, count(*) AS calls,
       count(DISTINCT session_id) AS sessions
FROM activity
WHERE ($since IS NULL OR event_time >= $since) AND ($until IS NULL OR event_time < $until)
GROUP BY 1, chain_strength
ORDER BY calls DESC, outcome, chain_strength
