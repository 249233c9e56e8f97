//! Loads an HTTP server with keep-alive connections, or is the bare axum route to compare with.
//!
//! `cargo bench -p astrops-daemon --bench http -- hello` serves one route that answers a line of JSON and prints its
//! address. `.. -- load ADDRESS CONNECTIONS SECONDS`, with a whole HTTP/1.1 request on standard input, sends it over and
//! over, one at a time on each connection, and prints one line of JSON: `per_s`, `p50_ms`, `p99_ms`, `failed`.
//!
//! The client only looks for the status and the length of an answer: on a small machine a full client would take
//! from the server what is to be measured.

use std::{
    env,
    io::Read as _,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use axum::{Json, Router, routing::get};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // Cargo adds `--bench`.
    let words: Vec<String> = env::args().skip(1).filter(|word| word != "--bench").collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["hello"] => hello().await,
        ["load", address, connections, seconds] => {
            let mut request = Vec::new();
            std::io::stdin().read_to_end(&mut request)?;
            load(address, request.into(), connections.parse()?, Duration::from_secs(seconds.parse()?)).await
        }
        // `cargo bench` without arguments runs every target.
        [] => Ok(()),
        _ => bail!("hello, or load ADDRESS CONNECTIONS SECONDS < REQUEST"),
    }
}

async fn hello() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let router = Router::new().route("/", get(|| async { Json(json!({ "hello": "world" })) }));
    Ok(axum::serve(listener, router).await?)
}

async fn load(address: &str, request: Arc<[u8]>, connections: usize, time: Duration) -> anyhow::Result<()> {
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        tasks.spawn(ask(TcpStream::connect(address).await?, request.clone(), begin + time));
    }
    let (mut times, mut failed) = (Vec::new(), 0);
    while let Some(asked) = tasks.join_next().await {
        let (took, refused) = asked??;
        times.extend(took);
        failed += refused;
    }
    let elapsed = begin.elapsed();
    times.sort_unstable();
    let at = |percent: usize| {
        let time: Duration = times.get((times.len() * percent).div_ceil(100).saturating_sub(1)).copied()?;
        Some(time.as_secs_f64() * 1000.0)
    };
    let per_s = f64::from(u32::try_from(times.len())?) / elapsed.as_secs_f64();
    println!("{}", json!({ "per_s": per_s, "p50_ms": at(50), "p99_ms": at(99), "failed": failed }));
    Ok(())
}

/// Sends `request` until `end`; answers how long each took and how many were not answered with 2xx.
async fn ask(
    mut stream: TcpStream,
    request: Arc<[u8]>,
    end: Instant,
) -> anyhow::Result<(Vec<Duration>, usize)> {
    stream.set_nodelay(true)?;
    let (mut times, mut failed, mut answer) = (Vec::new(), 0, vec![0; 256 * 1024]);
    while Instant::now() < end {
        let begin = Instant::now();
        stream.write_all(&request).await?;
        let mut filled = 0;
        let ok = loop {
            let read = stream.read(&mut answer[filled..]).await?;
            if read == 0 {
                bail!("the server closed a connection, or the answer is too long");
            }
            filled += read;
            if let Some(ok) = whole(&answer[..filled])? {
                break ok;
            }
        };
        times.push(begin.elapsed());
        failed += usize::from(!ok);
    }
    Ok((times, failed))
}

/// Whether `answer` is a success, once it is there in full.
fn whole(answer: &[u8]) -> anyhow::Result<Option<bool>> {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&answer[..end])?.to_ascii_lowercase();
    let (_, length) = head.split_once("content-length: ").context("an answer without its length")?;
    let length: usize = length.lines().next().unwrap_or_default().parse()?;
    let ok = head.split(' ').nth(1).is_some_and(|status| status.starts_with('2'));
    Ok((answer.len() >= end + 4 + length).then_some(ok))
}
