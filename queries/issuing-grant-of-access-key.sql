-- Which grant issued this credential, by console or API?
-- Cannot know: console sessions use other keys than the issued one; they are found by session.
SELECT g.event_time, g.kind, g.caller_arn, g.caller_access_key_id, g.role_arn, g.session_name,
       g.issued_access_key_id, g.expires_at, l.rule, l.strength, g.event_id, g.twin_event_id,
       g.source_file, g.source_record
FROM links l
JOIN grants g ON g.event_id = l.grant_event_id
WHERE l.child_access_key_id = $key
ORDER BY g.event_time, g.event_id
