//! `pagewire serve` as its users meet it: how it starts, where its settings come from, and how it ends.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use pagewire_wire::messages::describe_cluster_request::DescribeClusterRequest;
use pagewire_wire::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use rustix::process::{Pid, Signal, kill_process};

use super::{Cases, Context};
use crate::harness::commands::{Ran, run};
use crate::harness::raw::{Raw, text};
use crate::harness::{Broker, STOP_LIMIT};

const BROKER_RESOURCE: i8 = 4;

/// The part.
pub fn serve(context: &Context<'_>, cases: &Cases<'_>) {
    let binary = context.binary.as_path();
    cases.run("it_stops_cleanly_on_sigterm_and_ctrl_c", || stops(binary));
    cases.run("it_stops_with_clients_connected", || stops_with_clients(binary));
    cases.run("a_directory_in_use_is_an_error", || directory_in_use(binary));
    cases.run("a_port_in_use_is_an_error", || port_in_use(binary));
    cases.run("a_directory_it_cannot_make_is_an_error", || directory_that_is_a_file(binary));
    cases.run("settings_from_file_environment_and_flags", || settings(binary));
    cases.run("kafkas_own_properties_are_accepted", || kafkas_properties(binary));
    cases.run("a_misspelt_setting_is_an_error_with_a_hint", || misspelt(binary));
    cases.run("node_id_is_honoured", || node_id(binary));
    cases.run("json_logs_are_json", || json_logs(binary));
}

/// `serve` with these arguments that must end by itself, with code 1 and a reason.
fn refused(binary: &Path, arguments: &[&str], reason: &str) -> Result<Ran> {
    let ran = run(Command::new(binary).arg("serve").args(arguments), "")?;
    ensure!(ran.code == 1, "{arguments:?} ended with {}: {}", ran.code, ran.err);
    ensure!(ran.err.to_lowercase().contains(reason), "{arguments:?} said: {}", ran.err);
    ensure!(!ran.out.contains("ready"), "it said that it is ready");
    Ok(ran)
}

fn signalled(child: &mut Child, signal: Signal) -> Result<()> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("no process id")?;
    kill_process(pid, signal)?;
    let deadline = Instant::now() + STOP_LIMIT;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    ensure!(status.success(), "{signal:?} ended it with {status}");
    Ok(())
}

fn stops(binary: &Path) -> Result<()> {
    for signal in [Signal::TERM, Signal::INT] {
        let folder = tempfile::tempdir()?;
        let mut child = Command::new(binary)
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(folder.path().join("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("no standard output")?;
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line)?;
        let address =
            line.strip_prefix("ready on ").with_context(|| format!("its first line is {line:?}"))?;
        Raw::connect(address.trim())?.call(&DescribeClusterRequest::default(), 0)?;
        signalled(&mut child, signal)?;
    }
    Ok(())
}

fn stops_with_clients(binary: &Path) -> Result<()> {
    let mut broker = Broker::start(binary, &[])?;
    let mut client = Raw::connect(broker.address())?;
    client.create_topic("waited-for", 1, &[])?;
    let mut waiting = Vec::new();
    for _ in 0..20 {
        let mut client = Raw::connect(broker.address())?;
        let mut request = crate::harness::raw::fetch_request("waited-for", 0, 0, 1 << 20);
        request.max_wait_ms = 600_000;
        client.send(&request, crate::harness::raw::FETCH)?;
        waiting.push(client);
    }
    let status = broker.stop()?;
    ensure!(status.success(), "SIGTERM ended it with {status}");
    Ok(())
}

fn directory_in_use(binary: &Path) -> Result<()> {
    let broker = Broker::start(binary, &[])?;
    let data = broker.data_dir();
    refused(binary, &["--listen", "127.0.0.1:0", "--data-dir", &data.to_string_lossy()], "in use")?;
    Raw::connect(broker.address())?.call(&DescribeClusterRequest::default(), 0)?;
    Ok(())
}

fn port_in_use(binary: &Path) -> Result<()> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let folder = tempfile::tempdir()?;
    let (address, data) = (taken.local_addr()?.to_string(), folder.path().join("data"));
    let ran = refused(binary, &["--listen", &address, "--data-dir", &data.to_string_lossy()], "in use")?;
    ensure!(ran.err.contains(&address), "it does not name the address: {}", ran.err);
    Ok(())
}

