use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use pagewire_record::batches;
use pagewire_wire::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResponse, AddPartitionsToTxnTopicResult,
};
use pagewire_wire::messages::api_versions_response::{ApiVersion, ApiVersionsResponse};
use pagewire_wire::messages::end_txn_response::EndTxnResponse;
use pagewire_wire::messages::find_coordinator_response::FindCoordinatorResponse;
use pagewire_wire::messages::init_producer_id_response::InitProducerIdResponse;
use pagewire_wire::messages::produce_request::ProduceRequest;
use pagewire_wire::messages::produce_response::{
    PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};
use pagewire_wire::{ApiKey, Message, Reader, Records, RequestHeader, Response, encode_response};

use super::*;

/// The newest versions of Kafka 4.3.1.
const OFFERED: [(ApiKey, i16); 6] = [
    (ApiKey::ApiVersions, 3),
    (ApiKey::Produce, 13),
    (ApiKey::FindCoordinator, 6),
    (ApiKey::InitProducerId, 6),
    (ApiKey::AddPartitionsToTxn, 5),
    (ApiKey::EndTxn, 5),
];
const PRODUCER: (i64, i16) = (4000, 7);

/// A broker that is its own coordinator, and what was asked of it.
struct Fake {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, asked) = (listener.local_addr().unwrap(), Arc::default());
        let told = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(std::result::Result::ok) {
                let told = Arc::clone(&told);
                thread::spawn(move || while answer(&stream, address, &told).is_some() {});
            }
        });
        Self { address, asked }
    }
}

/// Takes a request in and answers it; `None` when the client is gone.
fn answer(mut stream: &TcpStream, address: SocketAddr, asked: &Mutex<Vec<String>>) -> Option<()> {
    let mut size = [0; 4];
    stream.read_exact(&mut size).ok()?;
    let mut frame = vec![0; u32::from_be_bytes(size) as usize];
    stream.read_exact(&mut frame).ok()?;
    let mut r = Reader::new(Bytes::from(frame));
    let header = RequestHeader::decode(&mut r).unwrap();
    let (key, version) = (header.api_key, header.api_version);
    let (said, answer) = match key {
        ApiKey::ApiVersions => (None, sealed(&offered(), &header)),
        ApiKey::FindCoordinator => {
            let request = FindCoordinatorRequest::decode(&mut r, version).unwrap();
            let (host, port) = (Str::from(address.ip().to_string()), i32::from(address.port()));
            let found = FindCoordinatorResponse { host, port, ..FindCoordinatorResponse::default() };
            (Some(format!("find {} of {}", request.key, request.key_type)), sealed(&found, &header))
        }
        ApiKey::InitProducerId => {
            let request = InitProducerIdRequest::decode(&mut r, version).unwrap();
            let (producer_id, producer_epoch) = PRODUCER;
            let given =
                InitProducerIdResponse { producer_id, producer_epoch, ..InitProducerIdResponse::default() };
            (Some(format!("init {}", request.transactional_id.unwrap())), sealed(&given, &header))
        }
        ApiKey::AddPartitionsToTxn => {
            let request = AddPartitionsToTxnRequest::decode(&mut r, version).unwrap();
            let is_first = !asked.lock().unwrap().iter().any(|said| said.contains("add"));
            let topic = &request.v3_and_below_topics[0];
            let said = format!("add {} {:?} to {}", topic.name, topic.partitions, producer_of(&request));
            (Some(said), sealed(&added(is_first), &header))
        }
        ApiKey::Produce => {
            let request = ProduceRequest::decode(&mut r, version).unwrap();
            (Some(produced(&request)), sealed(&written(), &header))
        }
        ApiKey::EndTxn => {
            let request = EndTxnRequest::decode(&mut r, version).unwrap();
            let end = if request.committed { "commit" } else { "abort" };
            let (id, producer) = (&request.transactional_id, (request.producer_id, request.producer_epoch));
            (Some(format!("{end} {id} {producer:?}")), sealed(&EndTxnResponse::default(), &header))
        }
        other => panic!("{} was not to be asked", other.name()),
    };
    asked.lock().unwrap().extend(said.map(|said| format!("v{version} {said}")));
    stream.write_all(&answer).ok()
}

