//! A broker of a few lines, to see what a connection does with odd ones.

use std::time::Duration;

use pagewire_wire::messages::api_versions_response::ApiVersion;
use pagewire_wire::messages::metadata_request::MetadataRequest;
use pagewire_wire::{ApiKey, RequestPrefix, encode_response};
use tokio::net::TcpListener;

use super::*;

/// Answers each request by `answer`, until it says nothing.
async fn broker(answer: impl Fn(RequestPrefix) -> Option<Bytes> + Send + 'static) -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        while let Ok(length) = socket.read_i32().await {
            let mut frame = vec![0; length as usize];
            socket.read_exact(&mut frame).await.unwrap();
            match answer(RequestPrefix::peek(&frame).unwrap()) {
                Some(bytes) => socket.write_all(&bytes).await.unwrap(),
                None => break,
            }
        }
    });
    Address { host: "127.0.0.1".to_owned(), port }
}

fn versions(error: ErrorCode, version: i16, max: i16, correlation_id: i32) -> Option<Bytes> {
    let api = |key: ApiKey, max_version| ApiVersion { api_key: key.code(), min_version: 0, max_version };
    let answer = ApiVersionsResponse {
        error_code: error.code(),
        api_keys: vec![api(ApiKey::ApiVersions, max), api(ApiKey::Metadata, 7)],
        ..ApiVersionsResponse::default()
    };
    encode_response(&answer, version, correlation_id).unwrap().into_bytes()
}

async fn open(address: &Address) -> Result<Connection> {
    Connection::open(address, &Str::from_static("test"), Deadline::after(Duration::from_secs(20))).await
}

#[tokio::test]
async fn an_old_broker_is_asked_again_as_it_understands() {
    let address = broker(|asked| match asked.api_version {
        // Kafka 2.1 has ApiVersions up to 2, and says so in version 0.
        3.. => versions(ErrorCode::UnsupportedVersion, 0, 2, asked.correlation_id),
        version => versions(ErrorCode::None, version, 2, asked.correlation_id),
    })
    .await;
    let connection = open(&address).await.unwrap();
    assert_eq!(connection.versions().choose::<MetadataRequest>(i16::MAX).unwrap(), 7);
}

#[tokio::test]
async fn an_answer_out_of_order_or_without_end_is_refused() {
    let address =
        broker(|asked| versions(ErrorCode::None, asked.api_version, 4, asked.correlation_id + 1)).await;
    assert!(open(&address).await.unwrap_err().to_string().contains("out of order"));
    let address = broker(|_| Some(Bytes::from_static(b"HTTP/1.1 400 Bad Request"))).await;
    assert!(open(&address).await.unwrap_err().to_string().contains("does not answer as a Kafka broker"));
    let address = broker(|_| None).await;
    assert!(open(&address).await.unwrap_err().to_string().contains("closed the connection"));
}

#[tokio::test]
async fn a_request_given_up_makes_the_connection_unusable() {
    let address = broker(|asked| match ApiKey::from_code(asked.api_key) {
        Some(ApiKey::ApiVersions) => versions(ErrorCode::None, asked.api_version, 4, asked.correlation_id),
        _ => Some(Bytes::from_static(&[0, 0, 1, 0])),
    })
    .await;
    let mut connection = open(&address).await.unwrap();
    assert!(connection.is_usable());
    let soon = Deadline::after(Duration::from_millis(20));
    let asked = connection.ask(i16::MAX, soon, |_| MetadataRequest::default()).await;
    assert!(matches!(asked, Err(Error::Timeout { .. })));
    assert!(!connection.is_usable());
}

/// Time stands still but for what is waited for.
#[tokio::test(start_paused = true)]
async fn a_broker_that_says_nothing_leaves_time_for_the_next_address() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let address = Address { host: "127.0.0.1".to_owned(), port };
    let asked = tokio::time::Instant::now();
    let deadline = Deadline::after(Duration::from_mins(5));
    let error = Connection::open(&address, &Str::from_static("test"), deadline).await.unwrap_err();
    assert!(matches!(&error, Error::Io { error, .. } if error.kind() == io::ErrorKind::TimedOut), "{error}");
    assert!(asked.elapsed() < 2 * CONNECT_MAX);
}
