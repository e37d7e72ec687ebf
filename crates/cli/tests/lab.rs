//! The lab on the real binary: what it prints for programs, and that it leaves nothing behind.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod common;

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use common::{pagewire, run, signal, wait};
use serde_json::Value;

const DIR: &str = env!("CARGO_TARGET_TMPDIR");

fn lines(out: &str) -> Vec<Value> {
    out.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// A small matrix with these options besides.
fn routes(options: &[&str]) -> Vec<Value> {
    let small = ["lab", "routes", "--rounds", "2", "--mib", "1", "--file-dir", DIR, "-o", "json"];
    lines(&run(&[&small, options].concat()).ok())
}

#[test]
fn every_cell_has_the_fields_that_programs_read() {
    let cells = routes(&[
        "--route",
        "copy,sendfile,sendfile-bare",
        "--size",
        "4KiB,256KiB",
        "--link",
        "loopback",
        "--residency",
        "hot",
    ]);
    assert_eq!(cells.len(), 3 * 2 * 2, "ways, sizes, receivers");
    for cell in &cells {
        for spread in ["cpu_s_per_gb", "system_cpu_s_per_gb", "mb_per_s", "cpu_us_per_response"] {
            let figure = |name: &str| cell[spread][name].as_f64().unwrap();
            assert!(
                0.0 < figure("min") && figure("min") <= figure("median") && figure("median") <= figure("max")
            );
        }
        assert!(cell["syscalls_per_mib"].as_f64().unwrap() > 0.0, "{cell}");
        assert!(["drain", "read"].contains(&cell["receiver"].as_str().unwrap()));
        assert_eq!((cell["link"].as_str(), cell["residency"].as_str()), (Some("loopback"), Some("hot")));
        assert!(!cell["machine"]["kernel"].as_str().unwrap().is_empty());
        let (copies, measured) = (cell["cpu_copies"].as_u64().unwrap(), cell["measured"].as_bool().unwrap());
        match cell["route"].as_str().unwrap() {
            "copy" => assert_eq!(copies, 2),
            _ => assert_eq!((copies, measured), (0, true), "{cell}"),
        }
        if cell["route"] == "sendfile-bare" {
            assert!((cell["x_bare"].as_f64().unwrap() - 1.0).abs() < 1e-9);
        }
    }
}

#[test]
fn a_table_names_the_cheapest_and_no_throughput_stands_without_its_cpu() {
    let table = run(&[
        "lab",
        "routes",
        "--rounds",
        "1",
        "--mib",
        "1",
        "--file-dir",
        DIR,
        "--link",
        "loopback",
        "--size",
        "64KiB",
        "--residency",
        "hot",
        "--receiver",
        "drain",
        "--route",
        "copy,sendfile",
    ])
    .ok();
    assert!(table.contains("Cheapest, here: loopback, hot, drain"), "{table}");
    let header = table.lines().find(|line| line.contains("MB/s")).unwrap();
    assert!(header.contains("CPU s/GB"), "{header}");
}

#[test]
fn of_several_settings_the_cheapest_of_all_stands_in_one_table_first() {
    let table = run(&[
        "lab",
        "routes",
        "--rounds",
        "1",
        "--mib",
        "1",
        "--file-dir",
        DIR,
        "--link",
        "loopback",
        "--size",
        "4KiB,64KiB",
        "--residency",
        "hot",
        "--route",
        "copy,sendfile",
    ])
    .ok();
    let header = table.lines().position(|line| line.starts_with("SETTING")).unwrap();
    let rows: Vec<&str> = table.lines().skip(header + 1).take_while(|line| !line.is_empty()).collect();
    assert_eq!(rows.len(), 2, "{table}");
    assert!(rows[0].starts_with("loopback, hot, drain") && rows[1].starts_with("loopback, hot, read"));
    assert!(rows.iter().all(|row| row.contains("copy") || row.contains("sendfile")), "{table}");
    assert!(header < table.lines().position(|line| line.contains("CPU s/GB")).unwrap(), "{table}");
}

#[test]
fn what_chooses_by_length_is_said_to_copy_only_where_it_chose_to() {
    let cells =
        routes(&["--route", "auto", "--size", "1KiB,256KiB", "--link", "loopback", "--residency", "hot"]);
    for cell in &cells {
        let copies = if cell["bytes"] == 1024 { 2 } else { 0 };
        assert_eq!(cell["cpu_copies"], copies, "{cell}");
    }
}

#[test]
fn what_was_measured_becomes_a_page_beside_the_printed_lines() {
    let dir = tempfile::tempdir_in(DIR).unwrap();
    let report = dir.path().join("report");
    let cells = routes(&[
        "--route",
        "copy",
        "--size",
        "64KiB",
        "--link",
        "loopback",
        "--residency",
        "hot",
        "--report",
        report.to_str().unwrap(),
    ]);
    let recorded = std::fs::read_to_string(report.join("routes.jsonl")).unwrap();
    assert_eq!(lines(&recorded), cells);
    assert!(std::fs::read_to_string(report.join("index.html")).unwrap().contains("copy"));
}

#[test]
fn a_link_that_cannot_be_had_is_told_and_the_others_are_measured() {
    let output = run(&[
        "lab",
        "routes",
        "--rounds",
        "1",
        "--mib",
        "1",
        "--file-dir",
        DIR,
        "--size",
        "64KiB",
        "--residency",
        "hot",
        "--receiver",
        "drain",
        "--route",
        "sendfile",
        "-o",
        "json",
    ]);
    let told = output.err.clone();
    let cells = lines(&output.ok());
    assert_eq!(cells[0]["link"], "loopback");
    for link in ["veth", "veth-nosg"] {
        let cell = cells.iter().find(|cell| cell["link"] == link);
        if let Some(cell) = cell {
            assert_eq!(cell["cpu_copies"], u64::from(link == "veth-nosg"), "{cell}");
        } else {
            eprintln!("{link} cannot be had here");
            assert!(told.lines().any(|line| line.starts_with(&format!("note: {link}"))), "{told}");
        }
    }
}

#[test]
fn sendfile_is_proved_not_to_copy_against_a_control_that_does() {
    let dir = tempfile::tempdir_in(DIR).unwrap();
    let report = dir.path().join("report");
    let to = report.to_str().unwrap();
    let proof = lines(&run(&["lab", "proof", "--file-dir", DIR, "-o", "json", "--report", to]).ok());
    assert_eq!(lines(&std::fs::read_to_string(report.join("proof.jsonl")).unwrap()), proof);
    let route = |name: &str| proof.iter().find(|line| line["route"] == name).unwrap();
    let sendfile = route("sendfile");
    assert_eq!(
        (&sendfile["available"], &sendfile["aliased"], &sendfile["control"], &sendfile["cpu_copies"]),
        (&true.into(), &1.0.into(), &0.0.into(), &0.into())
    );
    assert!(sendfile["how"].as_str().unwrap().starts_with("aliasing"));
    let copy = route("copy");
    assert_eq!((&copy["aliased"], &copy["cpu_copies"]), (&0.0.into(), &2.into()));
    for line in ["zerocopy", "uring"].map(route) {
        let word = &line["kernel_word"];
        assert!(line["available"] == false || word["completions"].as_u64().unwrap() > 0, "{line}");
    }
    for line in proof.iter().filter(|line| line["available"] == false) {
        assert!(!line["why"].as_str().unwrap().is_empty(), "{line}");
    }
    let claims: Vec<&Value> = proof.iter().filter(|line| line.get("claim").is_some()).collect();
    assert!(claims.len() >= 10 && claims.iter().all(|claim| !claim["evidence"].as_str().unwrap().is_empty()));
    let epoll = claims.iter().find(|claim| claim["claim"].as_str().unwrap().contains("epoll")).unwrap();
    assert_eq!(epoll["holds"], false);
    assert!(epoll["evidence"].as_str().unwrap().contains("ENODEV"));
}

#[test]
fn what_serve_reads_is_written_once_asked_for_and_not_before() {
    let dir = tempfile::tempdir_in(DIR).unwrap();
    let data = dir.path().join("data");
    let calibrate = |options: &[&str]| {
        let data = data.to_str().unwrap();
        let all = ["lab", "calibrate", "--rounds", "3", "--file-dir", DIR, "-o", "json", "--data-dir", data];
        lines(&run(&[&all, options].concat()).ok()).remove(0)
    };
    let shown = calibrate(&["--print"]);
    assert_eq!(shown["written"], false);
    assert!(!data.exists());
    std::fs::create_dir(&data).unwrap();
    let written = calibrate(&[]);
    let text = std::fs::read_to_string(written["file"].as_str().unwrap()).unwrap();
    assert!(text.ends_with(written["thresholds"].as_str().unwrap()), "{text}");
    assert_eq!(calibrate(&["--print"])["before"], written["thresholds"]);

    let mut serve = pagewire()
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--log-level",
            "info",
            "--data-dir",
            data.to_str().unwrap(),
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(serve.stderr.take().unwrap()).lines().map(Result::unwrap);
    let said = log.find(|line| line.contains("record bytes go by size")).unwrap();
    let rest = std::thread::spawn(move || log.for_each(drop));
    signal(&serve, "TERM");
    assert_eq!(wait(&mut serve), Some(0));
    rest.join().unwrap();
    let steps = written["thresholds"].as_str().unwrap().trim_end().replace('\n', ", ");
    assert!(said.contains("origin=Measured") && said.contains(&steps), "{said}");
}

/// Bytes that a worker has written so far. The receiver writes nothing but answers: two of a few words when it starts, and
/// one of about a hundred bytes after each measurement. The sender writes its file besides.
fn said_bytes(worker: &str) -> u64 {
    let io = std::fs::read_to_string(format!("/proc/{worker}/io")).unwrap_or_default();
    let written = io.lines().find_map(|line| line.strip_prefix("wchar: "));
    written.and_then(|bytes| bytes.parse().ok()).unwrap_or(0)
}

#[test]
fn stopped_it_prints_what_it_has_and_leaves_no_process() {
    const ROUNDS: u64 = 1000;
    let rounds = ROUNDS.to_string();
    let mut child = pagewire()
        .args(["lab", "routes", "--file-dir", DIR, "--rounds", &rounds, "--route", "copy", "--size", "1KiB"])
        .args(["--link", "loopback", "--residency", "hot", "--receiver", "drain", "-o", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let workers = format!("/proc/{0}/task/{0}/children", child.id());
    let mut started = String::new();
    common::eventually("both workers run", || {
        started = std::fs::read_to_string(&workers).unwrap_or_default();
        started.split_whitespace().count() == 2
    });
    common::eventually("several rounds are done", || {
        started.split_whitespace().all(|worker| said_bytes(worker) > 1000)
    });
    signal(&child, "INT");
    assert_eq!(wait(&mut child), Some(130));
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    let cells = lines(&out);
    assert_eq!(cells.len(), 1, "{out}");
    let rounds = cells[0]["rounds"].as_u64().unwrap();
    assert!((1..ROUNDS).contains(&rounds), "{rounds}");
    for worker in started.split_whitespace() {
        assert!(!std::path::Path::new("/proc").join(worker).exists(), "worker {worker} is still there");
    }
}

/// A run that is going to be stopped, whose words are kept.
fn spawned(args: &[&str]) -> Child {
    pagewire().args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Its two workers, once they run; fewer if it has ended by itself.
fn workers(child: &mut Child) -> Vec<String> {
    let list = format!("/proc/{0}/task/{0}/children", child.id());
    let mut workers = Vec::new();
    common::eventually("both workers run", || {
        let started = std::fs::read_to_string(&list).unwrap_or_default();
        workers = started.split_whitespace().map(str::to_owned).collect();
        workers.len() == 2 || child.try_wait().unwrap().is_some()
    });
    workers
}

/// Stops it: what it said, with its workers gone.
fn stopped(mut child: Child, workers: &[String]) -> (String, String) {
    signal(&child, "INT");
    assert_eq!(wait(&mut child), Some(130));
    for worker in workers {
        assert!(!Path::new("/proc").join(worker).exists(), "worker {worker} is still there");
    }
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    (out, err)
}

#[test]
fn stopped_while_its_file_is_written_it_ends_quietly() {
    let alone = ["--link", "loopback", "--route", "copy", "--residency", "hot", "--receiver", "drain"];
    let long = ["lab", "routes", "--file-dir", DIR, "--size", "512MiB", "--mib", "512", "-o", "json"];
    let mut child = spawned(&[&long[..], &alone].concat());
    let workers = workers(&mut child);
    common::eventually("the file is being written", || {
        workers.iter().any(|worker| said_bytes(worker) > 4 << 20)
    });
    assert_eq!(stopped(child, &workers), (String::new(), String::new()));
}

#[test]
fn calibrating_that_is_stopped_shows_its_figures_and_changes_nothing() {
    let dir = tempfile::tempdir_in(DIR).unwrap();
    let data = dir.path().to_str().unwrap();
    let mut child = spawned(&["lab", "calibrate", "--rounds", "1000", "--data-dir", data, "-o", "json"]);
    let workers = workers(&mut child);
    // A first round of 33 measurements finds how much to send, and some more.
    common::eventually("several measurements are made", || {
        workers.iter().all(|worker| said_bytes(worker) > 10_000)
    });
    let (out, err) = stopped(child, &workers);
    let found = lines(&out).remove(0);
    assert!(!found["costs"].as_array().unwrap().is_empty(), "{found}");
    assert!(found.get("thresholds").is_none() && found["written"] == false, "{found}");
    assert_eq!(err, "");
    assert_eq!(std::fs::read_dir(data).unwrap().count(), 0);
}

/// The network namespace of a process, as the kernel names it.
fn network_of(process: &str) -> Option<PathBuf> {
    std::fs::read_link(Path::new("/proc").join(process).join("ns/net")).ok()
}

/// Whether any process, or any mount, still has it.
fn is_there(network: &Path) -> bool {
    let processes =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let is_mounted =
        std::fs::read_to_string("/proc/self/mountinfo").unwrap().contains(network.to_str().unwrap());
    is_mounted || processes.into_iter().any(|process| network_of(&process).as_deref() == Some(network))
}

#[test]
fn a_run_over_virtual_interfaces_that_is_stopped_leaves_no_namespace() {
    let small = ["lab", "routes", "--file-dir", DIR, "--rounds", "1000", "--mib", "1", "--route", "copy"];
    let one =
        ["--size", "64KiB", "--link", "veth", "--residency", "hot", "--receiver", "drain", "-o", "json"];
    let mut child = spawned(&[&small[..], &one].concat());
    let mut workers = workers(&mut child);
    common::eventually("rounds are done, or it has ended", || {
        child.try_wait().unwrap().is_some() || workers.iter().all(|worker| said_bytes(worker) > 1000)
    });
    if child.try_wait().unwrap().is_some() {
        let output = common::Run::from(child.wait_with_output().unwrap());
        eprintln!("virtual interfaces cannot be had here: {}", output.err);
        assert!(output.code != Some(0) && output.out.is_empty() && !output.err.is_empty(), "{output:?}");
        return;
    }
    workers.sort();
    let networks: Vec<PathBuf> = workers.iter().map(|worker| network_of(worker).unwrap()).collect();
    let ours = network_of("self").unwrap();
    assert!(networks[0] != networks[1] && !networks.contains(&ours), "{networks:?}, ours {ours:?}");
    let (out, _) = stopped(child, &workers);
    assert_eq!(lines(&out).len(), 1, "{out}");
    assert!(networks.iter().all(|network| !is_there(network)), "{networks:?}");
    assert!(is_there(&ours), "whoever looks would have found it");
}

#[test]
fn what_the_whole_cpu_did_is_measured_where_the_kernel_counts_it() {
    let options = ["--route", "copy", "--size", "64KiB", "--link", "loopback", "--residency", "hot"];
    let sized = ["lab", "routes", "--file-dir", DIR, "--rounds", "9", "--receiver", "drain", "-o", "json"];
    let cell = lines(&run(&[&sized[..], &options].concat()).ok()).remove(0);
    let counts = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let cpu = cell["pinned_cpu"].as_u64().map(|cpu| format!("cpu{cpu} "));
    let is_counted = cpu.is_some_and(|cpu| counts.lines().any(|line| line.starts_with(&cpu)));
    assert_eq!(cell["system_how"], if is_counted { "cpu-busy" } else { "processes" }, "{cell}");
    assert!(cell["processes_cpu_s_per_gb"]["median"].as_f64().unwrap() > 0.0, "{cell}");
    assert!(cell["responses_per_round"].as_u64().unwrap() > 1, "sized by time: {cell}");
    // A round of a MiB is a part of a tick.
    let short = routes(&[&options[..], &["--receiver", "drain"]].concat()).remove(0);
    assert_eq!(short["system_how"], "processes", "{short}");
    assert_eq!(short["system_cpu_s_per_gb"], short["processes_cpu_s_per_gb"], "{short}");
}

#[test]
fn quick_is_six_sizes_hot_to_a_peer_that_discards_over_loopback() {
    let quick =
        ["lab", "routes", "--quick", "--rounds", "1", "--route", "copy", "--file-dir", DIR, "-o", "json"];
    let cells = lines(&run(&quick).ok());
    let sizes: Vec<u64> = cells.iter().map(|cell| cell["bytes"].as_u64().unwrap()).collect();
    assert_eq!(sizes, [1, 4, 16, 64, 256, 1024].map(|kib| kib << 10));
    for cell in &cells {
        let setting = [&cell["residency"], &cell["receiver"], &cell["link"]];
        assert_eq!(setting, ["hot", "drain", "loopback"], "{cell}");
    }
}

#[test]
fn a_cold_cell_says_how_that_is_known_and_has_a_test_of_aliasing_of_its_own() {
    let options = ["--route", "sendfile-bare", "--size", "4KiB,1MiB", "--receiver", "drain"];
    let small = ["lab", "routes", "--rounds", "1", "--mib", "1", "--link", "loopback", "--file-dir", DIR];
    let output = run(&[&small[..], &options, &["-o", "json"]].concat());
    let told = output.err.clone();
    let cells = lines(&output.ok());
    let of = |residency: &str| cells.iter().filter(|cell| cell["residency"] == residency).collect::<Vec<_>>();
    assert!(of("hot").iter().all(|cell| cell.get("cold_how").is_none()));
    if of("cold").is_empty() {
        eprintln!("nothing can be cold here");
        assert!(told.contains("loopback, cold"), "{told}");
    }
    for cell in of("cold") {
        assert!(["cachestat", "looks"].contains(&cell["cold_how"].as_str().unwrap()), "{cell}");
    }
    for cell in cells.iter().filter(|cell| cell["measured"] == true) {
        let tested = cell["bytes"].as_u64().unwrap().min(64 << 10);
        assert_eq!(cell["measured_bytes"], tested, "{cell}");
    }
}

#[test]
fn calibrating_says_what_is_in_force_and_that_a_setting_wins_over_what_it_writes() {
    let dir = tempfile::tempdir_in(DIR).unwrap();
    let (data, settings) = (dir.path().join("data"), dir.path().join("server.properties"));
    std::fs::create_dir(&data).unwrap();
    std::fs::write(&settings, "pagewire.transfer.thresholds=4096 copy, max splice\n").unwrap();
    let small = ["lab", "calibrate", "--rounds", "1", "--data-dir", data.to_str().unwrap()];
    let set = ["--config", settings.to_str().unwrap()];
    let page = lines(&run(&[&small[..], &set, &["-o", "json"]].concat()).ok()).remove(0);
    assert_eq!(page["before"], "4096 copy\nmax splice\n");
    assert_eq!((&page["before_from"], &page["overridden"]), (&"setting".into(), &true.into()));
    let table = run(&[&small[..], &set].concat()).ok();
    assert!(table.contains("the setting pagewire.transfer.thresholds wins over that file"), "{table}");
    // Without the setting it is what the last one wrote.
    let page = lines(&run(&[&small[..], &["--print", "-o", "json"]].concat()).ok()).remove(0);
    assert_eq!((&page["before_from"], &page["overridden"]), (&"measured".into(), &false.into()));
}

#[test]
fn what_makes_no_sense_is_wrong_usage() {
    for (line, hint) in [
        (&["lab", "routes", "--route", "pigeon"][..], "sendfile"),
        (&["lab", "routes", "--size", "big"], "KiB"),
        (&["lab", "routes", "--link", "wifi"], "loopback"),
        (&["lab", "routes", "--rounds", "0"], "0"),
        (&["lab", "routes", "--file-dir", "/nowhere/at/all"], "/nowhere/at/all"),
    ] {
        let said = run(line).failed(2);
        assert!(said.contains(hint), "{line:?}: {said}");
    }
}
