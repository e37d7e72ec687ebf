//! Questions about transactions that nobody has.

use pagewire_wire::{
    Str,
    messages::{
        add_offsets_to_txn_request::AddOffsetsToTxnRequest,
        add_partitions_to_txn_request::{
            AddPartitionsToTxnRequest, AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
        },
        describe_transactions_request::DescribeTransactionsRequest,
        end_txn_request::EndTxnRequest,
        find_coordinator_request::FindCoordinatorRequest,
        list_transactions_request::ListTransactionsRequest,
        txn_offset_commit_request::TxnOffsetCommitRequest,
        write_txn_markers_request::{WritableTxnMarker, WriteTxnMarkersRequest},
    },
};

use super::Probe;

/// Nobody has a transaction: first there is no coordinator, then one that knows nobody.
pub(super) fn ask(probe: &mut Probe) {
    for _ in 0..2 {
        probe.ask_all(&AddPartitionsToTxnRequest::default());
        let topics =
            |name: Str| vec![AddPartitionsToTxnTopic { name, partitions: vec![0, 9], ..Default::default() }];
        for name in ["here", "nowhere"] {
            let v3_and_below_topics = topics(name.into());
            probe.ask(&AddPartitionsToTxnRequest { v3_and_below_topics, ..Default::default() });
            let transaction = AddPartitionsToTxnTransaction {
                transactional_id: "t".into(),
                topics: topics(name.into()),
                ..Default::default()
            };
            probe.ask(&AddPartitionsToTxnRequest { transactions: vec![transaction], ..Default::default() });
        }
        for transactional_id in ["", "t"] {
            let transactional_id = Str::from(transactional_id);
            probe.ask_all(&AddOffsetsToTxnRequest {
                transactional_id: transactional_id.clone(),
                group_id: "g".into(),
                ..Default::default()
            });
            probe
                .ask_all(&EndTxnRequest { transactional_id: transactional_id.clone(), ..Default::default() });
            probe.ask_all(&TxnOffsetCommitRequest {
                transactional_id: transactional_id.clone(),
                group_id: "g".into(),
                ..Default::default()
            });
            let transactional_ids = vec![transactional_id];
            probe.ask_all(&DescribeTransactionsRequest { transactional_ids, ..Default::default() });
        }
        for markers in [Vec::new(), vec![WritableTxnMarker::default()]] {
            probe.ask_all(&WriteTxnMarkersRequest { markers, ..Default::default() });
        }
        probe.ask_all(&ListTransactionsRequest { duration_filter: -1, ..Default::default() });
        let transactional_id_pattern = Some(Str::from("("));
        probe.ask(&ListTransactionsRequest {
            transactional_id_pattern,
            duration_filter: 7,
            ..Default::default()
        });
        probe.ask(&FindCoordinatorRequest { key: "t".into(), key_type: 1, ..Default::default() });
    }
}
