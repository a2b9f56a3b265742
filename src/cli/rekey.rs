//! `agent rekey`, `passwd` and `slots`: the secrets of a vault.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;
use serde_json::json;
use zeroize::Zeroizing;

use super::args::{KdfArgs, NewSecret, RekeyArgs, SlotsAction};
use super::failure::Failure;
use super::init::{ask_twice, parameters};
use super::output::{Meter, complain, print_json, print_line};
use super::passphrase;
use super::secret_input::ask_hidden;
use super::shell::{Shell, now};
use crate::seal::{KdfParams, NewSlot, Passphrase, RecoveryCode, SlotId, SlotKind};
use crate::vault::{Secret, SlotChange, Vault, VaultError};

#[derive(Serialize)]
struct Rekeyed {
    epoch: String,
    previous_epoch: String,
    records: u64,
    previous_removed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_code: Option<String>,
}

/// The secret of one slot, read and owned.
enum Held {
    Passphrase(Passphrase),
    Code(RecoveryCode),
    File(Zeroizing<Vec<u8>>),
}

fn new_passphrase(shell: &Shell, secret: &NewSecret) -> Result<Passphrase, Failure> {
    match passphrase::given_new(secret, &shell.environment)? {
        Some(passphrase) => Ok(passphrase),
        None => ask_twice(),
    }
}

/// The numbers for a new passphrase: those the options name, else those of the old one.
fn kdf(vault: &Vault, args: &KdfArgs) -> Result<KdfParams, Failure> {
    if args.kdf_memory.is_none() && args.kdf_passes.is_none() && args.kdf_lanes.is_none() {
        return Ok(vault
            .header()
            .kdf_all()
            .next()
            .unwrap_or(KdfParams::DEFAULT));
    }
    parameters(args)
}

fn own_slot(vault: &Vault) -> Result<SlotId, Failure> {
    let slot = vault.passphrase_slot();
    Ok(slot.ok_or(VaultError::WrongPassphrase)?)
}

