//! Settings that Kafka does not have. In the environment they go without the second `PAGEWIRE_`:
//! `pagewire.transfer.route` is `PAGEWIRE_TRANSFER_ROUTE`.

use crate::config::definition::Kind::{Boolean, Int, Long, Text};
use crate::config::definition::Rule::{Any, Between, Min, NotEmpty, OneOf};
use crate::config::definition::Setting as S;

/// Ours.
pub(super) static OWN: &[S] = &[
    S::new("pagewire.acks.all.meaning", Text, Some("stable"), OneOf(&["stable", "page-cache"]))
        .doc("What acks=all waits for: `stable` for stable storage, by one sync for all who wait; `page-cache` for Kafka's own meaning on one broker, which a power cut undoes."),
    S::new("pagewire.transfer.route", Text, Some("auto"), OneOf(&["auto", "copy", "sendfile", "splice", "mmap", "uring", "direct", "ktls"]))
        .doc("How record bytes reach a socket: `auto` chooses by size, a name forces one route. What the kernel refuses is copied."),
    S::new("pagewire.transfer.thresholds", Text, Some("auto"), NotEmpty)
        .doc("Which route for which size where `auto` chooses, such as `8192 copy, max sendfile`. `auto` takes what `pagewire lab calibrate` measured and left in the data directory, and without that copies up to 8192 bytes and sends the rest by `sendfile`."),
    S::new("pagewire.transfer.cold", Text, Some("page-cache"), OneOf(&["page-cache", "direct"]))
        .doc("How 64 KiB and more that are not in the page cache are read for a consumer: `page-cache`, into it and from there by `sendfile`; `direct`, past it by `O_DIRECT` into a pooled buffer and from there, so that who reads old records takes nothing of the page cache and less of the latency of others. That costs a copy and more CPU; each reader reads for itself, and nothing is read ahead. What is there already, and what is short, goes as ever, and so does what is read for the first time after a start, when it is checked. Where the file system has no `O_DIRECT` it is `page-cache`."),
    S::new("pagewire.transfer.drop.behind", Boolean, Some("true"), Any)
        .doc("Whether pages that had to be read from the disk for a lagging consumer are dropped from the page cache again, 16 MiB behind it, so that it does not push out what the others read. What was checked as it was read for the first time after a start stays."),
    S::new("pagewire.transfer.turn.bytes", Int, Some("1048576"), Min(4096))
        .doc("About the bytes of one sending call; a connection that has sent as many lets others have their turn."),
    S::new("pagewire.socket.congestion.control", Text, Some("auto"), NotEmpty)
        .doc("TCP congestion control of accepted connections: `system` leaves the system's, a name asks for that one. `auto` replaces a pacing one (BBR), whose timers cost more CPU than `sendfile` saves, by cubic or reno for clients on this machine and leaves the system's to all others."),
    S::new("pagewire.request.memory.max.bytes", Long, Some("268435456"), Min(1_048_576))
        .doc("Most memory in bytes for requests that are arriving; at the limit, reading pauses. One request may take just under half of it, whatever `socket.request.max.bytes` says. As much again may be taken by what requests unfold into and by answers that nobody has read yet; beyond that, whoever asks is disconnected."),
    S::new("pagewire.io.threads", Int, Some("4"), Between(1, 256))
        .doc("Threads for what may wait for the disk of a log directory: cold reads, deletions; and as many again, when needed, for syncs alone."),
    S::new("pagewire.open.files.max", Int, Some("0"), Min(0))
        .doc("Most segment files that are kept open. Files with records that are not on stable storage stay open beyond it, and are synced every second so that they can be closed. 0: a quarter of the files that the process may have open."),
    S::new("pagewire.worker.threads", Int, Some("0"), Between(0, 1024))
        .doc("Threads that serve connections, two at least; 0 is one per processor. When a disk keeps others waiting, one goes on serving."),
    S::new("pagewire.new.cluster.allowed", Boolean, Some("true"), Any)
        .doc("Whether a start may make a new cluster where no log directory holds one. With `false` it is refused: once the cluster is made, this tells a disk that is not mounted from a directory that is new."),
    S::new("pagewire.log.pace.bytes", Int, Some("4194304"), Min(65_536))
        .doc("Bytes appended to a log after which space is reserved for the next ones, and, while much is dirty on the machine, the kernel is asked to write."),
    S::new("pagewire.log.producers.max", Int, Some("65536"), Min(1))
        .doc("Most idempotent producers a partition remembers; past it those silent for longest are forgotten."),
    S::new("pagewire.log.scrub.interval.ms", Long, Some("604800000"), Min(1))
        .doc("Milliseconds after which the closed segments of a log are read again in the background, every checksum compared. Records that went bad are then refused with CORRUPT_MESSAGE instead of being served; those around them are served."),
    S::new("pagewire.log.scrub.bytes.per.second", Long, Some("16777216"), Min(0))
        .doc("Bytes a second that this reads at most, of all data directories together; 0: only segments are read again in which a read came to bytes that are no batch. It leaves the page cache as it was."),
];
