//! The form of our own: what goes out comes back.

use agent::model::{
    Attachment, Block, ConversationOp, Kind, MemoryOp, Message, Record, Role, Text,
};
use agent::transfer::{Fault, Format, TransferError};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use crate::support::*;

/// Two conversations, one deleted; three items, one forgotten; what a later version wrote.
fn filled() -> agent::vault::Vault {
    use agent::vault::Log;
    let mut vault = fresh();
    let records = [
        started(id(1)),
        titled(id(1), "Gardens"),
        said(id(1), 11, Role::User, "my roses are ill"),
        said(id(1), 12, Role::Assistant, "black spot?\nor rust"),
        started(id(2)),
        titled(id(2), "SECRETTITLE"),
        said(id(2), 21, Role::User, "SECRETWORDS"),
        memory(MemoryOp::Add {
            item: item(101, Kind::Fact, "has roses"),
        }),
        memory(MemoryOp::Add {
            item: item(102, Kind::Preference, "likes SECRETTEA"),
        }),
        memory(MemoryOp::Edit {
            id: id(102),
            text: "likes SECRETCOFFEE".into(),
        }),
        memory(MemoryOp::Forget { id: id(102) }),
        event(id(2), 30, ConversationOp::Deleted),
        Record::Purged,
        Record::Purged,
    ];
    vault.append(&records).unwrap();
    append_lines(
        &mut vault,
        &[
            r#"{"v":1,"type":"weather","sky":"blue"}"#.into(),
            r#"{"v":1, "type":"message", "odd":[1,{"a":null}]}"#.into(),
        ],
    );
    vault
}

fn body(export: &[u8]) -> Vec<&str> {
    let text = std::str::from_utf8(export).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    lines[1..lines.len() - 1].to_vec()
}

#[test]
fn every_record_goes_out_as_it_is_between_a_first_and_a_last_line() {
    let mut vault = filled();
    let (out, exported) = export_of(&mut vault, Format::Jsonl, true);
    assert_eq!(body(&out), lines_of(&mut vault));
    let text = std::str::from_utf8(&out).unwrap();
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&first["type"], &first["format"]),
        (&"export".into(), &1.into())
    );
    assert_eq!(first["conversations"], 2);
    assert_eq!(last["records"], 16);
    let before = text.len() - text.lines().last().unwrap().len() - 1;
    let digest = Sha256::digest(&out[..before]);
    let hex: String = digest.iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(last["sha256"], hex);
    assert_eq!((exported.messages, exported.memories), (3, 2));
}

#[test]
fn an_import_into_an_empty_vault_gives_the_same_export() {
    let mut vault = filled();
    let (out, _) = export_of(&mut vault, Format::Jsonl, true);
    let mut copy = fresh();
    let imported = import_from(&mut copy, None, &out);
    assert_eq!((imported.records, imported.skipped), (16, 0));
    assert_eq!((imported.conversations, imported.messages), (2, 3));
    assert_eq!((imported.memories, imported.bad_count), (2, 0));
    assert_eq!(lines_of(&mut copy), lines_of(&mut vault));
    twice_is_once(&mut copy, None, &out);
    let (again, _) = export_of(&mut copy, Format::Jsonl, true);
    assert_eq!(body(&again), body(&out));
}

#[test]
fn what_is_hidden_stays_inside_and_what_it_did_remains() {
    let mut vault = filled();
    let (out, exported) = export_of(&mut vault, Format::Jsonl, false);
    let text = String::from_utf8(out.clone()).unwrap();
    assert!(!text.contains("SECRET"), "{text}");
    assert!(text.contains("Gardens") && text.contains("my roses are ill"));
    assert_eq!((exported.conversations, exported.messages), (1, 2));
    let mut copy = fresh();
    import_from(&mut copy, None, &out);
    let (again, _) = export_of(&mut copy, Format::Jsonl, true);
    assert_eq!(body(&again), body(&out));
    twice_is_once(&mut vault, None, &out);
}

#[test]
fn a_replaced_item_stays_replaced_though_its_successor_was_forgotten() {
    use agent::vault::Log;
    let mut vault = fresh();
    let records = [
        memory(MemoryOp::Add {
            item: item(1, Kind::Fact, "lives in Ghent"),
        }),
        memory(MemoryOp::Supersede {
            id: id(1),
            item: item(2, Kind::Fact, "lives in SECRETPLACE"),
        }),
        memory(MemoryOp::Forget { id: id(2) }),
    ];
    vault.append(&records).unwrap();
    let (out, _) = export_of(&mut vault, Format::Jsonl, false);
    assert!(!String::from_utf8(out.clone()).unwrap().contains("SECRET"));
    let mut copy = fresh();
    import_from(&mut copy, None, &out);
    let folded = agent::vault::View::load(&mut copy, agent::memory::Memory::new()).unwrap();
    assert_eq!(folded.fold.counts().superseded, 1);
    assert_eq!(folded.fold.counts().forgotten, 1);
}

