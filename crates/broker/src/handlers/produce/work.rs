//! One produce request on its way: partition by partition, checked and appended in the order of the request.

use std::{io, sync::Arc, vec};

use pagewire_log::{AppendError, Appended, Origin};
use pagewire_record::{BatchHeader, check::Checked};
use pagewire_wire::{
    ErrorCode, Records,
    messages::{
        produce_request::{PartitionProduceData, ProduceRequest, TopicProduceData},
        produce_response::{PartitionProduceResponse, ProduceResponse, TopicProduceResponse},
    },
};
use tracing::debug;
use uuid::Uuid;

use super::{
    check::{Budget, Check, Outcome},
    failure::{Failure, words},
    patience::Patience,
    txn::{Target, Txn},
};
use crate::{
    clock::now_ms,
    cluster::{Image, TopicEntry},
    lanes::Admission,
    metrics::add,
    partition::{Partition, append_error_code},
    request::Context,
};

/// Clients that may write internal topics, by their id, as in Kafka.
const ADMIN_CLIENT_ID: &str = "__admin_client";

/// An append that must be stable before it may be answered: where its answer stands, and up to which offset.
pub(super) struct Wait {
    pub(super) partition: Arc<Partition>,
    pub(super) topic_at: usize,
    pub(super) partition_at: usize,
    pub(super) stable_offset: i64,
}

