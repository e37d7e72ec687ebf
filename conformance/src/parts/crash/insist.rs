//! A client that asks until it is answered: it reconnects when it must, and asks again whoever says that he is not ready.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use bytes::Bytes;
use pagewire_wire::messages::find_coordinator_request::FindCoordinatorRequest;
use pagewire_wire::messages::init_producer_id_request::InitProducerIdRequest;
use pagewire_wire::{Request, Str};

use crate::harness::PATIENCE;
use crate::harness::raw::{PRODUCE, Producer, Raw, produce_request};

/// Between two attempts.
const AGAIN: Duration = Duration::from_millis(20);
/// Errors that pass: of a partition or a coordinator that is not there yet, or goes elsewhere (19: it is not known yet whether the
/// transaction has the partition), and of a transaction that is still being ended.
const PASSING: [i16; 9] = [3, 5, 6, 7, 14, 15, 16, 19, 51];
const INIT_PRODUCER_ID: i16 = 4;
const FIND_COORDINATOR: i16 = 3;
/// What a coordinator is of.
const TRANSACTION: i8 = 1;

/// One connection at a time.
#[derive(Debug)]
pub(super) struct Insistent<'a> {
    address: &'a str,
    client: Option<Raw>,
}

impl<'a> Insistent<'a> {
    /// Not connected yet.
    pub(super) fn new(address: &'a str) -> Self {
        Self { address, client: None }
    }

    /// Asks until the answer is no passing error; `read` finds the error code in an answer.
    pub(super) fn ask<R: Request>(
        &mut self,
        request: &R,
        version: i16,
        read: impl Fn(&R::Response) -> Option<i16>,
    ) -> Result<R::Response> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let why = match self.once(request, version) {
                Ok(answer) => match read(&answer) {
                    Some(0) => return Ok(answer),
                    Some(code) if PASSING.contains(&code) => format!("error {code}"),
                    code => bail!("{:?} answered {code:?}", R::KEY),
                },
                Err(error) => {
                    self.client = None;
                    format!("{error:#}")
                }
            };
            if Instant::now() >= deadline {
                bail!("{:?} after {PATIENCE:?}: {why}", R::KEY);
            }
            thread::sleep(AGAIN);
        }
    }

    fn once<R: Request>(&mut self, request: &R, version: i16) -> Result<R::Response> {
        let client = match &mut self.client {
            Some(client) => client,
            none => none.insert(Raw::connect(self.address)?),
        };
        client.call(request, version)
    }

    /// A producer, of this transactional id if it has one.
    pub(super) fn producer(&mut self, transactional_id: Option<Str>) -> Result<Producer> {
        if let Some(key) = transactional_id.clone() {
            let find =
                FindCoordinatorRequest { key, key_type: TRANSACTION, ..FindCoordinatorRequest::default() };
            self.ask(&find, FIND_COORDINATOR, |answer| Some(answer.error_code))?;
        }
        let request = InitProducerIdRequest {
            transactional_id,
            transaction_timeout_ms: 300_000,
            producer_id: -1,
            producer_epoch: -1,
            ..InitProducerIdRequest::default()
        };
        let answer = self.ask(&request, INIT_PRODUCER_ID, |answer| Some(answer.error_code))?;
        Ok(Producer { id: answer.producer_id, epoch: answer.producer_epoch })
    }

    /// Appends a batch with its producer's sequence numbers, once; of a transaction if there is an id.
    pub(super) fn append(
        &mut self,
        (topic, partition): (&str, i32),
        batch: Bytes,
        transactional_id: Option<Str>,
    ) -> Result<()> {
        let mut request = produce_request(topic, partition, batch, -1);
        request.transactional_id = transactional_id;
        self.ask(&request, PRODUCE, |answer| {
            Some(answer.responses.first()?.partition_responses.first()?.error_code)
        })?;
        Ok(())
    }
}
