//! The byte stream under lettre's SMTP client.
//!
//! lettre speaks the commands; what it cannot tell us is decided here, above TLS and below the client:
//! - it gets one line of reply at a time, so that what a server says too early stays visible ([`Wire::is_quiet`]):
//!   an extra `250` after DATA's `354` would otherwise pass for the verdict on a mail that is refused later;
//! - what was said in plain text before STARTTLS is never taken for an answer after it (CVE-2011-0411);
//! - lines are ASCII without control characters, end in CRLF, are cut where they get too long, and come to an end;
//! - it knows whether the final dot was ever given to the socket ([`Wire::dot_was_offered`]).

use std::{
    collections::VecDeque,
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use lettre::transport::smtp::client::AsyncTokioStream;
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// How lettre ends a message; it writes this and nothing else at once.
const FINAL_DOT: &[u8] = b"\r\n.\r\n";

/// Bytes of a reply line that are kept; RFC 5321 section 4.5.3.1.5 allows 512, lettre refuses more than 1,000.
const MAX_REPLY_LINE: usize = 900;

/// Most bytes of a whole reply. lettre parses a reply from its beginning at every line, so that a long one with short
/// lines would keep a worker busy for seconds.
const MAX_REPLY: usize = 16 * 1024;

/// A handle of the connection; the SMTP client holds another one.
#[derive(Clone)]
pub(super) struct Wire(Arc<Mutex<Inner>>);

struct Inner {
    stream: Stream,
    peer: SocketAddr,
    /// Read and not handed out; may hold part of a line, or lines that nobody has asked for.
    unread: Vec<u8>,
    /// The tamed line that is being handed out.
    line: VecDeque<u8>,
    /// Bytes handed out since we last said something.
    reply: usize,
    dot_was_offered: bool,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// While the handshake has the socket, and after it failed.
    Gone,
}

impl Wire {
    /// Takes over a connected socket.
    pub fn new(socket: TcpStream) -> io::Result<Self> {
        // Content and dot are two writes: with Nagle the dot would wait for the content's acknowledgement.
        socket.set_nodelay(true)?;
        let peer = socket.peer_addr()?;
        let inner = Inner {
            stream: Stream::Plain(socket),
            peer,
            unread: Vec::new(),
            line: VecDeque::new(),
            reply: 0,
            dot_was_offered: false,
        };
        Ok(Self(Arc::new(Mutex::new(inner))))
    }

    /// Turns the plain connection into TLS; `name` must be the server's in its certificate.
    pub async fn secure(&self, config: Arc<ClientConfig>, name: ServerName<'static>) -> io::Result<()> {
        let plain = {
            let mut inner = self.lock();
            if !inner.unread.is_empty() || !inner.line.is_empty() {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the server spoke before TLS was there",
                ));
            }
            match std::mem::replace(&mut inner.stream, Stream::Gone) {
                Stream::Plain(plain) => plain,
                Stream::Tls(_) | Stream::Gone => return Err(io::ErrorKind::NotConnected.into()),
            }
        };
        let tls = TlsConnector::from(config).connect(name, plain).await?;
        self.lock().stream = Stream::Tls(Box::new(tls));
        Ok(())
    }

    /// Whether the server waits for us, as far as one can see now: nothing was said that was not asked for.
    pub async fn is_quiet(&self) -> io::Result<bool> {
        // Lets the runtime notice what has arrived since the last read.
        tokio::task::yield_now().await;
        std::future::poll_fn(|context| {
            let mut inner = self.lock();
            if !inner.unread.is_empty() || !inner.line.is_empty() {
                return Poll::Ready(Ok(false));
            }
            match inner.fill(context) {
                Poll::Pending => Poll::Ready(Ok(true)),
                Poll::Ready(Ok(0)) => Poll::Ready(Err(closed())),
                Poll::Ready(Ok(_)) => Poll::Ready(Ok(false)),
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            }
        })
        .await
    }

    /// Whether the final dot was given to the socket, so that the server may have it.
    pub fn dot_was_offered(&self) -> bool {
        self.lock().dot_was_offered
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here panics half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Reads once into `unread`; 0 bytes is the end of the stream.
    fn fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut bytes = [0; 2_048];
        let mut buffer = ReadBuf::new(&mut bytes);
        let read = ready!(match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, &mut buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, &mut buffer),
            Stream::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        });
        match read {
            // A TLS connection that is cut off rather than closed; what lacks its line end is not used either way.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            other => other?,
        }
        self.unread.extend_from_slice(buffer.filled());
        if !self.unread.contains(&b'\n') {
            // The beginning of an endless line says all that matters.
            self.unread.truncate(MAX_REPLY_LINE);
        }
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Moves the next whole line to `line`, tamed, if there is one.
    fn take_line(&mut self) -> bool {
        let Some(end) = self.unread.iter().position(|&byte| byte == b'\n') else { return false };
        let raw: Vec<u8> = self.unread.drain(..=end).collect();
        let raw = raw.strip_suffix(b"\r\n").unwrap_or(&raw[..end]);
        let kept = raw.iter().take(MAX_REPLY_LINE);
        self.line.extend(kept.map(|&byte| if matches!(byte, b' '..=b'~') { byte } else { b'?' }));
        if raw.len() == 3 {
            // A bare code is a reply (RFC 5321 section 4.2), which lettre does not read without its blank.
            self.line.push_back(b' ');
        }
        self.line.extend(b"\r\n");
        true
    }
}

/// The end of the stream: nobody reads a reply that is not there, so it is always an error, and a clear one.
fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection")
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut inner = self.lock();
        loop {
            if !inner.line.is_empty() {
                if inner.reply > MAX_REPLY {
                    let error = io::Error::new(io::ErrorKind::InvalidData, "the server's reply has no end");
                    return Poll::Ready(Err(error));
                }
                let count = buffer.remaining().min(inner.line.len());
                let bytes: Vec<u8> = inner.line.drain(..count).collect();
                buffer.put_slice(&bytes);
                inner.reply += count;
                return Poll::Ready(Ok(()));
            }
            if !inner.take_line() && ready!(inner.fill(context))? == 0 {
                return Poll::Ready(Err(closed()));
            }
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut inner = self.lock();
        inner.reply = 0;
        inner.dot_was_offered |= bytes == FINAL_DOT;
        match &mut inner.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.lock().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(context),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(context),
            Stream::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.lock().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Gone => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncTokioStream for Wire {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.lock().peer)
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wire({})", self.lock().peer)
    }
}
