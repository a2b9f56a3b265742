//! Refusals, failures and nonsense.

use agent::config::ProviderKind;
use agent::model::Stop;
use agent::provider::{Event, Malformation, Notice, Phase, ProviderError, Tool};
use serde_json::json;

use super::server::{Asked, Say, Server, counted, events, response};
use super::{
    ANTHROPIC, KEY, KINDS, OPENAI, ask, ask_for, chosen, chosen_with, config, hello, outcome,
    request, text,
};

fn refusal(status: &str, headers: &str, message: &str) -> Say {
    let body = format!("{{\"error\":{{\"message\":\"{message}\"}}}}");
    Say::Bytes(response(status, headers, &body))
}

#[tokio::test]
async fn a_status_is_told_apart_by_what_one_can_do_about_it() {
    for (kind, _) in KINDS {
        for (status, message, is_right) in [
            (
                "401 U",
                "m",
                (|e| matches!(e, ProviderError::Auth { status: 401, .. })) as fn(&_) -> _,
            ),
            ("403 F", "m", |e| {
                matches!(e, ProviderError::Auth { status: 403, .. })
            }),
            (
                "404 N",
                "model: no such thing",
                |e| matches!(e, ProviderError::UnknownModel { model, .. } if model == "m"),
            ),
            ("404 N", "nothing here", |e| {
                matches!(e, ProviderError::NoSuchAddress { .. })
            }),
            ("413 L", "m", |e| {
                matches!(e, ProviderError::RequestTooLarge { .. })
            }),
            ("400 B", "prompt is too long: 9 > 8", |e| {
                matches!(e, ProviderError::RequestTooLarge { .. })
            }),
            ("400 B", "m", |e| {
                matches!(e, ProviderError::Rejected { status: 400, .. })
            }),
            ("418 T", "m", |e| {
                matches!(e, ProviderError::Rejected { status: 418, .. })
            }),
            ("307 R", "m", |e| {
                matches!(e, ProviderError::Redirected { status: 307, .. })
            }),
        ] {
            let ((events, failed), asked) = outcome(kind, vec![refusal(status, "", message)]).await;
            let failed = failed.expect(status);
            assert!(is_right(&failed), "{kind:?} {status} {message}: {failed}");
            assert!(events.is_empty() && asked.len() == 1);
        }
    }
}

#[tokio::test]
async fn a_busy_server_is_asked_three_times_and_each_is_announced() {
    for (status, is_right) in [
        (
            "429 R",
            (|e| {
                matches!(
                    e,
                    ProviderError::RateLimited {
                        retry_after_seconds: Some(7),
                        ..
                    }
                )
            }) as fn(&_) -> _,
        ),
        ("529 O", |e| matches!(e, ProviderError::Overloaded { .. })),
        ("503 O", |e| matches!(e, ProviderError::Overloaded { .. })),
        ("500 S", |e| {
            matches!(e, ProviderError::Server { status: 500, .. })
        }),
    ] {
        let say = refusal(status, "retry-after-ms: 1\r\nretry-after: 7\r\n", "later");
        let ((events, failed), asked) = outcome(ProviderKind::Anthropic, vec![say; 9]).await;
        let failed = failed.expect(status);
        assert!(is_right(&failed), "{status}: {failed}");
        assert_eq!(asked.len(), 3, "{status}");
        let number: u16 = status[..3].parse().unwrap();
        let retrying = |attempt| {
            Event::Notice(Notice::Retrying {
                attempt,
                after_ms: 1,
                status: Some(number),
            })
        };
        assert_eq!(events, [retrying(1), retrying(2)]);
    }
}

#[tokio::test]
async fn a_server_that_recovers_is_heard() {
    let busy = refusal("529 O", "retry-after-ms: 1\r\n", "later");
    let script = vec![busy, Say::Bytes(events(ANTHROPIC))];
    let ((events, failed), asked) = outcome(ProviderKind::Anthropic, script).await;
    assert!(failed.is_none());
    assert_eq!(events[1..], hello());
    assert_eq!(asked.len(), 2);
}

