//! A broker of its own for a test, and the least client that can speak to it: one connection, one request at a time.

use std::net::SocketAddr;

use bytes::Bytes;
use pagewire_broker::Node;
use pagewire_broker::config::{BrokerConfig, Origin, Sources};
use pagewire_wire::{Request, Str, decode_response, encode_request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A broker over a directory that outlives it.
pub(crate) struct Broker {
    node: Node,
}

impl Broker {
    /// Starts on a free port of loopback.
    pub(crate) async fn start(dir: &std::path::Path, settings: &[(&str, &str)]) -> Self {
        let mut sources = Sources::new();
        sources.add("listeners", "PLAINTEXT://127.0.0.1:0", Origin::Flag);
        sources.add("log.dirs", &dir.display().to_string(), Origin::Flag);
        for (key, value) in settings {
            sources.add(key, value, Origin::Flag);
        }
        let (config, _) = BrokerConfig::load(sources).expect("good settings");
        Self { node: Node::start(config).await.expect("a broker") }
    }

    /// A new connection.
    pub(crate) async fn client(&self) -> Client {
        let stream = TcpStream::connect(self.address()).await.expect("a connection");
        Client { stream, correlation_id: 0 }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.node.addresses()[0]
    }

    /// Stops cleanly.
    pub(crate) async fn stop(self) {
        self.node.stop().await.expect("a clean stop");
    }
}

/// One connection.
pub(crate) struct Client {
    stream: TcpStream,
    correlation_id: i32,
}

impl Client {
    /// Sends a request and reads its answer.
    pub(crate) async fn call<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        self.correlation_id += 1;
        let name = Some(Str::from("test"));
        let frame =
            encode_request(request, version, self.correlation_id, name).expect("a request that encodes");
        let bytes = frame.into_bytes().expect("no holes");
        self.stream.write_all(&bytes).await.expect("a broker that reads");
        let len = self.stream.read_i32().await.expect("an answer");
        let mut answer = vec![0; usize::try_from(len).expect("a length")];
        self.stream.read_exact(&mut answer).await.expect("the whole answer");
        let (correlation_id, response) =
            decode_response::<R>(Bytes::from(answer), version).expect("an answer that decodes");
        assert_eq!(correlation_id, self.correlation_id);
        response
    }
}
