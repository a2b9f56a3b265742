//! `agent search`: ranked search over everything ever said.

use std::process::ExitCode;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;
use zeroize::Zeroizing;

use super::args::{RoleArg, SearchArgs, SearchIn};
use super::failure::Failure;
use super::history::{find, local};
use super::output::{one_line, print_json, print_line, stdout_is_terminal};
use super::shell::Shell;
use crate::chat::{ChatError, Conversations, Recall, Session, transcript};
use crate::memory::Memory;
use crate::model::{Id, MemoryOp, Message, Record, Role, Text, Timestamp};
use crate::recall::search::Scope;
use crate::recall::{Filter, Hit, Index, Merging, Query, RecallError, snippet};
use crate::recall::{bench, sealed_shelf::SealedShelf};
use crate::seal::{KdfParams, Passphrase};
use crate::store::{VolatileStore, Wait};
use crate::vault::{Log, NewVault, Vault, View};

/// Characters of a snippet.
const SNIPPET_CHARS: usize = 160;

/// A hit as `--json` shows it.
#[derive(Serialize)]
struct Row {
    seq: u64,
    score: f64,
    conversation: Option<Id>,
    message: Option<Id>,
    memory: Option<Id>,
    role: &'static str,
    at: Timestamp,
    text: Text,
    snippet: Text,
    #[serde(skip)]
    marked: String,
}

struct Search<'a> {
    shell: &'a Shell,
    log: &'a mut dyn Log,
    recall: &'a Recall,
    query: Query,
    memory: &'a Memory,
    marks: (&'static str, &'static str),
}

pub(super) fn run(shell: &Shell, args: &SearchArgs) -> Result<ExitCode, Failure> {
    let mut vault = shell.open()?;
    let files = [vault.index_files(), vault.index_files()];
    let mut recall = Recall::open(files, &mut vault)?;
    let memory = View::load(&mut vault, Memory::new())?;
    let mut search = Search {
        shell,
        log: &mut vault,
        recall: &recall,
        query: Query::parse(&args.query.join(" ")),
        memory: &memory.fold,
        marks: match shell.colors(stdout_is_terminal()) {
            true => ("\x1b[1m", "\x1b[0m"),
            false => ("", ""),
        },
    };
    let rows = search.rows(args)?;
    search.show(&rows, args.context)?;
    // What was analysed is kept, if that is possible and worth it.
    recall.settle(&mut vault, Merging::All).ok();
    shell.verdict(&mut vault)
}

/// What a chat shows of a search: a line for each hit, and where it is.
pub(super) struct Shown {
    pub line: String,
    pub place: Option<(Id, Id)>,
}

/// The same search within a chat, by what is open there.
pub(super) fn within(
    shell: &Shell,
    session: &mut Session,
    args: &SearchArgs,
) -> Result<Vec<Shown>, Failure> {
    let (log, recall, memory) = session.searchable();
    let Some(recall) = recall else {
        return Ok(Vec::new());
    };
    recall.catch_up(log)?;
    let mut search = Search {
        shell,
        log,
        recall,
        query: Query::parse(&args.query.join(" ")),
        memory,
        marks: ("", ""),
    };
    let rows = search.rows(args)?;
    let shown = rows.into_iter().map(|row| Shown {
        line: format!("{}  {}  {}", local(row.at), row.role, row.marked),
        place: row.conversation.zip(row.message),
    });
    Ok(shown.collect())
}

fn filter(log: &mut dyn Log, args: &SearchArgs) -> Result<Filter, Failure> {
    let conversation = match &args.cid {
        None => None,
        Some(prefix) => {
            let all = View::load(log, Conversations::default())?;
            Some(find(&all.fold, prefix)?)
        }
    };
    Ok(Filter {
        scope: match args.scope {
            SearchIn::All => Scope::All,
            SearchIn::Messages => Scope::Messages,
            SearchIn::Memory => Scope::Memory,
        },
        role: args.role.map(|role| match role {
            RoleArg::User => Role::User,
            RoleArg::Assistant => Role::Assistant,
        }),
        conversation,
        since: args.since.as_deref().map(moment).transpose()?,
        until: args.until.as_deref().map(moment).transpose()?,
        ..Filter::default()
    })
}

