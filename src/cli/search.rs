//! `agent search`: ranked search over everything ever said, and how its hits are shown.

use std::collections::HashSet;
use std::process::ExitCode;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;
use zeroize::Zeroizing;

use super::args::{RoleArg, SearchArgs, SearchIn};
use super::failure::Failure;
use super::history::{find, local};
use super::indexing;
use super::meaning;
use super::output::{harmless, one_line, print_json, print_line, stdout_is_terminal};
use super::project;
use super::shell::{Shell, now};
use crate::chat::{
    Buffer, ChatError, Conversations, Found, FoundKind, Session, SomeConversations, Wanted,
    transcript,
};
use crate::keeper::Opened;
use crate::memory::Memory;
use crate::model::{Id, Message, Project, Record, Role, Text, Timestamp};
use crate::recall::index::{Making, Unread};
use crate::recall::meaning::Embedder;
use crate::recall::{Among, Filter, Index, Merging, Query, RecallError, Scope};
use crate::recall::{bench, sealed_shelf::SealedShelf};
use crate::seal::{KdfParams, Passphrase};
use crate::store::{VolatileStore, Wait};
use crate::vault::{Log, NewVault, Vault, View};

/// Characters of a message beside a hit.
const NEIGHBOUR_CHARS: usize = 160;

/// A hit as `--json` shows it.
#[derive(Serialize)]
struct Row<'a> {
    seq: u64,
    score: f64,
    conversation: Option<Id>,
    message: Option<Id>,
    memory: Option<Id>,
    role: &'static str,
    at: Timestamp,
    text: &'a Text,
    snippet: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<&'a Project>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Vec<Message>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Vec<Message>>,
}

/// What goes before and behind a word that was asked for.
#[derive(Clone, Copy)]
pub(super) struct Marks(pub &'static str, pub &'static str);

impl Marks {
    /// Bold where there are colours.
    pub(super) fn of(shell: &Shell) -> Marks {
        if shell.colors(stdout_is_terminal()) {
            Marks("\x1b[1m", "\x1b[0m")
        } else {
            Marks("", "")
        }
    }
}

pub(super) fn run(shell: &Shell, args: &SearchArgs) -> Result<ExitCode, Failure> {
    let filter = filter(args)?;
    let mut vault = shell.open()?;
    let conversation = match &args.cid {
        None => None,
        Some(prefix) => {
            let all = View::load(&mut vault, Conversations::default())?;
            Some(find(&all.fold, prefix)?)
        }
    };
    let filter = Filter {
        conversation,
        ..filter
    };
    let mut recall = indexing::open(shell, &mut vault)?.expect("what lies on a disk has an index");
    let mut memory = View::load(&mut vault, Memory::new())?;
    let of = of_project(&mut vault, &memory.fold, args)?;
    let wanted = wanted(args, filter, of.as_ref());
    meaning::attach_to(shell, &mut recall, &mut vault)?;
    let query = Query::parse(&args.query.join(" "));
    let query = recall.understood(query, false);
    let found = recall.find(&mut vault, &memory.fold, &query, wanted, now())?;
    meaning::say_fault(shell, recall.take_fault());
    if shell.global.json {
        print_rows(&mut vault, &found, args.context)?;
    } else if found.is_empty() {
        shell.note("Nothing was found.");
    } else {
        let mut all = View::load(&mut vault, Conversations::default())?;
        for line in lines(
            &mut vault,
            &all.fold,
            &found,
            args.context,
            Marks::of(shell),
        )? {
            print_line(&line)?;
        }
        if all.is_behind() {
            all.save(&mut vault).ok();
        }
    }
    // What was folded is kept, if that is possible and worth it.
    recall.settle(&mut vault, Merging::All).ok();
    if memory.is_behind() {
        memory.save(&mut vault).ok();
    }
    shell.verdict(&mut vault)
}

/// What a chat shows of a search: a line for each hit, and where it is.
pub(super) struct Shown {
    pub line: String,
    pub place: Option<(Id, Id)>,
}

