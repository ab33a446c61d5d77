//! A client's connection, of the generators that are ours.

use crate::rig::{
    load::{Answers, Load},
    measure::{CONNECTIONS, judge},
};
use std::{io, net::SocketAddr};
use testbed::{Error, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

/// One HTTP/1.1 connection that is kept.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(target: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(target).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(4096) })
    }

    /// Sends a request and reads the whole answer: its status.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> io::Result<u16> {
        self.send(request).await?;
        self.receive().await
    }

    pub(crate) async fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.stream.write_all(request).await
    }

    pub(crate) async fn receive(&mut self) -> io::Result<u16> {
        loop {
            if let Some((status, length)) = answer(&self.buffer)? {
                self.buffer.drain(..length);
                return Ok(status);
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// Sends the first `count` requests of a load, each once, and no more: for what is to be there before a measurement.
///
/// # Errors
/// A connection breaks, or an answer is wrong.
pub(crate) async fn fill(target: SocketAddr, load: &Load, count: u64) -> Result<()> {
    let load = *load;
    let mut clients = JoinSet::new();
    for first in 0..u64::from(CONNECTIONS) {
        clients.spawn(async move {
            let mut answers = Answers::default();
            let mut client = Connection::open(target).await?;
            for n in (first..count).step_by(CONNECTIONS as usize) {
                answers.add(client.exchange(&load.request(1, n)).await?);
            }
            io::Result::Ok(answers)
        });
    }
    while let Some(client) = clients.join_next().await {
        let answers = client.map_err(Error::during("filling"))?.map_err(Error::during("filling"))?;
        if answers.count() > 0 {
            judge("filling", &answers, &load)?;
        }
    }
    Ok(())
}

/// Status and length of the answer at the beginning of `bytes`, once all of it is there.
fn answer(bytes: &[u8]) -> io::Result<Option<(u16, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(end) = head.parse(bytes).map_err(io::Error::other)? else {
        return Ok(None);
    };
    let header = |name: &str| head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
    if header("transfer-encoding").is_some() {
        return Err(io::Error::other("an answer in chunks, which no service of the bench sends"));
    }
    let length =
        header("content-length").and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok());
    let length: usize = length.unwrap_or(0);
    let status = head.code.unwrap_or(0);
    Ok((bytes.len() >= end + length).then_some((status, end + length)))
}
