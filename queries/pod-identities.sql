-- Which pod or service account was it?
-- question: 18
-- group: Ways in
-- severity: info
-- shows: one line a role, cluster, namespace, service account and pod that used it, by EKS Pod Identity or
--   by a service account's own token (IAM roles for service accounts)
-- cannot know: the pod of a service account's token, which names the service account alone; its cluster is
--   known by the id of the issuer. The pod of a Pod Identity session whose record by STS is missing.
--   Pods that use the role of their node are the node
-- :role text -- role name; all roles when empty
-- :namespace text -- Kubernetes namespace; all when empty
-- :since time -- sessions started from here on
-- :until time -- sessions started before
WITH pods AS (
  SELECT account_id, role_name, origin_type, origin, origin_detail, session_name, started_at, event_count,
         write_count, error_count, last_event_at, session_id, depth,
         CASE WHEN origin_type = 'WebIdentityUser' THEN 'service account token' ELSE 'pod identity' END AS way,
         coalesce(regexp_match(session_tags, '"eks-cluster-name"\s*:\s*"([^"\\]*)"')[1],
                  regexp_match(origin_detail, 'oidc-provider/(\S+)')[1]) AS cluster_name,
         CASE WHEN origin_type = 'WebIdentityUser' THEN split_part(origin, ':', 3)
              ELSE regexp_match(session_tags, '"kubernetes-namespace"\s*:\s*"([^"\\]*)"')[1] END AS namespace,
         CASE WHEN origin_type = 'WebIdentityUser' THEN split_part(origin, ':', 4)
              ELSE regexp_match(session_tags, '"kubernetes-service-account"\s*:\s*"([^"\\]*)"')[1] END
           AS service_account,
         regexp_match(session_tags, '"kubernetes-pod-name"\s*:\s*"([^"\\]*)"')[1] AS pod
  FROM sessions
  WHERE (origin_type = 'AWSService' AND origin LIKE 'pods.eks.amazonaws.com%'
         OR origin_type = 'WebIdentityUser' AND origin LIKE 'system:serviceaccount:%')
    AND ($role IS NULL OR role_name = $role)
    AND ($since IS NULL OR started_at >= $since) AND ($until IS NULL OR started_at < $until)
)
SELECT account_id, role_name, depth, way, cluster_name, namespace, service_account, pod, origin, origin_detail,
       count(*) AS sessions, sum(event_count) AS calls, sum(write_count) AS writes,
       sum(error_count) AS errors, min(started_at) AS first_session, max(last_event_at) AS last_call
FROM pods
WHERE $namespace IS NULL OR namespace = $namespace
GROUP BY account_id, role_name, depth, way, cluster_name, namespace, service_account, pod, origin, origin_detail
ORDER BY first_session, account_id, role_name, namespace, service_account, pod
