//! `agent repair`, `doctor`, `backup` and `purge`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use serde::Serialize;

use super::args::PurgeArgs;
use super::checkup;
use super::failure::Failure;
use super::history::find;
use super::meaning;
use super::memory::find_item;
use super::output::{Meter, one_line, print_json, print_line};
use super::passphrase;
use super::secret_input::is_sure;
use super::shell::{Shell, now};
use super::status::describe;
use crate::chat::{Conversations, PurgeTargets};
use crate::memory::Memory;
use crate::model::{MemoryEvent, Record};
use crate::store::{FileStore, Holder, Oddity, Store, is_sync_conflict, swap_is_on};
use crate::vault::{Log, Secret, Vault, VaultError, View, restore_header, structure};

#[derive(Serialize)]
struct Report {
    header_restored: bool,
    records: u64,
    lost: Vec<String>,
    provider_keys_lost: bool,
}

/// Puts the header right, then writes what opens into a new epoch, if anything is damaged.
pub(super) fn repair(shell: &Shell) -> Result<ExitCode, Failure> {
    let passphrase = passphrase::find(&shell.global, &shell.environment)?;
    let store = shell.store()?;
    let secret = Secret::Passphrase(&passphrase);
    let restored = restore_header(&store, shell.wait(), &secret)?;
    if let Some(restored) = &restored {
        shell.note(&format!(
            "The header was put back from the copy in epoch-{} (generation {}).",
            restored.epoch, restored.generation
        ));
    }
    let locked = crate::vault::LockedVault::open(store, shell.wait())?;
    let mut vault = locked.unlock(&passphrase)?;
    let mut meter = Meter::new("reading everything", shell.shows_progress());
    let found = vault.verify(&mut |done, total| meter.show(done, total))?;
    meter.end();
    let mut report = Report {
        header_restored: restored.is_some(),
        records: found.records,
        lost: Vec::new(),
        provider_keys_lost: false,
    };
    if !found.is_whole() || vault.rollback().is_some() {
        let mut meter = Meter::new("writing what opens anew", shell.shows_progress());
        let done = vault.repair(now(), &mut |done, total| meter.show(done, total))?;
        meter.end();
        report.records = done.rewritten.records;
        report.provider_keys_lost = done.provider_keys_lost;
        let lost = done.rewritten.lost.iter();
        report.lost = lost
            .map(|lost| format!("{} to {} of {}", lost.first_seq, lost.last_seq, lost.file))
            .collect();
        shell.note("The old files are kept in quarantine/ until `agent purge`.");
    } else if restored.is_none() {
        shell.note("Nothing needs mending.");
    }
    if shell.global.json {
        print_json(&report)?;
        return Ok(ExitCode::SUCCESS);
    }
    for lost in &report.lost {
        print_line(&format!("lost: records {lost}"))?;
    }
    if report.provider_keys_lost {
        print_line("lost: the providers' API keys (agent keys set NAME seals them again)")?;
    }
    print_line(&format!("{} records are whole", report.records))?;
    Ok(ExitCode::SUCCESS)
}

#[derive(Serialize)]
struct Advice {
    finding: String,
    advice: String,
}

fn advice(finding: impl Into<String>, advice: impl Into<String>) -> Advice {
    Advice {
        finding: finding.into(),
        advice: advice.into(),
    }
}

