//! One connection, and the frames on it.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use bytes::Bytes;
use pagewire_wire::{
    Request, Str, decode_response, encode_request,
    messages::{api_versions_request::ApiVersionsRequest, api_versions_response::ApiVersionsResponse},
};

/// Ends a test that would wait forever. Far above what anything takes.
const NEVER: Duration = Duration::from_mins(1);

/// A client that does exactly what it is told.
pub(crate) struct Client {
    stream: TcpStream,
    next_correlation_id: i32,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(NEVER)).unwrap();
        stream.set_write_timeout(Some(NEVER)).unwrap();
        Self { stream, next_correlation_id: 1 }
    }

    /// The frame of a request, with its size prefix, and its correlation id.
    pub(crate) fn frame<R: Request>(&mut self, request: &R, version: i16) -> (i32, Bytes) {
        let id = self.next_correlation_id;
        self.next_correlation_id += 1;
        let frame = encode_request(request, version, id, Some(Str::from_static("facts"))).unwrap();
        (id, frame.into_bytes().unwrap())
    }

    /// Sends without waiting for the answer.
    pub(crate) fn send<R: Request>(&mut self, request: &R, version: i16) -> i32 {
        let (id, frame) = self.frame(request, version);
        self.send_bytes(&frame);
        id
    }

    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// As [`Client::send_bytes`], where the broker may hang up meanwhile.
    pub(crate) fn try_send_bytes(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// The next frame, without its size prefix; none when the broker closed.
    pub(crate) fn next_frame(&mut self) -> Option<Bytes> {
        let mut size = [0; 4];
        if let Err(error) = self.stream.read_exact(&mut size) {
            let gone = matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset);
            assert!(gone, "no answer: {error}");
            return None;
        }
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(size)).unwrap()];
        self.stream.read_exact(&mut frame).unwrap();
        Some(frame.into())
    }

    /// Reads until the broker hangs up; how many bytes came.
    pub(crate) fn read_to_end(&mut self) -> usize {
        let (mut total, mut chunk) = (0, vec![0; 1 << 16]);
        loop {
            match self.stream.read(&mut chunk) {
                Ok(0) => return total,
                Ok(read) => total += read,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
                    return total;
                }
            }
        }
    }

    /// The next answer, which must be the one to request `id`.
    pub(crate) fn receive<R: Request>(&mut self, id: i32, version: i16) -> R::Response {
        let frame = self.next_frame().expect("an answer, not the end of the connection");
        let (got, response) = decode_response::<R>(frame, version).unwrap();
        assert_eq!(got, id, "answers come in the order of the requests");
        response
    }

    /// Sends and waits for the answer.
    pub(crate) fn call<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        let id = self.send(request, version);
        self.receive::<R>(id, version)
    }

    /// Whether the broker ends this connection. Waits until it does or says something.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.next_frame().is_none()
    }

    /// Whether anything came that was not received yet. Does not wait.
    pub(crate) fn has_answer(&self) -> bool {
        self.stream.set_nonblocking(true).unwrap();
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).unwrap();
        peeked.is_ok()
    }

    /// Waits until an answer lies there, and leaves it.
    pub(crate) fn wait_for_answer(&self) {
        assert_eq!(self.stream.peek(&mut [0]).expect("an answer"), 1, "not the end of the connection");
    }

    /// Where the broker sees it.
    pub(crate) fn local_address(&self) -> SocketAddr {
        self.stream.local_addr().unwrap()
    }

    /// The first thing clients ask; also shows that a connection lives.
    pub(crate) fn api_versions(&mut self) -> ApiVersionsResponse {
        self.call(&ApiVersionsRequest::default(), 0)
    }
}
