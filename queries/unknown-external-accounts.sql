-- Which unknown external accounts assumed our roles?
-- question: 14
-- group: Roles and accounts
-- severity: medium
-- shows: one line a principal of an account that has no logs here and is not in known_accounts, and role
--   of ours that it took, with how often it showed an external id: a vendor that shows none can be
--   deceived into acting for others
-- cannot know: your own accounts whose logs are not here look like strangers: name them in
--   known_accounts, and vendors too. Failed attempts from outside are in the log of the caller's account
--   only. Who sits behind a role of the other account is in its logs, too
-- :known_accounts text -- accounts that may take our roles, separated by commas
-- :since time -- assumptions from here on
-- :until time -- assumptions before
SELECT g.caller_account_id, split_part(g.caller_principal_id, ':', 1) AS principal_id, g.role_account_id,
       g.role_arn, count(*) AS assumptions, count(g.external_id) AS with_external_id,
       array_sort(array_agg(DISTINCT g.session_name)) AS session_names,
       array_sort(array_agg(DISTINCT g.source_ip_address)) AS addresses,
       sum(s.event_count) AS calls, sum(s.write_count) AS writes, min(g.event_time) AS first_time,
       max(g.event_time) AS last_time
FROM grants g
LEFT JOIN sessions s ON s.session_id = g.issued_session_id
WHERE g.outcome = 'granted' AND g.caller_type <> 'AWSService' AND g.caller_account_id IS NOT NULL
  AND g.caller_account_id <> coalesce(g.role_account_id, g.recipient_account_id)
  AND g.caller_account_id NOT IN (SELECT account_id FROM coverage WHERE account_id IS NOT NULL)
  AND NOT coalesce(array_has(string_to_array(replace($known_accounts, ' ', ''), ','),
                             g.caller_account_id), false)
  AND ($since IS NULL OR g.event_time >= $since) AND ($until IS NULL OR g.event_time < $until)
GROUP BY g.caller_account_id, split_part(g.caller_principal_id, ':', 1), g.role_account_id, g.role_arn
ORDER BY first_time, g.caller_account_id, principal_id, g.role_arn
