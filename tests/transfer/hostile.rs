//! Every importer on files that were damaged at random: none panics, and what comes in once does
//! not come in again. `PROPTEST_CASES` makes the run longer.

use std::io::Cursor;

use agent::transfer::{ArticleSources, Format, ImportOptions, Origin, import, import_article};
use agent::vault::Vault;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::{
    append_lines, export_of, fresh, go_on, id, item, lines_of, memory, options, said, started,
};

const CHATGPT: &str = r#"[{"title":"Boats","create_time":1700000000.5,"mapping":{
 "r":{"id":"r","message":null,"parent":null,"children":["a"]},
 "a":{"id":"a","parent":"r","children":["b"],"message":{"id":"a","author":{"role":"user"},
  "create_time":1700000001,"content":{"content_type":"text","parts":["a question","more"]}}},
 "b":{"id":"b","parent":"a","children":[],"message":{"id":"b","author":{"role":"assistant"},
  "create_time":1700000002,"content":{"content_type":"text","parts":["an answer"]},
  "metadata":{"model_slug":"gpt-5"}}}},"current_node":"b","conversation_id":"c1"}]"#;
const CLAUDE: &str = r#"[{"uuid":"c1","name":"Maps","created_at":"2026-01-01T10:00:00.5Z","chat_messages":[
 {"uuid":"m1","text":"a question","sender":"human","created_at":"2026-01-01T10:00:00Z",
  "attachments":[{"file_name":"n.txt","extracted_content":"of a file"}],"files":[]},
 {"uuid":"m2","text":"","sender":"assistant","content":[{"type":"text","text":"an answer"},
  {"type":"tool_use","name":"x"}],"created_at":"2026-01-01T10:00:01Z"}]}]"#;
const MCP_MEMORY: &str = r#"{"type":"entity","name":"Ann_Lee","entityType":"person","observations":["sails","has a cat"]}
{"type":"relation","from":"Ann_Lee","to":"Bo","relationType":"knows"}
"#;
const LOG: &str = r#"{"timestamp":"2026-01-01T10:00:00.123456","session_id":"s1","role":"user","content":"hello"}
{"timestamp":"2026-01-01T10:00:01","session_id":"s1","role":"assistant","content":[{"type":"text","text":"hi"}]}
{"timestamp":"2026-01-01T10:00:02","user":"ok","response":"fine"}
"#;
const BUFFER: &str =
    r#"[{"role":"user","content":"hello"},{"role":"assistant","content":"only here"}]"#;
const MEMORY: &str = r#"{"key_facts":["has a \"cat\"",{"fact":"is 40","timestamp":"2026-01-01"}],
 "user_preferences":["short answers"],"past_outcomes":["moved house"]}"#;

/// What is done to a file.
#[derive(Clone, Debug)]
enum Harm {
    Put(u16, Vec<u8>),
    Flip(u16, u8),
    Drop(u16, u16),
    Double(u16, u16),
    Cut(u16),
}

/// Pieces that mean something to one of the readers.
const WORDS: [&[u8]; 20] = [
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b",",
    b":",
    b"\\",
    b"\\ud800",
    b"\n",
    b"null",
    b"1e999",
    b"-1",
    b"\"role\"",
    b"\"mapping\":{}",
    b"\"parent\":\"b\"",
    b"\xff\xfe",
    b"\x00",
    b"\"type\":\"end\"",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
];

fn harm() -> impl Strategy<Value = Harm> {
    let word = prop::sample::select(WORDS.to_vec()).prop_map(<[u8]>::to_vec);
    let bytes = prop::collection::vec(any::<u8>(), 0..8);
    prop_oneof![
        3 => (any::<u16>(), word).prop_map(|(at, word)| Harm::Put(at, word)),
        1 => (any::<u16>(), bytes).prop_map(|(at, bytes)| Harm::Put(at, bytes)),
        2 => (any::<u16>(), 1_u8..).prop_map(|(at, with)| Harm::Flip(at, with)),
        2 => (any::<u16>(), 1_u16..60).prop_map(|(at, len)| Harm::Drop(at, len)),
        1 => (any::<u16>(), 1_u16..200).prop_map(|(at, len)| Harm::Double(at, len)),
        1 => any::<u16>().prop_map(Harm::Cut),
    ]
}

fn harmed(file: &[u8], harms: &[Harm]) -> Vec<u8> {
    let mut file = file.to_vec();
    for harm in harms {
        let place = |at: u16| usize::from(at) * file.len() / 65_536;
        let range = |at: u16, len: u16| place(at)..(place(at) + usize::from(len)).min(file.len());
        match harm {
            Harm::Put(at, bytes) => {
                let at = place(*at);
                file.splice(at..at, bytes.iter().copied());
            }
            Harm::Flip(at, with) => {
                let at = place(*at);
                file.iter_mut()
                    .skip(at)
                    .take(1)
                    .for_each(|byte| *byte ^= with);
            }
            Harm::Drop(at, len) => drop(file.drain(range(*at, *len))),
            Harm::Double(at, len) => {
                let part = file[range(*at, *len)].to_vec();
                let at = place(*at);
                file.splice(at..at, part);
            }
            Harm::Cut(at) => file.truncate(place(*at)),
        }
    }
    file
}

