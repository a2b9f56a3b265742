//! `agent export` and `agent import`: the way out and the way in.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::age_file;
use super::args::{ExportArgs, ExportFormat, ImportArgs, ImportFrom};
use super::failure::Failure;
use super::indexing;
use super::output::{Meter, complain, one_line, print_json, print_line, stdout_is_terminal};
use super::plain_file::PlainFile;
use super::shell::{Shell, now};
use crate::keeper::Opened;
use crate::store::{LogCopy, log_copies};
use crate::transfer::{
    ArticleSinks, ArticleSources, Bad, ExportOptions, Exported, Format, ImportOptions, Imported,
    Origin, Progress, Source, TransferError, export, export_article, import, import_article,
    import_copies, is_age,
};
use crate::vault::Vault;

/// The article's files, in a directory.
const ARTICLE: [&str; 3] = [
    "conversation_buffer.json",
    "long_term_memory.json",
    "session_log.jsonl",
];

pub(super) fn run_export(shell: &Shell, args: &ExportArgs) -> Result<ExitCode, Failure> {
    let sealed = args.age.is_some() || args.age_passphrase;
    let to_stdout = args
        .output
        .as_deref()
        .is_none_or(|path| path == Path::new("-"));
    if to_stdout && stdout_is_terminal() && !args.force {
        return Err(Failure::ExportToTerminal);
    }
    if to_stdout && matches!(args.format, ExportFormat::Article) {
        return Err(Failure::ArticleNeedsDirectory);
    }
    let mut vault = shell.open()?;
    if !sealed {
        complain("warning: the export is plaintext: whoever can read it reads everything in it");
    }
    let done = match (args.format, &args.output) {
        (ExportFormat::Article, Some(dir)) => to_directory(shell, &mut vault, args, dir)?,
        _ => to_file(shell, &mut vault, args, to_stdout)?,
    };
    if !done.missing.is_empty() {
        complain(&format!(
            "warning: {} runs of records are damaged and not in it",
            done.missing.len()
        ));
    }
    if let Some(path) = args.output.as_ref().filter(|_| !to_stdout) {
        if shell.global.json {
            print_json(&done)?;
        }
        shell.note(&format!(
            "{} conversations with {} messages and {} memories in {}",
            done.conversations,
            done.messages,
            done.memories,
            path.display()
        ));
    }
    shell.verdict(&mut vault)
}

fn options(args: &ExportArgs) -> ExportOptions {
    ExportOptions {
        all: args.all,
        now: now(),
    }
}

fn to_file(
    shell: &Shell,
    vault: &mut Opened,
    args: &ExportArgs,
    to_stdout: bool,
) -> Result<Exported, Failure> {
    let format = match args.format {
        ExportFormat::Jsonl | ExportFormat::Article => Format::Jsonl,
        ExportFormat::Json => Format::Json,
        ExportFormat::Markdown => Format::Markdown,
        ExportFormat::Html => Format::Html,
    };
    if to_stdout {
        let stdout = std::io::stdout().lock();
        return through_age(shell, vault, args, format, stdout).map(|(done, _)| done);
    }
    let path = args.output.clone().unwrap_or_default();
    let fail = |source| Failure::ExportFile {
        path: path.clone(),
        source,
    };
    let file = PlainFile::create(&path).map_err(fail)?;
    let (done, file) = through_age(shell, vault, args, format, file)?;
    file.finish().map_err(fail)?;
    Ok(done)
}

fn through_age<W: Write>(
    shell: &Shell,
    vault: &mut Opened,
    args: &ExportArgs,
    format: Format,
    mut sink: W,
) -> Result<(Exported, W), Failure> {
    let lock = age_file::lock(args)?;
    let mut meter = Meter::new("exporting", shell.shows_progress());
    let mut report = |progress: Progress| {
        meter.show(progress.done, progress.total);
        ControlFlow::Continue(())
    };
    let options = options(args);
    let done = match lock {
        None => export(vault, format, &options, &mut sink, &mut report)?,
        Some(lock) => {
            let mut write =
                |sealed: &mut dyn Write| Ok(export(vault, format, &options, sealed, &mut report)?);
            let (done, inner) = age_file::seal(sink, lock, &mut write)?;
            sink = inner;
            done
        }
    };
    sink.flush().map_err(Failure::Output)?;
    meter.end();
    Ok((done, sink))
}

