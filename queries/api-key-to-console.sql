-- Were API keys turned into a console session?
-- question: 11
-- group: Stolen credentials
-- severity: medium
-- shows: one line a GetSigninToken: who took which session to the console, from where, and the console
--   session that followed with its address. Console calls of the very session that asked count too,
--   because the console may keep its creation date
-- cannot know: the sign-in of an account or region without logs. Identity brokers and tools that open the
--   console for their users do this all day. A token that was never redeemed has no console session
-- :since time -- tokens from here on
-- :until time -- tokens before
WITH tokens AS (
  SELECT event_time, event_id, origin_type, origin, chain, chain_strength, session_id, source_ip_address,
         user_agent, recipient_account_id, error_code
  FROM activity
  WHERE event_source = 'signin.amazonaws.com' AND event_name = 'GetSigninToken'
    AND ($since IS NULL OR event_time >= $since) AND ($until IS NULL OR event_time < $until)
), consoles AS (
  SELECT t.event_id, l.child_session_id AS console_session_id
  FROM tokens t JOIN links l ON l.grant_event_id = t.event_id
  WHERE l.strength <> 'none' AND l.child_session_id <> t.session_id
  UNION
  SELECT t.event_id, t.session_id FROM tokens t JOIN sessions s ON s.session_id = t.session_id
  WHERE s.from_console
)
SELECT t.event_time, t.recipient_account_id AS account_id, t.origin_type, t.origin,
       array_to_string(t.chain, ' -> ') AS chain, t.chain_strength, t.source_ip_address, t.user_agent,
       t.error_code, c.console_session_id, s.source_ip_addresses AS console_addresses,
       s.event_count AS console_calls, s.write_count AS console_writes, t.session_id, t.event_id
FROM tokens t
LEFT JOIN consoles c ON c.event_id = t.event_id
LEFT JOIN sessions s ON s.session_id = c.console_session_id
ORDER BY t.event_time, t.event_id, c.console_session_id
