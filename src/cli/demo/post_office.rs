//! A mail server for the demo: puts every mail into a folder, and treats some recipients as the world does.
//!
//! The recipient's name says how: `gone.` does not exist (refused for good), `full.` has no room (refused for
//! now, always), `busy.` is refused for now every other time, `slow.` takes its time. Limits: loopback only, no
//! TLS, just the commands that a mail client needs.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    fs,
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// Opens it on a free port; it works until the process ends.
pub async fn open(folder: &Path) -> io::Result<SocketAddr> {
    fs::create_dir_all(folder).await?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let counter =
        Arc::new(Counter { folder: folder.to_owned(), mails: AtomicU64::new(0), busy: AtomicU64::new(0) });
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let counter = counter.clone();
            tokio::spawn(async move {
                if let Err(error) = serve(connection, &counter).await {
                    tracing::debug!(%error, "a mail client left");
                }
            });
        }
    });
    Ok(address)
}

/// Where mails are put.
struct Counter {
    folder: PathBuf,
    mails: AtomicU64,
    busy: AtomicU64,
}

impl Counter {
    /// The answer to RCPT.
    fn judge(&self, recipient: &str) -> &'static str {
        if recipient.starts_with("gone.") {
            "550 5.1.1 no such mailbox"
        } else if recipient.starts_with("full.") {
            "452 4.2.2 mailbox full"
        } else if recipient.starts_with("busy.")
            && self.busy.fetch_add(1, Ordering::Relaxed).is_multiple_of(2)
        {
            "451 4.2.1 mailbox busy, try again later"
        } else {
            "250 2.1.5 fine"
        }
    }

    async fn keep(&self, mail: &[u8]) -> io::Result<u64> {
        let number = self.mails.fetch_add(1, Ordering::Relaxed) + 1;
        fs::write(self.folder.join(format!("{number:06}.eml")), mail).await?;
        Ok(number)
    }
}

async fn serve(connection: TcpStream, counter: &Counter) -> io::Result<()> {
    let mut connection = BufReader::new(connection);
    say(&mut connection, "220 post.office.example ESMTP").await?;
    let mut recipient = String::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        if connection.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        let command = String::from_utf8_lossy(&line).trim_end().to_owned();
        let answer = match command.to_ascii_uppercase().get(..4).unwrap_or_default() {
            "EHLO" => "250-post.office.example\r\n250-8BITMIME\r\n250 SMTPUTF8",
            "RCPT" => {
                recipient = command.split_once('<').map_or("", |(_, rest)| rest).to_owned();
                counter.judge(&recipient)
            }
            "DATA" => {
                say(&mut connection, "354 go on, end with a dot").await?;
                let mail = read_mail(&mut connection).await?;
                if recipient.starts_with("slow.") {
                    tokio::time::sleep(Duration::from_secs(2)).await;
                }
                let number = counter.keep(&mail).await?;
                say(&mut connection, &format!("250 2.0.0 taken as {number:06}")).await?;
                continue;
            }
            "QUIT" => return say(&mut connection, "221 2.0.0 bye").await,
            "HELO" | "MAIL" | "RSET" | "NOOP" => "250 2.0.0 fine",
            _ => "502 5.5.2 not here",
        };
        say(&mut connection, answer).await?;
    }
}

async fn say(connection: &mut BufReader<TcpStream>, line: &str) -> io::Result<()> {
    connection.write_all(format!("{line}\r\n").as_bytes()).await
}

/// Until the line with one dot; dots that were doubled for the way become single again.
async fn read_mail(connection: &mut BufReader<TcpStream>) -> io::Result<Vec<u8>> {
    let mut mail = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        if connection.read_until(b'\n', &mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line == b".\r\n" {
            return Ok(mail);
        }
        mail.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}
