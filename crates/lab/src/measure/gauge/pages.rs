//! Counts the pages that the kernel allocates while a process sends, by the tracepoint `kmem:mm_page_alloc`. A socket
//! that is given a copy of the bytes needs pages to put it in, one of order 3 per 32 KiB; one that is given references
//! needs none. So pages per byte sent are copies per byte sent.
//!
//! Each allocation is a sample that carries its order. Rings cannot be shared between CPUs, so there is one for each.

use anyhow::Context;
use perf_event::data::Record;
use perf_event::events::Tracepoint;
use perf_event::{Builder, SampleFlag, Sampler};

use super::tracefs;

const EVENT: &str = "kmem/mm_page_alloc";
/// Bytes of each ring: some tens of thousands of samples, more than a copy of 16 MiB page by page makes.
const RING_BYTES: usize = 4 << 20;
/// Larger blocks than this order do not exist.
const ORDER_MAX: u32 = 20;

/// Watches the allocations of this process and of threads it starts from now on.
pub(crate) struct PageTracer {
    rings: Vec<Sampler>,
    order_at: usize,
}

impl PageTracer {
    /// Begins to watch.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let id = tracefs::event_id(EVENT)?;
        let (order_at, order_len) = tracefs::field(EVENT, "order")?;
        anyhow::ensure!(order_len == size_of::<u32>(), "an order is no 32-bit number here");
        let cpus = std::fs::read_to_string("/sys/devices/system/cpu/online").context("the CPUs online")?;
        let rings = cpu_list(&cpus).into_iter().map(|cpu| ring(id, cpu)).collect::<anyhow::Result<_>>()?;
        Ok(Self { rings, order_at })
    }

    /// Bytes of pages allocated since the last time, or the start.
    pub(crate) fn take_bytes(&mut self) -> u64 {
        let page = rustix::param::page_size() as u64;
        let order_at = self.order_at;
        let mut bytes = 0;
        for ring in &mut self.rings {
            while let Some(record) = ring.next_record() {
                let Ok(Record::Sample(sample)) = record.parse_record() else { continue };
                let order = sample.raw().and_then(|raw| order_of(raw, order_at));
                bytes += order.map_or(0, |order| page << order);
            }
        }
        bytes
    }
}

fn ring(id: u64, cpu: usize) -> anyhow::Result<Sampler> {
    let mut builder = Builder::new(Tracepoint::with_id(id));
    builder.observe_self().one_cpu(cpu).inherit(true).include_kernel();
    builder.sample(SampleFlag::RAW).sample_period(1);
    let mut ring = builder.build()?.sampled(RING_BYTES)?;
    ring.enable()?;
    Ok(ring)
}

/// The order in a raw record, if there is one that makes sense.
fn order_of(raw: &[u8], at: usize) -> Option<u32> {
    let bytes = raw.get(at..at.checked_add(4)?)?;
    let order = u32::from_ne_bytes(bytes.try_into().ok()?);
    (order <= ORDER_MAX).then_some(order)
}

/// `0-2,5` as 0, 1, 2, 5.
fn cpu_list(text: &str) -> Vec<usize> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
    };
    text.trim().split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cpus_are_read_as_the_kernel_writes_them() {
        assert_eq!(cpu_list("0-2,5\n"), [0, 1, 2, 5]);
        assert_eq!(cpu_list("0\n"), [0]);
        assert_eq!(cpu_list(""), Vec::<usize>::new());
    }

    #[test]
    fn a_short_or_senseless_record_has_no_order() {
        assert_eq!(order_of(&[0, 0, 3, 0, 0, 0], 2), Some(3));
        assert_eq!(order_of(&[0, 0, 3], 2), None);
        assert_eq!(order_of(&[255; 8], 2), None);
        assert_eq!(order_of(&[255; 8], usize::MAX), None);
    }

    #[test]
    fn memory_that_is_touched_is_memory_that_is_allocated() {
        let mut tracer = match PageTracer::start() {
            Ok(tracer) => tracer,
            Err(error) => {
                eprintln!("tracepoints may not be read here, nothing to test: {error:#}");
                return;
            }
        };
        tracer.take_bytes();
        let memory = vec![1u8; 4 << 20];
        let allocated = tracer.take_bytes();
        assert!(allocated >= memory.len() as u64, "{allocated}");
    }
}
