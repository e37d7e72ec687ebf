//! What is acknowledged with acks=all is on the disk before, for everybody: ours has it so by itself; whoever answers out of the
//! page cache is told to sync each append for the length of a case (`log.flush.interval.messages=1`). It runs on meanwhile, with
//! what a virtual machine has compiled. Whoever does not take that is left out.

use std::net::SocketAddr;

use anyhow::Result;
use pagewire_lab::drive::Target;

use crate::broker::OURS;
use crate::change::{Change, FLUSH_MESSAGES};
use crate::client;

/// Brokers that sync each append until this is dropped.
#[derive(Default)]
pub(super) struct Flushed(Vec<SocketAddr>);

impl Flushed {
    /// Tells all of them but ours, and leaves those that cannot be told out of `targets`: why.
    pub(super) fn tell(&mut self, targets: &mut Vec<Target>) -> Vec<String> {
        let mut refused = Vec::new();
        targets.retain(|target| {
            let told = if target.name == OURS { Ok(()) } else { self.begin(target) };
            refused.extend(told.as_ref().err().map(|why| format!("broker {target}: {why:#}")));
            told.is_ok()
        });
        refused
    }

    fn begin(&mut self, target: &Target) -> Result<()> {
        let address = client::dial().resolve(&target.host, target.port)?;
        change(address, Some("1"))?;
        self.0.push(address);
        Ok(())
    }
}

impl Drop for Flushed {
    fn drop(&mut self) {
        for address in self.0.drain(..) {
            // One that is gone syncs nothing.
            let _ = change(address, None);
        }
    }
}

fn change(address: SocketAddr, value: Option<&'static str>) -> Result<()> {
    Change::of_brokers(FLUSH_MESSAGES, value).ask(&mut client::open(address)?)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread::{self, JoinHandle};

    use bytes::Bytes;
    use pagewire_wire::messages::incremental_alter_configs_request::IncrementalAlterConfigsRequest;
    use pagewire_wire::messages::incremental_alter_configs_response::{
        AlterConfigsResourceResponse, IncrementalAlterConfigsResponse,
    };
    use pagewire_wire::{Message, Reader, RequestHeader, Str, encode_response};

    use super::*;

    /// What a broker was told: a setting and its value, or that it has none any more.
    type Told = Vec<(String, Option<String>)>;

    /// Answers so many changes with this error.
    fn broker(name: &str, changes: usize, error_code: i16) -> (Target, JoinHandle<Told>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving =
            thread::spawn(move || (0..changes).flat_map(|_| answer(&listener, error_code)).collect());
        (Target { name: name.to_owned(), host: "127.0.0.1".to_owned(), port, pid: None }, serving)
    }

    fn answer(listener: &TcpListener, error_code: i16) -> Told {
        let (mut stream, mut size) = (listener.accept().unwrap().0, [0; 4]);
        // Whoever asks only whether somebody listens says nothing.
        while stream.read_exact(&mut size).is_err() {
            stream = listener.accept().unwrap().0;
        }
        let mut frame = vec![0; u32::from_be_bytes(size) as usize];
        stream.read_exact(&mut frame).unwrap();
        let mut r = Reader::new(Bytes::from(frame));
        let header = RequestHeader::decode(&mut r).unwrap();
        let request = IncrementalAlterConfigsRequest::decode(&mut r, header.api_version).unwrap();
        let one = AlterConfigsResourceResponse { error_code, ..AlterConfigsResourceResponse::default() };
        let answer = IncrementalAlterConfigsResponse { responses: vec![one], ..Default::default() };
        let answer = encode_response(&answer, header.api_version, header.correlation_id).unwrap();
        stream.write_all(&answer.into_bytes().unwrap()).unwrap();
        let configs = request.resources.iter().flat_map(|resource| &resource.configs);
        let text = |text: &Str| text.as_str().to_owned();
        configs.map(|config| (text(&config.name), config.value.as_ref().map(text))).collect()
    }

    #[test]
    fn all_but_ours_sync_each_append_until_it_is_over_and_whoever_does_not_take_that_is_left_out() {
        const INVALID: i16 = 40;
        let ((kafka, told), (other, refusing)) = (broker("kafka", 2, 0), broker("other", 1, INVALID));
        // Who would be asked would not be there.
        let ours = Target { name: OURS.to_owned(), port: 1, ..kafka.clone() };
        let gone = Target { name: "gone".to_owned(), ..ours.clone() };
        let mut targets = vec![ours.clone(), kafka.clone(), other, gone];
        let mut flushed = Flushed::default();
        let refused = flushed.tell(&mut targets);
        assert_eq!(targets, [ours, kafka]);
        assert_eq!(refused.len(), 2, "{refused:?}");
        assert!(
            refused[0].starts_with("broker other: log.flush.interval.messages cannot be set"),
            "{refused:?}"
        );
        assert!(refused[1].starts_with("broker gone: "), "{refused:?}");
        drop(flushed);
        let flush = |value: Option<&str>| (FLUSH_MESSAGES.to_owned(), value.map(str::to_owned));
        assert_eq!(told.join().unwrap(), [flush(Some("1")), flush(None)]);
        assert_eq!(refusing.join().unwrap(), [flush(Some("1"))], "what it did not take is not taken back");
    }
}