pub(super) fn rekey(shell: &Shell, args: &RekeyArgs) -> Result<ExitCode, Failure> {
    let mut vault = shell.unlock_to_write()?;
    let own = own_slot(&vault)?;
    let dropped = named_slots(&vault, &args.drop_slot)?;
    let others = others(&vault, own, &dropped);
    // Slots whose secret is not given stop it here, before anything is asked or written.
    let held = secrets_of(&vault, &others)?;
    let passphrase = new_passphrase(shell, &args.secret)?;
    let params = kdf(&vault, &args.kdf)?;
    let mut changes = vec![SlotChange::Instead(
        own,
        NewSlot::Passphrase(&passphrase, params),
    )];
    changes.extend(dropped.iter().map(|id| SlotChange::Drop(*id)));
    for (id, kdf, held) in &held {
        let secret = match held {
            Held::Passphrase(passphrase) => {
                NewSlot::Passphrase(passphrase, kdf.unwrap_or(KdfParams::DEFAULT))
            }
            Held::Code(code) => NewSlot::RecoveryCode(code),
            Held::File(bytes) => NewSlot::KeyFile(bytes),
        };
        changes.push(SlotChange::Again(*id, secret));
    }
    let mut meter = Meter::new("sealing everything again", shell.shows_progress());
    let done = vault.rekey(&changes, now(), &mut |done, total| meter.show(done, total))?;
    meter.end();
    if shell.global.json {
        print_json(&Rekeyed {
            epoch: done.epoch.to_string(),
            previous_epoch: done.previous_epoch.to_string(),
            records: done.records,
            previous_removed: done.previous_removed,
            recovery_code: None,
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    shell.note(&format!(
        "{} records are sealed under a new key.",
        done.records
    ));
    shell.note("Backups made before still open with the old passphrase: replace or delete them.");
    if !done.previous_removed {
        shell.note("The old epoch could not be removed yet; the next command that writes does it.");
    }
    Ok(ExitCode::SUCCESS)
}

/// Slots beside the own one that are to stay: those of later versions cannot.
fn others(vault: &Vault, own: SlotId, dropped: &[SlotId]) -> Vec<(SlotId, SlotKind, String)> {
    let slots = vault.header().slots.iter();
    slots
        .filter(|slot| slot.id() != own && !dropped.contains(&slot.id()))
        .map(|slot| (slot.id(), slot.kind(), slot.label()))
        .collect()
}

type Given = (SlotId, Option<KdfParams>, Held);

fn secrets_of(vault: &Vault, slots: &[(SlotId, SlotKind, String)]) -> Result<Vec<Given>, Failure> {
    let mut given = Vec::new();
    for (id, kind, label) in slots {
        let missing = || {
            Failure::from(VaultError::SlotNotGiven {
                slot: *id,
                label: label.clone(),
            })
        };
        let label = super::output::one_line(label);
        let (kdf, held) = match kind {
            SlotKind::RecoveryCode => {
                let typed = ask_hidden("Recovery code (it goes on): ").map_err(|_| missing())?;
                (None, Held::Code(RecoveryCode::parse(&typed)?))
            }
            SlotKind::Passphrase(kdf) => {
                let typed = ask_hidden(&format!("Passphrase of the slot “{label}”: "))
                    .map_err(|_| missing())?;
                (Some(*kdf), Held::Passphrase(Passphrase::new(typed)?))
            }
            SlotKind::KeyFile => {
                let path = ask_hidden(&format!("Path of the key file “{label}”: "))
                    .map_err(|_| missing())?;
                (None, Held::File(key_file(Path::new(path.as_str()))?))
            }
            SlotKind::Unknown(_) => return Err(missing()),
        };
        let secret = match &held {
            Held::Passphrase(passphrase) => Secret::Passphrase(passphrase),
            Held::Code(code) => Secret::RecoveryCode(code),
            Held::File(bytes) => Secret::KeyFile(bytes),
        };
        if vault.slot_of(&secret)? != *id {
            return Err(VaultError::NotOfSlot { slot: *id }.into());
        }
        given.push((*id, kdf, held));
    }
    Ok(given)
}

fn named_slots(vault: &Vault, prefixes: &[String]) -> Result<Vec<SlotId>, Failure> {
    prefixes
        .iter()
        .map(|prefix| named_slot(vault, prefix))
        .collect()
}

fn named_slot(vault: &Vault, prefix: &str) -> Result<SlotId, Failure> {
    let ids = vault.header().slots.iter().map(|slot| slot.id());
    let found: Vec<SlotId> = ids
        .filter(|id| id.to_string().starts_with(prefix))
        .collect();
    match found[..] {
        [one] if !prefix.is_empty() => Ok(one),
        _ => Err(Failure::NoSuchSlot(prefix.to_owned())),
    }
}

/// The bytes of a key file, which only its owner may be able to read.
fn key_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let fail = |source| Failure::PassphraseFile {
        path: path.to_owned(),
        source,
    };
    let mode = std::fs::metadata(path).map_err(fail)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Failure::PassphraseFileOpen {
            path: path.to_owned(),
            mode,
        });
    }
    let bytes = Zeroizing::new(std::fs::read(path).map_err(fail)?);
    if !(20..=4096).contains(&bytes.len()) {
        return Err(Failure::KeyFileSize {
            path: path.to_owned(),
            len: bytes.len(),
        });
    }
    Ok(bytes)
}

pub(super) fn passwd(
    shell: &Shell,
    secret: &NewSecret,
    args: &KdfArgs,
) -> Result<ExitCode, Failure> {
    let mut vault = shell.unlock_to_write()?;
    let own = own_slot(&vault)?;
    let passphrase = new_passphrase(shell, secret)?;
    let params = kdf(&vault, args)?;
    let slot = vault.passwd(own, &passphrase, params)?;
    if shell.global.json {
        print_json(&json!({ "slot": slot.to_string() }))?;
    }
    shell.note(
        "The passphrase is changed. It protects from here on only: a copy of the old header, in a \
         backup or elsewhere, still opens with the old passphrase. `agent rekey` ends that.",
    );
    Ok(ExitCode::SUCCESS)
}