/// The same search within a chat, by what is open there.
pub(super) fn within(session: &mut Session, args: &SearchArgs) -> Result<Vec<Shown>, Failure> {
    let mut filter = filter(args)?;
    if let Some(prefix) = &args.cid {
        filter.conversation = Some(find(&session.conversations()?.fold, prefix)?);
    }
    let query = Query::parse(&args.query.join(" "));
    let of = of_project(session.log.as_mut(), &session.memory.fold, args)?;
    let wanted = wanted(args, filter, of.as_ref());
    let found = session.find(&query, wanted, now())?;
    let shown = found.iter().map(|found| Shown {
        line: format!(
            "{}  {}  {}",
            local(found.at),
            who(&found.is),
            one_line(&marked(found, Marks("", "")))
        ),
        place: match found.is {
            FoundKind::Message {
                id, conversation, ..
            } => Some((conversation, id)),
            FoundKind::Item { .. } => None,
        },
    });
    Ok(shown.collect())
}

/// A project, with its conversations.
type OfProject = (Project, HashSet<Id>);

/// The project that is looked through, if one is named.
fn of_project(
    log: &mut dyn Log,
    memory: &Memory,
    args: &SearchArgs,
) -> Result<Option<OfProject>, Failure> {
    let Some(name) = &args.of.project else {
        return Ok(None);
    };
    let project = project::named(log, memory, name)?;
    let buffer = View::load(log, Buffer::default())?.fold;
    let conversations = buffer.conversations_of(&project);
    Ok(Some((project, conversations)))
}

fn wanted<'a>(args: &SearchArgs, filter: Filter, of: Option<&'a OfProject>) -> Wanted<'a> {
    let most = args.limit;
    match of {
        None => Wanted {
            filter,
            most,
            project: None,
        },
        Some((project, conversations)) => Wanted {
            filter: Filter {
                conversations: Among::Only(conversations.clone()),
                ..filter
            },
            most,
            project: Some(project),
        },
    }
}

fn filter(args: &SearchArgs) -> Result<Filter, Failure> {
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

fn who(is: &FoundKind) -> &'static str {
    match is {
        FoundKind::Message { role, .. } => match role {
            Role::User => "you",
            Role::Assistant => "assistant",
            _ => "system",
        },
        FoundKind::Item { .. } => "memory",
    }
}

/// The conversations of hits. Their list is kept for the next time if it was far behind.
fn conversations_of(log: &mut dyn Log, found: &[Found]) -> Result<Conversations, Failure> {
    let ids = found.iter().filter_map(|found| match found.is {
        FoundKind::Message { conversation, .. } => Some(conversation),
        FoundKind::Item { .. } => None,
    });
    let some = View::load(log, SomeConversations::new(ids.collect()))?;
    if some.is_behind() {
        let mut all = View::load(log, Conversations::default())?;
        all.save(log).ok();
        return Ok(all.fold);
    }
    Ok(some.fold.found)
}

fn print_rows(log: &mut Opened, found: &[Found], context: usize) -> Result<(), Failure> {
    let all = match context {
        0 => None,
        _ => Some(conversations_of(log, found)?),
    };
    let buffer = View::load(log, Buffer::default())?.fold;
    let mut rows = Vec::new();
    for found in found {
        let (conversation, message, memory) = match found.is {
            FoundKind::Message {
                id, conversation, ..
            } => (Some(conversation), Some(id), None),
            FoundKind::Item { id } => (None, None, Some(id)),
        };
        let around = match &all {
            Some(all) => around(log, all, found, context)?,
            None => None,
        };
        let (before, after) = around.unzip();
        rows.push(Row {
            seq: found.seq,
            score: found.score,
            conversation,
            message,
            memory,
            role: match who(&found.is) {
                "you" => "user",
                other => other,
            },
            at: found.at,
            text: &found.text,
            snippet: one_line(&found.text[found.snippet.part.clone()]),
            project: match conversation {
                Some(id) => buffer.project_of(id),
                None => found.project.as_ref(),
            },
            before,
            after,
        });
    }
    print_json(&rows)
}

/// Hits for people: when, who, which conversation, and the words, between the `context` messages
/// before and behind.
pub(super) fn lines(
    log: &mut dyn Log,
    all: &Conversations,
    found: &[Found],
    context: usize,
    marks: Marks,
) -> Result<Vec<String>, Failure> {
    let mut out = Vec::new();
    for found in found {
        out.push(head(all, found));
        let marked = marked(found, marks);
        match around(log, all, found, context)? {
            Some((before, after)) => {
                out.extend(before.iter().map(beside));
                out.push(format!("  ▸ {marked}"));
                out.extend(after.iter().map(beside));
            }
            None => out.push(format!("  {marked}")),
        }
    }
    Ok(out)
}

