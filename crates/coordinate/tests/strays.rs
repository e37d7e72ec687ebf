//! Offsets in the log that no group is left for: an earlier version deleted a group and wrote its successor apart from that.

use std::sync::Arc;

use pagewire_coordinate::{
    ConsumerSettings, GroupFilter, Now, OffsetKey, OffsetValue, Record, Settings, Shard,
};

#[test]
fn offsets_that_no_group_is_left_for_get_one_and_expire() {
    let group_id: Arc<str> = Arc::from("g");
    let key = OffsetKey { group_id: group_id.clone(), topic: Arc::from("t"), partition: 0 };
    let value = OffsetValue {
        offset: 5,
        leader_epoch: -1,
        metadata: Arc::from(""),
        commit_ms: 0,
        expire_ms: None,
        topic_id: [0; 16],
    };
    let mut shard = Shard::new(Settings::default());
    for record in [Record::Offset { key, value: Some(value) }, Record::Group { group_id, value: None }] {
        let (key, value) = (record.encode_key().unwrap(), record.encode_value().unwrap());
        shard.replay(&key, value.as_deref(), 0).unwrap();
    }
    assert!(shard.loaded(|_| ConsumerSettings::default().timing(), Now::both(0)).is_empty());
    assert_eq!(shard.list(&GroupFilter::default()).len(), 1);

    let late = Now::both(Settings::default().offsets_retention_ms + 1);
    let mut appends = shard.on_time(late).appends;
    assert!(shard.appended(appends.remove(0), late).is_empty());
    assert_eq!((shard.offset_count(), shard.group_count()), (0, 0));
}
