//! HTTP/2 frames by hand: what the `h2` crate refuses to send.

use super::{Headers, Request, Response, connect};
use crate::{Error, Result, wait::within};
use std::net::{IpAddr, SocketAddr};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// An HTTP/2 connection that sends any header block: any bytes in `:path`, any `:scheme`, upper-case names, repeated
/// pseudo headers. One stream at a time.
pub struct Frames {
    stream: TcpStream,
    decoder: loona_hpack::Decoder<'static>,
    next: u32,
}

impl Frames {
    /// Connects and sends the preface.
    ///
    /// # Errors
    /// The connection is refused.
    pub async fn connect(target: SocketAddr) -> Result<Self> {
        Self::over(None, target).await
    }

    /// Connects from an address of this machine, such as 127.1.2.3.
    ///
    /// # Errors
    /// As [`Frames::connect`], or `source` is no address of this machine.
    pub async fn connect_from(source: IpAddr, target: SocketAddr) -> Result<Self> {
        Self::over(Some(source), target).await
    }

    async fn over(source: Option<IpAddr>, target: SocketAddr) -> Result<Self> {
        let stream = connect(source, target).await?;
        let mut frames = Self { stream, decoder: loona_hpack::Decoder::new(), next: 1 };
        frames.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await?;
        frames.frame(SETTINGS, 0, 0, &[]).await?;
        Ok(frames)
    }

    /// Sends the request as it stands, with the pseudo headers first, and reads the answer.
    ///
    /// # Errors
    /// As [`Frames::response`].
    pub async fn send(&mut self, request: &Request) -> Result<Response> {
        let mut lines: Headers = vec![
            (b":method".to_vec(), request.method.clone()),
            (b":scheme".to_vec(), b"http".to_vec()),
            (b":path".to_vec(), request.target.clone()),
        ];
        lines.extend(request.authority().map(|authority| (b":authority".to_vec(), authority)));
        lines
            .extend(request.protocol.iter().map(|protocol| (b":protocol".to_vec(), protocol.clone().into())));
        lines.extend(request.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case(b"host")).cloned());
        let chunks = match &request.body {
            super::Body::None => vec![],
            super::Body::Sized(bytes) => vec![bytes.clone()],
            super::Body::Chunks(chunks) => chunks.clone(),
        };
        let stream = self.headers(&lines, chunks.is_empty()).await?;
        for (index, chunk) in chunks.iter().enumerate() {
            self.data(stream, chunk, index + 1 == chunks.len()).await?;
        }
        self.response(stream).await
    }

    /// Sends a header block of exactly these lines on a new stream, whose number is returned.
    ///
    /// # Errors
    /// The other end has closed.
    pub async fn headers(&mut self, lines: &Headers, end: bool) -> Result<u32> {
        let stream = self.next;
        self.next += 2;
        let mut block = Vec::new();
        for (name, value) in lines {
            // "Literal header field without indexing", neither name nor value Huffman-coded.
            block.push(0);
            for text in [name, value] {
                block.extend(loona_hpack::encoder::encode_integer(text.len(), 7));
                block.extend_from_slice(text);
            }
        }
        let flags = END_HEADERS | if end { END_STREAM } else { 0 };
        self.frame(HEADERS, flags, stream, &block).await?;
        Ok(stream)
    }

    /// Sends body bytes, at most 16 KiB a call: windows are not watched.
    ///
    /// # Errors
    /// The other end has closed.
    pub async fn data(&mut self, stream: u32, bytes: &[u8], end: bool) -> Result<()> {
        self.frame(DATA, if end { END_STREAM } else { 0 }, stream, bytes).await
    }

    /// Sends any frame.
    ///
    /// # Errors
    /// The other end has closed.
    pub async fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Result<()> {
        let length = u32::try_from(payload.len()).map_err(Error::during("a frame's length"))?.to_be_bytes();
        let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
        self.write(&[&head, payload].concat()).await
    }

    /// Reads the answer on `stream`.
    ///
    /// # Errors
    /// No answer came: RST_STREAM or GOAWAY (the error says with which code), or the connection broke.
    pub async fn response(&mut self, stream: u32) -> Result<Response> {
        within("an answer in HTTP/2 frames", self.read_response(stream)).await?
    }

    async fn read_response(&mut self, stream: u32) -> Result<Response> {
        let mut block = Vec::new();
        let mut answer: Option<Response> = None;
        loop {
            let Some((kind, flags, on, payload)) = self.read_frame().await? else {
                return answer.ok_or_else(|| Error::new("the connection was closed before an answer"));
            };
            match kind {
                SETTINGS if flags & ACK == 0 => self.frame(SETTINGS, ACK, 0, &[]).await?,
                PING if flags & ACK == 0 => self.frame(PING, ACK, 0, &payload).await?,
                GOAWAY if answer.is_none() => {
                    return Err(Error::new(format!(
                        "the connection ended with GOAWAY, code {}",
                        code(&payload, 4)
                    )));
                }
                HEADERS | CONTINUATION => {
                    block.extend(payload);
                    if flags & END_HEADERS == 0 {
                        continue;
                    }
                    let lines =
                        self.decoder.decode(&block).map_err(|e| Error::new(format!("HPACK: {e:?}")))?;
                    block.clear();
                    if on == stream && answer.is_none() {
                        answer = Some(head(lines));
                    }
                }
                DATA if on == stream => {
                    if !payload.is_empty() {
                        let grown = u32::try_from(payload.len()).unwrap_or_default().to_be_bytes();
                        self.frame(WINDOW_UPDATE, 0, 0, &grown).await?;
                        self.frame(WINDOW_UPDATE, 0, stream, &grown).await?;
                    }
                    answer.iter_mut().for_each(|answer| answer.body.extend_from_slice(&payload));
                }
                RST_STREAM if on == stream => {
                    let reset = code(&payload, 0);
                    let Some(mut answer) = answer else {
                        return Err(Error::new(format!(
                            "the stream was reset before an answer, code {reset}"
                        )));
                    };
                    answer.reset = Some(reset);
                    return Ok(answer);
                }
                _ => {}
            }
            if on == stream
                && (kind == DATA || kind == HEADERS)
                && flags & END_STREAM != 0
                && let Some(mut answer) = answer.take()
            {
                answer.complete = true;
                return Ok(answer);
            }
        }
    }

    async fn read_frame(&mut self) -> Result<Option<(u8, u8, u32, Vec<u8>)>> {
        let mut head = [0; 9];
        if self.stream.read_exact(&mut head).await.is_err() {
            return Ok(None);
        }
        let [l1, l2, l3, kind, flags, s1, s2, s3, s4] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, l1, l2, l3]) as usize];
        self.stream.read_exact(&mut payload).await.map_err(Error::during("reading a frame"))?;
        Ok(Some((kind, flags, u32::from_be_bytes([s1 & 0x7f, s2, s3, s4]), payload)))
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        within("room to write", self.stream.write_all(bytes)).await?.map_err(Error::during("writing"))
    }
}

fn code(payload: &[u8], at: usize) -> u32 {
    payload.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_be_bytes)
}

fn head(lines: Headers) -> Response {
    let (pseudo, headers): (Headers, Headers) =
        lines.into_iter().partition(|(name, _)| name.starts_with(b":"));
    let status = super::values(&pseudo, ":status").next().map(String::from_utf8_lossy);
    let status = status.and_then(|text| text.parse().ok()).unwrap_or_default();
    Response { status, interim: Vec::new(), headers, body: Vec::new(), complete: false, reset: None }
}