/// A day, which begins at midnight here, or a moment.
pub(super) fn moment(text: &str) -> Result<Timestamp, Failure> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let wrong = || Failure::NotADate(text.to_owned());
    let day: Date = text.parse().map_err(|_| wrong())?;
    Ok(day
        .to_zoned(TimeZone::system())
        .map_err(|_| wrong())?
        .timestamp())
}

/// The words of a record, for checking phrases.
fn text_at(log: &mut dyn Log, seq: u64) -> Result<Option<Text>, Failure> {
    Ok(match record_at(log, seq)? {
        Some(Record::Message(message)) => Some(message.plain()),
        Some(Record::Memory(event)) => match event.op {
            MemoryOp::Add { item }
            | MemoryOp::Supersede { item, .. }
            | MemoryOp::Merge { item, .. } => Some(item.text),
            MemoryOp::Edit { text, .. } => Some(text),
            _ => None,
        },
        _ => None,
    })
}

fn record_at(log: &mut dyn Log, seq: u64) -> Result<Option<Record>, Failure> {
    let batch = log.read(seq - 1)?;
    let entry = batch.first().filter(|entry| entry.seq == seq);
    Ok(entry.and_then(|entry| entry.record().ok()))
}

impl Search<'_> {
    fn rows(&mut self, args: &SearchArgs) -> Result<Vec<Row>, Failure> {
        let filter = filter(self.log, args)?;
        let log = &mut *self.log;
        let mut open = |seq| text_at(log, seq);
        let index = self.recall.index();
        let hits = index.search(&self.query, &filter, args.limit, &mut open)?;
        let mut rows = Vec::new();
        for hit in &hits {
            rows.extend(self.row(hit)?);
        }
        Ok(rows)
    }

    fn show(&mut self, rows: &[Row], context: usize) -> Result<(), Failure> {
        if self.shell.global.json {
            return print_json(rows);
        }
        if rows.is_empty() {
            self.shell.note("Nothing was found.");
            return Ok(());
        }
        let all = View::load(self.log, Conversations::default())?;
        for row in rows {
            let title = row.conversation.and_then(|id| {
                let title = one_line(all.fold.find(id)?.title());
                Some(format!(" · {} {title}", all.fold.short_id(id)))
            });
            print_line(&format!(
                "{}  {}{}",
                local(row.at),
                row.role,
                title.unwrap_or_default()
            ))?;
            if let (Some(conversation), Some(message), 1..) =
                (row.conversation, row.message, context)
            {
                self.neighbours(&all.fold, conversation, message, context, &row.marked)?;
            } else {
                print_line(&format!("  {}", row.marked))?;
            }
        }
        Ok(())
    }

    fn row(&mut self, hit: &Hit) -> Result<Option<Row>, Failure> {
        let record = record_at(self.log, hit.seq)?;
        let (conversation, message, memory, role, at, text) = match record {
            Some(Record::Message(message)) => {
                let role = match message.role {
                    Role::User => "you",
                    Role::Assistant => "assistant",
                    _ => "system",
                };
                let text = message.plain();
                (
                    Some(message.conversation),
                    Some(message.id),
                    None,
                    role,
                    message.at,
                    text,
                )
            }
            Some(Record::Memory(event)) => {
                let id = match &event.op {
                    MemoryOp::Add { item }
                    | MemoryOp::Supersede { item, .. }
                    | MemoryOp::Merge { item, .. } => item.id,
                    MemoryOp::Edit { id, .. } => *id,
                    _ => return Ok(None),
                };
                let Some(stored) = self.memory.item(id) else {
                    return Ok(None);
                };
                if stored.item.status != crate::model::Status::Active {
                    return Ok(None);
                }
                (
                    None,
                    None,
                    Some(id),
                    "memory",
                    event.at,
                    stored.item.text.clone(),
                )
            }
            _ => return Ok(None),
        };
        let (snippet, marked) = self.snippet(&text);
        Ok(Some(Row {
            seq: hit.seq,
            score: hit.score,
            conversation,
            message,
            memory,
            role,
            at,
            text,
            snippet: Text::new(snippet),
            marked,
        }))
    }

    /// The part of a text that shows why it was found, plain and with its words marked.
    fn snippet(&self, text: &str) -> (String, String) {
        let languages = self.recall.index().languages();
        let found = snippet(text, &self.query, languages, SNIPPET_CHARS);
        let plain = one_line(&text[found.part.clone()]);
        let mut marked = String::new();
        let mut from = found.part.start;
        for highlight in &found.highlights {
            marked.push_str(&flat(&text[from..highlight.start]));
            marked.push_str(self.marks.0);
            marked.push_str(&flat(&text[highlight.clone()]));
            marked.push_str(self.marks.1);
            from = highlight.end;
        }
        marked.push_str(&flat(&text[from..found.part.end]));
        if found.part.start > 0 {
            marked.insert(0, '…');
        }
        if found.part.end < text.len() {
            marked.push('…');
        }
        (plain, marked)
    }

    /// The hit between the messages around it.
    fn neighbours(
        &mut self,
        all: &Conversations,
        conversation: Id,
        hit: Id,
        context: usize,
        marked: &str,
    ) -> Result<(), Failure> {
        let mut messages: Vec<Message> = Vec::new();
        transcript(self.log, all, conversation, &mut |_, m| messages.push(m))?;
        let Some(at) = messages.iter().position(|message| message.id == hit) else {
            return Ok(());
        };
        let from = at.saturating_sub(context);
        let to = (at + context + 1).min(messages.len());
        for (n, message) in messages.iter().enumerate().take(to).skip(from) {
            let text = match n == at {
                true => format!("▸ {marked}"),
                false => {
                    let line: String = one_line(&message.plain())
                        .chars()
                        .take(SNIPPET_CHARS)
                        .collect();
                    format!("  {line}")
                }
            };
            print_line(&format!("  {text}"))?;
        }
        Ok(())
    }
}

