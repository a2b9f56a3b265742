//! What others keep, as they keep it and as they should not.

use std::io::{Cursor, Write};

use agent::memory::Memory;
use agent::model::{Message, Record, Role, SourceClass, Status};
use agent::transfer::{
    ArticleSources, Bad, Fault, Imported, Origin, TransferError, detect, import_article,
};
use agent::vault::{Vault, View};

use crate::support::*;

fn messages(vault: &mut Vault) -> Vec<Message> {
    let lines = lines_of(vault);
    let records = lines
        .iter()
        .map(|line| Record::from_line(line.as_bytes()).unwrap());
    records
        .filter_map(|record| match record {
            Record::Message(message) => Some(message),
            _ => None,
        })
        .collect()
}

fn said_in(vault: &mut Vault) -> Vec<(Role, String)> {
    let messages = messages(vault);
    messages
        .iter()
        .map(|message| (message.role, message.plain().to_string()))
        .collect()
}

fn memories(vault: &mut Vault) -> Vec<(String, Status)> {
    let view = View::load(vault, Memory::new()).unwrap();
    let mut out: Vec<_> = view
        .fold
        .all()
        .map(|stored| (stored.item.text.to_string(), stored.item.status))
        .collect();
    out.sort_by(|a, b| a.0.cmp(&b.0));
    out
}

fn faults(imported: &Imported) -> Vec<(Option<u64>, Fault)> {
    let place = |bad: &Bad| bad.line.or(bad.entry);
    imported
        .bad
        .iter()
        .map(|bad| (place(bad), bad.fault))
        .collect()
}

fn said(pairs: &[(Role, &str)]) -> Vec<(Role, String)> {
    pairs
        .iter()
        .map(|(role, text)| (*role, (*text).to_owned()))
        .collect()
}

const CHATGPT: &str = r#"[
 {"title":"Roses","create_time":1700000000.5,"conversation_id":"c-1","current_node":"n4","mapping":{
  "n0":{"id":"n0","message":null,"parent":null,"children":["n1"]},
  "n1":{"id":"n1","parent":"n0","children":["n2"],"message":{"id":"n1","author":{"role":"system"},
    "content":{"content_type":"text","parts":[""]}}},
  "n2":{"id":"n2","parent":"n1","children":["n3","n4"],"message":{"id":"n2","author":{"role":"user"},
    "create_time":1700000001,"content":{"content_type":"multimodal_text",
    "parts":[{"content_type":"image_asset_pointer"},"why are they yellow?"]}}},
  "n3":{"id":"n3","parent":"n2","children":[],"message":{"id":"n3","author":{"role":"assistant"},
    "content":{"content_type":"text","parts":["a draft that was replaced"]}}},
  "n4":{"id":"n4","parent":"n2","children":[],"message":{"id":"n4","author":{"role":"assistant"},
    "create_time":NaN,"content":{"content_type":"text","parts":["too much water"]},
    "recipient":"all","metadata":{"model_slug":"gpt-4o"}}}}},
 {"title":"Circle","create_time":"never","id":"c-2","current_node":"a","mapping":{
  "a":{"parent":"b","message":{"author":{"role":"user"},"content":{"parts":["round"]}}},
  "b":{"parent":"a","message":{"author":{"role":"assistant"},"content":{"parts":["and round"]}}}}},
 {"title":"no id","mapping":{}},
 {"broken": tru},
 {"title":"No end named","id":"c-3","mapping":{
  "x":{"message":{"author":{"role":"user"},"content":{"content_type":"code","text":"print(1)"}}},
  "y":{"parent":"x","message":{"author":{"role":"tool"},"content":{"parts":["1"]}}}}}
]"#;

#[test]
fn chatgpt_brings_the_branch_that_was_seen_last() {
    let mut vault = fresh();
    let imported = import_from(&mut vault, None, CHATGPT.as_bytes());
    assert_eq!(imported.origin, Some(Origin::Chatgpt));
    assert_eq!(
        said_in(&mut vault),
        said(&[
            (Role::User, "why are they yellow?"),
            (Role::Assistant, "too much water"),
            (Role::Assistant, "and round"),
            (Role::User, "round"),
            (Role::User, "print(1)"),
        ])
    );
    assert_eq!((imported.conversations, imported.messages), (3, 5));
    assert_eq!(
        faults(&imported),
        [(Some(3), Fault::Incomplete), (Some(4), Fault::NotJson)]
    );
    let first = &messages(&mut vault)[..2];
    assert_eq!(first[0].at.to_string(), "2023-11-14T22:13:21Z");
    assert_eq!(first[1].at, first[0].at);
    assert_eq!(first[1].model.as_deref(), Some("openai/gpt-4o"));
    assert_eq!(first[0].source, Some(SourceClass::Import));
    assert!(
        lines_of(&mut vault)
            .iter()
            .any(|line| line.contains("Roses"))
    );
    twice_is_once(&mut vault, Some(Origin::Chatgpt), CHATGPT.as_bytes());
}

