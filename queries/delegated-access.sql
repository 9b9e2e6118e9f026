-- Which third parties acted by delegation?
-- question: 27
-- group: Roles and accounts
-- severity: medium
-- shows: one line a delegate account (invokedByDelegate: a product provider whom somebody gave temporary
--   access), account and origin who gave it, with the actions
-- cannot know: who in the delegate's account it was, and what was agreed. Providers who come through a
--   role of yours are in unknown-external-accounts
-- :known_accounts text -- accounts of providers that are known, separated by commas
-- :since time -- calls from here on
-- :until time -- calls before
WITH delegated AS (
  SELECT event_id,
         regexp_match(extra, '"invokedByDelegate"\s*:\s*\{[^{}]*"accountId"\s*:\s*"([^"\\]*)"')[1]
           AS delegate_account_id
  FROM events
  WHERE extra LIKE '%"invokedByDelegate"%'
    AND ($since IS NULL OR event_time >= $since) AND ($until IS NULL OR event_time < $until)
)
SELECT d.delegate_account_id, a.recipient_account_id AS account_id, a.origin_type, a.origin, a.role_arn,
       a.session_name, count(*) AS calls, count(*) FILTER (WHERE a.read_only = false) AS writes,
       count(a.error_code) AS errors,
       array_sort(array_agg(DISTINCT concat(split_part(a.event_source, '.', 1), ':', a.event_name))) AS actions,
       array_sort(array_agg(DISTINCT a.source_ip_address)) AS addresses, min(a.event_time) AS first_call,
       max(a.event_time) AS last_call
FROM delegated d
JOIN activity a ON a.event_id = d.event_id
WHERE ($since IS NULL OR a.event_time >= $since) AND ($until IS NULL OR a.event_time < $until)
  AND NOT coalesce(array_has(string_to_array(replace($known_accounts, ' ', ''), ','),
                             d.delegate_account_id), false)
GROUP BY d.delegate_account_id, a.recipient_account_id, a.origin_type, a.origin, a.role_arn, a.session_name
ORDER BY first_call, d.delegate_account_id, account_id, a.role_arn