fn directory_that_is_a_file(binary: &Path) -> Result<()> {
    let file = tempfile::NamedTempFile::new()?;
    let inside = file.path().join("data").to_string_lossy().into_owned();
    let ran = refused(binary, &["--listen", "127.0.0.1:0", "--data-dir", &inside], "")?;
    ensure!(ran.err.contains(&inside), "it does not name the directory: {}", ran.err);
    Ok(())
}

/// One value of the broker's settings.
fn setting(broker: &Broker, name: &str) -> Result<String> {
    let mut client = Raw::connect(broker.address())?;
    let node = client.call(&DescribeClusterRequest::default(), 0)?.controller_id;
    let resource = DescribeConfigsResource {
        resource_type: BROKER_RESOURCE,
        resource_name: text(&node.to_string()),
        configuration_keys: Some(vec![text(name)]),
    };
    let request = DescribeConfigsRequest { resources: vec![resource], ..DescribeConfigsRequest::default() };
    let answer = client.call(&request, 4)?;
    let config = answer.results.first().and_then(|result| result.configs.first());
    let value =
        config.and_then(|config| config.value.clone()).with_context(|| format!("{name} is not described"))?;
    Ok(value.as_str().to_owned())
}

fn settings(binary: &Path) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("server.properties");
    fs::write(
        &file,
        "log.segment.bytes=2000000\nnum.partitions=2\nlog.retention.hours=48\nmessage.max.bytes=500000\n",
    )?;
    let file = file.to_string_lossy().into_owned();
    let mut broker = Broker::start(binary, &["num.partitions=7"])?;
    broker.kill();
    broker.serve_with(
        &["--config", &file],
        &[("PAGEWIRE_LOG_SEGMENT_BYTES", "3000000"), ("PAGEWIRE_NUM_PARTITIONS", "5")],
    );
    broker.start_again()?;
    for (name, expected, origin) in [
        ("message.max.bytes", "500000", "the file"),
        ("log.segment.bytes", "3000000", "the environment over the file"),
        ("num.partitions", "7", "the flag over both"),
    ] {
        let found = setting(&broker, name)?;
        ensure!(found == expected, "{name} is {found}, not {expected} of {origin}");
    }
    Ok(())
}

/// The settings that Kafka's own config/server.properties sets, but for the addresses and the directory.
const KAFKAS: &str = "\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600
num.partitions=1
num.recovery.threads.per.data.dir=2
offsets.topic.replication.factor=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
#log.flush.interval.messages=10000
log.retention.hours=168
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000
";

fn kafkas_properties(binary: &Path) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("server.properties");
    fs::write(&file, KAFKAS)?;
    let file = file.to_string_lossy().into_owned();
    let mut broker = Broker::start(binary, &[])?;
    broker.kill();
    broker.serve_with(&["--config", &file], &[]);
    broker.start_again()?;
    ensure!(setting(&broker, "socket.send.buffer.bytes")? == "102400", "the file was not read");
    Ok(())
}

fn misspelt(binary: &Path) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data").to_string_lossy().into_owned();
    let arguments =
        ["serve", "--listen", "127.0.0.1:0", "--data-dir", &data, "--set", "log.retention.hour=1"];
    let ran = run(Command::new(binary).args(arguments), "")?;
    ensure!(ran.code == 1 || ran.code == 2, "it ended with {}", ran.code);
    ensure!(ran.err.contains("log.retention.hours"), "it does not name the nearest setting: {}", ran.err);
    Ok(())
}

fn node_id(binary: &Path) -> Result<()> {
    for id in [0, 41] {
        let broker = Broker::start(binary, &[&format!("node.id={id}")])?;
        let cluster = Raw::connect(broker.address())?.call(&DescribeClusterRequest::default(), 0)?;
        ensure!(cluster.controller_id == id, "the controller is {}, not {id}", cluster.controller_id);
        ensure!(cluster.brokers.iter().map(|b| b.broker_id).eq([id]), "the nodes are {:?}", cluster.brokers);
    }
    Ok(())
}

fn json_logs(binary: &Path) -> Result<()> {
    let mut broker = Broker::start(binary, &[])?;
    broker.kill();
    broker.serve_with(&["--log-format", "json"], &[]);
    broker.clear_log()?;
    broker.start_again()?;
    broker.stop()?;
    let log = broker.log()?;
    ensure!(!log.trim().is_empty(), "nothing was logged");
    for line in log.lines() {
        serde_json::from_str::<serde_json::Value>(line).with_context(|| format!("not JSON: {line}"))?;
    }
    Ok(())
}
