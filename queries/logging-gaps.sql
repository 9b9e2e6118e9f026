-- Are logs missing, stopped or altered in the window?
-- question: 25
-- group: Logs
-- severity: high
-- shows: one line a finding, in order of time. trail_changed: a call that stops, deletes or narrows a
--   trail or event data store, tried or done, with who did it; until is when logging was started again.
--   bucket_changed: a call that deletes from, opens or re-arranges the bucket that holds the logs.
--   silence: an account without any event for more than gap_hours, between its events or at the end, while
--   others went on. altered: two records with one event id and different content. unreadable and rejected:
--   input that could not be read in part or in full
-- cannot know: silence is not proof: a quiet account has none to tell. A trail that was stopped by somebody
--   whose account is not logged, and a bucket whose files were deleted (unless bucket names it and its data
--   events are logged), show as silence alone. Whether a
--   file is genuine, only digests tell. Pipelines that build trails change them on purpose
-- :gap_hours int = 24 -- hours without an event that count as silence
-- :bucket text -- name of the bucket that holds the logs; none is judged when empty
-- :account text -- account; all when empty
-- :since time -- findings from here on
-- :until time -- findings before
WITH changes AS (
  SELECT event_time, recipient_account_id AS account_id, event_name, origin, error_code, event_id,
         coalesce(regexp_match(request_parameters, '"name"\s*:\s*"([^"\\]*)"')[1],
                  regexp_match(request_parameters, '"trailName"\s*:\s*"([^"\\]*)"')[1],
                  regexp_match(request_parameters, '"eventDataStore"\s*:\s*"([^"\\]*)"')[1]) AS trail
  FROM activity
  WHERE event_source LIKE 'cloudtrail.amazonaws.com%'
    AND event_name IN ('StopLogging', 'StartLogging', 'DeleteTrail', 'UpdateTrail', 'PutEventSelectors',
                       'PutInsightSelectors', 'DeleteEventDataStore', 'UpdateEventDataStore',
                       'StopEventDataStoreIngestion', 'DeregisterOrganizationDelegatedAdmin')
), again AS (
  SELECT c.event_id, min(s.event_time) AS started_again
  FROM changes c
  JOIN changes s ON s.account_id = c.account_id
  WHERE c.event_name = 'StopLogging' AND s.event_name = 'StartLogging' AND s.error_code IS NULL
    AND split_part(s.trail, '/', -1) = split_part(c.trail, '/', -1) AND s.event_time >= c.event_time
  GROUP BY c.event_id
), hours AS (
  SELECT account_id, hour, lead(hour) OVER (PARTITION BY account_id ORDER BY hour) AS next_hour
  FROM (SELECT DISTINCT account_id, hour FROM coverage WHERE account_id IS NOT NULL) c
), ends AS (SELECT max(hour) AS last_hour FROM coverage),
silent AS (
  SELECT h.account_id, h.hour + INTERVAL '1 hour' AS silent_from, coalesce(h.next_hour, e.last_hour) AS silent_to,
         h.next_hour IS NULL AS at_end
  FROM hours h CROSS JOIN ends e
  WHERE date_part('epoch', coalesce(h.next_hour, e.last_hour)) - date_part('epoch', h.hour) - 3600
        > 3600 * $gap_hours
), findings AS (
  SELECT 'trail_changed' AS finding, c.event_time AS at, a.started_again AS until_time, c.account_id,
         c.event_name AS what, c.trail AS subject, c.origin AS by_whom, c.error_code, c.event_id
  FROM changes c LEFT JOIN again a ON a.event_id = c.event_id
  WHERE c.event_name <> 'StartLogging'
  UNION ALL
  SELECT 'bucket_changed', event_time, NULL, recipient_account_id, event_name,
         coalesce(regexp_match(request_parameters, '"key"\s*:\s*"([^"\\]*)"')[1], $bucket), origin, error_code, event_id
  FROM activity
  WHERE $bucket IS NOT NULL AND event_source LIKE 's3.amazonaws.com%' AND read_only = false
    AND (event_name LIKE 'Delete%' OR event_name LIKE 'PutBucket%')
    AND regexp_match(request_parameters, '"bucketName"\s*:\s*"([^"\\]*)"')[1] = $bucket
  UNION ALL
  SELECT 'silence', silent_from, silent_to, account_id,
         CASE WHEN at_end THEN 'no event until the end of all logs' ELSE 'no event' END,
         concat(CAST((date_part('epoch', silent_to) - date_part('epoch', silent_from)) / 3600 AS BIGINT), ' hours'),
         NULL, NULL, NULL
  FROM silent
  UNION ALL
  SELECT 'altered', first_event_time, last_event_time, NULL, concat(conflicts, ' records differ from those of the same id'),
         path, NULL, NULL, NULL
  FROM files WHERE conflicts > 0
  UNION ALL
  SELECT CASE WHEN status = 'unreadable' THEN 'unreadable' ELSE 'rejected' END, first_event_time,
         last_event_time, NULL, concat(rejected, ' of ', records, ' records could not be read'), path, NULL, NULL, NULL
  FROM files WHERE rejected > 0
)
SELECT finding, at, until_time AS "until", account_id, what, subject, by_whom, error_code, event_id
FROM findings
WHERE ($account IS NULL OR account_id = $account OR account_id IS NULL)
  AND ($since IS NULL OR coalesce(until_time, at) >= $since OR at IS NULL)
  AND ($until IS NULL OR at < $until OR at IS NULL)
ORDER BY at, finding, account_id, subject, event_id
