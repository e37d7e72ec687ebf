//! Who has least and who has most among the subscribers of a topic, while partitions go from one to the other.
//!
//! ```text
//!   partitions │              most
//!              │             loaded
//!              │ least       ┌────┐  ##        the least loaded range grows to the right as it fills up, the most
//!              │ loaded   ## │####│  ##        loaded one to the left as it empties; who has most but nothing of
//!              │ ┌─────┐  ## │####│  ##        this topic is put behind its end
//!              └─┴─────┴─────┴────┴────── members
//! ```
//!
//! All members of a range had the same number of partitions when they came into it.

/// Two ranges of subscribers, sorted by how many partitions they had at the beginning.
pub(super) struct Balancer {
    sorted: Vec<usize>,
    least_end: usize,
    least_count: i64,
    least_next: usize,
    most_start: usize,
    most_end: usize,
    most_count: i64,
    /// One more than the place of the next one; nothing is left at the start of the range.
    most_next: usize,
}

impl Balancer {
    /// `subscribers` is not empty.
    pub(super) fn of(subscribers: &[usize], sizes: &[usize]) -> Self {
        let mut sorted = subscribers.to_vec();
        sorted.sort_by_key(|member| (sizes[*member], *member));
        let count = |member: Option<&usize>| member.map_or(0, |member| sizes[*member] as i64);
        Self {
            least_end: 0,
            least_count: count(sorted.first()) - 1,
            least_next: 0,
            most_start: sorted.len(),
            most_end: sorted.len(),
            most_count: count(sorted.last()) + 1,
            most_next: sorted.len(),
            sorted,
        }
    }

    /// Between the most and the least loaded one.
    pub(super) fn imbalance(&self, sizes: &[usize]) -> usize {
        let size = |member: Option<&usize>| member.map_or(0, |member| sizes[*member]);
        size(self.sorted.last()) - size(self.sorted.first())
    }

    /// Who is to get the next partition.
    pub(super) fn next_least_loaded(&mut self, sizes: &[usize]) -> usize {
        if self.least_next >= self.least_end {
            self.least_count += 1;
            while self
                .sorted
                .get(self.least_end)
                .is_some_and(|member| sizes[*member] as i64 == self.least_count)
            {
                self.least_end += 1;
            }
            self.least_next = 0;
        }
        let member = self.sorted.get(self.least_next).or_else(|| self.sorted.last()).copied().unwrap_or(0);
        self.least_next += 1;
        member
    }

    /// Who is to give a partition; none if nobody has any left to give.
    pub(super) fn next_most_loaded(&mut self, sizes: &[usize]) -> Option<usize> {
        if self.most_next <= self.most_start {
            let before = self.most_start.checked_sub(1).and_then(|at| self.sorted.get(at));
            match before {
                // All of the range were put behind its end: it must grow now.
                Some(member) if self.most_end <= self.most_start => self.most_count = sizes[*member] as i64,
                _ => self.most_count -= 1,
            }
            while let Some(at) = self.most_start.checked_sub(1)
                && self.sorted.get(at).is_some_and(|member| sizes[*member] as i64 == self.most_count)
            {
                self.most_start = at;
            }
            self.most_next = self.most_end;
        }
        let at = self.most_next.checked_sub(1)?;
        self.most_next = at;
        self.sorted.get(at).copied()
    }

    /// The last answer of [`next_most_loaded`](Self::next_most_loaded) has nothing of this topic.
    pub(super) fn exclude_most_loaded(&mut self) {
        if let Some(end) = self.most_end.checked_sub(1) {
            self.sorted.swap(self.most_next, end);
            self.most_end = end;
        }
    }

    /// Nothing is to be gained by moving one more.
    pub(super) const fn is_balanced(&self) -> bool {
        self.most_count - self.least_count <= 1
    }
}