/// Untrusted text as a part of a line: blanks stay where they are.
fn flat(text: &str) -> String {
    super::output::harmless(text).replace(['\n', '\t'], " ")
}

/// `agent recall-bench`: JSON lines on the pipes, through a sealed vault in memory and the sealed
/// index, as the program itself uses them.
pub(super) fn recall_bench() -> Result<ExitCode, Failure> {
    let stdin = std::io::stdin().lock();
    let stdout = std::io::stdout().lock();
    bench::serve(stdin, stdout, &mut sealed_index)?;
    Ok(ExitCode::SUCCESS)
}

fn sealed_index(records: &[Record]) -> Result<Index, Failure> {
    let words = Zeroizing::new("only for measuring".to_owned());
    let new = NewVault {
        passphrase: &Passphrase::new(words)?,
        kdf: KdfParams {
            m_kib: 19_456,
            t: 2,
            p: 1,
        },
        recovery: None,
        created: 0,
    };
    let mut vault = Vault::init(Arc::new(VolatileStore::default()), Wait::seconds(1), &new)?;
    for batch in records.chunks(2048) {
        vault.append(batch)?;
    }
    let shelf = Box::new(SealedShelf::new(Box::new(vault.index_files())));
    let mut index = Index::open(shelf, crate::recall::CACHE_CHUNKS)?;
    let mut link = [0; 32];
    loop {
        let batch = vault.read(index.seq())?;
        let Some(last) = batch.last() else { break };
        link = last.link.0;
        for entry in &batch {
            index.apply(entry.seq, &entry.record().unwrap_or(Record::Unknown));
        }
    }
    index.flush(link, Merging::All)?;
    Ok(index)
}

impl From<RecallError> for Failure {
    fn from(error: RecallError) -> Self {
        ChatError::from(error).into()
    }
}
