//! `event_data_store`: the events as CloudTrail Lake has them.
//!
//! Source: AWS CloudTrail User Guide, "Supported SQL schemas for event data stores",
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/query-supported-event-schemas.html>.

use crate::table::Kind::{Bool, Json, Nested, Text, Time};
use crate::table::{Column, TableDef, col};

/// Events in the shape of an event data store.
pub const EVENT_DATA_STORE: TableDef = TableDef {
    name: "event_data_store",
    doc: "The events as an event data store of CloudTrail Lake has them, so that published queries run: names in any letter case, times as times, requests as maps of text.",
    columns: COLUMNS,
    partition_by: None,
    lookup: &[],
    sort_by: &[],
};

const MAP: crate::table::Kind = Nested("map<text, text>");

#[rustfmt::skip]
const COLUMNS: &[Column] = &[
    col("eventversion", Text, "eventVersion"),
    col("useridentity", Nested("struct<type, principalId, arn, accountId, accessKeyId, userName, sessionContext struct<attributes struct<creationDate timestamp, mfaAuthenticated>, sessionIssuer struct<type, principalId, arn, accountId, userName>, webIdFederationData struct<federatedProvider, attributes map<text, text>>, sourceIdentity, ec2RoleDelivery, ec2IssuedInVpc>, invokedBy, identityProvider, onBehalfOf struct<userId, identityStoreArn>>"), "userIdentity; what was absent is NULL"),
    col("eventtime", Time, "eventTime"),
    col("eventsource", Text, "eventSource"),
    col("eventname", Text, "eventName"),
    col("awsregion", Text, "awsRegion"),
    col("sourceipaddress", Text, "sourceIPAddress"),
    col("useragent", Text, "userAgent"),
    col("errorcode", Text, "errorCode"),
    col("errormessage", Text, "errorMessage"),
    col("requestparameters", MAP, "requestParameters; what is no text is JSON"),
    col("responseelements", MAP, "responseElements, without session tokens"),
    col("additionaleventdata", MAP, "additionalEventData"),
    col("requestid", Text, "requestID"),
    col("eventid", Text, "eventID"),
    col("readonly", Bool, "readOnly"),
    col("resources", Nested("list<struct<ARN, accountId, type>>"), "resources"),
    col("eventtype", Text, "eventType"),
    col("apiversion", Text, "apiVersion"),
    col("managementevent", Bool, "managementEvent"),
    col("recipientaccountid", Text, "recipientAccountId"),
    col("sharedeventid", Text, "sharedEventID"),
    col("vpcendpointid", Text, "vpcEndpointId"),
    col("vpcendpointaccountid", Text, "vpcEndpointAccountId"),
    col("serviceeventdetails", MAP, "serviceEventDetails"),
    col("addendum", Nested("struct<reason, updatedFields, originalRequestID, originalEventID>"), "addendum"),
    col("edgedevicedetails", MAP, "edgeDeviceDetails"),
    col("eventcategory", Text, "eventCategory"),
    col("sessioncredentialfromconsole", Bool, "true, or NULL"),
    col("tlsdetails", Nested("struct<tlsVersion, cipherSuite, clientProvidedHostHeader>"), "tlsDetails"),
    col("eventjson", Json, "the record as it was, session tokens excepted; slow, because it is put together again"),
    col("annotation", Text, "NULL: not in the logs of trails"),
    col("insightdetails", Text, "NULL: not in the logs of trails"),
    col("eventjsonchecksum", Text, "NULL: not in the logs of trails"),
];

/// The columns as CloudTrail spells them: what the columns of an answer are called.
pub(super) const EVENT_DATA_STORE_NAMES: &[&str] = &[
    "eventVersion",
    "userIdentity",
    "eventTime",
    "eventSource",
    "eventName",
    "awsRegion",
    "sourceIPAddress",
    "userAgent",
    "errorCode",
    "errorMessage",
    "requestParameters",
    "responseElements",
    "additionalEventData",
    "requestID",
    "eventID",
    "readOnly",
    "resources",
    "eventType",
    "apiVersion",
    "managementEvent",
    "recipientAccountId",
    "sharedEventID",
    "vpcEndpointId",
    "vpcEndpointAccountId",
    "serviceEventDetails",
    "addendum",
    "edgeDeviceDetails",
    "eventCategory",
    "sessionCredentialFromConsole",
    "tlsDetails",
    "eventJson",
    "annotation",
    "insightDetails",
    "eventJsonChecksum",
];

