//! A mail server that does exactly the bytes it is told to, at every phase of a session.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

/// Where in a session the villain acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Greeting,
    Hello,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,
    /// The first bytes of the content are there.
    Content,
    /// The final dot is there.
    Dot,
    Quit,
}

/// What it does instead of the proper reply.
#[derive(Clone, Debug)]
pub enum Act {
    /// Says these bytes, all at once, and goes on.
    Say(Vec<u8>),
    /// Says these bytes one by one, 2 ms apart, and goes on.
    Drip(&'static str),
    /// Says these bytes and closes the connection.
    Last(&'static str),
    /// Closes the connection.
    Drop,
    /// Does not say anything and does not read any more.
    Silence,
}

/// `Act::Say` of a text.
pub fn say(text: &str) -> Act {
    Act::Say(text.as_bytes().to_vec())
}

/// How the villain's connections are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    Plain,
    StartTls,
    Implicit,
}

/// What the villain has seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Connections.
    pub sessions: usize,
    /// Commands, each with whether it came over TLS.
    pub commands: Vec<(String, bool)>,
    /// Mails that came whole, up to the dot.
    pub mails: Vec<String>,
    /// Mails that it is responsible for: it said 2yz to the dot, or nothing at all.
    pub taken: usize,
}

/// A running villain.
pub struct Villain {
    pub address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Clone)]
struct Script {
    acts: Vec<(Phase, Act)>,
    protection: Protection,
    features: &'static str,
    seen: Arc<Mutex<Seen>>,
}

/// Everything that a good server offers.
pub const FEATURES: &str = "8BITMIME SMTPUTF8";

impl Villain {
    /// A server that behaves but for `acts`.
    pub async fn with(acts: &[(Phase, Act)]) -> Self {
        Self::start(acts, Protection::Plain, FEATURES).await
    }

    /// The same with the protection and the features (separated by blanks; `_` stands for a blank in one).
    pub async fn start(acts: &[(Phase, Act)], protection: Protection, features: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Seen>>::default();
        let script = Script { acts: acts.to_vec(), protection, features, seen: Arc::clone(&seen) };
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                script.seen.lock().unwrap().sessions += 1;
                // A connection that ends early is what this is about.
                tokio::spawn(script.clone().serve(socket));
            }
        });
        Self { address, seen }
    }

    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// `None` ends the session.
type Next = Option<()>;

struct Session {
    stream: Box<dyn Stream>,
    unread: Vec<u8>,
    is_secure: bool,
    script: Script,
}

impl Script {
    async fn serve(self, socket: TcpStream) -> Next {
        let mut session =
            Session { stream: Box::new(socket), unread: Vec::new(), is_secure: false, script: self.clone() };
        if self.protection == Protection::Implicit {
            session = session.secure().await?;
        }
        session.play(Phase::Greeting, "220 villain.test ESMTP\r\n").await?;
        loop {
            let command = session.line().await?;
            self.seen.lock().unwrap().commands.push((command.clone(), session.is_secure));
            let verb = command.split([' ', ':']).next().unwrap_or_default().to_uppercase();
            match verb.as_str() {
                "EHLO" => session.play(Phase::Hello, &self.hello(session.is_secure)).await?,
                "STARTTLS" => {
                    session.play(Phase::StartTls, "220 go ahead\r\n").await?;
                    session = session.secure().await?;
                }
                "AUTH" => session.authenticate(&command).await?,
                "MAIL" => session.play(Phase::Mail, "250 sender ok\r\n").await?,
                "RCPT" => session.play(Phase::Rcpt, "250 recipient ok\r\n").await?,
                "DATA" => {
                    session.play(Phase::Data, "354 go ahead\r\n").await?;
                    session.mail().await?;
                }
                "QUIT" => {
                    session.play(Phase::Quit, "221 bye\r\n").await?;
                    return None;
                }
                _ => session.say(b"500 what?\r\n").await?,
            }
        }
    }

