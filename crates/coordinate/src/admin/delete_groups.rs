//! DeleteGroups: an empty group goes with its offsets.

use std::sync::Arc;

use crate::answer::{Answer, Reply};
use crate::effects::Effects;
use crate::error::Error;
use crate::input::DeleteGroups;
use crate::offsets::tombstone;
use crate::records::Record;
use crate::shard::Shard;

impl Shard {
    pub(crate) fn delete_groups(&mut self, request: DeleteGroups, out: &mut Effects) {
        let mut records = Vec::new();
        let results = request
            .group_ids
            .into_iter()
            .map(|group_id| {
                let error = self.bury(&group_id, &mut records).err();
                (group_id, error)
            })
            .collect();
        let answer = Answer::DeleteGroups(results);
        self.append_and_answer(records, Reply { token: request.token, answer }, out);
    }

    fn bury(&self, group_id: &str, records: &mut Vec<Record>) -> Result<(), Error> {
        let group = self.any_group(group_id).ok_or(Error::GroupIdNotFound)?;
        if !group.is_empty() {
            return Err(Error::NonEmptyGroup);
        }
        let id: Arc<str> = group.id().clone();
        for (topic, partitions) in self.offsets().of_group(group_id).into_iter().flatten() {
            records.extend(partitions.keys().map(|partition| tombstone(&id, topic, *partition)));
        }
        // What waits for a transaction goes too, or its end would bring the group back.
        let waiting = self.pending().of_group(group_id);
        let only_waiting = waiting.filter(|(topic, index)| self.offsets().get(&id, topic, *index).is_none());
        records.extend(only_waiting.map(|(topic, index)| tombstone(&id, topic, *index)));
        records.extend(group.tombstones());
        Ok(())
    }
}