const CLAUDE: &str = r#"[
 {"uuid":"u-1","name":"Postgres","created_at":"2026-02-14T10:04:22.000Z","chat_messages":[
  {"uuid":"m-1","sender":"human","text":"which index?","created_at":"2026-02-14T10:04:23Z",
   "content":[{"type":"text","text":"which index?"}],
   "attachments":[{"file_name":"schema.sql","extracted_content":"create table t"}]},
  {"uuid":"m-2","sender":"assistant","text":"This block is not supported.",
   "content":[{"type":"tool_use","name":"x"},{"type":"text","text":"A btree."},{"type":"text","text":"Or gin."}]},
  {"uuid":"m-3","sender":"assistant","text":"old style"},
  {"uuid":"m-4","sender":"human","text":""},
  {"sender":"human","text":"no uuid"}]},
 {"uuid":"u-2","name":"Cut","chat_messages":[{"uuid":"m-5","sender":"hum"#;

#[test]
fn claude_brings_texts_and_the_words_of_attached_files() {
    let mut vault = fresh();
    let imported = import_from(&mut vault, None, CLAUDE.as_bytes());
    assert_eq!(imported.origin, Some(Origin::Claude));
    assert_eq!(
        said_in(&mut vault),
        said(&[
            (Role::User, "which index?\n\nschema.sql:\ncreate table t"),
            (Role::Assistant, "A btree.\n\nOr gin."),
            (Role::Assistant, "old style"),
        ])
    );
    assert_eq!((imported.left_out, imported.bad_count), (1, 2));
    assert_eq!(imported.bad[1].fault, Fault::CutOff);
    assert_eq!(imported.bad[1].entry, Some(2));
    twice_is_once(&mut vault, None, CLAUDE.as_bytes());
}

fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Deflated);
        zip.start_file(*name, options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn archives_are_read_in_place_whatever_their_names() {
    let mut plain = fresh();
    import_from(&mut plain, None, CHATGPT.as_bytes());
    let archive = zipped(&[
        ("chat.html", b"<html>"),
        ("../../etc/conversations-001.json", b"[]"),
        ("/tmp/conversations-000.json", CHATGPT.as_bytes()),
    ]);
    let mut vault = fresh();
    let imported = import_from(&mut vault, None, &archive);
    assert_eq!(imported.origin, Some(Origin::Chatgpt));
    assert_eq!(
        imported.bad[0].file.as_deref(),
        Some("conversations-000.json")
    );
    assert_eq!(said_in(&mut vault), said_in(&mut plain));
    twice_is_once(&mut vault, None, &archive);
    twice_is_once(&mut vault, None, CHATGPT.as_bytes());
    let nothing = zipped(&[("users.json", b"[]")]);
    let refused = import_with(&mut vault, &nothing, &options(None));
    assert!(matches!(refused, Err(TransferError::UnknownFormat)));
    let broken = &archive[..archive.len() / 2];
    let refused = import_with(&mut vault, broken, &options(None));
    assert!(matches!(refused, Err(TransferError::Archive(_))));
}

#[test]
fn a_zip_bomb_is_one_entry_that_is_too_long() {
    let mut bomb = b"[{\"uuid\":\"".to_vec();
    bomb.resize(48 << 20, b'x');
    bomb.extend(b"\"},");
    bomb.extend(&CLAUDE.as_bytes()[1..]);
    let archive = zipped(&[("conversations.json", &bomb)]);
    assert!(archive.len() < 200_000);
    let mut vault = fresh();
    let imported = import_from(&mut vault, Some(Origin::Claude), &archive);
    assert_eq!(imported.bad[0].fault, Fault::TooLong);
    assert_eq!(imported.messages, 3);
}

const MCP: &str = r#"{"type":"entity","name":"Ada_L","entityType":"person","observations":["likes tea","lives in Ghent"]}
{"type":"entity","name":"default_user","entityType":"person","observations":["is called Ada"]}

{"type":"entity","name":"Acme","entityType":"company","observations":[]}
{"type":"relation","from":"Ada_L","to":"Acme","relationType":"works_at"}
{"type":"relation","from":"Ada_L"}
{"type":"ent"#;

#[test]
fn the_graph_of_the_memory_server_waits_for_a_person() {
    let mut vault = fresh();
    let imported = import_from(&mut vault, None, MCP.as_bytes());
    assert_eq!(imported.origin, Some(Origin::McpMemory));
    assert_eq!((imported.memories, imported.left_out), (4, 1));
    assert_eq!(
        faults(&imported),
        [(Some(6), Fault::Incomplete), (Some(7), Fault::NotJson)]
    );
    let pending = |text: &str| (text.to_owned(), Status::Pending);
    assert_eq!(
        memories(&mut vault),
        [
            pending("Ada L (person): likes tea"),
            pending("Ada L (person): lives in Ghent"),
            pending("Ada L works at Acme"),
            pending("is called Ada"),
        ]
    );
    twice_is_once(&mut vault, None, MCP.as_bytes());
    let mut wanted = options(None);
    wanted.trust = true;
    let mut trusting = fresh();
    import_with(&mut trusting, MCP.as_bytes(), &wanted).unwrap();
    assert!(
        memories(&mut trusting)
            .iter()
            .all(|(_, status)| *status == Status::Active)
    );
}

const LOG: &str = r#"{"timestamp":"2026-01-01T10:00:00.123456","role":"user","content":"hello"}
{"timestamp":"2026-01-01T10:00:01","role":"assistant","content":"hi"}
{"timestamp":"2026-01-01T10:00:02","role":"user","content":"ok"}
{"timestamp":"2026-01-01T10:00:02","role":"user","content":"ok"}
{"timestamp":"2026-01-01T10:00:03","event":"session_end"}
{"timestamp":"2026-01-01T10:00:04","role":"user","con"#;
const BUFFER: &str = r#"[{"role":"user","content":"ok"},{"role":"user","content":[{"type":"text","text":"only here"}]},{"role":"assis"#;
const MEMORY: &str = r#"{"key_facts":["has a \"cat\"",{"fact":"is 40","timestamp":"2026-01-01"},7],
 "user_preferences":["short answers"],"past_outcomes":["moved house","cut o"#;

fn article(vault: &mut Vault, log: &str, buffer: &str, memory: &str) -> Imported {
    let sources = ArticleSources {
        conversation_buffer: Some(&mut Cursor::new(buffer)),
        long_term_memory: Some(&mut Cursor::new(memory)),
        session_log: Some(&mut Cursor::new(log)),
    };
    import_article(vault, sources, &options(None), &mut go_on).unwrap()
}

#[test]
fn the_articles_files_come_in_though_each_is_cut() {
    let mut vault = fresh();
    let imported = article(&mut vault, LOG, BUFFER, MEMORY);
    assert_eq!(
        said_in(&mut vault),
        said(&[
            (Role::User, "hello"),
            (Role::Assistant, "hi"),
            (Role::User, "ok"),
            (Role::User, "ok"),
            (Role::User, "only here"),
        ])
    );
    let texts: Vec<String> = memories(&mut vault)
        .into_iter()
        .map(|(text, _)| text)
        .collect();
    assert_eq!(
        texts,
        ["has a \"cat\"", "is 40", "moved house", "short answers"]
    );
    let files: Vec<_> = imported
        .bad
        .iter()
        .map(|bad| bad.file.as_deref().unwrap())
        .collect();
    assert_eq!(
        files,
        [
            "session_log.jsonl",
            "conversation_buffer.json",
            "long_term_memory.json"
        ]
    );
    assert!(imported.bad.iter().all(|bad| bad.fault == Fault::CutOff));
    let before = lines_of(&mut vault);
    assert_eq!(article(&mut vault, LOG, BUFFER, MEMORY).records, 0);
    assert_eq!(lines_of(&mut vault), before);
    let broken = &LOG[40..];
    for (text, part) in [(LOG, 0), (BUFFER, 1), (MEMORY, 2), (broken, 3)] {
        let found = detect(&mut Cursor::new(text)).unwrap();
        assert_eq!(found, Origin::Article, "{part}");
    }
}

#[test]
fn the_articles_files_go_out_as_its_code_reads_them_and_come_back() {
    use agent::transfer::{ArticleSinks, ExportOptions, export_article};
    let mut vault = fresh();
    article(&mut vault, LOG, "[]", "{\"key_facts\":[\"waits\"]}");
    let (mut buffer, mut memory, mut log) = (Vec::new(), Vec::new(), Vec::new());
    let sinks = ArticleSinks {
        conversation_buffer: &mut buffer,
        long_term_memory: &mut memory,
        session_log: &mut log,
    };
    let wanted = ExportOptions {
        all: false,
        now: now(),
    };
    export_article(&mut vault, &wanted, sinks, &mut go_on).unwrap();
    let buffer_read: Vec<serde_json::Value> = serde_json::from_slice(&buffer).unwrap();
    assert_eq!(buffer_read.len(), 4);
    assert_eq!(
        buffer_read[0],
        serde_json::json!({"role": "user", "content": "hello"})
    );
    let memory: serde_json::Value = serde_json::from_slice(&memory).unwrap();
    assert_eq!(
        memory,
        serde_json::json!({"key_facts": [], "user_preferences": [], "past_outcomes": []})
    );
    let log = String::from_utf8(log).unwrap();
    let buffer = String::from_utf8(buffer).unwrap();
    let mut copy = fresh();
    assert_eq!(article(&mut copy, &log, &buffer, "").messages, 4);
    assert_eq!(said_in(&mut copy), said_in(&mut vault));
    // Where it came from it adds nothing; what was said to that code since comes in.
    let more = r#"{"timestamp":"2026-01-02T10:00:00","id":7,"session_id":"s2","role":"user","content":"ok"}"#;
    let imported = article(&mut vault, &format!("{log}{more}\n"), &buffer, "");
    assert_eq!((imported.messages, imported.skipped), (1, 4));
}

#[test]
fn what_is_nothing_of_the_kind_is_refused_and_nothing_is_written() {
    let mut vault = fresh();
    let deep = "[".repeat(1_000_000);
    for text in [
        "",
        "words",
        "{}",
        "[]",
        "[1,2]",
        "{\"a\":1}",
        "\u{0}\u{1}",
        &deep,
    ] {
        let refused = import_with(&mut vault, text.as_bytes(), &options(None));
        assert!(
            matches!(refused, Err(TransferError::UnknownFormat)),
            "{}",
            text.len()
        );
    }
    let refused = import_with(&mut vault, b"words", &options(Some(Origin::Jsonl)));
    assert!(matches!(refused, Err(TransferError::NotThisFormat { .. })));
    let refused = import_with(&mut vault, b"SQLite format 3\0...", &options(None));
    assert!(matches!(refused, Err(TransferError::NeedsPath)));
    assert!(lines_of(&mut vault).is_empty());
}

#[test]
fn entries_that_would_fill_the_memory_are_passed_over() {
    let mut mapping = String::from(r#"[{"id":"big","mapping":{"#);
    for n in 0..70_000 {
        mapping.push_str(&format!("\"{n}\":{{}},"));
    }
    mapping.push_str(
        r#""z":{}}},{"id":"small","current_node":"a","mapping":{"a":{"message":
        {"author":{"role":"user"},"content":{"parts":["still here"]}}}}}]"#,
    );
    let mut vault = fresh();
    let imported = import_from(&mut vault, Some(Origin::Chatgpt), mapping.as_bytes());
    assert_eq!((imported.messages, imported.bad_count), (1, 1));
    let long = format!(
        r#"[{{"uuid":"u","chat_messages":[{{"uuid":"m","sender":"human","text":"{}"}}]}}]"#,
        "x".repeat(16 << 20)
    );
    let imported = import_from(&mut vault, None, long.as_bytes());
    assert_eq!(faults(&imported), [(Some(1), Fault::TooLong)]);
    let bytes = b"[{\"uuid\":\"u\",\"chat_messages\":[{\"uuid\":\"m\",\"sender\":\"human\",\"text\":\"\xff\"}]}]";
    let imported = import_from(&mut vault, Some(Origin::Claude), bytes);
    assert_eq!(faults(&imported), [(Some(1), Fault::NotUtf8)]);
}

#[cfg(feature = "llm")]
mod llm {
    use agent::transfer::import_llm;
    use rusqlite::Connection;

    use super::*;

    /// As the program's versions lay their tables.
    const SCHEMA: &str = r#"
        create table "conversations" ("id" text primary key, "name" text, "model" text);
        create table "responses" ("id" text primary key, "model" text, "prompt" text,
            "system" text, "response" text, "conversation_id" text, "datetime_utc" text);
        create table "messages" ("hash" text primary key, "parent_hash" text, "role" text);
        create table "parts" ("id" integer primary key, "message_hash" text, "position" integer,
            "type" text, "tool_name" text, "text" text, "payload" text);
        create table "fragments" ("id" integer primary key, "content" text);
        create table "part_fragments" ("part_id" integer, "fragment_id" integer);
        create table "threads" ("id" text primary key, "name" text);
        create table "turns" ("id" text primary key, "thread_id" text,
            "parent_message_hash" text, "tip_message_hash" text, "model" text,
            "datetime_utc" text);
    "#;
    const ROWS: &str = r#"
        insert into conversations values ('c1','Old talk','gpt-4o');
        insert into responses values ('r1','gpt-4o','old question','','old answer','c1','2024-01-01T10:00:00.5');
        insert into responses values ('r2','gpt-4o',x'ff00','','only an answer','c1','2024-01-01T10:00:01');
        insert into messages values ('s',null,'system'),('q1','s','user'),('a1','q1','assistant'),
            ('q2','a1','user'),('a2','q2','assistant'),('loop1','loop2','tool'),('loop2','loop1','tool');
        insert into parts values (1,'q1',0,'text',null,'new question',null),
            (2,'a1',0,'text',null,'new',null),(3,'a1',1,'text',null,'answer',null),
            (4,'a1',2,'tool_call','x','hidden',null),
            (5,'q2',0,'text',null,null,'{"text_ref": [{"literal": "as it "}, {"fragment": 1}, {"literal": "\nsays"}, {"fragment": 9}]}'),
            (6,'a2',0,'text',null,'second',null),(7,'a2',1,'tool_call','add',null,'{"name": "add"}'),
            (8,'r2',0,'tool_result','add',null,'{"output": "3"}'),(9,'a3',0,'text',null,'third',null);
        insert into messages values ('r2','a2','tool'),('a3','r2','assistant');
        insert into fragments values (1,'from a file');
        insert into part_fragments values (5,1);
        insert into threads values ('t1','New talk');
        insert into turns values ('u1','t1','q1','a1','claude-x','2026-11-22T11:55:25.226394+00:00'),
            ('u2','t1','q2','a2','claude-x','2026-11-22T11:56:25+00:00'),
            ('u4','t1','r2','a3','claude-x','2026-11-22T11:56:26+00:00'),
            ('u3','t1','loop1','loop2','claude-x',null);
    "#;

    fn database(sql: &[&str]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let database = Connection::open(file.path()).unwrap();
        for part in sql {
            database.execute_batch(part).unwrap();
        }
        file
    }

    #[test]
    fn both_generations_of_its_tables_are_read() {
        let file = database(&[SCHEMA, ROWS]);
        let mut vault = fresh();
        let run = |vault: &mut Vault| import_llm(vault, file.path(), &options(None), &mut go_on);
        let imported = run(&mut vault).unwrap();
        assert_eq!(
            said_in(&mut vault),
            said(&[
                (Role::User, "old question"),
                (Role::Assistant, "old answer"),
                (Role::Assistant, "only an answer"),
                (Role::User, "new question"),
                (Role::Assistant, "new\nanswer"),
                (Role::User, "as it from a file\nsays"),
                (Role::Assistant, "second"),
                // What follows a tool's result is no answer to a new question.
                (Role::Assistant, "third"),
            ])
        );
        assert_eq!((imported.conversations, imported.messages), (2, 8));
        let before = lines_of(&mut vault);
        assert_eq!(run(&mut vault).unwrap().records, 0);
        assert_eq!(lines_of(&mut vault), before);
    }

    #[test]
    fn views_and_other_databases_are_refused() {
        let hostile = "create view threads as select 1 as id;
            create view turns as with recursive n(x) as (select 1 union all select x+1 from n)
            select x as tip_message_hash, x as id from n;";
        for sql in [&["create table t (x)"][..], &[hostile]] {
            let file = database(sql);
            let refused = import_llm(&mut fresh(), file.path(), &options(None), &mut go_on);
            assert!(matches!(refused, Err(TransferError::NotThisFormat { .. })));
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file.as_file(), &[7; 8192]).unwrap();
        let refused = import_llm(&mut fresh(), file.path(), &options(None), &mut go_on);
        assert!(matches!(refused, Err(TransferError::Database(_))));
    }
}
