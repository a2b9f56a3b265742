//! A model server on loopback that says what it is told to, in the three formats, and keeps what
//! it was asked.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use serde_json::{Value, json};

use super::world::{PATIENCE, Run};

/// What the server does with one request.
pub enum Say {
    /// These pieces, each a packet of its own, then the end of the connection.
    Pieces(Vec<String>),
    /// These pieces, and then nothing until the client goes away.
    Hang(Vec<String>),
    /// These pieces, and those behind them when the test says so.
    Wait(Vec<String>, Receiver<()>, Vec<String>),
}

/// A request as it came.
#[derive(Clone)]
pub struct Asked {
    pub line: String,
    pub head: String,
    pub body: Value,
}

impl Asked {
    /// The system prompt, whatever the format calls it.
    pub fn system(&self) -> String {
        match &self.body["system"] {
            Value::Null => self.body["messages"][0]["content"].to_string(),
            system => system.to_string(),
        }
    }

    /// Role and text of each message, without the system's.
    pub fn messages(&self) -> Vec<(String, String)> {
        let messages = self.body["messages"].as_array().unwrap().iter();
        let text = |content: &Value| match content {
            Value::String(text) => text.clone(),
            blocks => blocks[0]["text"].as_str().unwrap().to_owned(),
        };
        messages
            .map(|m| (m["role"].as_str().unwrap().to_owned(), text(&m["content"])))
            .filter(|(role, _)| role != "system")
            .collect()
    }
}

#[derive(Default)]
struct Seen {
    asked: Mutex<Vec<Asked>>,
    /// Requests for a given shape, such as the pass at the end of a chat.
    passes: Mutex<Vec<Asked>>,
    more: Condvar,
}

/// What the server says, to talk and to passes.
struct Script {
    talk: std::vec::IntoIter<Say>,
    passes: std::vec::IntoIter<Say>,
}

pub struct Server {
    pub port: u16,
    seen: Arc<Seen>,
}

impl Server {
    /// Serves the script in order; behind its end, connections close. A request for a given shape
    /// is answered beside it: there is nothing to remember.
    pub fn new(script: Vec<Say>) -> Self {
        Server::with_passes(script, Vec::new())
    }

    /// The same, with answers for requests that ask for a given shape.
    pub fn with_passes(talk: Vec<Say>, passes: Vec<Say>) -> Self {
        let script = Script {
            talk: talk.into_iter(),
            passes: passes.into_iter(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Seen::default());
        let script = Arc::new(Mutex::new(script));
        let server = Server {
            port,
            seen: seen.clone(),
        };
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (script, seen) = (script.clone(), seen.clone());
                thread::spawn(move || serve(&stream.unwrap(), &script, &seen));
            }
        });
        server
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.seen.asked.lock().unwrap().clone()
    }

    /// The requests for a given shape.
    pub fn passes(&self) -> Vec<Asked> {
        self.seen.passes.lock().unwrap().clone()
    }

    /// Waits until so many requests came.
    pub fn wait_for(&self, count: usize) -> Vec<Asked> {
        let asked = self.seen.asked.lock().unwrap();
        let few = |asked: &mut Vec<Asked>| asked.len() < count;
        let waited = self.seen.more.wait_timeout_while(asked, PATIENCE, few);
        let (asked, _) = waited.unwrap();
        assert!(asked.len() >= count, "{} of {count} requests", asked.len());
        asked.clone()
    }

    /// Lets the program find this server as Anthropic's.
    pub fn anthropic(&self, run: Run) -> Run {
        run.env(
            "ANTHROPIC_BASE_URL",
            format!("http://127.0.0.1:{}", self.port),
        )
        .env("ANTHROPIC_API_KEY", "sk-ant-test")
    }

    /// Lets the program find this server as one that speaks chat completions.
    pub fn openai(&self, run: Run) -> Run {
        run.env(
            "OPENAI_BASE_URL",
            format!("http://127.0.0.1:{}/v1", self.port),
        )
        .args(["-m", "openai/small"])
    }

    /// Lets the program find this server as Ollama.
    pub fn ollama(&self, run: Run) -> Run {
        run.env("OLLAMA_HOST", format!("127.0.0.1:{}", self.port))
            .args(["-m", "ollama/small"])
    }
}