#[test]
fn a_fork_keeps_its_beginning_though_the_other_conversation_was_deleted() {
    use agent::vault::Log;
    let mut vault = fresh();
    let point = said(id(1), 12, Role::Assistant, "shared reply");
    let Record::Message(Message { id: at, .. }) = &point else {
        unreachable!()
    };
    let op = ConversationOp::Forked {
        from: id(1),
        message: *at,
        project: None,
    };
    let records = [
        started(id(1)),
        titled(id(1), "SECRETTITLE"),
        said(id(1), 11, Role::User, "shared question"),
        point.clone(),
        said(id(1), 13, Role::User, "SECRETWORDS"),
        started(id(2)),
        event(id(2), 5, op),
        said(id(2), 21, Role::User, "another way"),
        event(id(1), 30, ConversationOp::Deleted),
    ];
    vault.append(&records).unwrap();
    let (out, _) = export_of(&mut vault, Format::Jsonl, false);
    let text = String::from_utf8(out).unwrap();
    assert!(!text.contains("SECRET"), "{text}");
    for kept in ["shared question", "shared reply", "another way", "deleted"] {
        assert!(text.contains(kept), "{kept}");
    }
}

#[test]
fn an_attachment_of_a_deleted_conversation_stays_inside() {
    use agent::vault::Log;
    let mut vault = fresh();
    let attachment = |n, data: &str| {
        Record::Attachment(Attachment {
            id: id(n),
            at: at(1),
            name: "a.txt".into(),
            media: "text/plain".into(),
            data: data.into(),
        })
    };
    let names = |conversation, n, attachment| {
        let mut message = Message::text(id(conversation), Role::User, at(2), Text::default());
        message.id = id(n);
        message.content = vec![Block::Attachment {
            id: id(attachment),
            name: "a.txt".into(),
            media: "text/plain".into(),
        }];
        Record::Message(message)
    };
    let records = [
        attachment(51, "SECRETFILE"),
        names(1, 61, 51),
        attachment(52, "in both"),
        names(1, 62, 52),
        names(2, 63, 52),
        event(id(1), 9, ConversationOp::Deleted),
    ];
    vault.append(&records).unwrap();
    let (out, _) = export_of(&mut vault, Format::Jsonl, false);
    let text = String::from_utf8(out).unwrap();
    assert!(!text.contains("SECRET") && text.contains("in both"));
}

#[test]
fn a_cut_export_is_refused_at_every_length_and_salvaged_on_request() {
    let mut vault = filled();
    let (out, _) = export_of(&mut vault, Format::Jsonl, true);
    let first = out.iter().position(|b| *b == b'\n').unwrap() + 1;
    let whole_lines = |len: usize| out[first..len].iter().filter(|b| **b == b'\n').count();
    let mut copy = fresh();
    for len in first..out.len() - 1 {
        let refused = import_with(&mut copy, &out[..len], &options(None));
        assert!(matches!(refused, Err(TransferError::Cut { .. })), "{len}");
        assert!(lines_of(&mut copy).is_empty());
    }
    for len in [first, first + 10, out.len() / 2, out.len() - 2] {
        let mut copy = fresh();
        let mut wanted = options(None);
        wanted.salvage = true;
        let imported = import_with(&mut copy, &out[..len], &wanted).unwrap();
        assert_eq!(imported.records, whole_lines(len).min(16) as u64, "{len}");
        assert_eq!(imported.bad[0].fault, Fault::CutOff);
    }
}

/// An empty vault; the slow making of one is done once.
fn fresh_from_pool() -> agent::vault::Vault {
    use agent::store::{VolatileStore, Wait};
    use agent::vault::LockedVault;
    use std::sync::{Arc, OnceLock};
    static STORE: OnceLock<VolatileStore> = OnceLock::new();
    let store = STORE.get_or_init(|| {
        let store = VolatileStore::default();
        make_in(store.clone());
        store
    });
    let locked = LockedVault::open(Arc::new(store.snapshot()), Wait::seconds(5)).unwrap();
    locked.unlock(&passphrase()).unwrap()
}

