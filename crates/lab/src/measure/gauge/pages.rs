//! Counts the pages that the kernel allocates while a process sends, by the tracepoint `kmem:mm_page_alloc`. A socket
//! that is given a copy of the bytes needs pages to put it in, one of order 3 per 32 KiB; one that is given references
//! needs none. So pages per byte sent are copies per byte sent.
//!
//! Each allocation is a sample that carries its order. Rings cannot be shared between CPUs, so there is one for each.

use anyhow::{Context, ensure};
use perf_event::data::Record;
use perf_event::events::Tracepoint;
use perf_event::{Builder, SampleFlag, Sampler};

use super::tracefs;
use crate::read;

const EVENT: &str = "kmem/mm_page_alloc";
/// Bytes of each ring: some tens of thousands of samples, more than a copy of 16 MiB page by page makes.
const RING_BYTES: usize = 4 << 20;
/// A list of CPUs is ranges, or numbers where every other is off.
const CPUS: &str = "/sys/devices/system/cpu/online";
const CPUS_BYTES: u64 = 64 << 10;
/// Larger blocks than this order do not exist.
const ORDER_MAX: u32 = 20;

/// Watches the allocations of this process and of threads it starts from now on.
pub(crate) struct PageTracer {
    rings: Vec<Ring>,
    order_at: usize,
}

impl PageTracer {
    /// Begins to watch.
    pub(crate) fn start() -> anyhow::Result<Self> {
        Self::with_rings_of(RING_BYTES)
    }

    fn with_rings_of(bytes: usize) -> anyhow::Result<Self> {
        let id = tracefs::event_id(EVENT)?;
        let (order_at, order_len) = tracefs::field(EVENT, "order")?;
        ensure!(order_len == size_of::<u32>(), "an order is no 32-bit number here");
        let cpus = read::head(CPUS, CPUS_BYTES).context("the CPUs online")?;
        let rings = cpu_list(&cpus).into_iter().map(|cpu| Ring::start(id, cpu, bytes));
        Ok(Self { rings: rings.collect::<anyhow::Result<_>>()?, order_at })
    }

    /// Bytes of pages allocated since the last time, or the start. An error where a sample was lost: too few would say
    /// that nothing was copied.
    pub(crate) fn take_bytes(&mut self) -> anyhow::Result<u64> {
        // All of them are emptied, also if one has lost something.
        let taken: Vec<anyhow::Result<u64>> =
            self.rings.iter_mut().map(|ring| ring.take_bytes(self.order_at)).collect();
        taken.into_iter().sum()
    }
}

/// The allocations on one CPU.
struct Ring {
    sampler: Sampler,
    /// Events up to the last time.
    counted: u64,
}

impl Ring {
    fn start(id: u64, cpu: usize, bytes: usize) -> anyhow::Result<Self> {
        let mut builder = Builder::new(Tracepoint::with_id(id));
        builder.observe_self().one_cpu(cpu).inherit(true).include_kernel();
        builder.sample(SampleFlag::RAW).sample_period(1);
        let mut sampler = builder.build()?.sampled(bytes)?;
        sampler.enable()?;
        Ok(Self { sampler, counted: 0 })
    }

    fn take_bytes(&mut self, order_at: usize) -> anyhow::Result<u64> {
        self.sampler.disable()?;
        let (bytes, samples) = self.drain(order_at)?;
        // Every event is counted, also one that the ring has no room for, and each has its sample.
        let counted = self.sampler.read()?;
        let lost = counted.saturating_sub(self.counted).saturating_sub(samples);
        self.counted = counted;
        self.sampler.enable()?;
        ensure!(lost == 0, "{lost} samples of allocations were lost");
        Ok(bytes)
    }

    /// Bytes and samples.
    fn drain(&mut self, order_at: usize) -> anyhow::Result<(u64, u64)> {
        let page = rustix::param::page_size() as u64;
        let (mut bytes, mut samples) = (0, 0);
        while let Some(record) = self.sampler.next_record() {
            let Record::Sample(sample) = record.parse_record().context("a sample of an allocation")? else {
                continue;
            };
            let order = sample.raw().and_then(|raw| order_of(raw, order_at));
            bytes += page << order.context("an allocation without its order")?;
            samples += 1;
        }
        Ok((bytes, samples))
    }
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
    use crate::measure::gauge::is_refusal;

    /// So much memory always comes fresh from the kernel: no allocator keeps it to give it again.
    const MAPPED_BYTES: usize = 64 << 20;

    fn tracer(ring_bytes: usize) -> Option<PageTracer> {
        match PageTracer::with_rings_of(ring_bytes) {
            Ok(tracer) => Some(tracer),
            Err(error) => {
                eprintln!("tracepoints may not be read here, nothing to test: {error:#}");
                assert!(is_refusal(&error), "{error:#}");
                None
            }
        }
    }

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
    fn what_was_lost_is_no_verdict() {
        let Some(mut tracer) = tracer(8 << 10) else { return };
        // More than the rings have room for, also where a page is huge.
        for _ in 0..16 {
            std::hint::black_box(vec![1u8; MAPPED_BYTES]);
        }
        let error = tracer.take_bytes().unwrap_err();
        assert!(error.to_string().contains("lost"), "{error}");
        tracer.take_bytes().unwrap();
    }

    #[test]
    fn memory_that_is_touched_is_memory_that_is_allocated() {
        let Some(mut tracer) = tracer(RING_BYTES) else { return };
        let _ = tracer.take_bytes();
        let memory = vec![1u8; MAPPED_BYTES];
        let allocated = tracer.take_bytes().unwrap();
        assert!(allocated >= memory.len() as u64, "{allocated}");
    }
}
