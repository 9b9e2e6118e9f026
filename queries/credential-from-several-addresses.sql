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
  -- Of many calls, only the credential is needed until few are left: activity would join all the rest.
  SELECT coalesce(a.credential_id, e.credential_id) AS credential_id, e.event_time,
         CASE WHEN e.source_ip_address LIKE '%:%' AND e.source_ip_address NOT LIKE '%::%'
              THEN regexp_replace(e.source_ip_address, '^(([0-9A-Fa-f]+:){4}).*$', '\1')
              WHEN e.source_ip_address LIKE '%:%'
              THEN regexp_replace(e.source_ip_address, '^(([0-9A-Fa-f]+:){1,3}[0-9A-Fa-f]*):?.*$', '\1')
              ELSE regexp_replace(e.source_ip_address, '\.[0-9]+$', '') END AS network
  FROM events e
  LEFT JOIN attributions a ON a.event_id = e.event_id AND a.record_hash = e.record_hash
  WHERE e.event_source <> 'signin.amazonaws.com'
    AND ($key IS NULL OR e.access_key_id = $key)
    AND ($since IS NULL OR e.event_time >= $since) AND ($until IS NULL OR e.event_time < $until)
    AND regexp_like(e.source_ip_address, '^([0-9.]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$')
    AND NOT regexp_like(e.source_ip_address,
      '^(10\.|127\.|169\.254\.|192\.168\.|172\.(1[6-9]|2[0-9]|3[01])\.|100\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.|[fF][cCdD]|[fF][eE][89abAB])')
), several AS (
  SELECT s.credential_id
  FROM (SELECT credential_id FROM calls GROUP BY credential_id HAVING min(network) <> max(network)) s
  JOIN credentials c ON c.credential_id = s.credential_id
  WHERE (c.access_key_id IS NOT NULL OR c.session_id IS NOT NULL)
    AND NOT coalesce(c.origin_type = 'AWSService' AND c.origin NOT LIKE 'ec2.amazonaws.com%', false)
), steps AS (
  SELECT credential_id, network, event_time, lag(network) OVER w AS network_before,
         lag(event_time) OVER w AS time_before
  FROM calls
  WHERE credential_id IN (SELECT credential_id FROM several)
  WINDOW w AS (PARTITION BY credential_id ORDER BY event_time, network)
), runs AS (
  SELECT credential_id, network, event_time, network_before, time_before,
         lead(time_before) OVER (PARTITION BY credential_id ORDER BY event_time, network) AS last_time
  FROM steps
  WHERE network_before IS NULL OR network <> network_before
), changes AS (
  SELECT credential_id, network, event_time, network_before,
         date_part('epoch', event_time) - date_part('epoch', time_before) AS seconds,
         date_part('epoch', event_time)
           - date_part('epoch', lag(last_time) OVER (PARTITION BY credential_id, network ORDER BY event_time))
           AS away
  FROM runs
), held AS (
  SELECT credential_id, count(DISTINCT network) AS networks, count(*) AS changes,
         count(*) FILTER (WHERE away <= 60 * $window) AS returns,
         CAST(min(seconds) AS BIGINT) AS shortest, min(event_time) AS first_change
  FROM changes
  WHERE network_before IS NOT NULL
  GROUP BY credential_id
  HAVING count(*) FILTER (WHERE away <= 60 * $window) > 0
), seen AS (
  SELECT h.credential_id, max(e.access_key_id) AS access_key_id,
         array_sort(array_agg(DISTINCT e.source_ip_address)) AS addresses,
         count(*) AS calls, max(e.event_time) AS last_call, count(DISTINCT e.user_agent) AS agents
  FROM held h
  JOIN (SELECT coalesce(a.credential_id, e.credential_id) AS credential_id, e.access_key_id,
               e.source_ip_address, e.event_time, e.user_agent
        FROM events e
        LEFT JOIN attributions a ON a.event_id = e.event_id AND a.record_hash = e.record_hash
        WHERE ($key IS NULL OR e.access_key_id = $key)
          AND ($since IS NULL OR e.event_time >= $since) AND ($until IS NULL OR e.event_time < $until)
       ) e ON e.credential_id = h.credential_id
  GROUP BY h.credential_id
)
SELECT c.origin_type, c.origin, array_to_string(c.chain, ' -> ') AS chain, s.access_key_id, c.session_id,
       h.networks, s.addresses, h.changes, h.returns, h.shortest, s.calls, h.first_change, s.last_call,
       s.agents
FROM held h
JOIN seen s ON s.credential_id = h.credential_id
JOIN credentials c ON c.credential_id = h.credential_id
ORDER BY h.first_change, s.access_key_id, c.session_id
