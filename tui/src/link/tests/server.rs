//! A daemon of a hundred lines: enough HTTP for the link, on a loopback port, told what to do by the test.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use astrops_api::{Client, client::http_client};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// Instead of a status: the answer is a 409 that is held back until the script has no answers any more.
pub const HELD: u16 = 1;

/// What the daemon does next.
#[derive(Default)]
pub struct Script {
    /// Events of the log stream: id (0 for none) and the lines of the event.
    pub logs: Vec<(u64, String)>,
    /// The same of the domain events.
    pub events: Vec<(u64, String)>,
    /// Requests that came, as `METHOD path?query`.
    pub seen: Vec<String>,
    /// Those of them that carried a token.
    pub signed: Vec<String>,
    /// The bodies that came with requests, in their order.
    pub bodies: Vec<String>,
    /// Answers by the beginning of `METHOD path`, before the usual ones: status and body. Status 0 hangs up.
    pub answers: Vec<(&'static str, u16, String)>,
    /// Every connection is dropped at once.
    pub down: bool,
}

/// The daemon.
pub struct Server {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
    /// Counts changes of the script; streams look again at each.
    changed: watch::Sender<u64>,
}

impl Server {
    /// Starts on a free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let script = Arc::new(Mutex::new(Script::default()));
        let (changed, looks) = watch::channel(0);
        let serving = Arc::clone(&script);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, Arc::clone(&serving), looks.clone()));
            }
        });
        Self { address, script, changed }
    }

    /// A client of it.
    pub fn client(&self) -> Client {
        // Another test may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Client::new(&format!("http://{}", self.address), http_client().unwrap())
    }

    /// Changes what it does.
    pub fn set(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().unwrap());
        self.changed.send_modify(|count| *count += 1);
    }

    /// Adds a log entry.
    pub fn log(&self, number: u64) {
        let entry = serde_json::to_string(&crate::testing::log(usize::try_from(number).unwrap())).unwrap();
        self.set(|script| script.logs.push((number, format!("id: {number}\ndata: {entry}\n\n"))));
    }

    /// The requests that began so.
    pub fn seen(&self, beginning: &str) -> Vec<String> {
        let script = self.script.lock().unwrap();
        script.seen.iter().filter(|line| line.starts_with(beginning)).cloned().collect()
    }
}

async fn serve(mut socket: TcpStream, script: Arc<Mutex<Script>>, mut changes: watch::Receiver<u64>) {
    let Some((line, signed, body)) = read_request(&mut socket).await else { return };
    let answer = {
        let mut script = script.lock().unwrap();
        if script.down {
            return;
        }
        script.seen.push(line.clone());
        script.bodies.extend((!body.is_empty()).then_some(body));
        script.signed.extend(signed.then(|| line.clone()));
        script
            .answers
            .iter()
            .find(|(path, ..)| line.starts_with(path))
            .map(|(_, status, body)| (*status, body.clone()))
    };
    let (status, body) = match answer {
        Some(answer) => answer,
        None if ["GET /logs/stream", "GET /jobs/stream", "GET /stream"]
            .iter()
            .any(|stream| line.starts_with(stream)) =>
        {
            return stream(socket, &line, script, &mut changes).await;
        }
        None if line.starts_with("GET /auth/me") => {
            (200, serde_json::to_string(&crate::testing::own_account()).unwrap())
        }
        None => (404, problem(404, "unknown")),
    };
    if status == 0 {
        return;
    }
    while status == HELD && !script.lock().unwrap().answers.is_empty() {
        if changes.changed().await.is_err() {
            return;
        }
    }
    let status = if status == HELD { 409 } else { status };
    let kind = if status == 200 { "application/json" } else { "application/problem+json" };
    let head = format!(
        "HTTP/1.1 {status} x\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let _ = socket.write_all(format!("{head}{body}").as_bytes()).await;
}

/// A problem body.
pub fn problem(status: u16, detail: &str) -> String {
    format!(r#"{{"type":"/problems/x","title":"Refused","status":{status},"detail":"{detail}"}}"#)
}

async fn read_request(socket: &mut TcpStream) -> Option<(String, bool, String)> {
    let mut head = Vec::new();
    let mut byte = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let count = socket.read(&mut byte).await.ok().filter(|count| *count > 0)?;
        head.extend_from_slice(&byte[..count]);
    }
    let end = head.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let mut body = head.split_off(end);
    let head = String::from_utf8_lossy(&head).into_owned();
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    while body.len() < length.unwrap_or(0) {
        let count = socket.read(&mut byte).await.ok().filter(|count| *count > 0)?;
        body.extend_from_slice(&byte[..count]);
    }
    let line = head.lines().next()?;
    let signed = head.to_ascii_lowercase().contains("\r\nauthorization:");
    Some((line.trim_end_matches(" HTTP/1.1").to_owned(), signed, String::from_utf8_lossy(&body).into_owned()))
}

/// Sends the events behind `after`, then those that come, until the daemon is down or an event ends the stream.
async fn stream(
    mut socket: TcpStream,
    line: &str,
    script: Arc<Mutex<Script>>,
    changes: &mut watch::Receiver<u64>,
) {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n: hello\n\n";
    if socket.write_all(head.as_bytes()).await.is_err() {
        return;
    }
    let after = line
        .split_once("after=")
        .map_or(0, |(_, rest)| rest.split('&').next().unwrap_or_default().parse::<u64>().unwrap_or(0));
    let told = |script: &Script| match line.split(['/', '?']).nth(1) {
        Some("logs") => script.logs.clone(),
        Some("stream") => script.events.clone(),
        _ => Vec::new(),
    };
    let seen = told(&script.lock().unwrap());
    let mut sent = seen.iter().take_while(|(id, _)| *id <= after && after > 0).count();
    loop {
        let (down, events) = {
            let script = script.lock().unwrap();
            let events = told(&script)[sent..].to_vec();
            (script.down, events)
        };
        if down {
            return;
        }
        sent += events.len();
        for (_, event) in events {
            let ends = event.contains("event: lagged");
            if socket.write_all(event.as_bytes()).await.is_err() || ends {
                return;
            }
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}
