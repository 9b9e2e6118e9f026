-- Which grant issued this credential, by console or API?
-- question: 2
-- group: Who it was
-- severity: info
-- shows: one line a credential and candidate grant, with the record that proves it; way is console or
--   API (the issued key itself was used), NULL where no record shows which
-- cannot know: console sessions use other keys than the issued one; they are found by session. A key
--   that a service made to act for its caller has no grant at all. Keys made before the logs have none
-- :key text -- access key id; all credentials that a grant explains when empty
-- :since time -- grants from here on
-- :until time -- grants before
SELECT l.child_access_key_id AS access_key_id, g.event_time, g.kind, CASE WHEN s.from_console OR g.kind IN ('ConsoleLogin', 'SwitchRole', 'RenewRole', 'GetSigninToken')
            THEN 'console'
            WHEN l.rule = 'access_key' AND g.used THEN 'API' END AS way,
       g.caller_arn, g.caller_access_key_id, g.role_arn, g.session_name, g.issued_access_key_id,
       g.expires_at, l.rule, l.strength, l.candidates, g.event_id, g.twin_event_id, g.source_file,
       g.source_record
FROM links l
JOIN grants g ON g.event_id = l.grant_event_id
LEFT JOIN sessions s ON s.session_id = l.child_session_id
WHERE l.child_access_key_id IS NOT NULL AND ($key IS NULL OR l.child_access_key_id = $key)
  AND ($since IS NULL OR g.event_time >= $since) AND ($until IS NULL OR g.event_time < $until)
ORDER BY g.event_time, access_key_id, g.event_id
