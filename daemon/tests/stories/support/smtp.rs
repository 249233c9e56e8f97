//! A mail server whose behaviour is chosen by the recipient's name, as `reject@..` or `greylist@..`.

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

/// What the server has taken: recipient and message.
pub type Taken = Arc<Mutex<Vec<(String, String)>>>;

/// Starts the server; it ends with the test.
pub async fn serve() -> (SocketAddr, Taken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let taken = Taken::default();
    let seen: Arc<Mutex<HashSet<String>>> = Arc::default();
    let keep = taken.clone();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            // A client that breaks off ends its own conversation only.
            tokio::spawn(converse(socket, keep.clone(), seen.clone()));
        }
    });
    (address, taken)
}

async fn converse(socket: TcpStream, taken: Taken, seen: Arc<Mutex<HashSet<String>>>) -> std::io::Result<()> {
    let (reader, mut writer) = socket.into_split();
    let mut lines = BufReader::new(reader).lines();
    let mut recipient = String::new();
    writer.write_all(b"220 sink.test\r\n").await?;
    while let Some(line) = lines.next_line().await? {
        let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        let reply = match verb.as_str() {
            "EHLO" => "250-sink.test\r\n250 8BITMIME",
            "RCPT" => {
                recipient = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                match recipient.split('@').next().unwrap_or_default() {
                    "reject" => "550 5.1.1 No such user",
                    "greylist" if seen.lock().unwrap().insert(recipient.clone()) => {
                        "451 4.7.1 Greylisted, try again later"
                    }
                    _ => "250 OK",
                }
            }
            "DATA" => {
                writer.write_all(b"354 go on\r\n").await?;
                let mut message = String::new();
                while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                    message = message + &line + "\n";
                }
                if recipient.starts_with("vanish@") {
                    return Ok(());
                }
                taken.lock().unwrap().push((recipient.clone(), message));
                "250 2.0.0 taken"
            }
            "QUIT" => {
                writer.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => "250 OK",
        };
        writer.write_all(format!("{reply}\r\n").as_bytes()).await?;
    }
    Ok(())
}