/// The statement behind the view.
pub(super) fn sql() -> String {
    let columns: Vec<&str> = crate::events::EVENTS.columns.iter().map(|c| c.name).collect();
    SQL.replace("{columns}", &columns.join(", "))
}

const SQL: &str = "
SELECT event_version AS eventversion,
       record('type', identity_type, 'principalId', principal_id, 'arn', principal_arn,
              'accountId', account_id, 'accessKeyId', access_key_id, 'userName', user_name,
              'sessionContext', record(
                'attributes', record('creationDate', session_created_at,
                                     'mfaAuthenticated', CAST(mfa_authenticated AS text)),
                'sessionIssuer', record('type', session_issuer_type,
                  'principalId', session_issuer_principal_id, 'arn', session_issuer_arn,
                  'accountId', session_issuer_account_id, 'userName', session_issuer_user_name),
                'webIdFederationData', record(
                  'federatedProvider', json_as_text(extra, 'userIdentity', 'sessionContext', 'webIdFederationData', 'federatedProvider'),
                  'attributes', text_map(json_as_text(extra, 'userIdentity', 'sessionContext', 'webIdFederationData', 'attributes'))),
                'sourceIdentity', source_identity,
                'ec2RoleDelivery', ec2_role_delivery,
                'ec2IssuedInVpc', json_as_text(extra, 'userIdentity', 'sessionContext', 'ec2IssuedInVpc')
              ),
              'invokedBy', invoked_by, 'identityProvider', identity_provider,
              'onBehalfOf', record('userId', on_behalf_of_user_id, 'identityStoreArn',
                json_as_text(extra, 'userIdentity', 'onBehalfOf', 'identityStoreArn'))
             ) AS useridentity,
       event_time AS eventtime,
       event_source AS eventsource, event_name AS eventname, aws_region AS awsregion,
       source_ip_address AS sourceipaddress, user_agent AS useragent,
       error_code AS errorcode, error_message AS errormessage,
       text_map(request_parameters) AS requestparameters,
       text_map(response_elements) AS responseelements,
       text_map(additional_event_data) AS additionaleventdata, request_id AS requestid,
       event_id AS eventid, read_only AS readonly,
       lake_resources(resources) AS resources, event_type AS eventtype,
       json_as_text(extra, 'apiVersion') AS apiversion, management_event AS managementevent,
       recipient_account_id AS recipientaccountid, shared_event_id AS sharedeventid,
       vpc_endpoint_id AS vpcendpointid,
       json_as_text(extra, 'vpcEndpointAccountId') AS vpcendpointaccountid,
       text_map(service_event_details) AS serviceeventdetails,
       record('reason', json_as_text(extra, 'addendum', 'reason'),
              'updatedFields', json_as_text(extra, 'addendum', 'updatedFields'),
              'originalRequestID', json_as_text(extra, 'addendum', 'originalRequestID'),
              'originalEventID', json_as_text(extra, 'addendum', 'originalEventID')) AS addendum,
       text_map(json_as_text(extra, 'edgeDeviceDetails')) AS edgedevicedetails,
       event_category AS eventcategory,
       from_console AS sessioncredentialfromconsole,
       record('tlsVersion', json_as_text(tls_details, 'tlsVersion'),
              'cipherSuite', json_as_text(tls_details, 'cipherSuite'),
              'clientProvidedHostHeader', json_as_text(tls_details, 'clientProvidedHostHeader')) AS tlsdetails,
       event_json({columns}) AS eventjson,
       CAST(NULL AS text) AS annotation, CAST(NULL AS text) AS insightdetails,
       CAST(NULL AS text) AS eventjsonchecksum
FROM events";
