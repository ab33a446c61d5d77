//! HTTP/1.1, byte for byte.

use super::{Headers, Request, Response, connect, values};
use crate::{Error, Result, wait::within};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, tcp::ReadHalf},
};

const MOST_HEADERS: usize = 256;

/// One HTTP/1.1 connection.
#[derive(Debug)]
pub struct Raw {
    stream: TcpStream,
    /// Read, and not yet part of an answer.
    buffer: Vec<u8>,
}

impl Raw {
    /// Connects.
    ///
    /// # Errors
    /// The connection is refused.
    pub async fn connect(target: SocketAddr) -> Result<Self> {
        Ok(Self { stream: connect(None, target).await?, buffer: Vec::new() })
    }

    /// Connects from an address of this machine, such as 127.1.2.3.
    ///
    /// # Errors
    /// The connection is refused, or `source` is no address of this machine.
    pub async fn connect_from(source: IpAddr, target: SocketAddr) -> Result<Self> {
        Ok(Self { stream: connect(Some(source), target).await?, buffer: Vec::new() })
    }

    /// This end's address.
    pub fn local_addr(&self) -> SocketAddr {
        self.stream.local_addr().expect("a connected socket has an address")
    }

    /// Writes these bytes.
    ///
    /// # Errors
    /// The other end has closed.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        within("room to write", self.stream.write_all(bytes)).await?.map_err(Error::during("writing"))
    }

    /// Writes until all is written or until the other end has taken nothing for `patience`: how much it took. For
    /// filling buffers; how long the other end was slow is no result.
    ///
    /// # Errors
    /// The other end has closed.
    pub async fn pour(&mut self, bytes: &[u8], patience: Duration) -> Result<usize> {
        let mut written = 0;
        while written < bytes.len() {
            match tokio::time::timeout(patience, self.stream.write(&bytes[written..])).await {
                Ok(Ok(count)) => written += count,
                Ok(Err(error)) => return Err(Error::new(format!("writing: {error}"))),
                Err(_) => break,
            }
        }
        Ok(written)
    }

    /// Sends the request and reads the answer. An answer that comes before the whole body is sent counts: the rest is
    /// not sent then, and the connection is of no further use.
    ///
    /// # Errors
    /// The connection broke before the head of an answer had come, or the answer is not HTTP.
    pub async fn send(&mut self, request: &Request) -> Result<Response> {
        let bytes = request.bytes();
        let (read, mut write) = self.stream.split();
        let mut reader = Reader { stream: read, buffer: &mut self.buffer };
        // Read while writing: a server that refuses an upload answers and closes, and what was not read by then is
        // lost to the reset.
        let answer = reader.response(request.is_head());
        let mut answer = pin!(answer);
        tokio::select! {
            early = &mut answer => return early,
            written = within("room to write", write.write_all(&bytes)) => match written {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return answer.await.map_err(|_| Error::new(format!("writing: {error}"))),
                Err(error) => return Err(error),
            },
        }
        answer.await
    }

    /// Reads one answer. `no_body`: it is the answer to a HEAD.
    ///
    /// # Errors
    /// The connection broke before the head of an answer had come, or the answer is not HTTP.
    pub async fn read_response(&mut self, no_body: bool) -> Result<Response> {
        self.reader().response(no_body).await
    }

    /// Reads until the other end closes: whatever it still sent. A reset counts as closed.
    ///
    /// # Errors
    /// It does not close.
    pub async fn read_to_end(&mut self) -> Result<Vec<u8>> {
        self.reader().rest().await
    }

    /// Says that nothing more will be written; answers can still be read.
    ///
    /// # Errors
    /// The connection is already gone.
    pub async fn finish(&mut self) -> Result<()> {
        self.stream.shutdown().await.map_err(Error::during("closing for writing"))
    }

    /// Ends the connection with a reset instead of a close.
    pub fn reset(self) {
        let _ = self.stream.set_zero_linger();
    }

    /// The connection, and what was read beyond the last answer.
    pub fn into_parts(self) -> (TcpStream, Vec<u8>) {
        (self.stream, self.buffer)
    }

    fn reader(&mut self) -> Reader<'_> {
        Reader { stream: self.stream.split().0, buffer: &mut self.buffer }
    }
}