/// The article's three files, in a directory that is new.
fn to_directory(
    shell: &Shell,
    vault: &mut Opened,
    args: &ExportArgs,
    dir: &Path,
) -> Result<Exported, Failure> {
    if args.age.is_some() || args.age_passphrase {
        return Err(Failure::ArticleWithAge);
    }
    let fail = |source| Failure::ExportFile {
        path: dir.to_owned(),
        source,
    };
    // umask 077 makes it the owner's alone.
    std::fs::create_dir(dir).map_err(fail)?;
    let [mut buffer, mut memory, mut log] = [
        PlainFile::create(&dir.join(ARTICLE[0])).map_err(fail)?,
        PlainFile::create(&dir.join(ARTICLE[1])).map_err(fail)?,
        PlainFile::create(&dir.join(ARTICLE[2])).map_err(fail)?,
    ];
    let sinks = ArticleSinks {
        conversation_buffer: &mut buffer,
        long_term_memory: &mut memory,
        session_log: &mut log,
    };
    let mut meter = Meter::new("exporting", shell.shows_progress());
    let mut report = |progress: Progress| {
        meter.show(progress.done, progress.total);
        ControlFlow::Continue(())
    };
    let done = export_article(vault, &options(args), sinks, &mut report)?;
    for file in [buffer, memory, log] {
        file.finish().map_err(fail)?;
    }
    meter.end();
    Ok(done)
}

pub(super) fn run_import(shell: &Shell, args: &ImportArgs) -> Result<ExitCode, Failure> {
    // The source first: nobody wants to type a passphrase for a file that is not there.
    let fail = |source| Failure::ImportFile {
        path: args.file.clone(),
        source,
    };
    let found = std::fs::metadata(&args.file).map_err(fail)?;
    let mut vault = shell.unlock_to_write()?;
    // Two at once would each find the same missing, and both append it.
    let alone = vault.store().claim(vault.id().0);
    if matches!(alone, Ok(None)) {
        return Err(Failure::ImportRunning);
    }
    let options = ImportOptions {
        origin: origin(args.from),
        trust: args.trust,
        salvage: args.salvage,
        now: now(),
    };
    let mut meter = Meter::new("importing", shell.shows_progress());
    let mut report = |progress: Progress| {
        meter.show(progress.done, progress.total);
        ControlFlow::Continue(())
    };
    let done = if is_vault(args, found.is_dir()) {
        let copies = log_copies(&args.file, &shell.paths.state_dir)?;
        import_copies(&mut vault, &copies, &options, &mut report)?
    } else if found.is_dir() {
        let mut files = ARTICLE.map(|name| File::open(args.file.join(name)).ok());
        let [buffer, memory, log] = &mut files;
        let sources = ArticleSources {
            conversation_buffer: as_source(buffer),
            long_term_memory: as_source(memory),
            session_log: as_source(log),
        };
        import_article(&mut vault, sources, &options, &mut report)?
    } else {
        from_file(&mut vault, args, &options, &mut report)?
    };
    meter.end();
    let code = say(shell, args, &done)?;
    indexing::after_import(shell, &mut vault);
    Ok(code)
}

/// Whether the source is copies of the vault: by name, or since it has none of the article's files.
fn is_vault(args: &ImportArgs, is_dir: bool) -> bool {
    match args.from {
        ImportFrom::Vault => true,
        ImportFrom::Auto if is_dir => !ARTICLE.iter().any(|name| args.file.join(name).exists()),
        ImportFrom::Auto => matches!(LogCopy::recognise(&args.file), Ok(Some(_))),
        _ => false,
    }
}

