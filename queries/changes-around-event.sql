-- What did the principal of an event change before and after it?
-- question: 22
-- group: Changes
-- severity: info
-- shows: one line a change, denied ones too, by whoever was behind the event, under whatever role and in
--   whatever account (of a service: by the same workload); minutes count from the event, and the event itself stands among them
-- cannot know: what the same person did as somebody else, or before and after the logs. Where the origin
--   of the event is unknown, only changes of the same session are listed
-- :event text required -- event id
-- :minutes int = 60 -- how far to look before and after
-- :all bool = false -- calls that only read, too
WITH event AS (
  SELECT event_time AS at, origin_type, origin, origin_detail, session_id FROM activity
  WHERE event_id = $event
)
SELECT CAST(round((date_part('epoch', a.event_time) - date_part('epoch', e.at)) / 60) AS BIGINT) AS minutes,
       a.event_time, CASE WHEN a.event_id = $event THEN 'the event'
                          WHEN a.event_time < e.at THEN 'before' ELSE 'after' END AS place,
       array_to_string(a.chain, ' -> ') AS chain, a.recipient_account_id, a.event_source, a.event_name,
       a.error_code, a.source_ip_address, a.session_id = e.session_id AS same_session, a.request_parameters,
       a.event_id
FROM activity a
JOIN event e ON a.origin = e.origin AND a.origin_type = e.origin_type
-- A service works for many; users and subjects of one name are told apart by their details.
WHERE (a.session_id = e.session_id OR a.origin_detail = e.origin_detail
       OR a.origin_type <> 'AWSService' AND (a.origin_detail IS NULL OR e.origin_detail IS NULL))
  AND (a.read_only = false OR $all OR a.event_id = $event)
  AND abs(date_part('epoch', a.event_time) - date_part('epoch', e.at)) <= 60 * $minutes
UNION ALL
SELECT CAST(round((date_part('epoch', a.event_time) - date_part('epoch', e.at)) / 60) AS BIGINT),
       a.event_time, CASE WHEN a.event_id = $event THEN 'the event'
                          WHEN a.event_time < e.at THEN 'before' ELSE 'after' END,
       array_to_string(a.chain, ' -> '), a.recipient_account_id, a.event_source, a.event_name,
       a.error_code, a.source_ip_address, true, a.request_parameters, a.event_id
FROM activity a
JOIN event e ON a.session_id = e.session_id
WHERE e.origin IS NULL AND (a.read_only = false OR $all OR a.event_id = $event)
  AND abs(date_part('epoch', a.event_time) - date_part('epoch', e.at)) <= 60 * $minutes
ORDER BY event_time, event_id
