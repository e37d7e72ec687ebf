//! Every version that is advertised works: it is answered, whatever it asks about, and the connection stays open.

mod admin;
mod data;
mod group;
mod transactions;

use std::collections::BTreeSet;

use pagewire_broker::api::APIS;
use pagewire_wire::{
    ApiKey, Request, Uuid, decode_response, encode_request,
    messages::{
        api_versions_request::ApiVersionsRequest, create_topics_request::CreateTopicsRequest,
        list_groups_request::ListGroupsRequest, metadata_request::MetadataRequest,
    },
};

use crate::harness::{Broker, Client, batch};

/// A broker with something in it, and a client that asks every version of everything.
struct Probe {
    client: Client,
    /// The id of the topic `here`.
    here: Uuid,
    asked: BTreeSet<i16>,
}

/// An id that no topic has.
const NO_ID: Uuid = Uuid([9; 16]);

impl Probe {
    /// Asks every version for `request`, where the version can say it, and returns how many answers came.
    fn ask<R: Request>(&mut self, request: &R) -> usize {
        let api = APIS.iter().find(|api| api.key == R::KEY).unwrap();
        let mut answers = 0;
        for version in api.served_from..=api.max {
            // What a version cannot say is not asked of it.
            if encode_request(request, version, 0, None).is_err() {
                continue;
            }
            let id = self.client.send(request, version);
            let answer = self.client.next_frame();
            let answer =
                answer.unwrap_or_else(|| panic!("{} v{version} closed on {request:?}", R::KEY.name()));
            let decoded = decode_response::<R>(answer, version);
            let (got, _) = decoded.unwrap_or_else(|error| panic!("{} v{version}: {error}", R::KEY.name()));
            assert_eq!(got, id);
            answers += 1;
        }
        self.asked.insert(R::KEY.code());
        answers
    }

    /// As [`Probe::ask`], of a request that every version can say.
    fn ask_all<R: Request>(&mut self, request: &R) {
        let api = APIS.iter().find(|api| api.key == R::KEY).unwrap();
        let versions = usize::try_from(api.max - api.served_from + 1).unwrap();
        assert_eq!(self.ask(request), versions, "{}: every version can say {request:?}", R::KEY.name());
    }
}

#[test]
fn every_version_of_every_api_is_answered_and_leaves_the_connection_open() {
    let broker = Broker::with(&[("num.partitions", "2"), ("socket.request.max.bytes", "1000000")]);
    let mut client = broker.client();
    let here = client.create_topic("here", 2);
    client.produce("here", 0, batch(&["a", "b"]));
    let mut probe = Probe { client, here, asked: BTreeSet::new() };
    data::ask(&mut probe);
    group::ask(&mut probe);
    admin::ask(&mut probe);
    transactions::ask(&mut probe);
    probe.ask_all(&ApiVersionsRequest::default());
    probe.ask_all(&ApiVersionsRequest {
        client_software_name: "facts".into(),
        client_software_version: "1.0".into(),
        ..ApiVersionsRequest::default()
    });
    let table: BTreeSet<i16> = APIS.iter().map(|api| api.key.code()).collect();
    assert_eq!(probe.asked, table, "every API of the table is asked");
}

#[test]
fn api_versions_advertises_the_table() {
    let broker = Broker::start();
    let mut client = broker.client();
    for version in 0..=4 {
        let request = ApiVersionsRequest {
            client_software_name: "facts".into(),
            client_software_version: "1.0".into(),
            ..ApiVersionsRequest::default()
        };
        let answer = client.call(&request, version);
        assert_eq!(answer.error_code, 0);
        let told: Vec<_> =
            answer.api_keys.iter().map(|key| (key.api_key, key.min_version, key.max_version)).collect();
        let table: Vec<_> = APIS.iter().map(|api| (api.key.code(), api.min, api.max)).collect();
        assert_eq!(told, table);
        assert_eq!(answer.finalized_features_epoch >= 0, version >= 3, "v{version}");
        let features = answer.finalized_features.iter();
        let features: Vec<_> =
            features.map(|feature| (feature.name.as_str(), feature.max_version_level)).collect();
        let in_force = [("group.version", 1), ("metadata.version", 30), ("transaction.version", 2)];
        assert_eq!(features, if version < 3 { &[][..] } else { &in_force[..] }, "v{version}");
        let lowest: Vec<_> = answer.supported_features.iter().map(|feature| feature.min_version).collect();
        // Clients that speak version 3 take a lowest level of 0 for an error.
        assert_eq!(
            lowest,
            [&[][..], &[7], &[0, 7, 0]][usize::try_from((version - 2).max(0)).unwrap()],
            "v{version}"
        );
    }
}