    fn hello(&self, is_secure: bool) -> String {
        let mut lines = vec!["villain.test".to_owned()];
        lines.extend(self.features.split_whitespace().map(|feature| feature.replace('_', " ")));
        if self.protection == Protection::StartTls && !is_secure {
            lines.push("STARTTLS".to_owned());
        }
        let last = lines.pop().unwrap();
        lines.iter().fold(String::new(), |reply, line| reply + "250-" + line + "\r\n")
            + "250 "
            + &last
            + "\r\n"
    }
}

impl Session {
    /// Does what the script says at `phase`, or says `proper`.
    async fn play(&mut self, phase: Phase, proper: &str) -> Next {
        let act = self.script.acts.iter().find(|(at, _)| *at == phase).map(|(_, act)| act.clone());
        match act {
            None => self.say(proper.as_bytes()).await,
            Some(Act::Say(bytes)) => self.say(&bytes).await,
            Some(Act::Drip(text)) => {
                for byte in text.bytes() {
                    self.say(&[byte]).await?;
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                Some(())
            }
            Some(Act::Last(text)) => {
                self.say(text.as_bytes()).await?;
                None
            }
            Some(Act::Drop) => None,
            Some(Act::Silence) => std::future::pending().await,
        }
    }

    async fn say(&mut self, bytes: &[u8]) -> Next {
        self.stream.write_all(bytes).await.ok()?;
        self.stream.flush().await.ok()
    }

    async fn read(&mut self) -> Next {
        let mut bytes = [0; 4_096];
        let count = self.stream.read(&mut bytes).await.ok().filter(|&count| count > 0)?;
        self.unread.extend_from_slice(&bytes[..count]);
        Some(())
    }

    async fn line(&mut self) -> Option<String> {
        self.until(b"\r\n").await
    }

    /// What comes before `end`, which is taken off.
    async fn until(&mut self, end: &[u8]) -> Option<String> {
        let mut from = 0;
        loop {
            if let Some(at) = self.unread[from..].windows(end.len()).position(|window| window == end) {
                let text = self.unread.drain(..from + at + end.len()).take(from + at).collect();
                return Some(String::from_utf8(text).unwrap());
            }
            from = self.unread.len().saturating_sub(end.len() - 1);
            self.read().await?;
        }
    }

    async fn secure(mut self) -> Option<Self> {
        let certificate = include_bytes!("testdata/localhost.der").to_vec().into();
        let key = PrivateKeyDer::try_from(include_bytes!("testdata/localhost.key.der").to_vec()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        self.stream = Box::new(TlsAcceptor::from(Arc::new(config)).accept(self.stream).await.ok()?);
        self.is_secure = true;
        Some(self)
    }

    /// AUTH PLAIN with its initial response, or AUTH LOGIN with its two questions.
    async fn authenticate(&mut self, command: &str) -> Next {
        if command.starts_with("AUTH LOGIN") {
            // "Username:" and "Password:", as every server asks.
            for question in ["334 VXNlcm5hbWU6\r\n", "334 UGFzc3dvcmQ6\r\n"] {
                self.say(question.as_bytes()).await?;
                self.line().await?;
            }
        }
        self.play(Phase::Auth, "235 welcome\r\n").await
    }

    async fn mail(&mut self) -> Next {
        if self.script.acts.iter().any(|(phase, _)| *phase == Phase::Content) {
            if self.unread.is_empty() {
                self.read().await?;
            }
            self.play(Phase::Content, "").await?;
        }
        let mail = self.until(b"\r\n.\r\n").await?;
        let refuses = self.script.acts.iter().any(|(phase, act)| match act {
            Act::Say(bytes) => *phase == Phase::Dot && !bytes.starts_with(b"2"),
            Act::Drip(text) | Act::Last(text) => *phase == Phase::Dot && !text.starts_with('2'),
            Act::Drop | Act::Silence => false,
        });
        {
            let mut seen = self.script.seen.lock().unwrap();
            seen.mails.push(mail);
            seen.taken += usize::from(!refuses);
        }
        self.play(Phase::Dot, "250 2.0.0 queued as 42\r\n").await
    }
}
