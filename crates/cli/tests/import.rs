//! `pagewire import` as a user types it, on a directory with the metadata log of a real Kafka 4.3.1 and records made here.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use common::{Run, pagewire, run};
use pagewire_disk::{CleanMark, DirLock, OsDisk};
use pagewire_record::{BatchBuilder, Codec, patch_header};
use tempfile::TempDir;

/// Topics `orders` and `payments`, of three and two partitions, all on node 1.
const METADATA: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../takeover/tests/kafka-4.3.1/00000000000000000000.log");
const PARTITIONS: [&str; 5] = ["orders-0", "orders-1", "orders-2", "payments-0", "payments-1"];

/// What a Kafka left that had stopped in order, and a place beside it.
struct Left(TempDir);

impl Left {
    fn new() -> Self {
        let left = Self(tempfile::tempdir().unwrap());
        let metadata = left.kafka().join("__cluster_metadata-0");
        fs::create_dir_all(&metadata).unwrap();
        fs::copy(METADATA, metadata.join("00000000000000000000.log")).unwrap();
        meta(&left.kafka(), "version=1\nnode.id=1\ncluster.id=5L6g3nShT-eMCtK--X86sw\n");
        for name in PARTITIONS {
            left.segment(name, 0, &[batch(0, 9)]);
        }
        CleanMark::write(&OsDisk::new(), &left.kafka()).unwrap();
        left
    }

    fn kafka(&self) -> PathBuf {
        self.0.path().join("kafka")
    }

    fn to(&self) -> PathBuf {
        self.0.path().join("pagewire")
    }

    fn staging(&self) -> PathBuf {
        self.0.path().join("pagewire.importing")
    }

    fn segment(&self, partition: &str, base: i64, batches: &[Vec<u8>]) {
        let dir = self.kafka().join(partition);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(format!("{base:020}.log")), batches.concat()).unwrap();
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = pagewire();
        command.arg("import").arg("--from").arg(self.kafka()).arg("--to").arg(self.to()).args(more);
        command
    }

    fn import(&self, more: &[&str]) -> Run {
        self.command(more).output().unwrap().into()
    }

    /// What it says when it is refused; nothing is left of it.
    fn refused(&self, more: &[&str]) -> String {
        let said = self.import(more).failed(1);
        assert!(!self.to().exists() && !self.staging().exists(), "{said}");
        said
    }
}

fn meta(dir: &Path, text: &str) {
    fs::create_dir_all(dir).unwrap();
    fs::write(dir.join("meta.properties"), text).unwrap();
}