fn from_file(
    vault: &mut Vault,
    args: &ImportArgs,
    options: &ImportOptions,
    report: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Imported, Failure> {
    let fail = |source| Failure::ImportFile {
        path: args.file.clone(),
        source,
    };
    let mut file = File::open(&args.file).map_err(fail)?;
    let mut start = [0; 64];
    let got = file.read(&mut start).map_err(fail)?;
    file.rewind().map_err(fail)?;
    if is_age(&start[..got]) {
        let mut opened = age_file::open(file, args.identity.as_deref())?;
        return Ok(import(vault, opened.as_mut(), options, report)?);
    }
    if matches!(options.origin, Some(Origin::Llm)) || start.starts_with(b"SQLite format 3\0") {
        return Ok(from_llm(vault, &args.file, options, report)?);
    }
    match import(vault, &mut file, options, report) {
        Err(TransferError::NeedsPath) => Ok(from_llm(vault, &args.file, options, report)?),
        other => Ok(other?),
    }
}

fn origin(from: ImportFrom) -> Option<Origin> {
    Some(match from {
        ImportFrom::Auto => return None,
        ImportFrom::Jsonl => Origin::Jsonl,
        ImportFrom::Article => Origin::Article,
        ImportFrom::Llm => Origin::Llm,
        ImportFrom::Chatgpt => Origin::Chatgpt,
        ImportFrom::Claude => Origin::Claude,
        ImportFrom::McpMemory => Origin::McpMemory,
        ImportFrom::Vault => Origin::Vault,
    })
}

#[cfg(feature = "llm")]
use crate::transfer::import_llm as from_llm;

/// The database of `llm`, in a build that cannot read it.
#[cfg(not(feature = "llm"))]
fn from_llm(
    _vault: &mut Vault,
    _path: &Path,
    _options: &ImportOptions,
    _report: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Imported, TransferError> {
    Err(TransferError::NotThisFormat {
        expected: "anything that this build reads: llm is left out",
    })
}

/// One of the article's files, where it is there.
fn as_source(file: &mut Option<File>) -> Option<&mut dyn Source> {
    file.as_mut().map(|file| file as &mut dyn Source)
}

/// What came in, and what did not; that is an exit code of its own.
fn say(shell: &Shell, args: &ImportArgs, done: &Imported) -> Result<ExitCode, Failure> {
    let file = &args.file;
    if shell.global.json {
        print_json(done)?;
    } else {
        let origin = done.origin.map_or("nothing", Origin::name);
        print_line(&format!(
            "{} ({origin}): {} conversations, {} messages, {} memories; {} were here already",
            file.display(),
            done.conversations,
            done.messages,
            done.memories,
            done.skipped
        ))?;
    }
    for bad in done.bad.iter().take(20) {
        complain(&format!("passed over: {}", place(file, bad)));
    }
    if done.bad_count > 20 {
        complain(&format!("passed over: {} more", done.bad_count - 20));
    }
    // An export and a copy come back as they were, pending or not.
    let as_it_was = matches!(done.origin, Some(Origin::Jsonl | Origin::Vault));
    if done.memories > 0 && !args.trust && !as_it_was {
        shell.note("Imported memories wait for you: agent memory pending");
    }
    Ok(ExitCode::from(u8::from(done.bad_count > 0)))
}

fn place(file: &Path, bad: &Bad) -> String {
    let name = bad
        .file
        .as_deref()
        .map(PathBuf::from)
        .unwrap_or_else(|| file.to_owned());
    let at = match (bad.line, bad.entry, bad.byte) {
        (Some(line), ..) => format!(", line {line}"),
        (None, Some(entry), _) => format!(", entry {entry}"),
        (None, None, Some(byte)) => format!(", byte {byte}"),
        _ => String::new(),
    };
    one_line(&format!("{}{at}: {}", name.display(), bad.fault))
}