fn serve(mut stream: &TcpStream, script: &Mutex<Script>, seen: &Seen) {
    stream.set_nodelay(true).unwrap();
    let Some(asked) = read(&mut BufReader::new(stream)) else {
        return;
    };
    if asked.line.contains("/embed") {
        let answer = vectors(&asked);
        seen.asked.lock().unwrap().push(asked);
        seen.more.notify_all();
        stream.write_all(answer.as_bytes()).ok();
        return;
    }
    let shapes = ["output_config", "response_format", "format"];
    let say = match shapes.iter().any(|name| asked.body.get(name).is_some()) {
        true => {
            let next = script.lock().unwrap().passes.next();
            let nothing = nothing_found(&asked);
            seen.passes.lock().unwrap().push(asked);
            Some(next.unwrap_or(nothing))
        }
        false => {
            let next = script.lock().unwrap().talk.next();
            seen.asked.lock().unwrap().push(asked);
            seen.more.notify_all();
            next
        }
    };
    // A client that has gone away is what some of the tests are about.
    let Some(say) = say else { return };
    play(stream, say).ok();
}

fn play(mut stream: &TcpStream, say: Say) -> std::io::Result<()> {
    let mut write = |pieces: Vec<String>| {
        let mut pieces = pieces.iter();
        pieces.try_for_each(|piece| stream.write_all(piece.as_bytes()))
    };
    match say {
        Say::Pieces(pieces) => write(pieces),
        Say::Wait(pieces, go_on, rest) => {
            write(pieces)?;
            go_on.recv().map_or(Ok(()), |()| write(rest))
        }
        Say::Hang(pieces) => {
            write(pieces)?;
            // Comes back when the client has gone away.
            std::io::copy(&mut stream, &mut std::io::sink()).map(|_| ())
        }
    }
}

/// A vector for each text that was asked about: words of one kind point one way.
fn vectors(asked: &Asked) -> String {
    const KINDS: [[&str; 2]; 3] = [["kitten", "feline"], ["car", "driving"], ["rain", "storm"]];
    let vector = |text: &Value| {
        let text = text.as_str().unwrap().to_lowercase();
        let mut vector = vec![0.1; 12];
        for (n, kind) in KINDS.iter().enumerate() {
            if kind.iter().any(|word| text.contains(word)) {
                vector[n] += 3.0;
            }
        }
        vector[3 + text.len() % 9] += 1.0;
        vector
    };
    let made: Vec<Vec<f64>> = asked.body["input"]
        .as_array()
        .unwrap()
        .iter()
        .map(vector)
        .collect();
    let body = match asked.line.contains("/api/embed") {
        true => json!({"model": "m", "embeddings": made}),
        false => {
            let numbered = made.iter().enumerate();
            // In an order of its own, as the format allows.
            let data: Vec<Value> = numbered
                .map(|(n, v)| json!({"object": "embedding", "index": n, "embedding": v}))
                .rev()
                .collect();
            json!({"object": "list", "model": "m", "data": data})
        }
    };
    let Say::Pieces(pieces) = status("200 OK", &body.to_string()) else {
        unreachable!("a status is pieces");
    };
    pieces.concat()
}

fn nothing_found(asked: &Asked) -> Say {
    let nothing = [r#"{"operations":[]}"#];
    match &asked.line {
        line if line.contains("/messages") => anthropic(&nothing),
        line if line.contains("/completions") => openai(&nothing),
        _ => ollama(&nothing),
    }
}

fn read(reader: &mut impl BufRead) -> Option<Asked> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.parse::<usize>().unwrap())
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Asked {
        line: head.lines().next().unwrap().to_owned(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
        head,
    })
}

fn head(kind: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: {kind}\r\n\r\n")
}

/// A whole response of another status.
pub fn status(status: &str, body: &str) -> Say {
    Say::Pieces(vec![format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )])
}

/// Server-sent events in Anthropic's format, without their end.
pub fn anthropic_start(texts: &[&str]) -> Vec<String> {
    let start = json!({"type": "message_start", "message": {
        "id": "msg_1", "model": "scripted-model", "usage": {"input_tokens": 11, "output_tokens": 1}}});
    let block = json!({"type": "content_block_start", "index": 0,
        "content_block": {"type": "text", "text": ""}});
    let mut pieces = vec![head("text/event-stream"), event(&start), event(&block)];
    pieces.extend(texts.iter().map(|text| {
        event(&json!({"type": "content_block_delta", "index": 0,
            "delta": {"type": "text_delta", "text": text}}))
    }));
    pieces
}

fn event(data: &Value) -> String {
    format!(
        "event: {}\ndata: {data}\n\n",
        data["type"].as_str().unwrap()
    )
}

