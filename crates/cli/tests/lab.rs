//! The lab on the real binary: what it prints for programs, and that it leaves nothing behind.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod common;

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use common::{Run, lines, pagewire, run, signal, wait};
use serde_json::Value;

const DIR: &str = env!("CARGO_TARGET_TMPDIR");

/// A small matrix with these options besides.
fn routes(options: &[&str]) -> Vec<Value> {
    let small = ["lab", "routes", "--rounds", "2", "--mib", "1", "--file-dir", DIR, "-o", "json"];
    lines(&run(&[&small, options].concat()).ok())
}

/// One round of it, hot, with these options besides.
fn once(options: &[&str]) -> Run {
    let small = ["lab", "routes", "--rounds", "1", "--mib", "1", "--file-dir", DIR, "--residency", "hot"];
    run(&[&small, options].concat())
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
    let table =
        once(&["--link", "loopback", "--size", "64KiB", "--receiver", "drain", "--route", "copy,sendfile"])
            .ok();
    assert!(table.contains("Cheapest, here: loopback, hot, drain (COPIES in brackets"), "{table}");
    let header = table.lines().find(|line| line.contains("MB/s")).unwrap();
    assert!(header.contains("CPU s/GB"), "{header}");
}

#[test]
fn of_several_settings_the_cheapest_of_all_stands_in_one_table_first() {
    let table = once(&["--link", "loopback", "--size", "4KiB,64KiB", "--route", "copy,sendfile"]).ok();
    let header = table.lines().position(|line| line.starts_with("SETTING")).unwrap();
    let rows: Vec<&str> = table.lines().skip(header + 1).take_while(|line| !line.is_empty()).collect();
    assert_eq!(rows.len(), 2, "{table}");
    assert!(rows[0].starts_with("loopback, hot, drain") && rows[1].starts_with("loopback, hot, read"));
    assert!(rows.iter().all(|row| row.contains("copy") || row.contains("sendfile")), "{table}");
    assert!(header < table.lines().position(|line| line.contains("CPU s/GB")).unwrap(), "{table}");
}

#[test]
fn what_chooses_by_length_is_said_to_copy_only_where_it_chose_to() {
    let cells = routes(&[
        "--route",
        "auto,transfer-to",
        "--size",
        "1KiB,256KiB",
        "--link",
        "loopback",
        "--residency",
        "hot",
    ]);
    assert_eq!(cells.iter().filter(|cell| cell["route"] == "transfer-to").count(), 2 * 2, "sizes, receivers");
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
    let output = once(&["--size", "64KiB", "--receiver", "drain", "--route", "sendfile", "-o", "json"]);
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
    assert!(
        copy["how"].as_str().unwrap().starts_with("path"),
        "nobody sees the copy into its buffer: {copy}"
    );
    for line in ["zerocopy", "uring"].map(route) {
        let word = &line["kernel_word"];
        assert!(line["available"] == false || word["completions"].as_u64().unwrap() > 0, "{line}");
    }
    for line in proof.iter().filter(|line| line["available"] == false) {
        assert!(!line["why"].as_str().unwrap().is_empty(), "{line}");
    }
    for line in &proof {
        assert!(!line["machine"]["kernel"].as_str().unwrap().is_empty(), "{line}");
    }
    let page = std::fs::read_to_string(report.join("index.html")).unwrap();
    assert!(page.contains("lab proof") && page.contains(proof[0]["machine"]["kernel"].as_str().unwrap()));
    claims_are_decided_alike_everywhere(&proof);
}

/// What does not hang on the machine's speed is the same on each.
fn claims_are_decided_alike_everywhere(proof: &[Value]) {
    let claims: Vec<&Value> = proof.iter().filter(|line| line.get("claim").is_some()).collect();
    let about = |words: &str| {
        let found = claims.iter().find(|claim| claim["claim"].as_str().unwrap().contains(words));
        *found.unwrap_or_else(|| panic!("no claim says {words}"))
    };
    for claim in &claims {
        let (holds, evidence) = (&claim["holds"], claim["evidence"].as_str().unwrap());
        assert!(holds.is_null() || !evidence.starts_with("could not be tried"), "{claim}");
    }
    for (words, holds) in [
        ("sendfile crosses the border twice and copies nothing", true),
        ("splice copies nothing either", true),
        ("each system call is a context switch", false),
        ("transferFrom puts what arrives into a file without a copy", false),
        ("a mapped file that shrinks kills", false),
        ("epoll uses shared memory", false),
    ] {
        assert_eq!(about(words)["holds"], holds, "{}", about(words));
    }
    assert!(about("epoll")["evidence"].as_str().unwrap().contains("ENODEV"));
    assert_eq!(about("MappedByteBuffer")["figures"]["rounds_read_back"], 9.0);
    // What may be seen by root only, needs a disk or a kernel's report is decided so, or open.
    let (undecided, copies) = (Value::Null, about("read and send"));
    for (words, holds) in [
        ("read and send crosses the border four times", true),
        ("mmap and send saves one copy", true),
        ("without scatter-gather", true),
        ("MSG_ZEROCOPY does not copy", false),
        ("O_DIRECT is zero-copy to the network", false),
        ("sendfile bypasses the page cache", false),
    ] {
        let found = &about(words)["holds"];
        assert!(*found == holds || *found == undecided, "{}", about(words));
    }
    // The second copy is claimed only where the pages of that very loop were seen.
    assert_eq!(copies["holds"].is_null(), copies["figures"].get("allocated_per_byte").is_none(), "{copies}");
    if about("need not wait")["holds"].is_null() {
        eprintln!("the CPU beside the disk: {}", about("need not wait")["evidence"]);
    }
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
