//! Providers against servers that do everything wrong: what comes out, what was sent, how often.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

mod choice;
mod secure;
mod server;
mod wrong;

use std::ffi::OsString;

use agent::config::{ApiKey, Config, Environment, ProviderConfig, ProviderKind};
use agent::model::{Role, Stop, Text, Usage};
use agent::provider::{Chosen, Event, JsonSchema, Notice, ProviderError, Request, select};
use futures_util::StreamExt;
use serde_json::json;

use server::{Asked, Say, Server, counted, events, response};

const KEY: &str = "sk-test-0123456789abcdef";

/// A reply of one word and its end, in the three formats.
const ANTHROPIC: &str = concat!(
    r#"data: {"type":"message_start","message":{"usage":{"input_tokens":3}}}"#,
    "\n\n",
    r#"data: {"type":"content_block_delta","index":0,"#,
    r#""delta":{"type":"text_delta","text":"hello"}}"#,
    "\n\n",
    r#"data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"#,
    r#""usage":{"output_tokens":2}}"#,
    "\n\ndata: {\"type\":\"message_stop\"}\n\n",
);
const OPENAI: &str = concat!(
    r#"data: {"choices":[{"delta":{"content":"hello"}}]}"#,
    "\n\n",
    r#"data: {"choices":[{"delta":{},"finish_reason":"stop"}]}"#,
    "\n\n",
    r#"data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#,
    "\n\ndata: [DONE]\n\n",
);
const OLLAMA: &str = concat!(
    r#"{"message":{"content":"hello"},"done":false}"#,
    "\n",
    r#"{"message":{"content":""},"done":true,"done_reason":"stop","#,
    r#""prompt_eval_count":3,"eval_count":2}"#,
    "\n",
);

const KINDS: [(ProviderKind, &str); 3] = [
    (ProviderKind::Anthropic, ANTHROPIC),
    (ProviderKind::OpenAi, OPENAI),
    (ProviderKind::Ollama, OLLAMA),
];

fn nothing(_: &str) -> Option<OsString> {
    None
}

fn key(_: &str) -> Option<ApiKey> {
    ApiKey::new(KEY.to_owned()).ok()
}

fn config(kind: ProviderKind, url: &str) -> Config {
    let mut config = Config::default();
    let mine = ProviderConfig {
        kind: Some(kind),
        base_url: Some(url.to_owned()),
        ..ProviderConfig::default()
    };
    config.providers.insert("mine".into(), mine);
    config
}

fn chosen_with(config: &Config) -> Chosen {
    let environment = Environment::with(nothing, None).unwrap();
    select(Some("mine/m"), config, &environment, &key)
        .map_err(|error| error.to_string())
        .unwrap_or_else(|error| panic!("{error}"))
}

fn chosen(kind: ProviderKind, server: &Server) -> Chosen {
    chosen_with(&config(kind, &server.url()))
}

fn request() -> Request {
    Request::new("m", 100).say(Role::User, "hi")
}

type Outcome = (Vec<Event>, Option<ProviderError>);

async fn ask_for(chosen: &Chosen, request: &Request) -> Outcome {
    let mut stream = chosen.provider.stream(request);
    let (mut events, mut failed) = (Vec::new(), None);
    while let Some(item) = stream.next().await {
        assert!(failed.is_none(), "nothing comes after an error");
        match item {
            Ok(event) => events.push(event),
            Err(error) => failed = Some(error),
        }
    }
    (events, failed)
}

async fn ask(chosen: &Chosen) -> Outcome {
    ask_for(chosen, &request()).await
}

/// What comes of one request to a server with this script.
async fn outcome(kind: ProviderKind, script: Vec<Say>) -> (Outcome, Vec<Asked>) {
    let server = Server::new(script);
    let outcome = ask(&chosen(kind, &server)).await;
    (outcome, server.asked())
}