#[test]
fn nonsense_as_client_software_is_an_invalid_request() {
    let broker = Broker::start();
    let request = ApiVersionsRequest {
        client_software_name: "no spaces".into(),
        client_software_version: "1".into(),
        ..ApiVersionsRequest::default()
    };
    assert_eq!(broker.client().call(&request, 3).error_code, 42);
}

#[test]
fn an_unknown_version_of_api_versions_is_answered_in_version_0_with_the_way_to_ask_again() {
    let broker = Broker::start();
    let mut client = broker.client();
    for version in [5_i16, 100, i16::MAX, -1] {
        client.send_bytes(&raw(ApiKey::ApiVersions.code(), version, 77, &[0, 0, 0]));
        let answer = client.next_frame().unwrap();
        let (id, answer) = decode_response::<ApiVersionsRequest>(answer, 0).unwrap();
        assert_eq!((id, answer.error_code), (77, 35));
        let told: Vec<_> =
            answer.api_keys.iter().map(|key| (key.api_key, key.min_version, key.max_version)).collect();
        assert_eq!(told, [(18, 0, 4)]);
    }
    assert_eq!(client.api_versions().error_code, 0, "the connection goes on");
}

#[test]
fn an_unknown_api_or_version_closes_that_connection_and_no_other() {
    let broker = Broker::start();
    let mut other = broker.client();
    other.api_versions();
    let unserved: [(i16, i16); 6] = [(999, 0), (-1, 0), (4, 0), (38, 0), (1, 3), (3, 14)];
    for (key, version) in unserved {
        let mut client = broker.client();
        client.send_bytes(&raw(key, version, 1, &[0; 16]));
        assert!(client.is_closed(), "key {key} version {version}");
    }
    assert_eq!(other.api_versions().error_code, 0);
}

#[test]
fn a_body_that_cannot_be_understood_closes_that_connection_and_no_other() {
    let broker = Broker::start();
    let mut other = broker.client();
    // Two of them have no body to misunderstand.
    let bodies = APIS.iter().filter(|api| ![ApiKey::ApiVersions, ApiKey::ListGroups].contains(&api.key));
    for api in bodies {
        let mut client = broker.client();
        // Counts and lengths of 2^31-1, and nothing behind them.
        client.send_bytes(&raw(api.key.code(), api.served_from, 1, &[0x7f; 3]));
        let answered = client.next_frame();
        assert!(answered.is_none(), "{} answered {answered:?}", api.key.name());
    }
    assert_eq!(other.api_versions().error_code, 0);
}

#[test]
fn bytes_behind_a_request_are_ignored() {
    let broker = Broker::start();
    let mut client = broker.client();
    let (id, frame) = client.frame(&MetadataRequest::default(), 12);
    let mut longer = (u32::try_from(frame.len()).unwrap() - 4 + 3).to_be_bytes().to_vec();
    longer.extend_from_slice(&frame[4..]);
    longer.extend_from_slice(&[1, 2, 3]);
    client.send_bytes(&longer);
    client.receive::<MetadataRequest>(id, 12);
    client.call(&ListGroupsRequest::default(), 5);
    client.call(&CreateTopicsRequest::default(), 7);
}

/// A frame by hand: size, header (client id null), body.
pub(crate) fn raw(key: i16, version: i16, correlation_id: i32, body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    frame.extend_from_slice(&u32::try_from(10 + body.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(&key.to_be_bytes());
    frame.extend_from_slice(&version.to_be_bytes());
    frame.extend_from_slice(&correlation_id.to_be_bytes());
    frame.extend_from_slice(&(-1_i16).to_be_bytes());
    frame.extend_from_slice(body);
    frame
}
