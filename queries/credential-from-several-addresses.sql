-- Was one credential used from several addresses at overlapping times?
-- question: 7
-- group: Stolen credentials
-- severity: medium
-- shows: one line a credential whose public network changed and changed back within the window, so that
--   it was held in two places at once. Addresses of one /24 (IPv4) or /64 (IPv6) count as one network.
--   shortest is the smallest number of seconds between calls from two networks
-- cannot know: a proxy, VPN or mobile network with several exits, and a laptop that uses IPv4 and IPv6,
--   look the same as two holders. Two holders behind one network, or one after the other, are missed.
--   Private addresses, calls of services and credentials of services other than EC2 (a Lambda function
--   runs in many places with one key) are left out
-- :key text -- access key id; all when empty
-- :window int = 60 -- minutes within which the network must change and change back
-- :since time -- calls from here on
-- :until time -- calls before
WITH calls AS (
  SELECT coalesce(access_key_id, session_id) AS credential, origin, event_time, event_id,
         CASE WHEN source_ip_address LIKE '%:%' AND source_ip_address NOT LIKE '%::%'
              THEN regexp_replace(source_ip_address, '^(([0-9A-Fa-f]+:){4}).*$', '\1')
              WHEN source_ip_address LIKE '%:%'
              THEN regexp_replace(source_ip_address, '^(([0-9A-Fa-f]+:){1,3}[0-9A-Fa-f]*):?.*$', '\1')
              ELSE regexp_replace(source_ip_address, '\.[0-9]+$', '') END AS network
  FROM activity
  WHERE (access_key_id IS NOT NULL OR session_id IS NOT NULL)
    AND NOT (origin_type = 'AWSService' AND origin NOT LIKE 'ec2.amazonaws.com%')
    AND event_source <> 'signin.amazonaws.com'
    AND ($key IS NULL OR access_key_id = $key)
    AND ($since IS NULL OR event_time >= $since) AND ($until IS NULL OR event_time < $until)
    AND regexp_like(source_ip_address, '^([0-9.]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$')
    AND NOT regexp_like(source_ip_address,
      '^(10\.|127\.|169\.254\.|192\.168\.|172\.(1[6-9]|2[0-9]|3[01])\.|100\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.|[fF][cCdD]|[fF][eE][89abAB])')
), several AS (
  SELECT credential FROM calls GROUP BY credential HAVING min(network) <> max(network)
), steps AS (
  SELECT credential, origin, network, event_time, lag(network) OVER w AS network_before,
         lag(event_time) OVER w AS time_before,
         lag(event_time) OVER (PARTITION BY credential, origin, network ORDER BY event_time, event_id) AS last_here
  FROM calls
  WHERE credential IN (SELECT credential FROM several)
  WINDOW w AS (PARTITION BY credential, origin ORDER BY event_time, event_id)
), found AS (
  SELECT credential, origin, count(DISTINCT network) AS networks, count(*) AS changes,
         count(*) FILTER (WHERE date_part('epoch', event_time) - date_part('epoch', last_here) <= 60 * $window)
           AS returns,
         CAST(min(date_part('epoch', event_time) - date_part('epoch', time_before)) AS BIGINT) AS shortest,
         min(event_time) AS first_change
  FROM steps
  WHERE network <> network_before
  GROUP BY credential, origin
), held AS (
  SELECT * FROM found WHERE returns > 0
)
SELECT a.origin_type, a.origin, array_to_string(max(a.chain), ' -> ') AS chain,
       max(a.access_key_id) AS access_key_id, max(a.session_id) AS session_id, h.networks,
       array_sort(array_agg(DISTINCT a.source_ip_address)) AS addresses, h.changes, h.returns, h.shortest,
       count(*) AS calls, h.first_change, max(a.event_time) AS last_call,
       count(DISTINCT a.user_agent) AS agents
FROM held h
JOIN activity a ON coalesce(a.access_key_id, a.session_id) = h.credential
WHERE (a.origin IS NOT DISTINCT FROM h.origin) AND ($key IS NULL OR a.access_key_id = $key)
  AND ($since IS NULL OR a.event_time >= $since) AND ($until IS NULL OR a.event_time < $until)
GROUP BY h.credential, a.origin_type, a.origin, h.networks, h.changes, h.returns, h.shortest, h.first_change
ORDER BY h.first_change, access_key_id, session_id
