//! Both static file servers among the examples, asked as browsers and curl do.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const SERVERS: [&str; 2] = ["static_server", "static_server_blocking"];
const LIMIT: Duration = Duration::from_secs(30);

struct Server {
    child: Child,
    address: String,
}

impl Server {
    /// Starts an example on a free port.
    fn start(name: &str, folder: &Path) -> Self {
        let mut child = Command::new(example(name))
            .args([folder.as_os_str(), "127.0.0.1:0".as_ref()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
        let (_, address) = line.trim().rsplit_once("http://").expect("an address");
        Self { child, address: address.to_owned() }
    }

    fn connect(&self) -> BufReader<TcpStream> {
        let socket = TcpStream::connect(&self.address).expect("connecting");
        socket.set_read_timeout(Some(LIMIT)).expect("a limit");
        BufReader::new(socket)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Cargo builds the examples before it runs the tests of a package, into a folder beside theirs; but not where one test
/// alone was asked for.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this test");
    let path = test.parent().and_then(Path::parent).expect("target/PROFILE/deps").join("examples").join(name);
    if !path.exists() {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built =
            Command::new(cargo).args(["build", "--package", "pagewire-zcopy", "--example", name]).status();
        assert!(built.is_ok_and(|status| status.success()), "{name} is built");
    }
    path
}

/// One request and its answer: status, head, body.
fn ask(connection: &mut BufReader<TcpStream>, request: &str) -> (u16, String, Vec<u8>) {
    connection.get_mut().write_all(request.as_bytes()).expect("asking");
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(connection.read_line(&mut head).expect("a head") > 0, "the connection ended: {head}");
    }
    let status = head[9..12].parse().expect("a status");
    let len = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).expect("a length");
    let len = if request.starts_with("HEAD") { 0 } else { len.parse().expect("a number") };
    let mut body = vec![0; len];
    connection.read_exact(&mut body).expect("a body");
    (status, head, body)
}

fn folder() -> (tempfile::TempDir, Vec<u8>) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let contents: Vec<u8> = (0..700_000u32).map(|at| (at % 251) as u8).collect();
    std::fs::write(folder.path().join("a file"), &contents).expect("writing");
    std::fs::write(folder.path().join("index.html"), "<p>index").expect("writing");
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("out")).expect("a link");
    (folder, contents)
}

#[test]
fn files_and_ranges_arrive_over_one_connection() {
    let (folder, contents) = folder();
    for name in SERVERS {
        let server = Server::start(name, folder.path());
        let mut connection = server.connect();
        let mut get = |range: &str| {
            let range = if range.is_empty() { String::new() } else { format!("Range: bytes={range}\r\n") };
            ask(&mut connection, &format!("GET /a%20file?query HTTP/1.1\r\nHost: x\r\n{range}\r\n"))
        };
        let (status, _, body) = get("");
        assert!(status == 200 && body == contents, "{name}");
        for (range, part) in [
            ("0-99", 0..100),
            ("5000-", 5000..700_000),
            ("-7", 699_993..700_000),
            ("699999-800000", 699_999..700_000),
        ] {
            let (status, head, body) = get(range);
            assert!(status == 206 && body == contents[part.clone()], "{name}, {range}");
            assert!(head.contains(&format!("Content-Range: bytes {}-{}/700000", part.start, part.end - 1)));
        }
        let (status, head, _) = get("700000-");
        assert!(status == 416 && head.contains("bytes */700000"), "{name}: {head}");
        let (status, _, body) = get("nonsense");
        assert!(status == 200 && body == contents, "{name}: what is not understood is left out of account");
        let (status, head, _) = ask(&mut connection, "HEAD /a%20file HTTP/1.1\r\n\r\n");
        assert!(status == 200 && head.contains("Content-Length: 700000"), "{name}: {head}");
        let (status, head, body) = ask(&mut connection, "GET / HTTP/1.1\r\n\r\n");
        assert!(status == 200 && body == b"<p>index" && head.contains("text/html"), "{name}: {head}");
    }
}

#[test]
fn nothing_outside_the_folder_and_no_nonsense_is_served() {
    let (folder, _) = folder();
    for name in SERVERS {
        let server = Server::start(name, folder.path());
        for path in ["/../secret", "/%2e%2e/secret", "/out", "/nothing", "//etc/passwd"] {
            let (status, ..) = ask(&mut server.connect(), &format!("GET {path} HTTP/1.1\r\n\r\n"));
            assert_eq!(status, 404, "{name}: {path}");
        }
        for (request, expected) in [
            ("POST / HTTP/1.1\r\n\r\n".to_owned(), 405),
            ("nonsense\r\n\r\n".to_owned(), 400),
            ("GET /%zz HTTP/1.1\r\n\r\n".to_owned(), 400),
            ("GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello".to_owned(), 400),
            (format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(20_000)), 431),
        ] {
            let mut connection = server.connect();
            let (status, head, _) = ask(&mut connection, &request);
            assert_eq!(status, expected, "{name}: {head}");
            assert!(head.contains("Connection: close"), "{name}: {head}");
        }
    }
}

#[test]
fn requests_sent_ahead_are_answered_in_order_and_close_is_kept() {
    let (folder, contents) = folder();
    for name in SERVERS {
        let server = Server::start(name, folder.path());
        let mut connection = server.connect();
        let ahead = "GET / HTTP/1.1\r\n\r\nGET /a%20file HTTP/1.1\r\nConnection: close\r\n\r\n";
        assert_eq!(ask(&mut connection, ahead).2, b"<p>index", "{name}");
        let (status, head, body) = ask(&mut connection, "");
        assert!(status == 200 && body == contents && head.contains("Connection: close"), "{name}");
        assert_eq!(connection.read(&mut [0]).expect("the end"), 0, "{name}");
    }
}
