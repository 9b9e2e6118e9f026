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
         event_time, access_key_id, role_name, depth, read_only, error_code, session_id, user_agent
  FROM activity
  WHERE origin_type = 'AWSService' AND origin LIKE 'ec2.amazonaws.com%' AND depth >= 1
    AND ($until IS NULL OR event_time < $until)
    AND regexp_like(source_ip_address, '^([0-9.]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$')
    AND NOT regexp_like(source_ip_address,
      '^(10\.|127\.|169\.254\.|192\.168\.|172\.(1[6-9]|2[0-9]|3[01])\.|100\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.|[fF][cCdD]|[fF][eE][89abAB])')
), places AS (
  SELECT instance, min(account_id) FILTER (WHERE depth = 1) AS account_id, address,
         count(DISTINCT date_trunc('hour', event_time)) AS hours, count(*) AS calls,
         count(*) FILTER (WHERE read_only = false) AS writes, count(error_code) AS errors,
         count(DISTINCT user_agent) AS agents, min(event_time) AS first_call,
         max(event_time) AS last_call, array_sort(array_agg(DISTINCT access_key_id) FILTER (WHERE access_key_id IS NOT NULL)) AS keys,
         array_sort(array_agg(DISTINCT role_name)) AS roles,
         min(user_agent) AS user_agent
  FROM calls GROUP BY instance, address
), ranked AS (
  SELECT *, row_number() OVER (PARTITION BY instance ORDER BY hours DESC, first_call, address) AS place,
         max(account_id) OVER (PARTITION BY instance) AS owner
  FROM places
), homes AS (
  SELECT owner, address, count(*) AS at_home FROM ranked WHERE place = 1 GROUP BY owner, address
), away AS (
  SELECT r.*, h.address AS home
  FROM ranked r
  JOIN ranked h ON h.instance = r.instance AND h.place = 1
  LEFT JOIN homes g ON g.owner = r.owner AND g.address = r.address
  WHERE r.place > 1
    AND ($gateway_for = 0 OR coalesce(g.at_home, 0) < $gateway_for)
    AND NOT coalesce(array_has(string_to_array(replace($known, ' ', ''), ','), r.address), false)
    AND ($since IS NULL OR r.last_call >= $since) AND ($account IS NULL OR r.owner = $account)
), deliveries AS (
  SELECT p.instance, p.address, array_sort(array_agg(DISTINCT c.ec2_role_delivery)) AS metadata
  FROM (SELECT instance, address, unnest(keys) AS key FROM away) p
  JOIN credentials c ON c.access_key_id = p.key
  WHERE c.ec2_role_delivery IS NOT NULL AND c.origin_type = 'AWSService'
    AND coalesce(regexp_match(c.origin_detail, '(i-[0-9a-f]{8,17})')[1], c.origin_detail) = p.instance
  GROUP BY p.instance, p.address
)
SELECT a.owner AS account_id, a.instance, a.roles, a.address, a.home, a.first_call, a.last_call, a.calls,
       a.writes, a.errors, a.keys,
       d.metadata, a.agents, a.user_agent
FROM away a
LEFT JOIN deliveries d ON d.instance = a.instance AND d.address = a.address
ORDER BY a.first_call, a.instance, a.address