/// A reply in Anthropic's format that waits in its middle until it is told to go on.
pub fn anthropic_in_two(first: &str, second: &str) -> (Say, Sender<()>) {
    let (tell, told) = mpsc::channel();
    let begun = anthropic_start(&[first]);
    let rest = anthropic_start(&[second]).split_off(begun.len() - 1);
    let rest = rest.into_iter().chain(anthropic_end("end_turn"));
    (Say::Wait(begun, told, rest.collect()), tell)
}

/// A whole reply in Anthropic's format that stops for `reason`.
pub fn anthropic_stopped(texts: &[&str], reason: &str) -> Say {
    let mut pieces = anthropic_start(texts);
    pieces.extend(anthropic_end(reason));
    Say::Pieces(pieces)
}

fn anthropic_end(reason: &str) -> Vec<String> {
    vec![
        event(&json!({"type": "content_block_stop", "index": 0})),
        event(&json!({"type": "message_delta",
            "delta": {"stop_reason": reason}, "usage": {"output_tokens": 7}})),
        event(&json!({"type": "message_stop"})),
    ]
}

pub fn anthropic(texts: &[&str]) -> Say {
    anthropic_stopped(texts, "end_turn")
}

/// A whole reply in the format of chat completions.
pub fn openai(texts: &[&str]) -> Say {
    let chunk = |data: Value| format!("data: {data}\n\n");
    let first = json!({"choices": [{"index": 0, "delta": {"role": "assistant", "content": null}}]});
    let mut pieces = vec![head("text/event-stream"), chunk(first)];
    pieces.extend(
        texts
            .iter()
            .map(|text| chunk(json!({"choices": [{"index": 0, "delta": {"content": text}}]}))),
    );
    pieces.push(chunk(
        json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
    ));
    pieces.push(chunk(
        json!({"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 7}}),
    ));
    pieces.push("data: [DONE]\n\n".to_owned());
    Say::Pieces(pieces)
}

/// A whole reply in Ollama's format.
pub fn ollama(texts: &[&str]) -> Say {
    let mut pieces = vec![head("application/x-ndjson")];
    pieces.extend(texts.iter().map(|text| {
        let line = json!({"model": "small", "done": false,
            "message": {"role": "assistant", "content": text}});
        format!("{line}\n")
    }));
    let end = json!({"model": "small", "done": true, "done_reason": "stop",
        "message": {"role": "assistant", "content": ""},
        "prompt_eval_count": 11, "eval_count": 7});
    pieces.push(format!("{end}\n"));
    Say::Pieces(pieces)
}

/// A reply that says something and calls a tool, in one of the three formats.
pub fn tool_call(kind: &str, text: &str, name: &str, input: &Value) -> Say {
    let mut pieces = match kind {
        "anthropic" => anthropic_start(&[text]),
        "openai" => vec![head("text/event-stream")],
        _ => vec![head("application/x-ndjson")],
    };
    match kind {
        "anthropic" => pieces.extend(
            [
                json!({"type": "content_block_stop", "index": 0}),
                json!({"type": "content_block_start", "index": 1, "content_block":
                    {"type": "tool_use", "id": "t1", "name": name, "input": {}}}),
                json!({"type": "content_block_delta", "index": 1, "delta":
                    {"type": "input_json_delta", "partial_json": input.to_string()}}),
                json!({"type": "content_block_stop", "index": 1}),
                json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}}),
                json!({"type": "message_stop"}),
            ]
            .iter()
            .map(event),
        ),
        "openai" => {
            let call = json!({"index": 0, "id": "t1", "type": "function",
                "function": {"name": name, "arguments": input.to_string()}});
            let chunks = [
                json!({"choices": [{"index": 0, "delta": {"content": text}}]}),
                json!({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}),
                json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}),
            ];
            pieces.extend(chunks.iter().map(|chunk| format!("data: {chunk}\n\n")));
            pieces.push("data: [DONE]\n\n".to_owned());
        }
        _ => {
            let call = json!({"function": {"name": name, "arguments": input}});
            let message = json!({"role": "assistant", "content": text, "tool_calls": [call]});
            pieces.push(format!("{}\n", json!({"message": message, "done": false})));
            let end = json!({"message": {"content": ""}, "done": true, "done_reason": "stop"});
            pieces.push(format!("{end}\n"));
        }
    }
    Say::Pieces(pieces)
}
