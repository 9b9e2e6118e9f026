-- Which repository or workflow came in through OIDC?
-- question: 19
-- group: Ways in
-- severity: info
-- shows: one line a provider, subject and role: repository and ref or environment where the subject is
--   that of a GitHub or GitLab workflow, the project where it is Terraform's; roles that such a session
--   took further on count by depth
-- cannot know: which run of a workflow, or who pushed; the session name tells what the workflow chose to
--   tell. Subjects can be made to a template of the provider's customer: then the parts stay empty and
--   the subject says it all
-- :repository text -- repository, OWNER/NAME; all when empty
-- :role text -- role name; all roles when empty
-- :since time -- sessions started from here on
-- :until time -- sessions started before
WITH workflows AS (
  SELECT origin AS subject, origin_detail AS provider, account_id, role_name, depth, chain_strength,
         event_count, write_count, error_count, started_at, last_event_at, session_name, source_ip_addresses,
         coalesce(regexp_match(origin, '^repo:([^:]+)')[1], regexp_match(origin, '^project_path:([^:]+)')[1],
                  regexp_match(origin, '^organization:[^:]+:project:([^:]+)')[1]) AS repository,
         coalesce(regexp_match(origin, ':ref:refs/(?:heads|tags)/(.+)$')[1],
                  regexp_match(origin, ':ref_type:[^:]+:ref:(.+)$')[1]) AS ref,
         coalesce(regexp_match(origin, ':environment:(.+)$')[1],
                  regexp_match(origin, ':(pull_request)$')[1],
                  regexp_match(origin, ':workspace:([^:]+)')[1]) AS environment
  FROM sessions
  WHERE origin_type = 'WebIdentityUser' AND origin NOT LIKE 'system:serviceaccount:%' AND depth >= 1
    AND coalesce(origin_detail, '') NOT LIKE '%cognito-identity.amazonaws.com%'
    AND ($role IS NULL OR role_name = $role)
    AND ($since IS NULL OR started_at >= $since) AND ($until IS NULL OR started_at < $until)
)
SELECT provider, repository, ref, environment, subject, account_id, role_name, depth, count(*) AS sessions,
       sum(event_count) AS calls, sum(write_count) AS writes, sum(error_count) AS errors,
       array_sort(array_agg(DISTINCT session_name)) AS session_names, min(started_at) AS first_session,
       max(last_event_at) AS last_call
FROM workflows
WHERE $repository IS NULL OR repository = $repository
GROUP BY provider, repository, ref, environment, subject, account_id, role_name, depth
ORDER BY first_session, subject, depth, role_name