#[tokio::test]
async fn the_servers_word_on_retrying_counts() {
    let never = refusal("500 S", "x-should-retry: false\r\n", "m");
    let (_, asked) = outcome(ProviderKind::Anthropic, vec![never; 9]).await;
    assert_eq!(asked.len(), 1);
    let always = refusal(
        "400 B",
        "x-should-retry: true\r\nretry-after-ms: 1\r\n",
        "m",
    );
    let (_, asked) = outcome(ProviderKind::Anthropic, vec![always; 9]).await;
    assert_eq!(asked.len(), 3);
}

#[tokio::test]
async fn nothing_is_sent_again_once_the_reply_began() {
    let overloaded = "data: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"}}\n\n";
    let begun = ANTHROPIC
        .split_inclusive("\n\n")
        .take(2)
        .collect::<String>()
        + overloaded;
    let script = vec![Say::Bytes(events(&begun)); 2];
    let ((events, failed), asked) = outcome(ProviderKind::Anthropic, script).await;
    assert_eq!(text(&events), "hello", "what came before the error stays");
    assert!(matches!(failed, Some(ProviderError::Overloaded { .. })));
    assert_eq!(asked.len(), 1);
}

#[tokio::test]
async fn a_reply_that_is_cut_says_so_and_keeps_its_text() {
    for (kind, body) in KINDS {
        let until = body.find("hello").unwrap();
        let first = until + body[until..].find('\n').unwrap() + 2;
        for end in [first, first + 5] {
            let cut = events(&body[..end.min(body.len())]);
            let ((events, failed), _) = outcome(kind, vec![Say::Bytes(cut)]).await;
            assert!(failed.is_none(), "{kind:?}: {failed:?}");
            assert_eq!(text(&events), "hello");
            assert_eq!(events.last(), Some(&Event::Done(Stop::Cut)), "{kind:?}");
        }
    }
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_middle_is_an_error_behind_the_text() {
    for (kind, body) in KINDS {
        // More was promised than comes.
        let end = body.rfind("}\n").unwrap() - 20;
        let say = counted("200 OK", "", body);
        let head = say.len() - body.len();
        let ((events, failed), _) =
            outcome(kind, vec![Say::Bytes(say[..head + end].to_vec())]).await;
        assert_eq!(text(&events), "hello", "{kind:?}");
        match kind {
            // The reason to end had come: the reply is whole.
            ProviderKind::OpenAi => assert!(failed.is_none(), "{failed:?}"),
            _ => assert!(
                matches!(failed, Some(ProviderError::ConnectionLost { .. })),
                "{kind:?}"
            ),
        }
    }
}

#[tokio::test]
async fn a_reply_that_never_begins_is_an_error() {
    for (kind, _) in KINDS {
        for body in ["", "\n\n", "data: {\"type\":\"ping\"}\n\n"] {
            if kind == ProviderKind::Ollama && body.starts_with("data") {
                continue;
            }
            let ((events, failed), _) = outcome(kind, vec![Say::Bytes(events(body))]).await;
            assert!(events.is_empty());
            assert!(
                matches!(
                    failed,
                    Some(ProviderError::EndedEarly { .. } | ProviderError::Malformed { .. })
                ),
                "{kind:?} {body:?}: {failed:?}"
            );
        }
    }
}

#[tokio::test]
async fn what_is_no_reply_at_all_is_named() {
    for (kind, _) in KINDS {
        for (say, what) in [
            (events("<!doctype html><h1>hi</h1>"), Malformation::Html),
            (
                events("data: {\"broken\n\n{\"a\n"),
                Malformation::NotItsJson,
            ),
            (
                events("certainly not a reply\n\n"),
                Malformation::NotAStream,
            ),
        ] {
            let ((events, failed), _) = outcome(kind, vec![Say::Bytes(say)]).await;
            assert!(events.is_empty());
            let Some(ProviderError::Malformed { what: found, .. }) = failed else {
                panic!("{kind:?} {what:?}: {failed:?}");
            };
            let same =
                found == what || kind == ProviderKind::Ollama && found == Malformation::NotAStream;
            assert!(same, "{kind:?}: {found:?} for {what:?}");
        }
        let garbage = Say::Bytes(b"\x16\x03\x01 this is not HTTP\r\n\r\n".to_vec());
        let ((_, failed), _) = outcome(kind, vec![garbage]).await;
        assert!(
            matches!(failed, Some(ProviderError::ConnectionLost { .. })),
            "{failed:?}"
        );
    }
}

#[tokio::test]
async fn an_error_page_shows_its_status_and_not_its_markup() {
    let page = "<html><body>\u{1b}[31mBad gateway</body></html>";
    let say = Say::Bytes(response("502 B", "x-should-retry: false\r\n", page));
    let ((_, failed), _) = outcome(ProviderKind::OpenAi, vec![say]).await;
    let shown = failed.unwrap().to_string();
    assert!(shown.ends_with("failed (status 502)"), "{shown}");
}

#[tokio::test]
async fn an_echoed_key_and_control_characters_do_not_reach_the_error() {
    for (kind, _) in KINDS {
        let message = format!("bad key {KEY}\\u001b[2J\\u202e and {}...", &KEY[..16]);
        for body in [
            format!("{{\"error\":{{\"message\":\"{message}\"}}}}"),
            format!("{{\"error\":\"{message}\"}}"),
            format!("{{\"detail\":\"{message}\"}}"),
        ] {
            let say = Say::Bytes(response("401 U", "", &body));
            let ((_, failed), _) = outcome(kind, vec![say]).await;
            let failed = failed.unwrap();
            let shown = format!("{failed} {failed:?} {failed:#?}");
            assert!(shown.contains("bad key [key]"), "{shown}");
            assert!(!shown.contains(&KEY[..16]), "{shown}");
            assert!(
                !shown.chars().any(|c| c.is_control() && c != '\n'),
                "{shown:?}"
            );
        }
    }
}

#[tokio::test]
async fn an_endless_event_ends_at_the_limit() {
    for (kind, begin) in [
        (ProviderKind::OpenAi, "data: "),
        (ProviderKind::Ollama, "{\""),
    ] {
        let script = vec![Say::Forever(events(begin), vec![b'a'; 1 << 20])];
        let ((_, failed), _) = outcome(kind, script).await;
        assert!(
            matches!(
                failed,
                Some(ProviderError::Malformed {
                    what: Malformation::HugeEvent,
                    ..
                })
            ),
            "{failed:?}"
        );
    }
}

#[tokio::test]
async fn an_endless_reply_ends_at_the_limit() {
    let more = ": nothing to say, and that at length\n".repeat(1 << 14);
    let script = vec![Say::Forever(events(""), more.into_bytes())];
    let ((_, failed), _) = outcome(ProviderKind::OpenAi, script).await;
    assert!(
        matches!(failed, Some(ProviderError::ReplyTooLarge { .. })),
        "{failed:?}"
    );
}

#[tokio::test]
async fn an_endless_error_is_read_in_part() {
    let head = response("400 B", "", "");
    let script = vec![Say::Forever(head, vec![b'x'; 1 << 16])];
    let ((_, failed), _) = outcome(ProviderKind::OpenAi, script).await;
    let shown = failed.unwrap().to_string();
    assert!(shown.chars().count() < 400, "{}", shown.len());
}

#[tokio::test]
async fn silence_ends_at_its_time() {
    let cases = [
        (Say::Hang(vec![]), Phase::FirstByte),
        (Say::Hang(events("")), Phase::FirstByte),
        (Say::Hang(events(": hm\n")), Phase::Idle),
    ];
    futures_util::future::join_all(cases.map(async |(say, phase)| {
        let server = Server::new(vec![say]);
        let mut config = config(ProviderKind::OpenAi, &server.url());
        config.timeouts.first_byte_seconds = 1;
        config.timeouts.idle_seconds = 1;
        let (_, failed) = ask(&chosen_with(&config)).await;
        match failed {
            Some(ProviderError::Timeout { phase: found, .. }) => assert_eq!(found, phase),
            other => panic!("{phase:?}: {other:?}"),
        }
        assert_eq!(server.asked().len(), 1, "a slow server is not asked twice");
    }))
    .await;
}

#[tokio::test]
async fn an_exchange_ends_at_its_total_time() {
    let server = Server::new(vec![Say::Hang(events(": hm\n"))]);
    let mut config = config(ProviderKind::OpenAi, &server.url());
    config.timeouts.total_seconds = 1;
    let (_, failed) = ask(&chosen_with(&config)).await;
    let phase = match failed {
        Some(ProviderError::Timeout { phase, .. }) => phase,
        other => panic!("{other:?}"),
    };
    assert_eq!(phase, Phase::Total);
}

#[tokio::test]
async fn a_whole_reply_does_not_wait_for_a_server_that_never_closes() {
    let without_done = OPENAI.replace("data: [DONE]\n\n", "");
    let server = Server::new(vec![Say::Hang(events(&without_done))]);
    let (events, failed) = ask(&chosen(ProviderKind::OpenAi, &server)).await;
    assert!(failed.is_none());
    assert_eq!(events, hello());
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_at_once() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://localhost:{}", server.local_addr().unwrap().port());
    drop(server);
    let (events, failed) = ask(&chosen_with(&config(ProviderKind::Ollama, &url))).await;
    assert!(events.is_empty(), "no retries on this machine");
    assert!(
        matches!(failed, Some(ProviderError::Connect { .. })),
        "{failed:?}"
    );
}

#[tokio::test]
async fn a_list_of_models_that_is_none_is_an_error() {
    for (kind, _) in KINDS {
        for body in ["{}", "[", "{\"data\":3}"] {
            let server = Server::new(vec![Say::Keep(counted("200 OK", "", body))]);
            let failed = chosen(kind, &server).provider.models().await;
            assert!(
                matches!(failed, Err(ProviderError::Malformed { .. })),
                "{body}"
            );
        }
        let server = Server::new(vec![refusal("401 U", "", "m")]);
        let failed = chosen(kind, &server).provider.models().await;
        assert!(matches!(failed, Err(ProviderError::Auth { .. })));
    }
}

#[tokio::test]
async fn dropping_the_stream_ends_the_exchange() {
    use futures_util::StreamExt;
    let begun = OPENAI.split_inclusive("\n\n").next().unwrap();
    let server = Server::new(vec![Say::Hang(events(begun)), Say::Bytes(events(OPENAI))]);
    let chosen = chosen(ProviderKind::OpenAi, &server);
    let request = super::request();
    let mut stream = chosen.provider.stream(&request);
    let first = stream.next().await.unwrap().unwrap();
    assert_eq!(first, Event::Text("hello".into()));
    drop(stream);
    assert_eq!(
        ask(&chosen).await.0,
        hello(),
        "and the next one goes on a new connection"
    );
}

#[test]
fn what_stays_on_this_machine_goes_through_no_proxy() {
    // The variables are read when a client is made: a process of its own has them.
    let proxy = Server::new(vec![]);
    let run = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_reply_arrives_however_it_is_split"])
        .env("HTTP_PROXY", proxy.url())
        .env("http_proxy", proxy.url())
        .env("ALL_PROXY", proxy.url())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && said.contains("1 passed"), "{said}");
    assert_eq!(proxy.connections(), 0);
}