#[test]
fn a_changed_export_is_refused() {
    let mut vault = filled();
    let (out, _) = export_of(&mut vault, Format::Jsonl, true);
    let text = String::from_utf8(out).unwrap();
    let mut copy = fresh();
    for changed in [
        text.replace("my roses", "my noses"),
        text.replace("\"records\":16", "\"records\":16 ")
            .replace("roses are", "roses were"),
        text.replacen('\n', "\r\n", 3),
    ] {
        let refused = import_with(&mut copy, changed.as_bytes(), &options(None));
        assert!(matches!(refused, Err(TransferError::Changed)));
    }
    assert!(lines_of(&mut copy).is_empty());
    let later = text.replacen("\"format\":1", "\"format\":2", 1);
    let refused = import_with(&mut copy, later.as_bytes(), &options(None));
    assert!(matches!(
        refused,
        Err(TransferError::LaterFormat { found: 2, max: 1 })
    ));
}

/// An export with these lines, as this program would have made it.
fn sealed(lines: &[&[u8]]) -> Vec<u8> {
    let mut out = b"{\"v\":1,\"type\":\"export\",\"format\":1}\n".to_vec();
    for line in lines {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    let hex: String = Sha256::digest(&out)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    out.extend(format!("{{\"v\":1,\"type\":\"end\",\"sha256\":\"{hex}\"}}\n").bytes());
    out
}

#[test]
fn a_bad_line_is_named_and_the_rest_comes_in() {
    let deep = format!("{{\"type\":\"message\",\"id\":{}", "[".repeat(100_000));
    let long = format!(
        "{{\"type\":\"note\",\"text\":\"{}\"}}",
        "x".repeat(17 << 20)
    );
    let out = sealed(&[
        br#"{"v":1,"type":"purged"}"#,
        b"words, not JSON",
        b"{\"type\":\"note\",\"text\":\"\xff\"}",
        br#"{"v":1,"type":"moved","to_epoch":"00"}"#,
        deep.as_bytes(),
        br#"{"v":1,"type":"end","sha256":"not the last line"}"#,
        br#"{"v":1,"type":"weather","sky":"blue"}"#,
    ]);
    let mut vault = fresh();
    let imported = import_from(&mut vault, None, &out);
    let faults: Vec<_> = imported
        .bad
        .iter()
        .map(|bad| (bad.line.unwrap(), bad.fault))
        .collect();
    assert_eq!(
        faults,
        [
            (3, Fault::NotRecord),
            (4, Fault::NotUtf8),
            (5, Fault::NotTransferable),
            (6, Fault::NotRecord),
        ]
    );
    assert_eq!(imported.records, 3);
    let mut wanted = options(None);
    wanted.salvage = true;
    let out = sealed(&[long.as_bytes(), br#"{"v":1,"type":"purged"}"#]);
    let imported = import_with(&mut fresh(), &out, &wanted).unwrap();
    assert_eq!((imported.records, imported.bad_count), (1, 2));
}

#[test]
fn an_export_ends_where_the_log_ended_and_a_callback_can_stop_it() {
    use agent::transfer::{ExportOptions, export};
    use std::ops::ControlFlow;
    let mut vault = filled();
    let wanted = ExportOptions {
        all: true,
        now: now(),
    };
    let mut out = Vec::new();
    let stopped = export(&mut vault, Format::Jsonl, &wanted, &mut out, &mut |_| {
        ControlFlow::Break(())
    });
    assert!(matches!(stopped, Err(TransferError::Stopped)));
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let full = export(&mut vault, Format::Jsonl, &wanted, &mut Full, &mut go_on);
    assert!(matches!(full, Err(TransferError::Write(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_records_come_back_as_they_were(
        texts in proptest::collection::vec((".{0,40}", 0u8..4), 0..60),
    ) {
        let lines: Vec<String> = texts
            .iter()
            .enumerate()
            .map(|(n, (text, kind))| {
                let text = serde_json::to_string(text).unwrap();
                let id = id((n % 200) as u8);
                match kind {
                    0 => format!(r#"{{"v":1,"type":"new","words":{text}}}"#),
                    1 => format!(r#"{{"type":"purged","why":{text}}}"#),
                    2 => format!(r#"{{"v":1,"type":"message","id":"{id}","x":{text}}}"#),
                    _ => String::from_utf8(
                        said(id, n as u8, Role::User, &text).to_line().to_vec(),
                    ).unwrap(),
                }
            })
            .collect();
        let mut vault = fresh_from_pool();
        append_lines(&mut vault, &lines);
        let (out, _) = export_of(&mut vault, Format::Jsonl, true);
        let mut copy = fresh_from_pool();
        let imported = import_from(&mut copy, None, &out);
        prop_assert_eq!(imported.records as usize, lines.len());
        prop_assert_eq!(lines_of(&mut copy), lines);
        twice_is_once(&mut copy, None, &out);
    }
}
