//! `cloudtrail_logs`: the events as AWS's table for Athena has them.
//!
//! Source: Amazon Athena User Guide, "Create a table for CloudTrail logs in Athena using partition
//! projection", <https://docs.aws.amazon.com/athena/latest/ug/create-cloudtrail-table-partition-projection.html>.

use crate::table::Kind::{Nested, Text};
use crate::table::{Column, TableDef, col};

/// Events in the shape of Athena's table.
pub const CLOUDTRAIL_LOGS: TableDef = TableDef {
    name: "cloudtrail_logs",
    doc: "The events as AWS's table for Athena has them, so that published queries run: all small letters, times as text, requests as JSON text.",
    columns: COLUMNS,
    partition_by: None,
    lookup: &[],
    sort_by: &[],
};

#[rustfmt::skip]
const COLUMNS: &[Column] = &[
    col("eventversion", Text, "eventVersion"),
    col("useridentity", Nested("struct<type, principalid, arn, accountid, invokedby, accesskeyid, username, identityprovider, onbehalfof struct<userid, identitystorearn>, sessioncontext struct<attributes struct<mfaauthenticated, creationdate>, sessionissuer struct<type, principalid, arn, accountid, username>, ec2roledelivery, sourceidentity, webidfederationdata struct<federatedprovider, attributes map<text, text>>>>"), "userIdentity; what was absent is NULL"),
    col("eventtime", Text, "eventTime as text: 2024-05-01T09:00:12Z; conditions on it reach the files"),
    col("eventsource", Text, "eventSource"),
    col("eventname", Text, "eventName"),
    col("awsregion", Text, "awsRegion"),
    col("sourceipaddress", Text, "sourceIPAddress"),
    col("useragent", Text, "userAgent"),
    col("errorcode", Text, "errorCode"),
    col("errormessage", Text, "errorMessage"),
    col("requestparameters", Text, "requestParameters as JSON text"),
    col("responseelements", Text, "responseElements as JSON text, without session tokens"),
    col("additionaleventdata", Text, "additionalEventData as JSON text"),
    col("requestid", Text, "requestID"),
    col("eventid", Text, "eventID"),
    col("readonly", Text, "readOnly: true or false, as text"),
    col("resources", Nested("list<struct<arn, accountid, type>>"), "resources"),
    col("eventtype", Text, "eventType"),
    col("apiversion", Text, "apiVersion"),
    col("recipientaccountid", Text, "recipientAccountId"),
    col("serviceeventdetails", Text, "serviceEventDetails as JSON text"),
    col("sharedeventid", Text, "sharedEventID"),
    col("vpcendpointid", Text, "vpcEndpointId"),
    col("vpcendpointaccountid", Text, "vpcEndpointAccountId"),
    col("eventcategory", Text, "eventCategory"),
    col("addendum", Nested("struct<reason, updatedfields, originalrequestid, originaleventid>"), "addendum"),
    col("sessioncredentialfromconsole", Text, "true, or NULL"),
    col("edgedevicedetails", Text, "edgeDeviceDetails as JSON text"),
    col("tlsdetails", Nested("struct<tlsversion, ciphersuite, clientprovidedhostheader>"), "tlsDetails"),
    col("account", Text, "partition: recipientAccountId"),
    col("region", Text, "partition: awsRegion"),
    col("year", Text, "partition: year of eventTime, four digits; in Athena of the delivery"),
    col("month", Text, "partition: month of eventTime, two digits"),
    col("day", Text, "partition: day of eventTime, two digits"),
    col("date", Text, "partition: 2024/05/01, of eventTime"),
    col("timestamp", Text, "partition: the same, as AWS's page calls it; write it in double quotes"),
    col("account_partition", Text, "account, as AWS's Security Analytics Bootstrap calls it"),
    col("region_partition", Text, "region, likewise"),
    col("date_partition", Text, "date, likewise"),
];

pub(super) const SQL: &str = "
SELECT event_version AS eventversion,
       record('type', identity_type, 'principalid', principal_id, 'arn', principal_arn,
              'accountid', account_id, 'invokedby', invoked_by, 'accesskeyid', access_key_id,
              'username', user_name, 'identityprovider', identity_provider,
              'onbehalfof', record('userid', on_behalf_of_user_id, 'identitystorearn',
                json_as_text(extra, 'userIdentity', 'onBehalfOf', 'identityStoreArn')),
              'sessioncontext', record(
                'attributes', record('mfaauthenticated', CAST(mfa_authenticated AS text),
                                     'creationdate', iso_text(session_created_at)),
                'sessionissuer', record('type', session_issuer_type,
                  'principalid', session_issuer_principal_id, 'arn', session_issuer_arn,
                  'accountid', session_issuer_account_id, 'username', session_issuer_user_name),
                'ec2roledelivery', ec2_role_delivery,
                'sourceidentity', source_identity,
                'webidfederationdata', record(
                  'federatedprovider', json_as_text(extra, 'userIdentity', 'sessionContext', 'webIdFederationData', 'federatedProvider'),
                  'attributes', text_map(json_as_text(extra, 'userIdentity', 'sessionContext', 'webIdFederationData', 'attributes')))
              )) AS useridentity,
       iso_text(event_time) AS eventtime,
       event_source AS eventsource, event_name AS eventname, aws_region AS awsregion,
       source_ip_address AS sourceipaddress, user_agent AS useragent,
       error_code AS errorcode, error_message AS errormessage,
       request_parameters AS requestparameters, response_elements AS responseelements,
       additional_event_data AS additionaleventdata, request_id AS requestid,
       event_id AS eventid, CAST(read_only AS text) AS readonly,
       athena_resources(resources) AS resources, event_type AS eventtype,
       json_as_text(extra, 'apiVersion') AS apiversion,
       recipient_account_id AS recipientaccountid,
       service_event_details AS serviceeventdetails, shared_event_id AS sharedeventid,
       vpc_endpoint_id AS vpcendpointid,
       json_as_text(extra, 'vpcEndpointAccountId') AS vpcendpointaccountid,
       event_category AS eventcategory,
       record('reason', json_as_text(extra, 'addendum', 'reason'),
              'updatedfields', json_as_text(extra, 'addendum', 'updatedFields'),
              'originalrequestid', json_as_text(extra, 'addendum', 'originalRequestID'),
              'originaleventid', json_as_text(extra, 'addendum', 'originalEventID')) AS addendum,
       CAST(from_console AS text) AS sessioncredentialfromconsole,
       json_as_text(extra, 'edgeDeviceDetails') AS edgedevicedetails,
       record('tlsversion', json_as_text(tls_details, 'tlsVersion'),
              'ciphersuite', json_as_text(tls_details, 'cipherSuite'),
              'clientprovidedhostheader', json_as_text(tls_details, 'clientProvidedHostHeader')) AS tlsdetails,
       recipient_account_id AS account, aws_region AS region,
       year_text(event_date) AS year, month_text(event_date) AS month,
       day_text(event_date) AS day, day_path_text(event_date) AS date,
       day_path_text(event_date) AS \"timestamp\",
       recipient_account_id AS account_partition, aws_region AS region_partition,
       day_path_text(event_date) AS date_partition
FROM events";
