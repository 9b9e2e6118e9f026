-- Were instance credentials used from an address that is not the instance's?
-- question: 5
-- group: Stolen credentials
-- severity: high
-- shows: one line an instance and public address that is not its own. Its own is the one from which it
--   called in most hours. An address that is home to gateway_for other instances of the account is taken
--   for a gateway that they share. keys and metadata tell which credentials left (1.0: IMDSv1)
-- cannot know: addresses are not owned in a log. An instance behind several gateways, with IPv4 and
--   IPv6, or with a new public address, is reported; name its addresses in known. A thief who calls from
--   another instance, through the same gateway, or from inside a VPC (private address: see
--   instance-credentials-foreign-endpoint) is missed, as is one who was first and busier than the
--   instance: then the instance's own address is the one reported. Calls that a service forwards show
--   its name instead of an address and are left out
-- :known text -- addresses that are known to be yours, separated by commas
-- :gateway_for int = 2 -- so many other instances at home there make an address a gateway; 0 for never
-- :account text -- account of the instance; all when empty
-- :since time -- calls from the address from here on; what is home is learnt from all logs before until
-- :until time -- calls before
WITH calls AS (
  SELECT coalesce(regexp_match(origin_detail, '(i-[0-9a-f]{8,17})')[1], origin_detail) AS instance,
         split_part(role_arn, ':', 5) AS account_id, source_ip_address AS address,
         event_time, access_key_id, role_name, depth, read_only, error_code, user_agent
  FROM activity
  WHERE origin_type = 'AWSService' AND origin LIKE 'ec2.amazonaws.com%' AND depth >= 1
    AND ($until IS NULL OR event_time < $until)
    AND regexp_like(source_ip_address, '^([0-9.]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$')
    AND NOT regexp_like(source_ip_address,
      '^(10\.|127\.|169\.254\.|192\.168\.|172\.(1[6-9]|2[0-9]|3[01])\.|100\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.|[fF][cCdD]|[fF][eE][89abAB])')
), by_hour AS (
  SELECT instance, address, date_trunc('hour', event_time) AS hour,
         min(account_id) FILTER (WHERE depth = 1) AS account_id, count(*) AS calls,
         count(*) FILTER (WHERE read_only = false) AS writes, count(error_code) AS errors,
         min(event_time) AS first_call, max(event_time) AS last_call
  FROM calls GROUP BY instance, address, date_trunc('hour', event_time)
), places AS (
  SELECT instance, address, min(account_id) AS account_id, count(*) AS hours,
         sum(calls) AS calls, sum(writes) AS writes, sum(errors) AS errors,
         min(first_call) AS first_call, max(last_call) AS last_call
  FROM by_hour GROUP BY instance, address
), ranked AS (
  SELECT *, row_number() OVER (PARTITION BY instance ORDER BY hours DESC, first_call, address) AS place,
         first_value(address) OVER (PARTITION BY instance ORDER BY hours DESC, first_call, address) AS home,
         max(account_id) OVER (PARTITION BY instance) AS owner
  FROM places
), shared AS (
  SELECT *, sum(CASE WHEN place = 1 THEN 1 ELSE 0 END) OVER (PARTITION BY owner, address) AS at_home
  FROM ranked
), away AS (
  SELECT owner, instance, address, home, first_call, last_call, calls, writes, errors
  FROM shared
  WHERE place > 1
    AND ($gateway_for = 0 OR at_home < $gateway_for)
    AND NOT coalesce(array_has(string_to_array(replace($known, ' ', ''), ','), address), false)
    AND ($since IS NULL OR last_call >= $since) AND ($account IS NULL OR owner = $account)
), deliveries AS (
  SELECT DISTINCT coalesce(regexp_match(origin_detail, '(i-[0-9a-f]{8,17})')[1], origin_detail) AS instance,
         access_key_id, ec2_role_delivery
  FROM credentials WHERE ec2_role_delivery IS NOT NULL AND origin_type = 'AWSService'
)
SELECT a.owner AS account_id, a.instance, array_sort(array_agg(DISTINCT c.role_name)) AS roles, a.address,
       a.home, a.first_call, a.last_call, a.calls, a.writes, a.errors,
       array_sort(array_agg(DISTINCT c.access_key_id) FILTER (WHERE c.access_key_id IS NOT NULL)) AS keys,
       array_sort(array_agg(DISTINCT d.ec2_role_delivery) FILTER (WHERE d.ec2_role_delivery IS NOT NULL))
         AS metadata,
       count(DISTINCT c.user_agent) AS agents, min(c.user_agent) AS user_agent
FROM away a
JOIN calls c ON c.instance = a.instance AND c.address = a.address
LEFT JOIN deliveries d ON d.access_key_id = c.access_key_id AND d.instance = c.instance
GROUP BY a.owner, a.instance, a.address, a.home, a.first_call, a.last_call, a.calls, a.writes, a.errors
ORDER BY a.first_call, a.instance, a.address