/// So many records from an offset on.
fn batch(offset: i64, records: i64) -> Vec<u8> {
    let mut batch = BatchBuilder::new(Codec::None);
    for _ in 0..records {
        batch.append(0, Some(b"key"), Some(&[7; 500]), &[]).unwrap();
    }
    let mut bytes = batch.build().unwrap().to_vec();
    patch_header(bytes.first_chunk_mut().unwrap(), offset, 0);
    bytes
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn help_shows_examples_and_what_the_exit_code_means() {
    let said = run(&["import", "--help"]).ok();
    for word in ["--from", "--config", "--accept-damage", "Exit code", "Examples:", "pagewire serve"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert!(run(&["import", "--to", "x"]).failed(2).contains("--from"));
}

#[test]
fn a_kafka_is_taken_over_for_people_and_for_programs() {
    let left = Left::new();
    let said = left.import(&["--dry-run"]).ok();
    assert!(said.contains("server.properties was not read"), "{said}");
    assert!(said.contains("nothing was written") && !left.to().exists(), "{said}");
    let said = left.import(&["-o", "json"]).ok();
    let report = json(&said);
    assert_eq!(
        (report["cluster_id"].as_str(), &report["cuts"]),
        (Some("5L6g3nShT-eMCtK--X86sw"), &json("[]"))
    );
    assert_eq!(
        (report["topics"][0]["name"].as_str(), report["topics"][0]["records"].as_i64()),
        (Some("orders"), Some(27))
    );
    assert!(left.import(&[]).failed(1).contains("not empty"));
    let check = run(&["log", "check", "--deep", left.to().to_str().unwrap()]).ok();
    assert!(check.contains("0 damage, 0 doubts"), "{check}");
}

#[test]
fn an_open_transaction_is_named_and_ended_when_that_is_said() {
    let left = Left::new();
    let mut open = BatchBuilder::new(Codec::None).base_offset(9).producer(7, 2, 0).transactional();
    open.append(1000, None, Some(b"nobody committed it"), &[]).unwrap();
    left.segment("orders-1", 0, &[batch(0, 9), open.build().unwrap().to_vec()]);
    let whose = "open transaction: orders-1 from offset 9 on, of producer 7, epoch 2, silent for ";
    let dry = left.import(&["--dry-run", "--end-transactions"]).ok();
    assert!(
        dry.contains(whose) && dry.contains(": it would be aborted") && !dry.contains("stay open"),
        "{dry}"
    );
    let said = left.import(&["--dry-run"]).ok();
    assert!(
        said.contains(whose) && said.contains("1 would stay open") && said.contains("--end-transactions"),
        "{said}"
    );
    let said = left.import(&["--end-transactions", "-o", "json"]).ok();
    let open = &json(&said)["open_transactions"][0];
    assert_eq!((open["outcome"].as_str(), open["marker"].as_i64()), (Some("abort"), Some(10)), "{said}");
    let check = run(&["log", "check", "--deep", left.to().to_str().unwrap()]).ok();
    assert!(check.contains("0 damage, 0 doubts, 0 notes"), "{check}");
}

#[test]
fn server_properties_name_the_directories() {
    let left = Left::new();
    let other = left.0.path().join("other");
    meta(&other, "version=1\nnode.id=1\ncluster.id=5L6g3nShT-eMCtK--X86sw\n");
    fs::rename(left.kafka().join("orders-2"), other.join("orders-2")).unwrap();
    let file = left.0.path().join("server.properties");
    let (kafka, to) = (left.kafka(), left.to());
    let settings = format!(
        "node.id=1\nlog.dirs={},{}\nmetadata.log.dir={0}\nlog.retention.ms=-1\n",
        kafka.display(),
        other.display()
    );
    fs::write(&file, settings).unwrap();
    let config = ["--config", file.to_str().unwrap()];
    let said = run(&[&["import"][..], &config, &["--to", to.to_str().unwrap()]].concat()).ok();
    assert!(said.contains("is whole") && to.join("orders-2").is_dir(), "{said}");
    let command = format!("pagewire serve {} --data-dir {}\n", config.join(" "), to.display());
    assert!(said.contains(&command), "what it sets is in no directory: {said}");
    assert!(said.contains("retention.ms=-1 (not 604800000)"), "{said}");
}

#[test]
fn of_a_damaged_metadata_log_nothing_is_said_to_be_whole() {
    let left = Left::new();
    let log = left.kafka().join("__cluster_metadata-0").join(format!("{:020}.log", 0));
    let mut bytes = fs::read(&log).unwrap();
    let at = bytes.len() / 2;
    bytes[at..at + 4].fill(0xee);
    fs::write(&log, bytes).unwrap();
    for options in [&["--dry-run"][..], &[]] {
        let said = left.import(options).failed(1);
        assert!(said.contains(log.to_str().unwrap()) && said.contains("--accept-damage"), "{said}");
        assert!(!said.contains("is whole") && !left.to().exists(), "{said}");
    }
    let said = left.import(&["--accept-damage", "--allow-missing"]).ok();
    assert!(said.contains("cut: the metadata log ends at offset") && !said.contains("is whole"), "{said}");
    assert!(said.contains("without what is named above") && said.contains("lost with the damage"), "{said}");
}

#[test]
fn several_disks_become_several_directories_that_are_served_together() {
    let left = Left::new();
    let other = left.0.path().join("other");
    let said = left.import(&["--to", other.to_str().unwrap()]).ok();
    let dirs = format!("log.dirs={},{}", left.to().display(), other.display());
    assert!(said.contains("are whole") && said.contains(&format!("pagewire serve --set {dirs}")), "{said}");
    let held = |dir: &Path| PARTITIONS.iter().filter(|name| dir.join(name).is_dir()).count();
    assert_eq!((held(&left.to()), held(&other)), (3, 2), "spread");
    let mut serve = pagewire();
    serve.args(["serve", "--listen", "127.0.0.1:0", "--log-level", "warn", "--set", &dirs]);
    let mut child = serve.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let ready = lines.next().unwrap().unwrap();
    let address = ready.strip_prefix("ready on ").unwrap();
    let counted = ["orders", "payments"].map(|topic| {
        run(&["consume", topic, "--from", "beginning", "--bootstrap-server", address, "-o", "json"])
    });
    common::signal(&child, "TERM");
    assert_eq!(common::wait(&mut child), Some(0));
    assert_eq!(counted.map(|run| run.ok().lines().count()), [27, 18]);
}

#[test]
fn what_is_no_stopped_kafka_is_refused_in_words() {
    let left = Left::new();
    let lock = DirLock::acquire(&OsDisk::new(), &left.kafka()).unwrap();
    assert!(left.refused(&[]).contains("in use"));
    drop(lock);
    let other = left.0.path().join("other");
    fs::create_dir(&other).unwrap();
    let other_text = other.to_str().unwrap();
    assert!(left.refused(&["--from", other_text]).contains("no data directory of Apache Kafka"));
    assert!(left.refused(&["--from", "/not/there"]).contains("/not/there is not there: name each directory"));
    assert!(left.refused(&["--from", METADATA]).contains("no data directory of Apache Kafka"));
    meta(&other, "version=1\nnode.id=1\ncluster.id=6L6g3nShT-eMCtK--X86sw\n");
    assert!(left.refused(&["--from", other_text]).contains("belongs to cluster"));
    // As a Kafka with ZooKeeper has it.
    meta(&left.kafka(), "version=0\nbroker.id=1\ncluster.id=5L6g3nShT-eMCtK--X86sw\n");
    fs::remove_dir_all(left.kafka().join("__cluster_metadata-0")).unwrap();
    assert!(left.refused(&[]).contains("migrate it to KRaft"));
}

#[test]
fn damage_is_refused_listed_for_programs_and_taken_only_when_that_is_said() {
    let left = Left::new();
    let mut bad = batch(9, 5);
    *bad.last_mut().unwrap() ^= 1;
    left.segment("orders-1", 0, &[batch(0, 9), bad, batch(14, 2)]);
    let said = left.refused(&[]);
    assert!(
        said.contains("orders-1") && said.contains("offset 9") && said.contains("--accept-damage"),
        "{said}"
    );
    let refused = left.import(&["-o", "json"]);
    assert_eq!(json(&refused.out)["refused"][0]["topic"], "orders");
    refused.failed(1);
    let said = left.import(&["--accept-damage"]).ok();
    assert!(said.contains("cut: orders-1 ends at offset 9") && said.contains("lost:"), "{said}");
}

#[test]
fn an_import_that_is_stopped_at_any_time_leaves_nothing_to_serve_and_can_be_done_again() {
    for (signal, times) in [("KILL", 0..6), ("INT", 6..9)] {
        for time in times {
            let left = Left::new();
            let long: Vec<Vec<u8>> = (0..3000).map(|at| batch(at * 9, 9)).collect();
            left.segment("orders-0", 0, &long);
            let mut command = left.command(&["--copy"]);
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
            // A later point each time; when it comes too late the import is whole, which is right as well.
            let stage = [left.staging(), left.staging().join("orders-0")][time % 2].clone();
            while !stage.exists() && child.try_wait().unwrap().is_none() {
                thread::sleep(Duration::from_micros(200));
            }
            thread::sleep(Duration::from_millis(7 * time as u64));
            let _ = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status();
            let ended = Run::from(child.wait_with_output().unwrap());
            if signal == "INT" && ended.code != Some(0) {
                assert_eq!((ended.code, ended.err.matches("stopped: ").count()), (Some(130), 1), "{ended:?}");
                assert_eq!(ended.err.contains("is unfinished"), left.staging().exists(), "{ended:?}");
            }
            assert_eq!(left.to().exists(), left.to().join("metadata.redb").exists(), "nothing, or all of it");
            if !left.to().exists() {
                let said = left.import(&[]).ok();
                assert!(said.contains("is whole"), "{said}");
            }
            assert!(!left.staging().exists());
            let check = run(&["log", "check", left.to().to_str().unwrap()]).ok();
            assert!(check.contains("0 damage"), "{check}");
        }
    }
}

#[test]
fn a_rehearsal_that_is_stopped_says_nothing_of_an_import_that_is_at_work() {
    let left = Left::new();
    let long: Vec<Vec<u8>> = (0..9000).map(|at| batch(at * 9, 9)).collect();
    left.segment("orders-0", 0, &long);
    std::fs::create_dir(left.staging()).unwrap();
    let mark = std::fs::File::create(left.staging().join(".pagewire-import")).unwrap();
    mark.lock().unwrap();
    let mut command = left.command(&["--dry-run"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    // Until it hears signals.
    while child.try_wait().unwrap().is_none() {
        let said = std::fs::read_to_string(&status).unwrap_or_default();
        let caught = said.lines().find_map(|line| line.strip_prefix("SigCgt:")).map(str::trim);
        if caught.and_then(|mask| u64::from_str_radix(mask, 16).ok()).is_some_and(|mask| mask & 2 != 0) {
            break;
        }
        thread::sleep(Duration::from_micros(200));
    }
    let _ = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    let ended = Run::from(child.wait_with_output().unwrap());
    assert!(ended.code == Some(130) && ended.err.contains("nothing was made"), "{ended:?}");
    assert!(!ended.err.contains("remove"), "{ended:?}");
}

#[test]
fn readers_of_committed_records_are_told_where_an_open_transaction_holds_them_up() {
    let left = Left::new();
    let mut open = BatchBuilder::new(Codec::None).base_offset(9).producer(7, 2, 0).transactional();
    open.append(1000, None, Some(b"nobody committed it"), &[]).unwrap();
    left.segment("orders-1", 0, &[batch(0, 9), open.build().unwrap().to_vec()]);
    left.import(&[]).ok();
    let dir = tempfile::tempdir().unwrap();
    std::fs::rename(left.to(), dir.path().join("data")).unwrap();
    let broker = common::Broker::start_in(dir, &[]);
    let told = "orders [1]: an open transaction holds back the records from offset 9 on";
    for group in [&[][..], &["--group", "g"]] {
        let committed = [&["consume", "orders", "--isolation", "committed"], group].concat();
        let run = broker.run(&committed);
        assert!(run.code == Some(0) && run.err.contains(told) && !run.out.contains("nobody"), "{run:?}");
    }
    let all = broker.run(&["consume", "orders"]);
    assert!(all.err.is_empty() && all.out.contains("nobody committed it"), "{all:?}");
}

#[test]
fn a_rehearsal_tells_of_a_first_segment_that_is_gone() {
    let left = Left::new();
    let partition = left.kafka().join("orders-0");
    std::fs::write(partition.join("leader-epoch-checkpoint"), "0\n1\n0 0\n").unwrap();
    let said = left.import(&["--dry-run"]).ok();
    assert!(!said.contains("by its leader epochs"), "{said}");
    std::fs::remove_file(partition.join("00000000000000000000.log")).unwrap();
    left.segment("orders-0", 9, &[batch(9, 9)]);
    let said = left.import(&["--dry-run"]).ok();
    assert!(said.contains("note: orders-0 begins at offset 9 here, and at 0 by its leader epochs"), "{said}");
}
