//! Backups and what is made of them, as people do it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod common;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::{Broker, Run, eventually, pagewire, run, wait};
use tempfile::TempDir;

/// A broker with a topic of several segments, and a place for backups beside it.
struct World {
    broker: Broker,
    place: TempDir,
}

const RECORDS: usize = 200;

fn records() -> String {
    (0..RECORDS).map(|at| format!("record {at} {}\n", "x".repeat(50))).collect::<Vec<_>>().concat()
}

impl World {
    fn new() -> Self {
        let broker = Broker::start(&[]);
        let small = ["topic", "create", "t", "--config", "internal.segment.bytes=4000"];
        broker.run(&small).ok();
        for batch in records().as_bytes().chunks(1000) {
            // Some lines are cut in two: what counts is that all of it comes back.
            broker.run_with(&["produce", "t"], batch).ok();
        }
        Self { broker, place: tempfile::tempdir().unwrap() }
    }

    fn data(&self) -> PathBuf {
        self.broker.dir.path().join("data")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn backup(&self, to: &str, options: &[&str]) -> Command {
        backup(&self.data(), &self.path(to), options)
    }
}

fn backup(from: &Path, to: &Path, options: &[&str]) -> Command {
    let mut command = pagewire();
    command.arg("backup").arg("--from").arg(from).arg("--to").arg(to).args(options);
    command
}

fn output(mut command: Command) -> Run {
    command.output().unwrap().into()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn restore(from: &Path, to: &Path) -> Run {
    run(&["restore", "--from", text(from), "--to", text(to)])
}

/// Starts a broker on the directory `data` in `dir`.
fn serve(dir: TempDir) -> Broker {
    Broker::start_in(dir, &[])
}

fn all(broker: &Broker) -> String {
    broker.run(&["consume", "t"]).ok()
}

#[test]
fn what_was_there_is_there_again_and_groups_go_on_where_they_were() {
    let world = World::new();
    let before = all(&world.broker);
    world.broker.run(&["consume", "t", "--group", "g", "--from", "beginning", "--count", "5"]).ok();
    let said = output(world.backup("one", &[])).ok();
    assert!(said.contains("every batch is good") && said.contains("2 topics"), "{said}");
    world.broker.run_with(&["produce", "t"], b"later\n").ok();
    assert!(run(&["backup", "verify", text(&world.path("one"))]).ok().contains("all as written"));
    let said =
        run(&["import", "--from", text(&world.path("one")), "--to", text(&world.path("two"))]).failed(1);
    assert!(said.contains("is a backup") && said.contains("pagewire restore --from"), "{said}");
    let dir = tempfile::tempdir().unwrap();
    let said = restore(&world.path("one"), &dir.path().join("data")).ok();
    assert!(said.contains("pagewire serve --data-dir"), "{said}");
    let again = serve(dir);
    assert_eq!(all(&again), before);
    let group = again.run(&["group", "describe", "g", "-o", "json"]).ok();
    let group: serde_json::Value = serde_json::from_str(&group).unwrap();
    assert_eq!(group[0]["offsets"][0]["committed"], 5, "{group}");
}

#[test]
fn a_stopped_broker_and_one_that_was_killed_have_their_backup_too() {
    let World { broker, place } = World::new();
    let before = all(&broker);
    broker.signal("TERM");
    let (_, dir) = broker.wait();
    let (data, one) = (dir.path().join("data"), place.path().join("one"));
    output(backup(&data, &one, &[])).ok();
    let broker = serve(dir);
    broker.signal("KILL");
    let (_, dir) = broker.wait();
    // Its socket is still there.
    assert!(dir.path().join("data/control.sock").exists());
    let two = place.path().join("two");
    output(backup(&dir.path().join("data"), &two, &[])).ok();
    assert_eq!(all(&serve(dir)), before);
    for from in [one, two] {
        let dir = tempfile::tempdir().unwrap();
        restore(&from, &dir.path().join("data")).ok();
        assert_eq!(all(&serve(dir)), before);
    }
}

#[test]
fn a_second_backup_links_what_did_not_change() {
    let world = World::new();
    let bytes = |run: Run, key: &str| -> u64 {
        let summary: serde_json::Value = serde_json::from_str(&run.ok()).unwrap();
        summary[key].as_u64().unwrap()
    };
    let first = bytes(output(world.backup("one", &["-o", "json"])), "bytes");
    world.broker.run_with(&["produce", "t"], b"more\n").ok();
    let base = world.path("one");
    let options = ["--base", text(&base), "-o", "json", "--copy"];
    let earlier = bytes(output(world.backup("two", &options)), "earlier_bytes");
    assert!(earlier > 4000 && earlier < first, "{earlier} of {first}");
    run(&["backup", "verify", text(&world.path("two"))]).ok();
    let missing = output(world.backup("three", &["--base", "/nowhere"])).failed(1);
    assert!(missing.contains("/nowhere holds no backup (there is no such directory)"), "{missing}");
}

fn first_segment(data: &Path) -> PathBuf {
    data.join("t-0/00000000000000000000.log")
}

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[100] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

/// 3: done, but somebody should look.
#[test]
fn damage_is_told_by_words_and_exit_code_all_the_way() {
    let world = World::new();
    flip(&first_segment(&world.data()));
    let place = "t-0/00000000000000000000.log: ";
    let one = world.path("one");
    let made = output(world.backup("one", &[]));
    assert_eq!(made.code, Some(3), "{made:?}");
    assert!(made.out.contains(place) && made.err.contains("damaged in one place"), "{made:?}");
    let cluster = world.broker.run(&["cluster"]).ok();
    assert!(cluster.contains("t-0 is damaged at offsets 0 to"), "{cluster}");
    let cluster: serde_json::Value =
        serde_json::from_str(&world.broker.run(&["cluster", "-o", "json"]).ok()).unwrap();
    let state = &cluster["states"][0];
    assert_eq!(
        (&state["damage"]["stretches"], &state["metrics"]["pagewire_damaged_stretches"]),
        (&1.into(), &1.into())
    );
    let verified = run(&["backup", "verify", text(&one)]);
    assert!(verified.code == Some(3) && verified.out.contains(place), "{verified:?}");
    let dir = tempfile::tempdir().unwrap();
    let restored = restore(&one, &dir.path().join("data"));
    assert!(restored.code == Some(3) && restored.out.contains(place), "{restored:?}");
    let again = serve(dir);
    let end = again.run(&["consume", "t", "--from", "beginning"]);
    assert!(end.code != Some(0) && !end.out.contains("record 0 "), "what is damaged is not served: {end:?}");
    assert!(again.run(&["cluster"]).ok().contains("t-0 is damaged at offsets 0 to"), "known from the start");
}

#[test]
fn a_backup_that_went_bad_names_every_file_and_gives_what_it_can() {
    let world = World::new();
    let before = all(&world.broker);
    // No link to the broker's own files, which are changed in place here.
    output(world.backup("one", &["--copy"])).ok();
    let one = world.path("one");
    let last = std::fs::read_dir(one.join("t-0")).unwrap().map(|entry| entry.unwrap().path());
    let last = last.filter(|path| path.extension().is_some_and(|kind| kind == "log")).max().unwrap();
    // A leader epoch, which no batch's own sum covers.
    let mut bytes = std::fs::read(&last).unwrap();
    bytes[15] ^= 1;
    std::fs::write(&last, bytes).unwrap();
    std::fs::remove_file(one.join("t-0/00000000000000000000.index")).unwrap();
    let names = [last.file_name().unwrap().to_str().unwrap(), "t-0/00000000000000000000.index"];
    let said = run(&["backup", "verify", text(&one)]);
    assert!(said.code == Some(1) && said.err.contains("2 files are not what was copied"), "{said:?}");
    assert!(names.iter().all(|name| said.out.contains(name)), "{said:?}");
    let verified = run(&["backup", "verify", text(&one), "-o", "json"]);
    let json: serde_json::Value = serde_json::from_str(&verified.out).unwrap();
    assert_eq!((verified.code, &json["damage"]["altered_files"]), (Some(1), &2.into()));
    let not = world.path("not");
    let refused = restore(&one, &not).failed(1);
    let [verify, accept] = [
        format!("`pagewire backup verify {}`", text(&one)),
        format!("`pagewire restore --accept-damage --from {} --to {}`", text(&one), text(&not)),
    ];
    assert!(refused.contains(&verify) && refused.contains(&accept), "{refused}");
    assert!(!not.exists(), "a restore that fails leaves nothing");
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let made = run(&["restore", "--from", text(&one), "--to", text(&data), "--accept-damage"]);
    assert!(made.code == Some(3) && made.err.contains("2 files are not what was copied"), "{made:?}");
    assert!(made.out.contains("taken as it is") && made.out.contains("left out"), "{made:?}");
    assert_eq!(all(&serve(dir)), before);
}

#[test]
fn a_restore_that_is_ended_or_killed_leaves_nothing_that_is_served() {
    let world = World::new();
    output(world.backup("one", &[])).ok();
    for (signal, code) in [("INT", Some(130)), ("TERM", Some(130)), ("KILL", None)] {
        let to = world.path(signal);
        let mut command = pagewire();
        command.args(["restore", "--rate", "1", "--from", text(&world.path("one")), "--to", text(&to)]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        eventually("the restore begins", || to.join("restore.unfinished").exists());
        common::signal(&child, signal);
        assert_eq!(wait(&mut child), code, "{signal}");
        if code.is_some() {
            assert!(!to.exists(), "{signal}: it takes away what it made");
            continue;
        }
        let said = run(&["serve", "--listen", "127.0.0.1:0", "--data-dir", text(&to)]).failed(1);
        assert!(said.contains("restore"), "{said}");
        assert!(restore(&world.path("one"), &to).failed(1).contains("remove it first"));
    }
}

#[test]
fn a_backup_of_a_stopped_broker_finds_all_of_its_directories_or_says_which_it_misses() {
    let (dir, place) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (a, b) = (dir.path().join("data"), dir.path().join("b"));
    let mut command = pagewire();
    command.args(["serve", "--listen", "127.0.0.1:0", "--log-level", "warn", "--set"]);
    command.arg(format!("log.dirs={},{}", a.display(), b.display()));
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let ready = lines.next().unwrap().unwrap();
    let address = ready.strip_prefix("ready on ").unwrap();
    let made = run(&["topic", "create", "t", "--partitions", "4", "--bootstrap-server", address]);
    common::signal(&child, "TERM");
    assert_eq!(wait(&mut child), Some(0));
    made.ok();
    let found = output(backup(&a, &place.path().join("one"), &[])).ok();
    assert!(found.contains("1 topic, 4 logs"), "{found}");
    let moved = dir.path().join("moved");
    std::fs::rename(&b, &moved).unwrap();
    let said = output(backup(&a, &place.path().join("none"), &[])).failed(1);
    assert!(said.contains(text(&b)) && said.contains("not mounted") && said.contains("--from DIR"), "{said}");
    assert!(
        !place.path().join("none").exists() && a.join(".kafka_cleanshutdown").exists(),
        "nothing was changed"
    );
    output(backup(&a, &place.path().join("two"), &["--from", text(&moved)])).ok();
    let to = [place.path().join("x"), place.path().join("y")];
    let said = run(&[
        "restore",
        "--from",
        text(&place.path().join("two")),
        "--to",
        text(&to[0]),
        "--to",
        text(&to[1]),
    ]);
    assert!(said.ok().contains("log.dirs="));
    assert!(to[0].join("metadata.redb").exists() && to[1].join("t-3").exists() | to[1].join("t-1").exists());
}

/// Restores, and serves what came of it.
fn served_again(from: &Path, code: i32) -> (Run, Broker) {
    let dir = tempfile::tempdir().unwrap();
    let restored = restore(from, &dir.path().join("data"));
    assert_eq!(restored.code, Some(code), "{restored:?}");
    (restored, serve(dir))
}

#[test]
fn topics_that_are_left_out_are_named_each_time_and_the_others_come_back() {
    let world = World::new();
    for topic in ["u", "v"] {
        world.broker.run(&["topic", "create", topic]).ok();
        world.broker.run_with(&["produce", topic], b"left out\n").ok();
    }
    let before = all(&world.broker);
    let said = output(world.backup("one", &["--exclude", "u", "--exclude", "v"])).ok();
    assert!(["u: left out", "v: left out"].iter().all(|told| said.contains(told)), "{said}");
    let one = world.path("one");
    assert!(run(&["backup", "verify", text(&one)]).ok().contains("u: left out, not in the backup"));
    let json = run(&["backup", "verify", text(&one), "-o", "json"]).ok();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["lacks"]["excluded"], serde_json::json!(["u", "v"]), "{json}");
    let (restored, again) = served_again(&one, 0);
    assert!(restored.out.contains("v: left out"), "{restored:?}");
    assert_eq!(all(&again), before);
    let topics = again.run(&["topic", "list", "-o", "json"]).ok();
    assert!(!topics.contains("\"u\"") && topics.contains("\"t\""), "{topics}");
}

#[test]
fn a_partition_that_cannot_be_read_is_left_out_only_where_that_is_allowed_and_ends_with_3() {
    let World { broker, place } = World::new();
    broker.run(&["topic", "create", "u"]).ok();
    broker.run_with(&["produce", "u"], b"lost\n").ok();
    let before = all(&broker);
    broker.signal("TERM");
    let (_, dir) = broker.wait();
    let data = dir.path().join("data");
    std::fs::remove_dir_all(data.join("u-0")).unwrap();
    let broker = serve(dir);
    let [none, one] = ["none", "one"].map(|name| place.path().join(name));
    let refused = output(backup(&data, &none, &[])).failed(1);
    assert!(refused.contains("u-0") && !none.exists(), "{refused}");
    let made = output(backup(&data, &one, &["--allow-missing"]));
    assert_eq!(made.code, Some(3), "{made:?}");
    assert!(made.out.contains("not in the backup: u-0: "), "{made:?}");
    assert!(made.err.contains("1 partition is not in the backup"), "{made:?}");
    let verified = run(&["backup", "verify", text(&one)]);
    assert!(verified.code == Some(3) && verified.out.contains("not in the backup: u-0: "), "{verified:?}");
    drop(broker);
    let (restored, again) = served_again(&one, 3);
    assert!(restored.out.contains("what is not in the backup begins anew"), "{restored:?}");
    assert_eq!(all(&again), before);
    again.run_with(&["produce", "u"], b"anew\n").ok();
    assert_eq!(again.run(&["consume", "u"]).ok(), "anew\n");
}

#[test]
fn metadata_that_were_removed_under_the_broker_come_back_from_its_backup() {
    let World { broker, place } = World::new();
    let before = all(&broker);
    let data = broker.dir.path().join("data");
    let metadata = data.join("metadata.redb");
    let trouble = || {
        let told: serde_json::Value =
            serde_json::from_str(&broker.run(&["cluster", "-o", "json"]).ok()).unwrap();
        told["states"][0]["metadata_trouble"].as_str().map(str::to_owned)
    };
    assert_eq!(trouble(), None);
    std::fs::remove_file(&metadata).unwrap();
    let refused = broker.run(&["topic", "create", "late"]).failed(1);
    assert!(refused.contains("pagewire backup"), "{refused}");
    assert!(trouble().is_some_and(|why| why.contains("was removed or replaced")), "{:?}", trouble());
    let said = broker.run(&["cluster"]).ok();
    assert!(said.contains("topics, settings and producer ids cannot be changed (as of 2"), "{said}");
    assert!(said.contains("Z): "), "{said}");
    let one = place.path().join("one");
    output(backup(&data, &one, &[])).ok();
    broker.signal("TERM");
    let (_, dir) = broker.wait();
    std::fs::copy(one.join("metadata.redb"), &metadata).unwrap();
    let again = serve(dir);
    assert_eq!(all(&again), before);
    again.run(&["topic", "create", "late"]).ok();
}

#[test]
fn the_first_start_after_a_restore_tells_of_no_kill() {
    let world = World::new();
    output(world.backup("one", &[])).ok();
    let (_, again) = served_again(&world.path("one"), 0);
    eventually("it says so", || again.told_times("the first start after a restore") == 1);
    assert_eq!(again.told_times("the last stop was not in order"), 0, "{}", again.told());
}

/// A backup that takes for ever.
fn slow(world: &World) -> Child {
    let mut command = world.backup("one", &["--rate", "1"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mark = world.path("one").join("backup.unfinished");
    eventually("the backup begins", || mark.exists());
    child
}

fn is_unfinished(world: &World) {
    let one = world.path("one");
    for said in [
        run(&["backup", "verify", text(&one)]).failed(1),
        restore(&one, &world.path("data")).failed(1),
        output(world.backup("two", &["--base", text(&one)])).failed(1),
    ] {
        assert!(said.contains("unfinished backup"), "{said}");
    }
    assert!(output(world.backup("one", &[])).failed(1).contains("remove it first"));
    let said = run(&["serve", "--listen", "127.0.0.1:0", "--data-dir", text(&one)]).failed(1);
    assert!(said.contains("pagewire restore"), "{said}");
}

#[test]
fn ctrl_c_ends_it_on_both_sides_and_leaves_something_unfinished() {
    let world = World::new();
    let mut child = slow(&world);
    common::signal(&child, "INT");
    assert_eq!(wait(&mut child), Some(130));
    eventually("the broker has ended it", || {
        let said = output(world.backup("other", &["--no-verify"]));
        said.code == Some(0) || !said.err.contains("already")
    });
    is_unfinished(&world);
}

#[test]
fn a_broker_that_says_nothing_is_told_to_be_waited_for() {
    let world = World::new();
    world.broker.signal("STOP");
    let mut child = world.backup("b", &[]).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut said).unwrap();
    world.broker.signal("CONT");
    assert!(said.contains("the broker has said nothing for 5 s"), "{said}");
    assert_eq!(wait(&mut child), Some(0));
}

#[test]
fn a_broker_that_is_killed_meanwhile_leaves_something_unfinished() {
    let mut world = World::new();
    let before = all(&world.broker);
    let mut child = slow(&world);
    world.broker.signal("KILL");
    assert_eq!(wait(&mut child), Some(1));
    let (_, dir) = world.broker.wait();
    world.broker = serve(dir);
    is_unfinished(&world);
    output(world.backup("another", &[])).ok();
    assert_eq!(all(&world.broker), before);
}

#[test]
fn a_place_that_is_full_is_named_and_the_data_are_as_they_were() {
    let World { broker, place } = World::new();
    broker.signal("TERM");
    let (_, dir) = broker.wait();
    let (data, small) = (dir.path().join("data"), place.path().join("small"));
    std::fs::create_dir(&small).unwrap();
    let script =
        "mount -t tmpfs -o size=32k none \"$1\" || exit 77; \"$2\" backup --from \"$3\" --to \"$1/b\"";
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", script, "-"]).arg(&small).arg(env!("CARGO_BIN_EXE_pagewire")).arg(&data);
    let said = match command.output() {
        Ok(output) if output.status.code() == Some(1) => String::from_utf8_lossy(&output.stderr).into_owned(),
        found => return eprintln!("no file system can be mounted here: {found:?}"),
    };
    assert!(said.contains("small/b/") && said.contains("No space left"), "{said}");
    output(backup(&data, &place.path().join("one"), &[])).ok();
    assert_eq!(all(&serve(dir)).lines().count(), all_lines());
}

/// Lines that [`World::new`] produces: those that its pieces cut count twice.
fn all_lines() -> usize {
    records().as_bytes().chunks(1000).map(|piece| String::from_utf8_lossy(piece).lines().count()).sum()
}

#[test]
fn a_data_directory_with_a_long_name_is_spoken_to_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("x".repeat(150));
    let mut child = pagewire()
        .args(["serve", "--listen", "127.0.0.1:0", "--log-level", "warn", "--data-dir"])
        .arg(&data)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    assert!(lines.next().unwrap().unwrap().starts_with("ready"));
    let made = output(backup(&data, &dir.path().join("backup"), &[]));
    common::signal(&child, "TERM");
    assert_eq!(wait(&mut child), Some(0));
    made.ok();
}

#[test]
fn what_is_no_data_is_said_to_be_none() {
    let place = tempfile::tempdir().unwrap();
    let (none, one) = (place.path().join("none"), place.path().join("one"));
    let said = output(backup(&none, &one, &[])).failed(1);
    assert!(said.contains("holds no data of a broker"), "{said}");
    assert!(!none.exists() && !one.exists());
    assert!(restore(&none, &one).failed(1).contains("holds no backup (there is no such directory)"));
    let empty = tempfile::tempdir().unwrap();
    let said = run(&["backup", "verify", text(empty.path())]).failed(1);
    assert!(said.contains("holds no backup (there is no backup.json in it)"), "{said}");
    let file = empty.path().join("file");
    std::fs::write(&file, b"x").unwrap();
    for said in
        [output(backup(&file, &one, &[])), restore(&file, &one), run(&["backup", "verify", text(&file)])]
    {
        let said = said.failed(1);
        assert!(said.contains("(it is no directory): name "), "{said}");
    }
    assert!(!one.exists());
}

#[test]
fn a_data_directory_without_its_metadata_is_told_from_one_without_data() {
    let World { broker, place } = World::new();
    broker.signal("TERM");
    let (_, dir) = broker.wait();
    let (data, one) = (dir.path().join("data"), place.path().join("one"));
    std::fs::remove_file(data.join("metadata.redb")).unwrap();
    let said = output(backup(&data, &one, &[])).failed(1);
    assert!(said.contains("its metadata.redb is gone") && said.contains("Put the file back"), "{said}");
    let said = output(backup(&data.join("t-0"), &one, &[])).failed(1);
    assert!(said.contains("no data of a broker") && said.contains("--from DIR"), "{said}");
    assert!(!one.exists());
}
