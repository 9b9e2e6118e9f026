-- How many calls have a known origin, and why not the rest?
SELECT coalesce(unresolved_reason, 'known') AS outcome, chain_strength, count(*) AS calls,
       count(DISTINCT session_id) AS sessions
FROM activity
GROUP BY 1, chain_strength
ORDER BY calls DESC, outcome, chain_strength