fn text(events: &[Event]) -> String {
    let texts = events.iter().filter_map(|event| match event {
        Event::Text(text) => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

fn hello() -> Vec<Event> {
    let usage = Usage {
        input: 3,
        output: 2,
        ..Usage::default()
    };
    vec![
        Event::Text(Text::from("hello")),
        Event::Usage(usage),
        Event::Done(Stop::End),
    ]
}

#[tokio::test]
async fn a_reply_arrives_however_it_is_split() {
    for (kind, body) in KINDS {
        for say in [Say::Bytes(events(body)), Say::Trickle(events(body))] {
            let ((events, failed), _) = outcome(kind, vec![say]).await;
            assert!(failed.is_none(), "{kind:?}: {failed:?}");
            assert_eq!(events, hello(), "{kind:?}");
        }
    }
}

#[tokio::test]
async fn each_vendor_is_asked_at_its_address_with_its_key_and_no_more() {
    for (kind, line, name, value) in [
        (
            ProviderKind::Anthropic,
            "POST /v1/messages HTTP/1.1",
            "x-api-key",
            KEY.to_owned(),
        ),
        (
            ProviderKind::OpenAi,
            "POST /v1/chat/completions HTTP/1.1",
            "authorization",
            format!("Bearer {KEY}"),
        ),
        (
            ProviderKind::Ollama,
            "POST /api/chat HTTP/1.1",
            "authorization",
            format!("Bearer {KEY}"),
        ),
    ] {
        let (_, asked) = outcome(kind, vec![]).await;
        let asked = &asked[0];
        assert_eq!(asked.line, line);
        assert_eq!(asked.header(name), Some(value.as_str()));
        let agent = format!("agent/{}", env!("CARGO_PKG_VERSION"));
        assert_eq!(asked.header("user-agent"), Some(agent.as_str()));
        let mut names: Vec<_> = asked
            .headers
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        names.sort_unstable();
        let mut expected = vec![
            name,
            "accept",
            "content-length",
            "content-type",
            "host",
            "user-agent",
        ];
        if kind == ProviderKind::Anthropic {
            expected.push("anthropic-version");
        }
        expected.sort_unstable();
        assert_eq!(names, expected);
        assert_eq!(asked.body["model"], "m");
        assert_eq!(asked.body["stream"], true);
    }
}

#[tokio::test]
async fn a_base_url_may_have_its_path_or_not() {
    for (kind, tail, line) in [
        (ProviderKind::Anthropic, "/v1/", "POST /v1/messages"),
        (
            ProviderKind::Anthropic,
            "/gateway",
            "POST /gateway/v1/messages",
        ),
        (ProviderKind::OpenAi, "/", "POST /v1/chat/completions"),
        (ProviderKind::OpenAi, "/v1", "POST /v1/chat/completions"),
        (
            ProviderKind::OpenAi,
            "/api/v1/",
            "POST /api/v1/chat/completions",
        ),
        (
            ProviderKind::OpenAi,
            "/v1/chat/completions",
            "POST /v1/chat/completions",
        ),
        (ProviderKind::Ollama, "/api", "POST /api/chat"),
        (ProviderKind::Ollama, "/v1/", "POST /api/chat"),
        (ProviderKind::Ollama, "/x", "POST /x/api/chat"),
    ] {
        let server = Server::new(vec![]);
        let url = format!("{}{tail}", server.url());
        ask(&chosen_with(&config(kind, &url))).await;
        assert_eq!(server.asked()[0].line, format!("{line} HTTP/1.1"), "{tail}");
    }
}

#[tokio::test]
async fn plain_json_in_place_of_a_stream_is_read_all_the_same() {
    for (kind, body) in [
        (
            ProviderKind::Anthropic,
            "{\"type\":\"message\",\"content\":[{\"type\":\"text\",\"text\":\"hello\"}],\
             \"stop_reason\":\"end_turn\",\"usage\":{\"input_tokens\":3,\"output_tokens\":2}}",
        ),
        (
            ProviderKind::OpenAi,
            "{\n\"choices\":[{\"message\":{\"content\":\"hello\"},\"finish_reason\":\"stop\"}],\n\
             \"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}",
        ),
        (
            ProviderKind::Ollama,
            "{\n\"message\":{\"content\":\"hello\"},\"done\":true,\n\
             \"prompt_eval_count\":3,\"eval_count\":2}",
        ),
    ] {
        let say = response("200 OK", "content-type: application/json\r\n", body);
        let ((events, failed), _) = outcome(kind, vec![Say::Bytes(say)]).await;
        assert!(failed.is_none(), "{kind:?}: {failed:?}");
        assert_eq!(events, hello(), "{kind:?}");
    }
}

#[tokio::test]
async fn one_connection_serves_many_turns() {
    for (kind, body) in KINDS {
        let server = Server::new(vec![Say::Keep(counted("200 OK", "", body)); 3]);
        let chosen = chosen(kind, &server);
        for _ in 0..3 {
            assert_eq!(ask(&chosen).await.0, hello());
        }
        assert_eq!(server.connections(), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn a_connection_that_the_server_closed_between_two_turns_is_opened_again() {
    for (kind, body) in KINDS {
        let server = Server::new(vec![Say::Bytes(counted("200 OK", "", body)); 20]);
        let chosen = chosen(kind, &server);
        for turn in 0..20 {
            let (events, failed) = ask(&chosen).await;
            assert!(failed.is_none(), "{kind:?} {turn}: {failed:?}");
            assert_eq!(events, hello());
        }
    }
}

#[tokio::test]
async fn what_a_server_does_not_know_is_left_out_and_remembered() {
    let refused = |word: &str| {
        let body = format!("{{\"error\":{{\"message\":\"unknown field `{word}`\"}}}}");
        Say::Bytes(response("400 Bad Request", "", &body))
    };
    let good = || Say::Bytes(events(OPENAI));
    let server = Server::new(vec![
        refused("stream_options"),
        refused("response_format"),
        refused("max_completion_tokens"),
        good(),
        good(),
    ]);
    let chosen = chosen(ProviderKind::OpenAi, &server);
    let mut request = request();
    request.schema = Some(JsonSchema {
        name: "s".into(),
        schema: json!({"type": "object"}),
    });
    for _ in 0..2 {
        let (events, failed) = ask_for(&chosen, &request).await;
        assert!(failed.is_none(), "{failed:?}");
        assert_eq!(events, hello());
    }
    let asked = server.asked();
    assert_eq!(asked.len(), 5);
    assert!(asked[0].body.get("stream_options").is_some());
    for asked in &asked[3..] {
        assert!(asked.body.get("stream_options").is_none());
        assert!(asked.body.get("response_format").is_none());
        assert!(asked.body.get("max_tokens").is_none());
        assert_eq!(asked.body["max_completion_tokens"], 100);
    }
}

#[tokio::test]
async fn a_complaint_that_does_not_end_is_passed_on() {
    let body = "{\"error\":\"stream_options, always stream_options\"}";
    let refused = Say::Bytes(response("400 Bad Request", "", body));
    let ((_, failed), asked) = outcome(ProviderKind::OpenAi, vec![refused; 9]).await;
    assert!(matches!(
        failed,
        Some(ProviderError::Rejected { status: 400, .. })
    ));
    assert_eq!(asked.len(), 2);
}

#[tokio::test]
async fn without_a_model_the_server_is_asked_for_one() {
    for (kind, list, line, reply) in [
        (
            ProviderKind::OpenAi,
            "{\"data\":[{\"id\":\"qwen\\u001b[2J\"},{\"id\":\"other\"}]}",
            "GET /v1/models HTTP/1.1",
            OPENAI,
        ),
        (
            ProviderKind::Ollama,
            "{\"models\":[{\"name\":\"qwen [2J\"}]}",
            "GET /api/tags HTTP/1.1",
            OLLAMA,
        ),
    ] {
        let server = Server::new(vec![
            Say::Keep(counted("200 OK", "", list)),
            Say::Keep(counted("200 OK", "", reply)),
            Say::Keep(counted("200 OK", "", reply)),
        ]);
        let chosen = chosen(kind, &server);
        let request = Request::new("default", 100).say(Role::User, "hi");
        for _ in 0..2 {
            let (events, failed) = ask_for(&chosen, &request).await;
            assert!(failed.is_none(), "{failed:?}");
            assert_eq!(events[0], Event::Notice(Notice::Model("qwen [2J".into())));
            assert_eq!(text(&events), "hello");
        }
        let asked = server.asked();
        assert_eq!(asked.len(), 3, "the list is asked for once");
        assert_eq!(asked[0].line, line);
        assert_eq!(asked[2].body["model"], "qwen [2J");
    }
}

#[tokio::test]
async fn models_are_listed_by_every_kind() {
    for (kind, list) in [
        (
            ProviderKind::Anthropic,
            "{\"data\":[{\"id\":\"a\",\"display_name\":\"A\",\"max_input_tokens\":9},{\"x\":1}]}",
        ),
        (
            ProviderKind::OpenAi,
            "[{\"id\":\"a\",\"name\":\"A\",\"context_length\":9}]",
        ),
        (ProviderKind::Ollama, "{\"models\":[{\"model\":\"a\"}]}"),
    ] {
        let server = Server::new(vec![Say::Keep(counted("200 OK", "", list))]);
        let models = chosen(kind, &server).provider.models().await.unwrap();
        assert_eq!(models.len(), 1, "{kind:?}");
        assert_eq!(models[0].id, "a");
        if kind != ProviderKind::Ollama {
            assert_eq!(models[0].name.as_deref(), Some("A"));
            assert_eq!(models[0].context_tokens, Some(9));
        }
    }
}
