//! Copies of this vault's own log, as a synced folder leaves them: records that are missing are
//! appended, each copy's in its own order, none twice.
//!
//! A record is known by its own id, or by its whole line where it has none; so it does not matter
//! at which place of which copy it stands, nor whether an earlier merge was cut short.

use std::collections::HashSet;

use zeroize::Zeroizing;

use crate::vault::{Belonging, CopyFlaw, Link, Log, LogCopy, OpenCopy, Vault};

use super::super::error::TransferError;
use super::super::progress::{Meter, OnProgress, Step};
use super::intake::Intake;
use super::jsonl::read_record;
use super::known::{Known, key_of};
use super::tally::Tally;
use super::{Bad, Fault, ImportOptions, Imported, Origin};

/// Merges what `copies` hold and the vault does not. Every copy is opened and held against the
/// others before the first record is appended; one that is damaged, or hangs in the air, stops it,
/// unless what is whole is to be salvaged.
pub fn import_copies(
    vault: &mut Vault,
    copies: &[LogCopy],
    options: &ImportOptions,
    mut report: OnProgress<'_>,
) -> Result<Imported, TransferError> {
    let mut imported = Imported {
        origin: Some(Origin::Vault),
        ..Imported::default()
    };
    let epoch = vault.epoch();
    vault.refresh()?;
    let ours = sort_out(vault, copies, &mut imported)?;
    let checked = check(vault, ours, options, &mut imported, &mut report)?;
    if checked.is_empty() {
        return Ok(imported);
    }
    let mut known = Known::lines_of(vault, &mut report)?;
    let mut meter = Meter::new(Step::Import, bytes_of(&checked), &mut report);
    let mut tally = Tally::new(imported);
    let mut intake = Intake::new(vault);
    let mut done = 0;
    for copy in checked {
        if intake.vault().epoch() != epoch {
            return Err(TransferError::Rewritten);
        }
        let open = intake.vault().open_copy(copy)?;
        for (at, entry) in open.entries.iter().enumerate() {
            let record = match read_record(entry.line()) {
                Ok(record) => record,
                Err(fault) => {
                    let entry = Some(at as u64 + 1);
                    tally.imported.note_bad(Bad {
                        entry,
                        ..bad(copy, fault)
                    });
                    continue;
                }
            };
            if known.insert_key(key_of(entry.line())) {
                tally.count(&record);
                intake.push(Zeroizing::new(entry.line().to_vec()))?;
            } else {
                tally.imported.skipped += 1;
            }
        }
        done += copy.bytes;
        meter.at(done)?;
    }
    intake.flush()?;
    Ok(tally.finish(intake.records))
}

fn bytes_of(copies: &[&LogCopy]) -> u64 {
    copies.iter().map(|copy| copy.bytes).sum()
}

fn shown(copy: &LogCopy) -> String {
    let name = copy.path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn bad(copy: &LogCopy, fault: Fault) -> Bad {
    Bad {
        file: Some(shown(copy)),
        line: None,
        entry: None,
        byte: None,
        fault,
    }
}

/// The copies whose keys are at hand; the others are named, and refused if there are only such.
fn sort_out<'a>(
    vault: &Vault,
    copies: &'a [LogCopy],
    imported: &mut Imported,
) -> Result<Vec<&'a LogCopy>, TransferError> {
    let mut ours = Vec::new();
    let mut refused = TransferError::NoCopies;
    for copy in copies {
        match vault.belonging(copy) {
            Belonging::Ours => ours.push(copy),
            Belonging::OtherEpoch => {
                imported.note_bad(bad(copy, Fault::OtherEpoch));
                refused = TransferError::OtherEpoch;
            }
            Belonging::OtherVault => {
                imported.note_bad(bad(copy, Fault::OtherVault));
                if matches!(refused, TransferError::NoCopies) {
                    refused = TransferError::OtherVault;
                }
            }
        }
    }
    if ours.is_empty() {
        Err(refused)
    } else {
        Ok(ours)
    }
}

/// Opens every copy that may hold something new; returns these in the order in which their records
/// were written.
fn check<'a>(
    vault: &mut Vault,
    ours: Vec<&'a LogCopy>,
    options: &ImportOptions,
    imported: &mut Imported,
    report: &mut OnProgress<'_>,
) -> Result<Vec<&'a LogCopy>, TransferError> {
    let mut meter = Meter::new(Step::Check, bytes_of(&ours), report);
    let mut links: HashSet<Link> = HashSet::new();
    let mut found = Vec::new();
    let mut done = 0;
    for copy in ours {
        done += copy.bytes;
        if !vault.holds_all_of(copy)? {
            let open = vault.open_copy(copy)?;
            judge(copy, &open, options, imported)?;
            // Behind the last record that the log has too, nothing but links can tell what follows.
            links.extend(open.entries.iter().map(|entry| entry.link));
            found.push((open.before, copy));
        }
        meter.at(done)?;
    }
    found.sort_by_key(|(before, copy)| (before.map_or(u64::MAX, |at| at.seq), &copy.path));
    for (before, copy) in &found {
        let Some(before) = before else { continue };
        let follows = links.contains(&before.link) || vault.position(before.seq)? == Some(*before);
        if !follows && !options.salvage {
            let seq = before.seq + 1;
            let file = shown(copy);
            return Err(TransferError::CopyDetached { file, seq });
        }
        if !follows {
            imported.note_bad(bad(copy, Fault::Detached));
        }
    }
    Ok(found.into_iter().map(|(_, copy)| copy).collect())
}

fn judge(
    copy: &LogCopy,
    open: &OpenCopy,
    options: &ImportOptions,
    imported: &mut Imported,
) -> Result<(), TransferError> {
    match open.flaw {
        None => {}
        // Such an end was never promised to anyone.
        Some(CopyFlaw::Torn) => imported.note_bad(bad(copy, Fault::CutOff)),
        Some(CopyFlaw::Damaged) if options.salvage => imported.note_bad(bad(copy, Fault::Damaged)),
        Some(CopyFlaw::Damaged) => {
            let file = shown(copy);
            return Err(TransferError::CopyDamaged { file });
        }
    }
    Ok(())
}