/// Why nothing of a request is appended.
type Refusal = (ErrorCode, &'static str);

/// A request and how far it is.
pub(super) struct Work {
    pub(super) ctx: Context,
    pub(super) response: ProduceResponse,
    /// Whose sync the answer waits for.
    pub(super) waits: Vec<Wait>,
    /// What is wrong with the request as a whole.
    refusal: Option<Refusal>,
    /// Every append is waited for.
    stable: bool,
    image: Arc<Image>,
    topics: vec::IntoIter<TopicProduceData>,
    /// Of the topic that the response ends with.
    topic: Option<Arc<TopicEntry>>,
    partitions: vec::IntoIter<PartitionProduceData>,
    budget: Budget,
    /// The batches are of a transaction.
    txn: Option<Txn>,
    /// Of the line that it stands in.
    pub(super) patience: Option<Arc<Patience>>,
}

/// A batch that is to be checked before it is appended.
pub(super) struct Batch {
    partition: Arc<Partition>,
    check: Check,
    /// It is checked, and has to wait: for a place in its directory, or until it is known in which one its log is.
    outcome: Option<Outcome>,
}

impl Work {
    pub(super) fn new(ctx: Context, request: ProduceRequest, stable: bool) -> Self {
        Self {
            refusal: request_error(&request),
            txn: Txn::of(&ctx, &request),
            stable,
            image: ctx.broker.image(),
            budget: Budget::of(&request),
            response: ProduceResponse {
                responses: Vec::with_capacity(request.topic_data.len()),
                ..ProduceResponse::default()
            },
            waits: Vec::new(),
            topics: request.topic_data.into_iter(),
            topic: None,
            partitions: Vec::new().into_iter(),
            patience: None,
            ctx,
        }
    }

    /// Whether the coordinator has to be asked before anything is appended. Before the first [`advance`](Self::advance).
    pub(super) fn must_ask(&self) -> bool {
        self.refusal.is_none() && self.txn.as_ref().is_some_and(|txn| txn.must_ask(&self.targets()))
    }

    /// Asks it.
    pub(super) async fn verify(&mut self) {
        if self.refusal.is_none()
            && let Some(mut txn) = self.txn.take()
        {
            let targets = self.targets();
            txn.verify(&self.ctx, targets).await;
            self.txn = Some(txn);
        }
    }

    /// The partitions that will be written, with what they get. The others are refused later.
    fn targets(&self) -> Vec<Target> {
        let mut targets = Vec::new();
        for data in self.topics.as_slice() {
            let Some(topic) = self.find(data).filter(|topic| self.may_write(topic)) else { continue };
            for data in &data.partition_data {
                if let (Ok(partition), Records::Bytes(records)) = (topic.served(data.index), &data.records)
                    && let Ok(header) = BatchHeader::parse(records)
                    && header.is_transactional()
                {
                    targets.push(Target { partition: Arc::clone(partition), header });
                }
            }
        }
        targets
    }

    fn find(&self, data: &TopicProduceData) -> Option<&Arc<TopicEntry>> {
        if self.ctx.version >= 13 {
            self.image.topic_by_id(Uuid::from_bytes(data.topic_id.0))
        } else {
            self.image.topic(&data.name)
        }
    }

    fn may_write(&self, topic: &TopicEntry) -> bool {
        !topic.internal || self.ctx.client_id.as_deref() == Some(ADMIN_CLIENT_ID)
    }

    /// Goes on until all is appended, or up to a batch whose check must not hold up an event loop, for whose append there is no
    /// place yet, or whose log moves to another directory just now.
    pub(super) fn advance(&mut self) -> Option<Batch> {
        while let Some(data) = self.next() {
            let index = data.index;
            match self.prepare(data) {
                Err(failure) => self.fail(index, failure),
                Ok(batch) => match batch.check.here(&mut self.budget) {
                    Some(Ok(checked)) => {
                        let lane = Arc::clone(batch.partition.lane());
                        let is_over = self.patience.as_ref().is_some_and(|patience| patience.is_over(&lane));
                        let Some(admission) = (!is_over).then(|| lane.admit()).flatten() else {
                            return Some(Batch { outcome: Some(Ok(checked)), ..batch });
                        };
                        if let Some(batch) = self.settle(batch, checked, Ok(admission)) {
                            return Some(batch);
                        }
                    }
                    Some(Err(failure)) => self.fail(index, failure),
                    None => return Some(batch),
                },
            }
        }
        None
    }

    /// Checks `batch` and what follows it where it may take long, and waits until there is a place for it; the appends run here.
    pub(super) async fn finish(mut self, batch: Batch) -> Self {
        let mut next = Some(batch);
        while let Some(mut batch) = next {
            let (broker, budget) = (&self.ctx.broker, &mut self.budget);
            let outcome = match batch.outcome.take() {
                Some(outcome) => outcome,
                None => batch.check.elsewhere(budget, broker.produce_pipelines().checks()).await,
            };
            match outcome {
                Ok(checked) => {
                    let lane = Arc::clone(batch.partition.lane());
                    let patience = Arc::clone(self.patience.get_or_insert_default());
                    let admission = patience.admit(&lane).await;
                    if let Some(moving) = self.settle(batch, checked, admission) {
                        let index = moving.check.index;
                        match self.moved(moving).await {
                            Ok(batch) => {
                                next = Some(batch);
                                continue;
                            }
                            Err(failure) => self.fail(index, failure),
                        }
                    }
                }
                Err(failure) => self.fail(batch.check.index, failure),
            }
            next = self.advance();
        }
        self
    }

    fn next(&mut self) -> Option<PartitionProduceData> {
        loop {
            if let Some(data) = self.partitions.next() {
                return Some(data);
            }
            let data = self.topics.next()?;
            self.topic = self.find(&data).cloned();
            self.partitions = data.partition_data.into_iter();
            self.response.responses.push(TopicProduceResponse {
                name: data.name,
                topic_id: data.topic_id,
                partition_responses: Vec::with_capacity(self.partitions.len()),
                ..TopicProduceResponse::default()
            });
        }
    }

    /// The partition meant and the batch for it, or why there is none.
    fn prepare(&self, data: PartitionProduceData) -> Result<Batch, Failure> {
        if let Some((code, message)) = self.refusal {
            return Err(Failure::with(code, message));
        }
        let version = self.ctx.version;
        let topic = self.topic.as_ref().ok_or_else(|| Failure::code(unknown(version)))?;
        let partition = topic.served(data.index).map_err(Failure::code)?;
        if !self.may_write(topic) {
            return Err(Failure::with(
                ErrorCode::InvalidTopicException,
                "internal topics are not written by clients",
            ));
        }
        let Records::Bytes(records) = data.records else {
            return Err(Failure::with(
                ErrorCode::InvalidRecord,
                "the request has no record batch for the partition",
            ));
        };
        if let Some(txn) = &self.txn {
            txn.verdict(partition)?;
        }
        let rules = partition.config().produce_rules(version, now_ms());
        Ok(Batch {
            partition: Arc::clone(partition),
            check: Check::new(data.index, records, rules),
            outcome: None,
        })
    }

    /// Appends what passed its check, and writes the answer. What it answers itself is neither: its log moves just now.
    fn settle(
        &mut self,
        batch: Batch,
        checked: Checked,
        admission: io::Result<Admission<'_>>,
    ) -> Option<Batch> {
        let (partition, index) = (&batch.partition, batch.check.index);
        match self.append(&batch, &checked, admission) {
            Err(AppendError::Moving) => return Some(Batch { outcome: Some(Ok(checked)), ..batch }),
            Err(error) => {
                let failure = self.refused(partition, &error);
                self.fail(index, failure);
            }
            Ok(appended) => {
                let partition_at = self.answer(PartitionProduceResponse {
                    index,
                    base_offset: appended.base_offset,
                    log_append_time_ms: appended.log_append_time_ms,
                    log_start_offset: appended.log_start_offset,
                    ..PartitionProduceResponse::default()
                });
                if self.stable || partition.is_flush_due() {
                    let (partition, stable_offset) = (Arc::clone(partition), appended.last_offset + 1);
                    let topic_at = self.response.responses.len().saturating_sub(1);
                    self.waits.push(Wait { partition, topic_at, partition_at, stable_offset });
                }
            }
        }
        None
    }

    /// The batch again, for where its log is once its move is over.
    async fn moved(&mut self, batch: Batch) -> Result<Batch, Failure> {
        let patience = Arc::clone(self.patience.get_or_insert_default());
        let version = self.ctx.version;
        let topic = self.topic.as_ref().ok_or_else(|| Failure::code(unknown(version)))?;
        let found = patience.settled(self.ctx.broker.cluster(), topic.id, &batch.partition).await;
        let partition = found.map_err(|code| match code {
            ErrorCode::UnknownTopicOrPartition => Failure::code(unknown(version)),
            ErrorCode::NotLeaderOrFollower => Failure::with(code, words(&AppendError::Moving)),
            code => Failure::code(code),
        })?;
        if let (Some(txn), Some(Ok(checked))) = (&mut self.txn, &batch.outcome)
            && checked.header.is_transactional()
            && !Arc::ptr_eq(&partition, &batch.partition)
        {
            // What was asked for the first batch of a transaction is known to the log that was left.
            let target = Target { partition: Arc::clone(&partition), header: checked.header };
            txn.verify(&self.ctx, vec![target]).await;
            txn.verdict(&partition)?;
        }
        Ok(Batch { partition, ..batch })
    }

    fn append(
        &self,
        batch: &Batch,
        checked: &Checked,
        admission: io::Result<Admission<'_>>,
    ) -> Result<Appended, AppendError> {
        let (partition, broker) = (&batch.partition, &self.ctx.broker);
        if self.patience.as_ref().is_some_and(|patience| patience.has_given_up(partition)) {
            return Err(AppendError::Moving);
        }
        let origin = match &self.txn {
            Some(txn) if checked.header.is_transactional() => txn.origin(partition),
            _ => Origin::Client,
        };
        // The check may have taken its time, and so may the requests before this one.
        let admission = admission.map_err(AppendError::Write)?;
        let appended = partition.append_checked(checked, origin, now_ms(), (admission, partition.io()))?;
        add(&broker.metrics().bytes_in, batch.check.records.len() as u64);
        add(&broker.metrics().records_in, u64::from(checked.count().unsigned_abs()));
        Ok(appended)
    }

    fn refused(&self, partition: &Partition, error: &AppendError) -> Failure {
        debug!(topic = %partition.topic, partition = partition.index, %error, "append refused");
        let deleted = partition.log.is_deleted();
        let code = if deleted { unknown(self.ctx.version) } else { append_error_code(error) };
        Failure::with(code, words(error))
    }

    fn fail(&mut self, index: i32, failure: Failure) {
        count(&self.ctx, &failure);
        self.answer(failure.answer(index));
    }

    /// Answers where the answer stands in its topic.
    fn answer(&mut self, answer: PartitionProduceResponse) -> usize {
        let Some(topic) = self.response.responses.last_mut() else { return 0 };
        topic.partition_responses.push(answer);
        topic.partition_responses.len() - 1
    }
}

/// Counts a partition of which nothing is acknowledged.
pub(super) fn count(ctx: &Context, failure: &Failure) {
    let metrics = ctx.broker.metrics();
    add(&metrics.produce_failed, 1);
    add(&metrics.produce_storage_errors, u64::from(failure.is_of_a_disk()));
}

/// What a client of this version is told of a topic that is not there, or not any more.
pub(super) fn unknown(version: i16) -> ErrorCode {
    if version >= 13 { ErrorCode::UnknownTopicId } else { ErrorCode::UnknownTopicOrPartition }
}

/// What is wrong with the request as a whole.
fn request_error(request: &ProduceRequest) -> Option<Refusal> {
    if !(-1..=1).contains(&request.acks) {
        return Some((ErrorCode::InvalidRequiredAcks, "acks must be -1, 0 or 1"));
    }
    let partitions = request.topic_data.iter().flat_map(|topic| &topic.partition_data);
    let mut producers = partitions.filter_map(|data| transactional(&data.records));
    let first = producers.next()?;
    if request.transactional_id.is_none() {
        return Some((
            ErrorCode::TransactionalIdAuthorizationFailed,
            "a transactional batch in a request without a transactional id",
        ));
    }
    producers.any(|other| other != first).then_some((
        ErrorCode::InvalidProducerIdMapping,
        "transactional batches of more than one producer in a request",
    ))
}

/// Whose transactional batch it is, by the header alone. What has none is refused later, whatever it says.
fn transactional(records: &Records) -> Option<(i64, i16)> {
    let Records::Bytes(bytes) = records else { return None };
    let header = BatchHeader::parse(bytes).ok().filter(BatchHeader::is_transactional)?;
    Some((header.producer_id, header.producer_epoch))
}