#[derive(Serialize)]
struct SlotRow {
    id: String,
    kind: &'static str,
    label: String,
    used: bool,
}

pub(super) fn slots(shell: &Shell, action: SlotsAction) -> Result<ExitCode, Failure> {
    match action {
        SlotsAction::List => {
            let vault = shell.unlock()?;
            let rows = vault.header().slots.iter().map(|slot| SlotRow {
                id: slot.id().to_string(),
                kind: kind_word(slot.kind()),
                label: super::output::one_line(&slot.label()),
                used: Some(slot.id()) == vault.opened_by(),
            });
            if shell.global.json {
                print_json(&rows.collect::<Vec<_>>())?;
                return Ok(ExitCode::SUCCESS);
            }
            for row in rows {
                let used = if row.used { "  (used now)" } else { "" };
                print_line(&format!(
                    "{}  {:<14} {}{used}",
                    &row.id[..8],
                    row.kind,
                    row.label
                ))?;
            }
        }
        SlotsAction::AddRecovery => add_recovery(shell)?,
        SlotsAction::AddKeyfile { file } => {
            let mut vault = shell.unlock_to_write()?;
            let bytes = key_file(&file)?;
            let slot = vault.add_slot("key file", &NewSlot::KeyFile(&bytes))?;
            let line = format!("The key file opens the vault too, as slot {slot}.");
            shell.done(&line, &json!({ "slot": slot.to_string() }))?;
        }
        SlotsAction::Remove { id, keyfile } => {
            let mut vault = shell.unlock_to_write()?;
            let slot = named_slot(&vault, &id)?;
            remove(&mut vault, slot, keyfile.as_deref())?;
            let line = "Removed. A copy of the old header still opens with it: see `agent rekey`.";
            let json = json!({ "slot": slot.to_string(), "removed": true });
            shell.done(line, &json)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn kind_word(kind: SlotKind) -> &'static str {
    match kind {
        SlotKind::Passphrase(_) => "passphrase",
        SlotKind::RecoveryCode => "recovery code",
        SlotKind::KeyFile => "key file",
        SlotKind::Unknown(_) => "unknown",
    }
}

/// A recovery code counts once it was typed back.
fn add_recovery(shell: &Shell) -> Result<(), Failure> {
    let mut vault = shell.unlock_to_write()?;
    let code = RecoveryCode::draw()?;
    complain("Write this recovery code down, on paper; it opens the vault without the passphrase:");
    print_line(&code.text())?;
    let typed = ask_hidden("Type it back (it is not shown): ")?;
    let same = RecoveryCode::parse(&typed).is_ok_and(|again| again.same_as(&code));
    if !same {
        return Err(Failure::CodeNotTypedBack);
    }
    vault.add_slot("recovery code", &NewSlot::RecoveryCode(&code))?;
    shell.note("The recovery code opens the vault from now on.");
    Ok(())
}

/// Never the last way in, and never without proof that another one opens.
fn remove(vault: &mut Vault, slot: SlotId, keyfile: Option<&Path>) -> Result<(), Failure> {
    if let Some(path) = keyfile {
        let bytes = key_file(path)?;
        return Ok(vault.remove_slot(slot, &Secret::KeyFile(&bytes))?);
    }
    let others = vault
        .header()
        .slots
        .iter()
        .filter(|other| other.id() != slot);
    let code_only = others
        .clone()
        .all(|other| other.kind() == SlotKind::RecoveryCode);
    if code_only && others.count() > 0 {
        let typed = ask_hidden("Recovery code, to prove that it opens: ")?;
        let code = RecoveryCode::parse(&typed)?;
        return Ok(vault.remove_slot(slot, &Secret::RecoveryCode(&code))?);
    }
    let typed = ask_hidden("Passphrase of another slot, to prove that it opens: ")?;
    let passphrase = Passphrase::new(typed)?;
    Ok(vault.remove_slot(slot, &Secret::Passphrase(&passphrase))?)
}
