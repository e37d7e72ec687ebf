//! Asks the transaction coordinator whether a partition belongs to a producer's transaction, before the first batch of it
//! is appended (KIP-890). Who answers is whoever coordinates transactions; here is the question, and how long it may take.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use pagewire_wire::ErrorCode;

use crate::broker::Broker;

/// The coordinator may have to write, and to wait for stable storage.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// Between two questions while another change of the transaction is under way.
const PAUSE: Duration = Duration::from_millis(20);
/// Questions before that is the answer: a tenth of a second, as in Kafka.
const QUESTIONS_MAX: u32 = 5;

/// Whether partitions are in a transaction.
#[derive(Debug, Clone)]
pub(crate) struct TxnQuestion {
    pub(crate) transactional_id: String,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i16,
    pub(crate) partitions: Vec<(Arc<str>, i32)>,
    /// Those that are not are added (clients of transaction version 2 do not ask for that themselves).
    pub(crate) add: bool,
}

/// Whoever coordinates transactions.
pub(crate) trait Transactions: Send + Sync {
    /// An answer for each partition, in the order of the question. `None` means that the transaction is under way and has it.
    fn verify(&self, broker: &Arc<Broker>, question: TxnQuestion) -> BoxFuture<'static, Vec<ErrorCode>>;
}

/// The answers, in the order of the question, in the words that a client of Produce or TxnOffsetCommit understands. `says_abortable`:
/// it knows the error TRANSACTION_ABORTABLE.
pub(crate) async fn verify(
    broker: &Arc<Broker>,
    question: TxnQuestion,
    says_abortable: bool,
) -> Vec<ErrorCode> {
    let count = question.partitions.len();
    let transactions = broker.coordinators().transactions();
    let asked = tokio::time::timeout(ANSWER_MAX, transactions.verify(broker, question));
    let answers = asked.await.unwrap_or_else(|_| vec![ErrorCode::NetworkException; count]);
    answers.into_iter().map(|code| in_words(code, says_abortable)).collect()
}

/// As [`verify`], and asks again where it is only too early. For clients that do not ask the coordinator themselves, and so
/// cannot wait there.
pub(crate) async fn verify_patiently(
    broker: &Arc<Broker>,
    question: TxnQuestion,
    says_abortable: bool,
) -> Vec<ErrorCode> {
    let mut questions = 1;
    loop {
        let answers = verify(broker, question.clone(), says_abortable).await;
        let early = answers.contains(&ErrorCode::ConcurrentTransactions);
        if !early || !question.add || questions == QUESTIONS_MAX {
            return answers;
        }
        questions += 1;
        tokio::time::sleep(PAUSE).await;
    }
}

fn in_words(code: ErrorCode, says_abortable: bool) -> ErrorCode {
    match code {
        ErrorCode::ProducerFenced => ErrorCode::InvalidProducerEpoch,
        ErrorCode::TransactionAbortable if !says_abortable => ErrorCode::InvalidTxnState,
        code => code,
    }
}

#[cfg(test)]
pub(crate) mod fake {
    //! A coordinator that answers what it is told to.

    use std::collections::{HashMap, VecDeque};

    use parking_lot::Mutex;

    use super::*;

    /// What was asked, and the answers to come; without one the transaction has the partition.
    #[derive(Default)]
    pub(crate) struct Fake {
        pub(crate) asked: Mutex<Vec<TxnQuestion>>,
        /// Happens while the answer is under way.
        pub(crate) meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
        answers: Mutex<HashMap<(String, i32), VecDeque<ErrorCode>>>,
    }

    impl Fake {
        /// One that `broker` asks from now on.
        pub(crate) fn of(broker: &Arc<Broker>) -> Arc<Self> {
            let fake = Arc::new(Self::default());
            let all = Arc::clone(&fake) as Arc<dyn Transactions>;
            assert!(broker.coordinators().coordinate_transactions(all), "nobody did before");
            fake
        }

        /// How often it was asked.
        pub(crate) fn times(&self) -> usize {
            self.asked.lock().len()
        }

        pub(crate) fn answer(&self, topic: &str, index: i32, code: ErrorCode) {
            self.answers.lock().entry((topic.to_owned(), index)).or_default().push_back(code);
        }
    }

    impl Transactions for Fake {
        fn verify(&self, _: &Arc<Broker>, question: TxnQuestion) -> BoxFuture<'static, Vec<ErrorCode>> {
            let mut answers = self.answers.lock();
            let said = question.partitions.iter().map(|(topic, index)| {
                let next = answers.get_mut(&(topic.to_string(), *index)).and_then(VecDeque::pop_front);
                next.unwrap_or(ErrorCode::None)
            });
            let said = said.collect();
            self.asked.lock().push(question);
            let meanwhile = self.meanwhile.lock().take();
            Box::pin(async move {
                tokio::task::yield_now().await;
                if let Some(meanwhile) = meanwhile {
                    meanwhile();
                }
                said
            })
        }
    }
}
