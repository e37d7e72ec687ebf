//! One socket to one broker, one request at a time.
//!
//! A request whose answer was not awaited to its end (a deadline, a dropped future) leaves bytes in the socket that
//! belong to nobody, so the connection counts as broken from then on. Frames are read in steps: memory grows with
//! what arrives, not with what a length prefix announces.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use pagewire_wire::messages::api_versions_request::ApiVersionsRequest;
use pagewire_wire::messages::api_versions_response::ApiVersionsResponse;
use pagewire_wire::{ErrorCode, Message, Request, Str, decode_response, encode_request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Result;
use super::address::Address;
use super::deadline::Deadline;
use super::error::Error;
use super::versions::Versions;

/// Longest answer that is read, in bytes.
const FRAME_MAX: usize = 256 << 20;
/// Memory is taken in steps of this many bytes, as they arrive.
const STEP: usize = 256 << 10;
/// Connecting, and agreeing on versions, takes no longer than this, even where a call may.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// A connection with agreed versions.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    address: Address,
    client_id: Str,
    versions: Versions,
    correlation_id: i32,
    broken: bool,
}

impl Connection {
    /// Connects and asks what the broker speaks.
    pub(crate) async fn open(address: &Address, client_id: &Str, deadline: Deadline) -> Result<Self> {
        let connecting = async {
            let stream = TcpStream::connect((address.host.as_str(), address.port)).await;
            stream.map_err(|error| Error::io(address, error))
        };
        let late = |error| match error {
            Error::Timeout { .. } => Error::io(address, io::ErrorKind::TimedOut.into()),
            error => error,
        };
        let deadline = deadline.at_most(CONNECT_MAX);
        let stream = deadline.limit(String::new, connecting).await.map_err(late)?;
        stream.set_nodelay(true).map_err(|error| Error::io(address, error))?;
        let mut connection = Self {
            stream,
            address: address.clone(),
            client_id: client_id.clone(),
            versions: Versions::default(),
            correlation_id: 0,
            broken: false,
        };
        connection.agree(deadline).await.map_err(late)?;
        Ok(connection)
    }

    /// Where it leads.
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// What the broker speaks.
    pub(crate) fn versions(&self) -> &Versions {
        &self.versions
    }

    /// Whether another request makes sense.
    pub(crate) fn is_usable(&self) -> bool {
        !self.broken
    }

    /// Asks with the newest version; a broker that does not know it says in version 0 what it knows (KIP-511).
    async fn agree(&mut self, deadline: Deadline) -> Result<()> {
        let mut version = ApiVersionsRequest::VERSION_MAX;
        for _ in 0..2 {
            let request = ApiVersionsRequest {
                client_software_name: Str::from_static("pagewire"),
                client_software_version: Str::from_static(env!("CARGO_PKG_VERSION")),
            };
            let frame = self.exchange(&request, version, deadline).await?;
            let code = frame.get(4..6).and_then(|code| code.try_into().ok()).map(i16::from_be_bytes);
            let unsupported = code == Some(ErrorCode::UnsupportedVersion.code());
            let spoken = if unsupported { 0 } else { version };
            let answer = self.decode::<ApiVersionsRequest>(frame, spoken)?;
            if !unsupported {
                Error::check(answer.error_code, None, || {
                    format!("{} refuses to say what it speaks", self.address)
                })?;
                self.versions = Versions::new(&answer);
                return Ok(());
            }
            version = highest(&answer).min(version - 1);
        }
        let what = "it agrees to no version of ApiVersions".to_owned();
        Err(Error::Protocol { address: self.address.to_string(), what })
    }

    /// Sends a request built for the highest common version (at most `ceiling`) and awaits its answer.
    pub(crate) async fn ask<R: Request>(
        &mut self,
        ceiling: i16,
        deadline: Deadline,
        build: impl FnOnce(i16) -> R,
    ) -> Result<R::Response> {
        let version = self.versions.choose::<R>(ceiling)?;
        let frame = self.exchange(&build(version), version, deadline).await?;
        self.decode::<R>(frame, version)
    }

    /// Sends a request that gets no answer (Produce with acks 0).
    pub(crate) async fn tell<R: Request>(
        &mut self,
        ceiling: i16,
        deadline: Deadline,
        build: impl FnOnce(i16) -> R,
    ) -> Result<()> {
        let version = self.versions.choose::<R>(ceiling)?;
        let bytes = self.encode(&build(version), version)?;
        self.broken = true;
        deadline.limit(|| R::NAME.to_owned(), self.write(&bytes)).await?;
        self.broken = false;
        Ok(())
    }

    fn encode<R: Request>(&mut self, request: &R, version: i16) -> Result<Bytes> {
        self.correlation_id = self.correlation_id.wrapping_add(1);
        let frame = encode_request(request, version, self.correlation_id, Some(self.client_id.clone()))?;
        Ok(frame.into_bytes().unwrap_or_default())
    }

    fn decode<R: Request>(&mut self, frame: Bytes, version: i16) -> Result<R::Response> {
        let decoded = decode_response::<R>(frame, version);
        let (correlation_id, answer) = decoded.map_err(|error| {
            self.broken = true;
            Error::decode(&self.address, error)
        })?;
        if correlation_id == self.correlation_id {
            return Ok(answer);
        }
        self.broken = true;
        let what = "it answers requests out of order".to_owned();
        Err(Error::Protocol { address: self.address.to_string(), what })
    }

    async fn exchange<R: Request>(&mut self, request: &R, version: i16, deadline: Deadline) -> Result<Bytes> {
        if self.broken {
            return Err(Error::io(&self.address, io::ErrorKind::NotConnected.into()));
        }
        let bytes = self.encode(request, version)?;
        let name = R::KEY.name();
        let what = format!("{name} from {}", self.address);
        self.broken = true;
        let exchange = async {
            self.write(&bytes).await?;
            self.read_frame().await
        };
        let frame = deadline.limit(|| what, exchange).await?;
        self.broken = false;
        Ok(frame)
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).await.map_err(|error| Error::io(&self.address, error))
    }

    async fn read_frame(&mut self) -> Result<Bytes> {
        let failed = |error| match error {
            error if io::Error::kind(&error) == io::ErrorKind::UnexpectedEof => {
                Error::io(&self.address, io::Error::new(error.kind(), "the broker closed the connection"))
            }
            error => Error::io(&self.address, error),
        };
        let announced = self.stream.read_i32().await.map_err(failed)?;
        let length = usize::try_from(announced).ok().filter(|length| (4..=FRAME_MAX).contains(length));
        let Some(length) = length else {
            let what = format!("it announces an answer of {announced} bytes");
            return Err(Error::Protocol { address: self.address.to_string(), what });
        };
        let mut frame = BytesMut::new();
        while frame.len() < length {
            let missing = length - frame.len();
            frame.reserve(missing.min(STEP.max(frame.len())));
            let mut rest = (&mut self.stream).take(missing as u64);
            if rest.read_buf(&mut frame).await.map_err(failed)? == 0 {
                return Err(failed(io::ErrorKind::UnexpectedEof.into()));
            }
        }
        Ok(frame.freeze())
    }
}

/// The highest version of ApiVersions that a refusal names; 0 if it names none.
fn highest(refusal: &ApiVersionsResponse) -> i16 {
    let own = refusal.api_keys.iter().find(|api| api.api_key == ApiVersionsRequest::KEY.code());
    own.map_or(0, |api| api.max_version).max(0)
}

#[cfg(test)]
mod tests;
