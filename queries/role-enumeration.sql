-- Who listed roles and then failed to assume many?
-- question: 15
-- group: Roles and accounts
-- severity: high
-- shows: one line a caller that was refused so many different roles within one hour, with when it had
--   listed roles or policies in the day before, and which role it got in the end. Denials of a role that
--   was merely too new are not counted
-- cannot know: listed_at is empty where the listing was done elsewhere or names were guessed. Attempts
--   from an account without logs leave no trace here. Denials that name no role are not counted. A
--   program whose permissions were taken away fails in the same way
-- :roles int = 5 -- different roles refused within one hour
-- :since time -- denials from here on
-- :until time -- denials before
WITH denied AS (
  SELECT coalesce(CASE WHEN s.origin_type <> 'AWSService' THEN s.origin END, g.caller_arn) AS who, coalesce(s.origin_type, g.caller_type) AS who_type,
         g.role_arn, min(g.event_time) AS first_denied, max(g.event_time) AS last_denied,
         count(*) AS attempts, min(g.source_ip_address) AS source_ip_address,
         min(g.user_agent) AS user_agent, min(g.caller_arn) AS caller_arn
  FROM grants g
  LEFT JOIN sessions s ON s.session_id = g.caller_session_id
  WHERE g.outcome = 'denied' AND g.role_arn IS NOT NULL AND g.propagation IS NOT TRUE
    AND ($since IS NULL OR g.event_time >= $since) AND ($until IS NULL OR g.event_time < $until)
  GROUP BY coalesce(CASE WHEN s.origin_type <> 'AWSService' THEN s.origin END, g.caller_arn), coalesce(s.origin_type, g.caller_type), g.role_arn
), counted AS (
  SELECT *, count(*) OVER (PARTITION BY who, who_type ORDER BY first_denied
                           RANGE BETWEEN INTERVAL '1 hour' PRECEDING AND CURRENT ROW) AS within_hour
  FROM denied
), callers AS (
  SELECT who, who_type, max(within_hour) AS most_roles, count(*) AS roles, sum(attempts) AS attempts,
         min(first_denied) AS first_denied, max(last_denied) AS last_denied,
         array_sort(array_agg(DISTINCT source_ip_address)) AS addresses, min(user_agent) AS user_agent,
         array_sort(array_agg(DISTINCT caller_arn)) AS callers
  FROM counted GROUP BY who, who_type HAVING max(within_hour) >= $roles
), listings AS (
  SELECT c.who, c.who_type, max(a.event_time) AS listed_at
  FROM callers c
  JOIN activity a ON coalesce(CASE WHEN a.origin_type <> 'AWSService' THEN a.origin END, a.principal_arn) = c.who
  WHERE a.event_source LIKE 'iam.amazonaws.com%'
    AND a.event_name IN ('ListRoles', 'GetAccountAuthorizationDetails', 'ListPolicies', 'ListUsers')
    AND a.event_time <= c.first_denied AND a.event_time >= c.first_denied - INTERVAL '1 day'
  GROUP BY c.who, c.who_type
), got AS (
  SELECT c.who, c.who_type, array_sort(array_agg(DISTINCT g.role_arn)) AS then_got
  FROM callers c
  JOIN sessions p ON coalesce(CASE WHEN p.origin_type <> 'AWSService' THEN p.origin END, p.principal_arn) = c.who
  JOIN grants g ON g.caller_session_id = p.session_id
  WHERE g.outcome = 'granted' AND g.role_arn IS NOT NULL
    AND g.event_time >= c.first_denied AND g.event_time <= c.last_denied + INTERVAL '1 hour'
  GROUP BY c.who, c.who_type
)
SELECT c.who_type AS origin_type, c.who AS origin, c.callers, l.listed_at, c.roles AS roles_refused,
       c.most_roles AS most_in_one_hour, c.attempts, c.first_denied, c.last_denied, g.then_got, c.addresses,
       c.user_agent
FROM callers c
LEFT JOIN listings l ON l.who = c.who AND l.who_type = c.who_type
LEFT JOIN got g ON g.who = c.who AND g.who_type = c.who_type
ORDER BY c.first_denied, c.who
