-- What was changed under assumed roles, and by whom?
SELECT event_time, origin, chain, event_source, event_name, recipient_account_id, error_code,
       chain_strength
FROM activity
WHERE depth > 0 AND read_only = false AND origin_type <> 'AWSService'
ORDER BY event_time, event_id