#[tokio::test]
async fn a_server_that_takes_no_tools_is_asked_without_and_told_what_to_do_instead() {
    for (kind, body) in KINDS {
        for (status, message) in [
            ("400 Bad Request", "small does not support tools"),
            ("500 Internal Server Error", "tools param requires a flag"),
            ("404 Not Found", "no endpoint supports tool use"),
        ] {
            let refused = refusal(status, "", message);
            let server = Server::new(vec![
                refused,
                Say::Bytes(events(body)),
                Say::Bytes(events(body)),
            ]);
            let chosen = chosen(kind, &server);
            let mut request = request();
            request.instead_of_tools = "write a block".into();
            request.tools.push(Tool {
                name: "look".into(),
                description: "looks".into(),
                input_schema: json!({"type": "object"}),
            });
            for _ in 0..2 {
                let (heard, failed) = ask_for(&chosen, &request).await;
                assert!(failed.is_none(), "{kind:?} {status}: {failed:?}");
                assert_eq!(heard, hello(), "{kind:?} {status}");
            }
            let asked = server.asked();
            assert_eq!(asked.len(), 3);
            let block = |asked: &Asked| asked.body.to_string().contains("write a block");
            assert!(asked[0].body["tools"].is_array() && !block(&asked[0]));
            for asked in &asked[1..] {
                assert!(asked.body.get("tools").is_none() && block(asked));
            }
        }
    }
}
