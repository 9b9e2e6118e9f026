-- Were instance credentials used through another account's VPC endpoint?
-- question: 6
-- group: Stolen credentials
-- severity: high
-- shows: one line a credential and endpoint that belongs to another account than the role. The address
--   of such a call is private and tells nothing; the owner of the endpoint does
-- cannot know: who owns an endpoint, where no record of the logs says so (vpcEndpointAccountId, since
--   eventVersion 1.09). An instance in a shared subnet uses endpoints of the account that shares it: name
--   that in own_accounts. A thief inside the same account, or without an endpoint, is not seen here
-- :own_accounts text -- accounts whose endpoints your instances may use, separated by commas
-- :account text -- account of the instance; all when empty
-- :since time -- calls from here on
-- :until time -- calls before
WITH owners AS (
  SELECT vpc_endpoint_id,
         max(regexp_match(extra, '"vpcEndpointAccountId"\s*:\s*"([^"\\]*)"')[1]) AS endpoint_account_id
  FROM events WHERE vpc_endpoint_id IS NOT NULL AND extra LIKE '%vpcEndpointAccountId%'
  GROUP BY vpc_endpoint_id
)
SELECT e.account_id, coalesce(regexp_match(c.origin_detail, '(i-[0-9a-f]{8,17})')[1], c.origin_detail) AS instance, c.role_name, e.access_key_id,
       max(c.ec2_role_delivery) AS metadata, e.vpc_endpoint_id, o.endpoint_account_id,
       count(*) AS calls, count(*) FILTER (WHERE e.read_only = false) AS writes,
       count(e.error_code) AS errors, min(e.event_time) AS first_call, max(e.event_time) AS last_call,
       array_sort(array_agg(DISTINCT e.source_ip_address)) AS addresses,
       array_sort(array_agg(DISTINCT e.event_name)) AS actions
FROM events e
JOIN owners o ON o.vpc_endpoint_id = e.vpc_endpoint_id
JOIN credentials c ON c.credential_id = e.credential_id
WHERE e.vpc_endpoint_id IS NOT NULL AND c.origin_type = 'AWSService'
  AND c.origin LIKE 'ec2.amazonaws.com%' AND o.endpoint_account_id <> e.account_id
  AND NOT coalesce(array_has(string_to_array(replace($own_accounts, ' ', ''), ','),
                             o.endpoint_account_id), false)
  AND ($account IS NULL OR e.account_id = $account)
  AND ($since IS NULL OR e.event_time >= $since) AND ($until IS NULL OR e.event_time < $until)
GROUP BY e.account_id, instance, c.role_name, e.access_key_id, e.vpc_endpoint_id,
         o.endpoint_account_id
ORDER BY first_call, instance, e.access_key_id, e.vpc_endpoint_id