/// Explains in plain words what is there and what to do; needs no passphrase. Asks the server of
/// the model for its list, which tells it nothing.
pub(super) fn doctor(shell: &Shell) -> Result<ExitCode, Failure> {
    let store = FileStore::open(&shell.paths.state_dir, &shell.paths.witness_dir)?;
    let mut rows = Vec::new();
    if let Some(mode) = store.tightened() {
        rows.push(advice(
            format!("the vault's directory was open to others (mode {mode:03o})"),
            "it is yours alone now; nothing to do",
        ));
    }
    match structure(&store) {
        // What a sync tool left is told below, with what to do about it.
        Ok(found) => rows.extend(found.findings.iter().filter(|f| !is_conflict(f)).map(|finding| {
            use crate::vault::Finding;
            let what = match finding {
                Finding::Damage(_) => "agent repair writes what opens anew and keeps the rest",
                Finding::HeaderCopy => "the next command that writes puts it right",
                Finding::OtherEpoch(_) => {
                    "left by a rekey, purge or repair that was cut short; the next command that \
                     writes removes it if the log names it, else agent purge does"
                }
                Finding::Stranger(_) => "not the vault's; look whether you need it",
                _ => "agent verify tells more",
            };
            advice(describe(finding), what)
        })),
        Err(error @ (VaultError::HeaderMissing | VaultError::HeaderDamaged { .. })) => {
            rows.push(advice(
                error.to_string(),
                "agent repair, with your passphrase",
            ));
        }
        Err(other) => return Err(other.into()),
    }
    rows.extend(
        store
            .oddities()
            .into_iter()
            .map(|oddity| of_oddity(&oddity)),
    );
    if swap_is_on() {
        rows.push(advice(
            "this machine swaps memory to a disk",
            "keys are locked in memory, words on the screen are not: encrypt the swap space",
        ));
    }
    let about_models = checkup::model(shell)?.into_iter();
    let about_models = about_models.chain(meaning::advice(shell)?);
    rows.extend(about_models.map(|(finding, what)| advice(finding, what)));
    if shell.global.json {
        print_json(&rows)?;
        return Ok(ExitCode::SUCCESS);
    }
    for row in &rows {
        print_line(&format!("• {}", one_line(&row.finding)))?;
        print_line(&format!("    {}", row.advice))?;
    }
    if rows.is_empty() {
        print_line("All is as it should be. `agent verify` checks every byte.")?;
    }
    if let Some(line) = meaning::invitation(shell) {
        print_line(&line)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn is_conflict(finding: &crate::vault::Finding) -> bool {
    matches!(finding, crate::vault::Finding::Stranger(name) if is_sync_conflict(name))
}

fn of_oddity(oddity: &Oddity) -> Advice {
    match oddity {
        Oddity::Loose { file, mode } => advice(
            format!("{} can be read by others (mode {mode:03o})", file.display()),
            format!("its content is sealed; chmod go= {}", file.display()),
        ),
        Oddity::SyncConflict { file, of_log } => advice(
            format!(
                "{} is a copy that a sync tool made of two versions",
                file.display()
            ),
            match of_log {
                true => {
                    "it is never opened in place of the real one, and may hold records that are \
                     missing there: agent import --from vault DIR merges all copies in a \
                     directory; remove them then"
                }
                false => {
                    "it is never opened in place of the real one and holds no records: remove it \
                     once agent verify finds the vault whole"
                }
            },
        ),
        Oddity::Temporary(file) => advice(
            format!("{} was left by a writer that was cut short", file.display()),
            "the next command that writes removes it",
        ),
        Oddity::LockHeld(holder) => advice(
            format!(
                "the vault is being written to{}",
                holder.as_ref().map_or(String::new(), who)
            ),
            "wait until it is done",
        ),
    }
}

fn who(holder: &Holder) -> String {
    format!(" by process {} ({})", holder.pid, holder.command)
}

#[derive(Serialize)]
struct BackedUp {
    path: String,
    records: u64,
    files: u64,
    bytes: u64,
    whole: bool,
}

pub(super) fn backup(shell: &Shell, dir: &Path) -> Result<ExitCode, Failure> {
    let mut vault = shell.unlock()?;
    let target = FileStore::create(dir, &shell.paths.witness_dir)?;
    let target: Arc<dyn Store> = Arc::new(target);
    let mut meter = Meter::new("copying", shell.shows_progress());
    let done = vault.backup(&target, &mut |done, total| meter.show(done, total))?;
    meter.end();
    let whole = done.report.is_whole();
    if shell.global.json {
        print_json(&BackedUp {
            path: dir.display().to_string(),
            records: done.seq,
            files: done.files,
            bytes: done.bytes,
            whole,
        })?;
    }
    shell.note(&format!(
        "{} records in {} are a vault of their own; it opens with the same passphrase \
         (--state-dir).",
        done.seq,
        dir.display()
    ));
    if !whole {
        shell.note("warning: what is damaged here is damaged in the copy too; see agent verify");
    }
    Ok(ExitCode::from(if whole { 0 } else { 13 }))
}

#[derive(Serialize)]
struct Receipt {
    items: usize,
    conversations: usize,
    messages: usize,
    records_purged: u64,
    records_changed: u64,
    files_removed: u64,
    bytes_removed: u64,
    not_removed: Vec<&'static str>,
}

/// What no program can take back.
const OUT_OF_REACH: [&str; 3] = [
    "backups and copies made before, which still open with their passphrase",
    "old blocks of the disk, until they are written over",
    "what a model's provider was sent",
];

pub(super) fn purge(shell: &Shell, args: &PurgeArgs) -> Result<ExitCode, Failure> {
    let mut vault = shell.unlock_to_write()?;
    let memory = View::load(&mut vault, Memory::new())?;
    let all = View::load(&mut vault, Conversations::default())?;
    let mut targets = if args.memory.is_empty() && args.conversation.is_empty() {
        PurgeTargets::hidden(&memory.fold, &all.fold)
    } else {
        let items: Result<BTreeSet<_>, Failure> = args
            .memory
            .iter()
            .map(|prefix| find_item(&memory.fold, prefix))
            .collect();
        let conversations: Result<BTreeSet<_>, Failure> = args
            .conversation
            .iter()
            .map(|prefix| find_any(&all.fold, prefix))
            .collect();
        PurgeTargets {
            items: items?,
            conversations: conversations?,
        }
    };
    if args.with_memories {
        targets.with_memories(&memory.fold);
    }
    purge_targets(shell, &mut vault, &memory, &all, &targets, args.yes)
}

/// A conversation by its id, a hidden one too.
fn find_any(all: &Conversations, prefix: &str) -> Result<crate::model::Id, Failure> {
    let mut hidden = all.deleted().filter(|id| id.has_prefix(prefix));
    match (hidden.next(), hidden.next()) {
        (Some(one), None) => Ok(one),
        _ => find(all, prefix),
    }
}

/// Purges, after saying what would go and asking on a terminal.
pub(super) fn purge_targets(
    shell: &Shell,
    vault: &mut Vault,
    memory: &View<Memory>,
    all: &View<Conversations>,
    targets: &PurgeTargets,
    yes: bool,
) -> Result<ExitCode, Failure> {
    if targets.is_empty() {
        shell.note("There is nothing to purge: nothing is forgotten or deleted.");
    }
    let plan = targets.plan(vault, memory)?;
    if !yes && super::secret_input::has_terminal() {
        shell.note(&format!(
            "{} items, {} conversations with {} messages will be gone for good.",
            plan.items, plan.conversations, plan.messages
        ));
        if !is_sure("Go on?")? {
            return Err(Failure::Interrupted);
        }
    }
    let at = now();
    let before: Vec<Record> = plan
        .before
        .iter()
        .map(|op| Record::Memory(MemoryEvent { at, op: op.clone() }))
        .collect();
    if !before.is_empty() {
        vault.append(&before)?;
    }
    let mut meter = Meter::new("writing what stays anew", shell.shows_progress());
    let done = vault.purge(&plan.seqs, &plan.replacements, now(), &mut |done, total| {
        meter.show(done, total)
    })?;
    meter.end();
    let receipt = Receipt {
        items: plan.items,
        conversations: plan.conversations,
        messages: plan.messages,
        records_purged: done.rewritten.purged,
        records_changed: done.rewritten.replaced,
        files_removed: done.files_removed,
        bytes_removed: done.bytes_removed,
        not_removed: OUT_OF_REACH.to_vec(),
    };
    let ended = match done.rewritten.previous_removed {
        true => Ok(ExitCode::SUCCESS),
        false => Err(Failure::PurgedStays),
    };
    if shell.global.json {
        print_json(&receipt)?;
        return ended;
    }
    print_line(&format!(
        "Purged {} records ({} items, {} conversations, {} messages); {} old files with {} KiB are \
         gone.",
        receipt.records_purged,
        receipt.items,
        receipt.conversations,
        receipt.messages,
        receipt.files_removed,
        receipt.bytes_removed.div_ceil(1024)
    ))?;
    print_line("What cannot be removed from here:")?;
    receipt
        .not_removed
        .iter()
        .try_for_each(|what| print_line(&format!("  • {what}")))?;
    for quoting in &plan.quoting {
        let id = all.fold.short_id(quoting.conversation);
        shell.note(&format!(
            "note: conversation {id} still says “{}”; agent purge --conversation {id} removes it",
            one_line(&quoting.quote)
        ));
    }
    ended
}
