-- Who is behind this session?
-- Give a session id, an access key id or a role session name; several sessions may match.
-- Cannot know: a session whose issuing event is not in the logs has origin Unknown, with the reason.
SELECT session_id, started_at, role_name, session_name, origin_type, origin, origin_account_id,
       depth, chain, link_rule, chain_strength, unresolved_reason
FROM sessions
WHERE session_id = $id OR session_name = $id OR array_has(access_key_ids, $id)
ORDER BY started_at, session_id