fn head(all: &Conversations, found: &Found) -> String {
    let mut head = format!("{}  {}", local(found.at), who(&found.is));
    match found.is {
        FoundKind::Message { conversation, .. } => {
            if let Some(of) = all.find(conversation) {
                let (id, title) = (all.short_id(conversation), one_line(of.title()));
                head.push_str(&format!(" · {id} {title}"));
                head.push_str(&project::mark(of.project.as_ref()));
            }
        }
        FoundKind::Item { id } => {
            head.push_str(&format!(" · {id}"));
            head.push_str(&project::mark(found.project.as_ref()));
        }
    }
    head
}

fn beside(message: &Message) -> String {
    let line = one_line(&message.plain());
    let cut = line.char_indices().nth(NEIGHBOUR_CHARS);
    match cut {
        Some((end, _)) => format!("    {}…", &line[..end]),
        None => format!("    {line}"),
    }
}

/// The part of the text that shows why it was found, with the words marked.
fn marked(found: &Found, marks: Marks) -> String {
    let (text, snippet) = (found.text.as_str(), &found.snippet);
    let mut out = String::new();
    if snippet.part.start > 0 {
        out.push('…');
    }
    let mut from = snippet.part.start;
    for highlight in &snippet.highlights {
        out.push_str(&flat(&text[from..highlight.start]));
        out.push_str(marks.0);
        out.push_str(&flat(&text[highlight.clone()]));
        out.push_str(marks.1);
        from = highlight.end;
    }
    out.push_str(&flat(&text[from..snippet.part.end]));
    if snippet.part.end < text.len() {
        out.push('…');
    }
    out
}

/// Untrusted text as a part of a line: blanks stay where they are.
fn flat(text: &str) -> String {
    harmless(text).replace(['\n', '\t'], " ")
}

/// The messages before and behind one.
type Neighbours = (Vec<Message>, Vec<Message>);

/// So many messages before a hit and behind it; none of an item of memory.
fn around(
    log: &mut dyn Log,
    all: &Conversations,
    found: &Found,
    context: usize,
) -> Result<Option<Neighbours>, Failure> {
    let FoundKind::Message {
        id, conversation, ..
    } = found.is
    else {
        return Ok(None);
    };
    if context == 0 {
        return Ok(None);
    }
    let (mut before, mut after) = (std::collections::VecDeque::new(), Vec::new());
    let mut met = false;
    transcript(log, all, conversation, &mut |_, message| {
        if message.id == id {
            met = true;
        } else if met && after.len() < context {
            after.push(message);
        } else if !met {
            before.push_back(message);
            if before.len() > context {
                before.pop_front();
            }
        }
    })?;
    Ok(met.then(|| (before.into(), after)))
}

/// `agent recall-bench`: JSON lines on the pipes, through a sealed vault in memory and the sealed
/// index, as the program itself uses them.
pub(super) fn recall_bench(shell: &Shell) -> Result<ExitCode, Failure> {
    let stdin = std::io::stdin().lock();
    let stdout = std::io::stdout().lock();
    let embedder = meaning::local(shell)?;
    let embedder = embedder.as_deref();
    bench::serve(stdin, stdout, embedder, &mut |records| {
        sealed_index(records, embedder)
    })?;
    Ok(ExitCode::SUCCESS)
}

fn sealed_index(records: &[Record], embedder: Option<&dyn Embedder>) -> Result<Index, Failure> {
    let words = Zeroizing::new("only for measuring".to_owned());
    let new = NewVault {
        passphrase: &Passphrase::new(words)?,
        kdf: KdfParams::LEAST,
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
    if let Some(embedder) = embedder {
        let mut text = |passage: &Unread| -> Result<Option<Text>, ChatError> {
            let at = usize::try_from(passage.seq)
                .ok()
                .and_then(|n| n.checked_sub(1));
            Ok(match at.and_then(|at| records.get(at)) {
                Some(Record::Message(message)) => Some(message.plain()),
                _ => None,
            })
        };
        index.embed(Making {
            embedder,
            link,
            text: &mut text,
            go_on: &mut |_| true,
        })?;
    }
    Ok(index)
}

impl From<RecallError> for Failure {
    fn from(error: RecallError) -> Self {
        ChatError::from(error).into()
    }
}