fn sealed<R: Response>(answer: &R, header: &RequestHeader) -> Bytes {
    encode_response(answer, header.api_version, header.correlation_id).unwrap().into_bytes().unwrap()
}

fn offered() -> ApiVersionsResponse {
    let api = |&(key, max_version): &(ApiKey, i16)| ApiVersion {
        api_key: key.code(),
        min_version: 0,
        max_version,
        ..ApiVersion::default()
    };
    ApiVersionsResponse { api_keys: OFFERED.iter().map(api).collect(), ..ApiVersionsResponse::default() }
}

/// The markers of the transaction before are not written yet, the first time.
fn added(is_first: bool) -> AddPartitionsToTxnResponse {
    let code = if is_first { ErrorCode::ConcurrentTransactions.code() } else { 0 };
    let partition = AddPartitionsToTxnPartitionResult {
        partition_error_code: code,
        ..AddPartitionsToTxnPartitionResult::default()
    };
    let topic = AddPartitionsToTxnTopicResult {
        results_by_partition: vec![partition],
        ..AddPartitionsToTxnTopicResult::default()
    };
    AddPartitionsToTxnResponse {
        results_by_topic_v3_and_below: vec![topic],
        ..AddPartitionsToTxnResponse::default()
    }
}

fn producer_of(request: &AddPartitionsToTxnRequest) -> String {
    let producer = (request.v3_and_below_producer_id, request.v3_and_below_producer_epoch);
    format!("{} {producer:?}", request.v3_and_below_transactional_id)
}

fn produced(request: &ProduceRequest) -> String {
    let topic = &request.topic_data[0];
    let partition = &topic.partition_data[0];
    let Records::Bytes(bytes) = &partition.records else { panic!("no records") };
    let batch = batches(bytes).next().unwrap().unwrap();
    batch.verify_crc().unwrap();
    let header = batch.header;
    assert!(header.is_transactional() && !header.is_control());
    let producer = (header.producer_id, header.producer_epoch);
    let id = request.transactional_id.as_ref().unwrap();
    let (name, index, acks) = (&topic.name, partition.index, request.acks);
    format!("produce {name} [{index}] acks {acks} in {id} {producer:?} from {}", header.base_sequence)
}

fn written() -> ProduceResponse {
    let topic = TopicProduceResponse {
        partition_responses: vec![PartitionProduceResponse::default()],
        ..TopicProduceResponse::default()
    };
    ProduceResponse { responses: vec![topic], ..ProduceResponse::default() }
}

#[test]
fn sequences_go_on_over_transactions_and_each_adds_its_partition_and_ends() {
    let fake = Fake::start();
    let mut producer = Transactional::open(&Dial::default(), fake.address, fake.address, "t", 3).unwrap();
    let content = Content { records: 5, value_len: 100, codec: Codec::None };
    let bytes = producer.write(2, content, End::Commit).unwrap();
    assert_eq!(producer.write(1, content, End::Abort).unwrap() * 2, bytes);
    let wanted = [
        "v3 find t-3 of 1",
        "v5 init t-3",
        "v3 add t [3] to t-3 (4000, 7)",
        "v3 add t [3] to t-3 (4000, 7)",
        "v11 produce t [3] acks -1 in t-3 (4000, 7) from 0",
        "v11 produce t [3] acks -1 in t-3 (4000, 7) from 5",
        "v4 commit t-3 (4000, 7)",
        "v3 add t [3] to t-3 (4000, 7)",
        "v11 produce t [3] acks -1 in t-3 (4000, 7) from 10",
        "v4 abort t-3 (4000, 7)",
    ];
    assert_eq!(*fake.asked.lock().unwrap(), wanted);
}

#[test]
fn a_broker_that_gives_no_producer_ids_has_no_transactions() {
    assert!(Transactional::offered(&Versions::new(&offered())));
    assert!(!Transactional::offered(&Versions::new(&ApiVersionsResponse::default())));
}