/// Runs `take` on harmed forms of `file`.
fn each_harmed(cases: u32, file: &[u8], mut take: impl FnMut(&[u8])) {
    let mut config = Config::with_cases(cases);
    // A longer run is asked for by the environment.
    if std::env::var_os("PROPTEST_CASES").is_some() {
        config.cases = Config::default().cases;
    }
    config.failure_persistence = None;
    let take = std::cell::RefCell::new(&mut take);
    let harms = prop::collection::vec(harm(), 1..6);
    TestRunner::new(config)
        .run(&harms, |harms| {
            (take.borrow_mut())(&harmed(file, &harms));
            Ok(())
        })
        .unwrap();
}

fn once_and_again(vault: &mut Vault, file: &[u8], wanted: &ImportOptions) {
    let done = import(vault, &mut Cursor::new(file), wanted, &mut go_on);
    let again = import(vault, &mut Cursor::new(file), wanted, &mut go_on);
    match (done, again) {
        (Ok(done), Ok(again)) => {
            assert_eq!(again.records, 0, "{done:?} {again:?}");
            assert_eq!(done.bad_count, again.bad_count);
        }
        (Err(_), Err(_)) => {}
        other => panic!("{other:?}"),
    }
}

fn survives(origin: Origin, file: &[u8]) {
    let mut vault = fresh();
    for (wanted, salvage) in [(Some(origin), true), (Some(origin), false), (None, true)] {
        let wanted = ImportOptions {
            salvage,
            ..options(wanted)
        };
        each_harmed(48, file, |file| once_and_again(&mut vault, file, &wanted));
    }
    // What came in is a log that reads.
    assert!(lines_of(&mut vault).len() > 3);
}

#[test]
fn damaged_account_exports_are_survived() {
    survives(Origin::Chatgpt, CHATGPT.as_bytes());
    survives(Origin::Claude, CLAUDE.as_bytes());
}

#[test]
fn damaged_graphs_are_survived() {
    survives(Origin::McpMemory, MCP_MEMORY.as_bytes());
}

#[test]
fn damaged_exports_are_survived() {
    let mut vault = fresh();
    let cat = item(7, agent::model::Kind::Fact, "has a cat");
    let records = [
        started(id(1)),
        said(id(1), 1, agent::model::Role::User, "a question"),
        said(id(1), 2, agent::model::Role::Assistant, "an answer"),
        memory(agent::model::MemoryOp::Add { item: cat }),
    ];
    let lines: Vec<String> = records
        .iter()
        .map(|record| String::from_utf8(record.to_line().to_vec()).unwrap())
        .collect();
    append_lines(&mut vault, &lines);
    let (file, _) = export_of(&mut vault, Format::Jsonl, true);
    survives(Origin::Jsonl, &file);
}

#[test]
fn damaged_files_of_the_article_are_survived() {
    let mut vault = fresh();
    let mut run = |part: usize, file: &[u8]| {
        let mut take = || {
            let mut files = [LOG.as_bytes(), BUFFER.as_bytes(), MEMORY.as_bytes()];
            files[part] = file;
            let sources = ArticleSources {
                session_log: Some(&mut Cursor::new(files[0])),
                conversation_buffer: Some(&mut Cursor::new(files[1])),
                long_term_memory: Some(&mut Cursor::new(files[2])),
            };
            import_article(&mut vault, sources, &options(None), &mut go_on).unwrap()
        };
        let done = take();
        let again = take();
        assert_eq!((again.records, again.bad_count), (0, done.bad_count));
    };
    for (part, file) in [LOG, BUFFER, MEMORY].into_iter().enumerate() {
        each_harmed(48, file.as_bytes(), |file| run(part, file));
    }
}

#[cfg(feature = "llm")]
#[test]
fn damaged_databases_are_survived() {
    use agent::transfer::import_llm;
    use rusqlite::Connection;
    let file = tempfile::NamedTempFile::new().unwrap();
    let database = Connection::open(file.path()).unwrap();
    database
        .execute_batch(
            "pragma page_size = 512;
            create table conversations (id text primary key, name text, model text);
            create table responses (id text primary key, model text, prompt text, response text,
                conversation_id text, datetime_utc text);
            create table messages (hash text primary key, parent_hash text, role text);
            create table parts (id integer primary key, message_hash text, position integer,
                type text, text text, payload text);
            create table fragments (id integer primary key, content text);
            create table threads (id text primary key, name text);
            create table turns (id text primary key, thread_id text, parent_message_hash text,
                tip_message_hash text, model text, datetime_utc text);
            insert into conversations values ('c1','Old','m');
            insert into responses values ('r1','m','question','answer','c1','2024-01-01T10:00:00');
            insert into messages values ('q',null,'user'),('a','q','assistant');
            insert into parts values (1,'q',0,'text',null,
                '{\"text_ref\": [{\"fragment\": 1}, {\"literal\": \" new\"}]}'),
                (2,'a',0,'text','reply',null);
            insert into fragments values (1,'of a file');
            insert into threads values ('t1','New');
            insert into turns values ('u1','t1','q','a','m','2026-01-01T10:00:00');",
        )
        .unwrap();
    drop(database);
    let whole = std::fs::read(file.path()).unwrap();
    let mut vault = fresh();
    each_harmed(48, &whole, |bytes| {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let mut run = || import_llm(&mut vault, file.path(), &options(None), &mut go_on);
        if run().is_ok() {
            assert_eq!(run().unwrap().records, 0);
        }
    });
}
