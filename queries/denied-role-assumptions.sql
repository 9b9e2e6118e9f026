-- Why was this role not assumable?
-- question: 28
-- group: Roles and accounts
-- severity: low
-- shows: denied attempts by role, cause and caller. A new role or policy takes seconds to spread: denials
--   that a success ended are counted as mere_propagation. succeeded_later is the same caller's first
--   success with the role after the last denial
-- cannot know: a trust policy condition that fails (MFA, external id) has no message of its own and is
--   unspecified, as is a role that does not exist. Refused durations and MFA codes do not name the role.
--   The account of the role hears nothing of a denial from another account
-- :role text -- role name; all roles when empty
-- :caller text -- ARN of the caller; all when empty
-- :since time -- attempts from here on
-- :until time -- attempts before
WITH denied AS (
  SELECT role_arn, denial_cause, caller_arn, count(*) AS attempts,
         count(*) FILTER (WHERE propagation) AS mere_propagation,
         min(event_time) AS first_attempt, max(event_time) AS last_attempt
  FROM grants
  WHERE outcome = 'denied'
    AND (role_arn IS NOT NULL OR kind LIKE 'AssumeRo%'
         OR kind IN ('SwitchRole', 'GetRoleCredentials', 'CreateSession'))
    AND ($role IS NULL OR role_name = $role) AND ($caller IS NULL OR caller_arn = $caller)
    AND ($since IS NULL OR event_time >= $since) AND ($until IS NULL OR event_time < $until)
  GROUP BY role_arn, denial_cause, caller_arn
), later AS (
  SELECT d.role_arn, d.denial_cause, d.caller_arn, min(g.event_time) AS succeeded_later
  FROM denied d
  JOIN grants g ON g.role_arn = d.role_arn AND g.caller_arn = d.caller_arn
               AND g.outcome = 'granted' AND g.event_time >= d.last_attempt
  GROUP BY d.role_arn, d.denial_cause, d.caller_arn
)
SELECT d.role_arn, d.denial_cause, d.caller_arn, d.attempts, d.mere_propagation, d.first_attempt,
       d.last_attempt, l.succeeded_later
FROM denied d
LEFT JOIN later l ON l.role_arn = d.role_arn AND l.caller_arn = d.caller_arn
                 AND l.denial_cause IS NOT DISTINCT FROM d.denial_cause
ORDER BY attempts DESC, d.role_arn, d.caller_arn, d.denial_cause
