//! `agent init`: a new vault, a passphrase typed twice.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use zeroize::Zeroizing;

use super::args::{InitArgs, KdfArgs};
use super::failure::Failure;
use super::output::{complain, print_json, print_line};
use super::passphrase;
use super::secret_input::{ask_hidden, ask_key, is_sure, show_secret};
use super::shell::{Shell, now};
use crate::seal::{KdfParams, Passphrase, RecoveryCode};
use crate::store::{FileStore, Store};
use crate::vault::{NewVault, Vault, VaultError, structure};

/// What one unlocking should take.
const UNLOCK_TARGET: Duration = Duration::from_secs(1);
/// A passphrase that can be guessed in fewer tries than 10^8 is warned about.
const WEAK_LOG10: f64 = 8.0;

#[derive(Serialize)]
struct Made<'a> {
    vault: String,
    path: &'a str,
    kdf_memory_mib: u32,
    kdf_passes: u32,
    kdf_lanes: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_code: Option<&'a str>,
}

pub(super) fn run(shell: Shell, args: &InitArgs) -> Result<ExitCode, Failure> {
    let (vault, code) = make(&shell, args)?;
    let kdf = vault
        .header()
        .kdf_all()
        .next()
        .unwrap_or(KdfParams::DEFAULT);
    let path = shell.paths.state_dir.display().to_string();
    let text = code.as_ref().map(RecoveryCode::text);
    if shell.global.json {
        print_json(&Made {
            vault: vault.id().to_string(),
            path: &path,
            kdf_memory_mib: kdf.m_kib / 1024,
            kdf_passes: kdf.t,
            kdf_lanes: kdf.p,
            recovery_code: text.as_ref().map(|text| text.as_str()),
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    shell.note(&format!("Made a vault in {path}."));
    if let Some(text) = text {
        shell.note("Recovery code; write it down now, it is not shown again:");
        print_line(&text)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes the vault; asks for what the options do not say.
pub(super) fn make(
    shell: &Shell,
    args: &InitArgs,
) -> Result<(Vault, Option<RecoveryCode>), Failure> {
    let store = FileStore::create(&shell.paths.state_dir, &shell.paths.witness_dir)?;
    shell.say_tightened(&store);
    let store: Arc<dyn Store> = Arc::new(store);
    // Before anything is asked: nobody wants to invent a passphrase for nothing.
    match structure(store.as_ref()) {
        Ok(_) => return Err(VaultError::VaultExists.into()),
        Err(VaultError::NoVault) => {}
        Err(other) => return Err(other.into()),
    }
    let passphrase = match passphrase::given(&shell.global, &shell.environment)? {
        Some(passphrase) => passphrase,
        None => ask_twice()?,
    };
    let code = args
        .with_recovery_code
        .then(RecoveryCode::draw)
        .transpose()?;
    let new = NewVault {
        passphrase: &passphrase,
        kdf: parameters(&args.kdf)?,
        recovery: code.as_ref(),
        created: u64::try_from(now().as_second()).unwrap_or(0),
    };
    let vault = Vault::init(store, shell.wait(), &new)?;
    Ok((vault, code))
}

pub(super) fn parameters(args: &KdfArgs) -> Result<KdfParams, Failure> {
    let default = KdfParams::DEFAULT;
    let m_kib = args
        .kdf_memory
        .map_or(default.m_kib, |mib| mib.saturating_mul(1024));
    let t = args.kdf_passes.unwrap_or(default.t);
    let params = KdfParams {
        m_kib,
        t,
        p: args.kdf_lanes.unwrap_or(default.p),
    };
    params.check(0).map_err(Failure::KdfOption)?;
    match args.kdf_passes {
        Some(_) => Ok(params),
        None => Ok(params.calibrated(UNLOCK_TARGET)?),
    }
}

/// Asks for a new passphrase, says how strong it is, and asks again.
pub(super) fn ask_twice() -> Result<Passphrase, Failure> {
    complain(
        "Choose a passphrase. Nothing can be read without it: if it is lost, and there is no \
         recovery code, so is everything in the vault. Enter alone offers one.",
    );
    loop {
        let first = ask_hidden("New passphrase: ")?;
        if first.is_empty() {
            match offer_one()? {
                Some(passphrase) => return Ok(passphrase),
                None => continue,
            }
        }
        let strength = zxcvbn::zxcvbn(&first, &[]);
        complain(&format!("Strength: {}", describe(strength.guesses_log10())));
        if strength.guesses_log10() < WEAK_LOG10 && !is_sure("Use it even so?")? {
            continue;
        }
        let second = ask_hidden("Once more: ")?;
        if !same(&first, &second) {
            complain("The two differ; once more from the start.");
            continue;
        }
        return Ok(Passphrase::new(first)?);
    }
}

/// Makes one up, if the person wants that, and has it typed back.
fn offer_one() -> Result<Option<Passphrase>, Failure> {
    if ask_key("Make one up for you? [Y/n] ", "yn", 'y')? == 'n' {
        return Ok(None);
    }
    let drawn = Passphrase::draw_words()?;
    show_secret(&format!(
        "\n    {}\n\nWrite it down now; it is not shown again.\n",
        drawn.as_str()
    ))?;
    loop {
        let typed = ask_hidden("Type it back (Enter: another one): ")?;
        if typed.is_empty() {
            return offer_one();
        }
        if same(&drawn, &typed) {
            return Ok(Some(Passphrase::new(typed)?));
        }
        complain("That is not it.");
    }
}

fn same(one: &Zeroizing<String>, two: &Zeroizing<String>) -> bool {
    subtle::ConstantTimeEq::ct_eq(one.as_bytes(), two.as_bytes()).into()
}

fn describe(guesses_log10: f64) -> String {
    let word = match guesses_log10 {
        g if g < 6.0 => "very weak",
        g if g < WEAK_LOG10 => "weak",
        g if g < 11.0 => "fair",
        g if g < 15.0 => "good",
        _ => "strong",
    };
    format!("{word} (about 10^{guesses_log10:.0} guesses)")
}
