//! One blocking connection: frames out, answers in.
//!
//! An answer is decoded in place: the buffer is lent to the decoder and comes back, so that a fetch of a megabyte takes
//! no memory and no copy beyond the one out of the socket. Waits end when the flag is set, after long silence, or when
//! the caller's time is over.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use pagewire_wire::messages::api_versions_request::ApiVersionsRequest;
use pagewire_wire::messages::api_versions_response::ApiVersionsResponse;
use pagewire_wire::{ErrorCode, Message, Request, Str, decode_response, encode_request};
use socket2::SockRef;

use super::versions::Versions;
use super::{Dial, Error, Result, Stop};

/// What the drive calls itself, in every request.
pub(super) const CLIENT_ID: &str = "pagewire-drive";
/// Longest answer that is read, in bytes.
pub const ANSWER_MAX: usize = 128 << 20;
/// A wait looks at the flag this often.
const LOOK: Duration = Duration::from_millis(100);

/// A connection, with the versions its broker offers.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    address: SocketAddr,
    versions: Versions,
    correlation_id: i32,
    buffer: BytesMut,
    patience: Duration,
    deadline: Option<Instant>,
    stop: Stop,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, address: SocketAddr, dial: &Dial) -> Result<Self> {
        let prepare = || {
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(LOOK))?;
            stream.set_write_timeout(Some(LOOK))
        };
        prepare().map_err(|error| Error::Io { address, error })?;
        Ok(Self {
            stream,
            address,
            versions: Versions::default(),
            correlation_id: 0,
            buffer: BytesMut::new(),
            patience: dial.patience,
            deadline: None,
            stop: dial.stop.clone(),
        })
    }

    /// The other side.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the broker offers.
    pub fn versions(&self) -> &Versions {
        &self.versions
    }

    /// The congestion control this side's socket uses.
    pub fn congestion_control(&self) -> Option<String> {
        let name = SockRef::from(&self.stream).tcp_congestion().ok()?;
        Some(String::from_utf8_lossy(&name).trim_end_matches('\0').to_owned())
    }

    /// Waits end then at the latest, with [`Error::Overdue`]: nothing more can be asked here after that.
    pub fn give_up_at(&mut self, deadline: Instant) {
        self.deadline = Some(deadline);
    }

    /// Asks with the newest version; a broker that does not know it says in version 0 what it knows (KIP-511).
    pub(super) fn agree(&mut self) -> Result<()> {
        let mut version = ApiVersionsRequest::VERSION_MAX;
        for _ in 0..2 {
            let request = ApiVersionsRequest {
                client_software_name: Str::from_static(CLIENT_ID),
                client_software_version: Str::from_static(env!("CARGO_PKG_VERSION")),
            };
            let answer = self.call(&request, version).map_err(|error| self.not_kafka(error))?;
            if answer.error_code != ErrorCode::UnsupportedVersion.code() {
                Error::check(answer.error_code, None, || {
                    format!("{} says not what it offers", self.address)
                })?;
                self.versions = Versions::new(&answer);
                return Ok(());
            }
            version = highest(&answer).min(version - 1);
        }
        Err(self.protocol("it agrees to no version of ApiVersions"))
    }

    /// What breaks before anything was agreed is most likely another protocol.
    fn not_kafka(&self, error: Error) -> Error {
        match error {
            Error::Io { error, .. } => self.protocol(&format!(
                "{error}; is it a listener with TLS or SASL, or no Kafka at all? The drive speaks to PLAINTEXT listeners"
            )),
            error => error,
        }
    }

    fn protocol(&self, what: &str) -> Error {
        Error::Protocol { address: self.address, what: what.to_owned() }
    }

    /// Sends a request and decodes its answer.
    pub fn call<R: Request>(&mut self, request: &R, version: i16) -> Result<R::Response> {
        self.ask(request, version)?;
        self.answer::<R, _>(version, |_, answer| answer)
    }

    /// Sends a request in the version agreed and decodes its answer.
    pub fn call_agreed<R: Request>(&mut self, request: &R) -> Result<R::Response> {
        let version = self.versions.choose::<R>()?;
        self.call(request, version)
    }

    /// Waits until the broker has taken in everything that was sent: it answers in order.
    pub fn settle(&mut self) -> Result<()> {
        self.agree()
    }

    /// Sends a request; its answer is for [`Connection::answer`].
    pub(super) fn ask<R: Request>(&mut self, request: &R, version: i16) -> Result<()> {
        self.correlation_id = self.correlation_id.wrapping_add(1);
        let id = Some(Str::from_static(CLIENT_ID));
        let frame = encode_request(request, version, self.correlation_id, id)?.head;
        self.send(&frame)
    }

    /// Sends a frame as it is, size prefix included.
    pub fn send(&mut self, frame: &[u8]) -> Result<()> {
        let mut rest = frame;
        let mut since = None;
        while !rest.is_empty() {
            match self.stream.write(rest) {
                Ok(written) => {
                    rest = rest.get(written..).unwrap_or_default();
                    since = None;
                }
                Err(error) => self.wait_on(error, &mut since)?,
            }
        }
        Ok(())
    }

    /// Reads one answer; without its size prefix.
    pub fn receive(&mut self) -> Result<&[u8]> {
        let size = self.fill()?;
        Ok(self.buffer.get(..size).unwrap_or_default())
    }

    /// Reads the answer to a request of `version` and hands it, with its correlation id, to `look`. What `look` keeps
    /// of the record bytes keeps the buffer.
    pub fn answer<R: Request, T>(
        &mut self,
        version: i16,
        look: impl FnOnce(i32, R::Response) -> T,
    ) -> Result<T> {
        let size = self.fill()?;
        let whole: Bytes = std::mem::take(&mut self.buffer).freeze();
        let decoded = decode_response::<R>(whole.slice(..size), version);
        let seen = decoded.map(|(correlation_id, answer)| look(correlation_id, answer));
        self.buffer = whole.try_into_mut().unwrap_or_default();
        seen.map_err(|error| Error::decode(self.address, &error))
    }

    /// Reads one answer into the buffer, which never shrinks; its length.
    fn fill(&mut self) -> Result<usize> {
        let mut prefix = [0; 4];
        let mut buffer = std::mem::take(&mut self.buffer);
        self.read(&mut prefix)?;
        let announced = i32::from_be_bytes(prefix);
        let size = usize::try_from(announced).ok().filter(|size| (4..=ANSWER_MAX).contains(size));
        let Some(size) = size else {
            return Err(self.protocol(&format!("it announces an answer of {announced} bytes")));
        };
        if buffer.len() < size {
            buffer.resize(size, 0);
        }
        self.read(buffer.get_mut(..size).unwrap_or_default())?;
        self.buffer = buffer;
        Ok(size)
    }

    fn read(&mut self, into: &mut [u8]) -> Result<()> {
        let mut filled = 0;
        let mut since = None;
        while filled < into.len() {
            match self.stream.read(into.get_mut(filled..).unwrap_or_default()) {
                Ok(0) => {
                    let error =
                        std::io::Error::new(ErrorKind::UnexpectedEof, "the broker closed the connection");
                    return Err(Error::Io { address: self.address, error });
                }
                Ok(read) => {
                    filled += read;
                    since = None;
                }
                Err(error) => self.wait_on(error, &mut since)?,
            }
        }
        Ok(())
    }

    /// Whether to go on waiting after `error`; `since` is when nothing happened first.
    fn wait_on(&self, error: std::io::Error, since: &mut Option<Instant>) -> Result<()> {
        match error.kind() {
            ErrorKind::Interrupted => return Ok(()),
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {}
            _ => return Err(Error::Io { address: self.address, error }),
        }
        if self.stop.is_set() {
            return Err(Error::Stopped);
        }
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(Error::Overdue { address: self.address });
        }
        if since.get_or_insert_with(Instant::now).elapsed() >= self.patience {
            return Err(Error::Silent { address: self.address, seconds: self.patience.as_secs() });
        }
        Ok(())
    }
}

/// The highest version of ApiVersions that a refusal names; 0 if it names none.
fn highest(refusal: &ApiVersionsResponse) -> i16 {
    let own = refusal.api_keys.iter().find(|api| api.api_key == ApiVersionsRequest::KEY.code());
    own.map_or(0, |api| api.max_version).max(0)
}
