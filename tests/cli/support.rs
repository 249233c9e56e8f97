//! A scripted daemon, and the binary in surroundings of its own.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use assert_cmd::Command;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Nothing in these stories waits longer.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What the binary asked.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `GET /jobs?status=failed`.
    pub line: String,
    /// The token.
    pub token: Option<String>,
    /// The body.
    pub body: String,
}

/// What the daemon answers.
pub enum Answer {
    /// Status and JSON.
    Json(u16, Value),
    /// A stream with these events, which then breaks.
    Broken(&'static str),
    /// A stream with these events, which then stays open.
    Open(&'static str),
}

/// A daemon on a free port of this machine.
pub struct Daemon {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Daemon {
    /// A daemon that answers with `script`, given each request line.
    pub fn new(script: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let daemon = Self { address: listener.local_addr().unwrap(), seen: Arc::default() };
        let seen = Arc::clone(&daemon.seen);
        let script = Arc::new(script);
        // The threads end with the process of the tests.
        thread::spawn(move || {
            for connection in listener.incoming() {
                let (seen, script) = (Arc::clone(&seen), Arc::clone(&script));
                thread::spawn(move || serve(connection.unwrap(), &seen, script.as_ref()));
            }
        });
        daemon
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }

    /// The first line of every request so far.
    pub fn lines(&self) -> Vec<String> {
        self.seen().into_iter().map(|request| request.line).collect()
    }
}

fn serve(mut connection: TcpStream, seen: &Mutex<Vec<Request>>, script: &dyn Fn(&str) -> Answer) {
    let Some(request) = read(&connection) else { return };
    seen.lock().unwrap().push(request.clone());
    let (status, kind, body, stays) = match script(&request.line) {
        Answer::Json(status, value) => (status, "application/json", value.to_string(), false),
        Answer::Broken(events) => (200, "text/event-stream", events.to_owned(), false),
        Answer::Open(events) => (200, "text/event-stream", events.to_owned(), true),
    };
    let head = format!("HTTP/1.1 {status} x\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n");
    // The binary may be gone: it was killed by the test.
    let written = connection.write_all(head.as_bytes()).and_then(|()| connection.write_all(body.as_bytes()));
    if stays && written.is_ok() {
        // Until the binary goes.
        drop(connection.read(&mut [0]));
    }
}

fn read(connection: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(connection);
    let mut request = Request::default();
    let mut length = 0;
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    line.rsplit_once(' ')?.0.clone_into(&mut request.line);
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        match name {
            "content-length" => length = value.parse().ok()?,
            "authorization" => request.token = value.strip_prefix("Bearer ").map(str::to_owned),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    request.body = String::from_utf8(body).ok()?;
    Some(request)
}

/// An operator with a home of their own.
pub struct Operator {
    home: TempDir,
    url: String,
}

impl Operator {
    /// An operator of the daemon at `url`.
    pub fn at(url: &str) -> Self {
        Self { home: tempfile::tempdir().unwrap(), url: url.to_owned() }
    }

    /// The surroundings in which the binary runs, and nothing else of ours.
    pub fn surroundings(&self) -> [(&'static str, String); 5] {
        let folder = |name| self.home.path().join(name).display().to_string();
        [
            ("HOME", folder("")),
            ("XDG_CONFIG_HOME", folder("config")),
            ("XDG_STATE_HOME", folder("state")),
            ("ASTROPS_URL", self.url.clone()),
            ("TERM", "xterm".to_owned()),
        ]
    }

    /// `astrops` with `arguments`, separated by spaces.
    pub fn says(&self, arguments: &str) -> Command {
        let mut command = Command::new(binary());
        command.env_clear().envs(self.surroundings()).args(arguments.split_whitespace());
        command.timeout(PATIENCE);
        command
    }

    /// Writes `console.toml`.
    pub fn profiles(&self, text: &str) {
        let folder = self.home.path().join("config/astrops");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("console.toml"), text).unwrap();
    }

    /// The files with tokens.
    pub fn sessions(&self) -> Vec<PathBuf> {
        let folder = std::fs::read_dir(self.home.path().join("state/astrops/tokens"));
        folder.map(|files| files.map(|file| file.unwrap().path()).collect()).unwrap_or_default()
    }
}

/// The binary under test.
pub fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_astrops")
}

/// A process that does not outlive its test, failed or not.
pub struct Process(pub Child);

impl Process {
    /// The binary with `arguments`, running, its stdout and stderr to be read.
    pub fn start<'a>(operator: &Operator, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        let mut command = std::process::Command::new(binary());
        command.env_clear().envs(operator.surroundings()).args(arguments);
        Self(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// The first lines of its stdout, `count` of them unless it ends before; asked once.
    pub fn lines(&mut self, count: usize) -> Vec<String> {
        let heard = self.heard();
        let deadline = Instant::now() + PATIENCE;
        let next = || heard.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok();
        std::iter::from_fn(next).take(count).collect()
    }

    /// The first line of its stdout, doing `meanwhile` over and over until it is there; asked once.
    pub fn first_line(&mut self, mut meanwhile: impl FnMut()) -> String {
        let heard = self.heard();
        let deadline = Instant::now() + PATIENCE;
        loop {
            meanwhile();
            match heard.recv_timeout(Duration::from_millis(100)) {
                Ok(line) => return line,
                Err(_) => assert!(Instant::now() < deadline, "nothing was written"),
            }
        }
    }

    fn heard(&mut self) -> mpsc::Receiver<String> {
        let out = BufReader::new(self.0.stdout.take().unwrap());
        let (told, heard) = mpsc::channel();
        thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| told.send(line)));
        heard
    }

    /// Sends a signal and waits for the end; gives the exit code and stderr.
    pub fn end(mut self, signal: &str) -> (Option<i32>, String) {
        let id = self.0.id().to_string();
        assert!(std::process::Command::new("kill").args([signal, &id]).status().unwrap().success());
        let mut err = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        (self.0.wait().unwrap().code(), err)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already, when all went well.
        drop(self.0.kill().and_then(|()| self.0.wait()));
    }
}

/// A daemon of its own on a free port.
pub struct Running {
    /// The daemon.
    pub process: Process,
    /// Where its files are.
    pub folder: TempDir,
    first_line: String,
}

impl Running {
    /// Starts it, with nobody who reconciles by themselves, with the operator ana@example.com, whose password is `correct horse 9`.
    pub fn start(operator: &Operator) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let settings = format!(
            "[server]\nbind = '127.0.0.1:0'\n[data]\ndir = '{}'\n[logs]\nfile = '{}/log/astrops.log'\n\
             [documents]\nfollow = false\n\
             [[schedules]]\nname = 'reconcile-incremental'\ncron = '0 0 1 1 *'\ntask = 'reconcile-incremental'\n",
            data.display(),
            data.display()
        );
        std::fs::write(folder.path().join("astrops.toml"), settings).unwrap();
        let file = folder.path().join("astrops.toml").display().to_string();
        let add =
            format!("user add --email Ana@example.com --role employee --password-stdin --config {file}");
        let added = told(operator.says(&add).write_stdin("correct horse 9\n"));
        assert_eq!(added.out, "added ana@example.com (operator)\n", "{}", added.err);
        let mut process = Process::start(operator, ["daemon", "--config", &file]);
        let first_line = process.lines(1).remove(0);
        Self { process, folder, first_line }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        self.first_line.strip_prefix("listening on ").unwrap()
    }
}

/// What a command wrote.
pub struct Told {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// Runs it to its end.
pub fn told(command: &mut Command) -> Told {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Told { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

/// A refusal.
pub fn problem(status: u16, slug: &str, detail: &str) -> Answer {
    let body =
        json!({ "type": format!("/problems/{slug}"), "title": slug, "status": status, "detail": detail });
    Answer::Json(status, body)
}

/// A job.
pub fn job(id: &str, status: &str) -> Value {
    json!({
        "id": id, "type": "NOTIFICATION", "status": status, "phase": "waiting", "priority": 0,
        "createdAt": "2026-08-01T10:00:00Z", "updatedAt": "2026-08-01T10:00:00Z",
        "attempt": 1, "maxAttempts": 5, "retryCount": 0, "createdBy": "key:customer-api",
        "notification": { "recipientEmail": "leo@example.com", "subject": "Your seats" },
    })
}