struct Reader<'a> {
    stream: ReadHalf<'a>,
    buffer: &'a mut Vec<u8>,
}

impl Reader<'_> {
    async fn response(&mut self, no_body: bool) -> Result<Response> {
        let mut interim = Vec::new();
        loop {
            let (status, headers) = self.head().await?;
            if (100..200).contains(&status) && status != 101 {
                interim.push(status);
                continue;
            }
            let mut body = Vec::new();
            let bodiless = no_body || status < 200 || status == 204 || status == 304;
            let complete = bodiless || self.body(&headers, &mut body).await?;
            return Ok(Response { status, interim, headers, body, complete, reset: None });
        }
    }

    async fn rest(&mut self) -> Result<Vec<u8>> {
        while self.fill().await? {}
        Ok(std::mem::take(self.buffer))
    }

    async fn head(&mut self) -> Result<(u16, Headers)> {
        loop {
            let mut lines = [httparse::EMPTY_HEADER; MOST_HEADERS];
            let mut head = httparse::Response::new(&mut lines);
            let parsed = head.parse(self.buffer).map_err(|error| {
                let start = &self.buffer[..self.buffer.len().min(200)];
                Error::new(format!("the answer is not HTTP/1.1 ({error}): {}", start.escape_ascii()))
            })?;
            if let httparse::Status::Complete(length) = parsed {
                let status = head.code.unwrap_or_default();
                let headers =
                    head.headers.iter().map(|line| (line.name.into(), line.value.to_vec())).collect();
                self.buffer.drain(..length);
                return Ok((status, headers));
            }
            if !self.fill().await? {
                let had = self.buffer.escape_ascii();
                return Err(Error::new(format!(
                    "the connection was closed before an answer; read so far: \"{had}\""
                )));
            }
        }
    }

    /// True: the body is whole.
    async fn body(&mut self, headers: &Headers, body: &mut Vec<u8>) -> Result<bool> {
        if values(headers, "transfer-encoding").any(|value| value.eq_ignore_ascii_case(b"chunked")) {
            return self.chunks(body).await;
        }
        let Some(length) = values(headers, "content-length").next() else {
            body.extend(self.rest().await?);
            return Ok(true);
        };
        let length = std::str::from_utf8(length).ok().and_then(|text| text.parse::<usize>().ok());
        let length = length.ok_or_else(|| Error::new("the answer's content-length is not a number"))?;
        while self.buffer.len() < length {
            if !self.fill().await? {
                body.append(self.buffer);
                return Ok(false);
            }
        }
        body.extend(self.buffer.drain(..length));
        Ok(true)
    }

    async fn chunks(&mut self, body: &mut Vec<u8>) -> Result<bool> {
        loop {
            let size = loop {
                match httparse::parse_chunk_size(self.buffer) {
                    Ok(httparse::Status::Complete((start, size))) => {
                        self.buffer.drain(..start);
                        break usize::try_from(size).map_err(Error::during("a chunk's size"))?;
                    }
                    Ok(httparse::Status::Partial) if self.fill().await? => {}
                    Ok(httparse::Status::Partial) => return Ok(false),
                    Err(_) => return Err(Error::new("a chunk of the answer has no size")),
                }
            };
            // Trailers do not occur; after the last chunk only the empty line is left.
            while self.buffer.len() < size + 2 {
                if !self.fill().await? {
                    return Ok(false);
                }
            }
            body.extend(self.buffer.drain(..size));
            self.buffer.drain(..2);
            if size == 0 {
                return Ok(true);
            }
        }
    }

    /// Reads what there is. False: the other end has closed.
    async fn fill(&mut self) -> Result<bool> {
        match within("bytes to read", self.stream.read_buf(self.buffer)).await? {
            Ok(count) => Ok(count > 0),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(false),
            Err(error) => Err(Error::new(format!("reading: {error}"))),
        }
    }
}
