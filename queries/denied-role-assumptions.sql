-- Why was this role not assumable: denied attempts by cause
-- A new role or policy takes seconds to spread: denials that a success ended are counted as mere_propagation.
-- Cannot know: a trust policy condition that fails (MFA, external id) has no message of its own.
SELECT g.role_arn, g.denial_cause, g.caller_arn, count(*) AS attempts,
       count(*) FILTER (WHERE g.propagation) AS mere_propagation,
       min(g.event_time) AS first_attempt, max(g.event_time) AS last_attempt
FROM grants g
WHERE g.outcome = 'denied'
GROUP BY g.role_arn, g.denial_cause, g.caller_arn
ORDER BY attempts DESC, g.role_arn, g.caller_arn, g.denial_cause
