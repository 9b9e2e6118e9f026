-- What did one access key do, and when did its agent or address change?
-- question: 20
-- group: Stolen credentials
-- severity: info
-- shows: one line a stretch of calls with one key from one address with one user agent, in order; changed
--   tells what is new against the stretch before. timeline KEY lists every call
-- cannot know: who holds a key. Programs that share a key alternate. Calls that a service makes for the
--   key's holder show the service's name instead of an address and stand in stretches of their own
--   (forwarded)
-- :key text -- access key id; all keys with more than one address or agent when empty
-- :changes bool = false -- only stretches in which something is new
-- :since time -- calls from here on
-- :until time -- calls before
WITH several AS (
  SELECT access_key_id FROM activity
  WHERE $key IS NULL AND access_key_id IS NOT NULL
    AND ($since IS NULL OR event_time >= $since) AND ($until IS NULL OR event_time < $until)
    AND regexp_like(source_ip_address, '^([0-9.]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$')
  GROUP BY access_key_id
  HAVING min(source_ip_address) <> max(source_ip_address) OR min(user_agent) <> max(user_agent)
), calls AS (
  SELECT access_key_id, event_time, event_id, source_ip_address AS address, user_agent,
         concat(split_part(event_source, '.', 1), ':', event_name) AS action, read_only, error_code, origin,
         NOT regexp_like(coalesce(source_ip_address, ''), '^([0-9.]+|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$')
           AS forwarded
  FROM activity
  WHERE access_key_id IS NOT NULL
    AND ($key IS NOT NULL OR access_key_id IN (SELECT access_key_id FROM several))
    AND ($key IS NULL OR access_key_id = $key)
    AND ($since IS NULL OR event_time >= $since) AND ($until IS NULL OR event_time < $until)
), compared AS (
  SELECT *, lag(address) OVER w AS address_before, lag(user_agent) OVER w AS agent_before,
         row_number() OVER w AS nth
  FROM calls
  WINDOW w AS (PARTITION BY access_key_id, forwarded ORDER BY event_time, event_id)
), marked AS (
  SELECT *, CASE WHEN nth = 1 THEN NULL
                 WHEN (address IS DISTINCT FROM address_before) AND (user_agent IS DISTINCT FROM agent_before)
                 THEN 'address and agent'
                 WHEN address IS DISTINCT FROM address_before THEN 'address'
                 WHEN user_agent IS DISTINCT FROM agent_before THEN 'agent' END AS change
  FROM compared
), numbered AS (
  SELECT *, count(change) OVER (PARTITION BY access_key_id, forwarded ORDER BY nth
                                ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS stretch
  FROM marked
)
SELECT access_key_id, max(origin) AS origin, stretch + 1 AS stretch, forwarded, min(event_time) AS first_call,
       max(event_time) AS last_call, max(change) AS changed, address, user_agent, count(*) AS calls,
       count(*) FILTER (WHERE read_only = false) AS writes, count(error_code) AS errors,
       array_sort(array_agg(DISTINCT action)) AS actions
FROM numbered
GROUP BY access_key_id, forwarded, stretch, address, user_agent
HAVING NOT $changes OR max(change) IS NOT NULL
ORDER BY access_key_id, first_call, forwarded, stretch
