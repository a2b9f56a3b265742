//! `agent status` and `agent verify`.

use std::process::ExitCode;

use serde::Serialize;

use super::args::VerifyArgs;
use super::failure::Failure;
use super::keeper::unlocked;
use super::output::{Meter, print_json, print_line};
use super::shell::Shell;
use crate::keeper;
use crate::seal::SlotKind;
use crate::vault::{Finding, VaultError, structure};

#[derive(Serialize)]
struct Status {
    path: String,
    vault: String,
    epoch: String,
    generation: u64,
    created: u64,
    slots: Vec<SlotRow>,
    segments: u64,
    log_bytes: u64,
    total_bytes: u64,
    findings: Vec<String>,
    /// None while no keeper holds the vault open.
    keeper: Option<keeper::Status>,
}

#[derive(Serialize)]
struct SlotRow {
    id: String,
    kind: &'static str,
    label: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kdf_memory_kib: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kdf_passes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kdf_lanes: Option<u32>,
}

pub(super) fn describe(finding: &Finding) -> String {
    match finding {
        Finding::Damage(damage) => format!("damaged: {damage}"),
        Finding::Rollback(rollback) => format!("rolled back: {rollback}"),
        Finding::Rebuildable(file) => {
            format!("{file} does not open and will be made again from the log")
        }
        Finding::HeaderCopy => "the copy of the header is not the header".to_owned(),
        Finding::TornEnd => {
            "a write was cut short; the next writer moves its bytes to the quarantine".to_owned()
        }
        Finding::Stranger(name) => format!("{name} is no file of the vault"),
        Finding::OtherEpoch(epoch) => format!("epoch-{epoch} is not the live epoch"),
    }
}

fn slot_row((id, kind, label): (String, SlotKind, String)) -> SlotRow {
    let (word, kdf) = match kind {
        SlotKind::Passphrase(kdf) => ("passphrase", Some(kdf)),
        SlotKind::RecoveryCode => ("recovery code", None),
        SlotKind::KeyFile => ("key file", None),
        SlotKind::Unknown(_) => ("unknown", None),
    };
    SlotRow {
        id,
        kind: word,
        label: super::output::one_line(&label),
        kdf_memory_kib: kdf.map(|kdf| kdf.m_kib),
        kdf_passes: kdf.map(|kdf| kdf.t),
        kdf_lanes: kdf.map(|kdf| kdf.p),
    }
}

fn look(shell: &Shell) -> Result<(Status, bool), Failure> {
    let found = structure(shell.store()?.as_ref())?;
    let keeper = keeper::status(&shell.keeper_place(found.vault)).unwrap_or_else(|error| {
        shell.note(&Failure::from(error).as_warning());
        None
    });
    let wrong = found.findings.iter().any(Finding::is_error);
    let status = Status {
        path: shell.paths.state_dir.display().to_string(),
        vault: found.vault.to_string(),
        epoch: found.epoch.to_string(),
        generation: found.generation,
        created: found.created,
        slots: found.slots.into_iter().map(slot_row).collect(),
        segments: found.segments,
        log_bytes: found.log_bytes,
        total_bytes: found.total_bytes,
        findings: found.findings.iter().map(describe).collect(),
        keeper,
    };
    Ok((status, wrong))
}

pub(super) fn status(shell: &Shell) -> Result<ExitCode, Failure> {
    let (status, _) = look(shell)?;
    if shell.global.json {
        print_json(&status)?;
        return Ok(ExitCode::SUCCESS);
    }
    print_line(&format!("path      {}", status.path))?;
    print_line(&format!("vault     {}", status.vault))?;
    print_line(&format!(
        "epoch     {}, header generation {}",
        status.epoch, status.generation
    ))?;
    print_line(&format!(
        "log       {} segments and a tail, {} KiB; {} KiB in all",
        status.segments,
        status.log_bytes.div_ceil(1024),
        status.total_bytes.div_ceil(1024)
    ))?;
    for slot in &status.slots {
        let kdf = match (slot.kdf_memory_kib, slot.kdf_passes, slot.kdf_lanes) {
            (Some(m), Some(t), Some(p)) => {
                format!(", Argon2id with {} MiB, {t} passes, {p} lanes", m / 1024)
            }
            _ => String::new(),
        };
        print_line(&format!("slot      {} ({}){kdf}", slot.kind, &slot.id[..8]))?;
    }
    let keeper = status.keeper.as_ref();
    print_line(&format!(
        "keeper    {}",
        keeper.map_or_else(|| "locked".to_owned(), unlocked)
    ))?;
    status
        .findings
        .iter()
        .try_for_each(|finding| print_line(&format!("note      {finding}")))?;
    Ok(ExitCode::SUCCESS)
}

#[derive(Serialize)]
struct Verified {
    whole: bool,
    records: u64,
    segments: u64,
    bytes: u64,
    findings: Vec<String>,
}

pub(super) fn verify(shell: Shell, args: &VerifyArgs) -> Result<ExitCode, Failure> {
    if args.structure {
        let (status, wrong) = look(&shell)?;
        if shell.global.json {
            print_json(&status)?;
        } else {
            status
                .findings
                .iter()
                .try_for_each(|finding| print_line(finding))?;
            let word = if wrong {
                "not as it should be"
            } else {
                "as it should be"
            };
            print_line(&format!(
                "{} files' names and sizes: {word}",
                status.segments + 1
            ))?;
        }
        return Ok(ExitCode::from(if wrong { 13 } else { 0 }));
    }
    let mut vault = shell.unlock()?;
    let mut meter = Meter::new("verifying", shell.shows_progress());
    let report = vault.verify(&mut |done, total| meter.show(done, total))?;
    meter.end();
    let whole = report.is_whole();
    let findings: Vec<String> = report.findings.iter().map(describe).collect();
    let (records, segments, bytes) = (report.records, report.segments, report.bytes);
    if shell.global.json {
        print_json(&Verified {
            whole,
            records,
            segments,
            bytes,
            findings,
        })?;
    } else {
        findings
            .iter()
            .try_for_each(|finding| print_line(finding))?;
        let word = if whole { "whole" } else { "not whole" };
        print_line(&format!(
            "{records} records in {segments} segments and a tail: {word}"
        ))?;
    }
    if let Some(rollback) = vault.rollback() {
        return Err(VaultError::from(rollback.clone()).into());
    }
    Ok(ExitCode::from(if whole { 0 } else { 13 }))
}
