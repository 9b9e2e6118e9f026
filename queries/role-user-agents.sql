-- Which principal used one role with different user agents?
-- question: 17
-- group: Stolen credentials
-- severity: low
-- shows: one line a role, session name and origin that was seen with several programs. A program is the
--   first word of the user agent with the operating system that it names; versions do not count. newest is
--   the one that came last, with its address
-- cannot know: user agents are written by the caller. Instances that run several programs, people who use
--   a command line and Terraform, and builds do this all day. Browsers and the console's own agents are
--   left out, and roles of Identity Center unless asked for
-- :role text -- role name; all roles when empty
-- :sso bool = false -- also roles of Identity Center, whose users have a browser and a command line
-- :since time -- calls from here on
-- :until time -- calls before
WITH programs AS (
  SELECT role_arn, session_name, origin_type, origin, source_ip_address, event_time, session_id,
         concat(split_part(ltrim(user_agent, '['), '/', 1),
                coalesce(' on ' || coalesce(regexp_match(user_agent, ' os/([A-Za-z]+)')[1],
                                            regexp_match(user_agent, ' (Linux|Windows|Darwin)/')[1]), ''))
           AS program
  FROM activity
  WHERE role_arn IS NOT NULL AND user_agent IS NOT NULL AND ($role IS NULL OR role_name = $role)
    AND ($sso OR role_name NOT LIKE 'AWSReservedSSO_%')
    AND user_agent NOT LIKE '%.amazonaws.com' AND user_agent NOT LIKE '%.amazonaws.com.cn'
    AND user_agent NOT LIKE 'AWS Internal%' AND user_agent NOT LIKE 'aws-internal/%'
    AND user_agent NOT LIKE '%Mozilla/%' AND user_agent NOT LIKE 'AWS Signin%'
    AND user_agent NOT LIKE 'S3Console/%' AND user_agent NOT LIKE '[S3Console/%'
    AND ($since IS NULL OR event_time >= $since) AND ($until IS NULL OR event_time < $until)
), seen AS (
  SELECT role_arn, session_name, origin_type, origin, program, count(*) AS calls,
         count(DISTINCT session_id) AS sessions, min(event_time) AS first_call,
         max(event_time) AS last_call, min(source_ip_address) AS address
  FROM programs GROUP BY role_arn, session_name, origin_type, origin, program
), ranked AS (
  SELECT *, row_number() OVER w AS newest_first
  FROM seen
  WINDOW w AS (PARTITION BY role_arn, session_name, origin_type, origin
               ORDER BY first_call DESC, program)
)
SELECT role_arn, session_name, origin_type, origin, count(*) AS programs,
       array_sort(array_agg(program)) AS user_agents,
       max(program) FILTER (WHERE newest_first = 1) AS newest,
       max(first_call) FILTER (WHERE newest_first = 1) AS newest_since,
       max(address) FILTER (WHERE newest_first = 1) AS newest_address,
       sum(calls) AS calls, min(first_call) AS first_call, max(last_call) AS last_call
FROM ranked
GROUP BY role_arn, session_name, origin_type, origin
HAVING count(*) > 1
ORDER BY newest_since, role_arn, session_name, origin
