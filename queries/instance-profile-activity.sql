-- What did an instance profile do, what was it denied, and did it touch IAM?
-- question: 21
-- group: Stolen credentials
-- severity: info
-- shows: one line an instance, role and action, those that touch identities first: touches_identities is
--   true for IAM, STS other than GetCallerIdentity, Organizations and Identity Center
-- cannot know: data events that no trail records. An action that the instance is denied again and again
--   may be a broken program as well as somebody who tries
-- :instance text -- instance id; all instances when empty
-- :role text -- role name; all roles when empty
-- :identities_only bool = false -- only actions that touch identities, and denied ones
-- :since time -- calls from here on
-- :until time -- calls before
WITH calls AS (
  SELECT regexp_match(origin_detail, '(i-[0-9a-f]{8,17})')[1] AS instance, role_arn, depth, event_source,
         event_name, read_only, error_code, event_time, source_ip_address,
         (event_source LIKE 'iam.%' OR event_source LIKE 'organizations.%' OR event_source LIKE 'sso%'
          OR event_source LIKE 'identitystore.%'
          OR event_source LIKE 'sts.%' AND event_name <> 'GetCallerIdentity') AS touches_identities,
         regexp_like(coalesce(error_code, ''), '(AccessDenied|Unauthorized|Forbidden)') AS denied
  FROM activity
  WHERE origin_type = 'AWSService' AND origin LIKE 'ec2.amazonaws.com%' AND depth >= 1
    AND ($instance IS NULL OR strpos(origin_detail, $instance) > 0) AND ($role IS NULL OR role_name = $role)
    AND ($since IS NULL OR event_time >= $since) AND ($until IS NULL OR event_time < $until)
)
SELECT instance, role_arn, depth, event_source, event_name, touches_identities, count(*) AS calls,
       count(*) FILTER (WHERE read_only = false) AS writes, count(*) FILTER (WHERE denied) AS denied,
       count(error_code) AS errors, min(event_time) AS first_call, max(event_time) AS last_call,
       array_sort(array_agg(DISTINCT source_ip_address)) AS addresses
FROM calls
GROUP BY instance, role_arn, depth, event_source, event_name, touches_identities
HAVING NOT $identities_only OR touches_identities OR count(*) FILTER (WHERE denied) > 0
ORDER BY touches_identities DESC, denied DESC, instance, role_arn, event_source, event_name
