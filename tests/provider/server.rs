//! A server on loopback that says exactly the bytes it is told to, however wrong.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What the server does with one request.
#[derive(Clone)]
pub enum Say {
    /// These bytes, then the end of the connection.
    Bytes(Vec<u8>),
    /// These bytes one by one, each a packet of its own.
    Trickle(Vec<u8>),
    /// These bytes, and then nothing until the client goes away.
    Hang(Vec<u8>),
    /// These bytes; the connection then serves the next request.
    Keep(Vec<u8>),
    /// These bytes again and again until the client goes away.
    Forever(Vec<u8>, Vec<u8>),
}

/// A request as it came.
#[derive(Clone)]
pub struct Asked {
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: serde_json::Value,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers.find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

pub struct Server {
    pub port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
    connections: Arc<Mutex<usize>>,
}

impl Server {
    /// Serves the script in order, whichever connection asks; behind its end, connections close.
    pub fn new(script: Vec<Say>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(Mutex::new(0));
        let script = Arc::new(Mutex::new(script.into_iter()));
        let (seen, counted) = (asked.clone(), connections.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                *counted.lock().unwrap() += 1;
                let (script, seen) = (script.clone(), seen.clone());
                thread::spawn(move || {
                    let stream = stream.unwrap();
                    stream.set_nodelay(true).unwrap();
                    let mut reader = BufReader::new(stream.try_clone().unwrap());
                    while let Some(request) = read(&mut reader) {
                        seen.lock().unwrap().push(request);
                        let say = script.lock().unwrap().next();
                        if !say.is_some_and(|say| answer(&stream, say)) {
                            break;
                        }
                    }
                });
            }
        });
        Server {
            port,
            asked,
            connections,
        }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }
}

/// Whether the connection goes on.
fn answer(mut stream: &TcpStream, say: Say) -> bool {
    // A client that has gone away is what some of these wait for.
    match say {
        Say::Bytes(bytes) => {
            let _ = stream.write_all(&bytes);
            false
        }
        Say::Trickle(bytes) => {
            for byte in bytes {
                let _ = stream.write_all(&[byte]);
            }
            false
        }
        Say::Hang(bytes) => {
            let _ = stream.write_all(&bytes);
            let _ = stream.read(&mut [0]);
            false
        }
        Say::Keep(bytes) => stream.write_all(&bytes).is_ok(),
        Say::Forever(head, more) => {
            let mut open = stream.write_all(&head).is_ok();
            while open {
                open = stream.write_all(&more).is_ok();
            }
            false
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<Asked> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let headers: Vec<(String, String)> = lines[1..]
        .iter()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(0, |(_, length)| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked {
        line: lines[0].clone(),
        headers,
        body: serde_json::from_slice(&body).unwrap_or_default(),
    })
}

/// A response that ends with its connection.
pub fn response(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}\r\n{body}").into_bytes()
}

/// A response of events that ends with its connection.
pub fn events(body: &str) -> Vec<u8> {
    response("200 OK", "content-type: text/event-stream\r\n", body)
}

/// A response that says its length, so that the connection can go on.
pub fn counted(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n{body}").into_bytes()
}
