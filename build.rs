//! Asks the linker for a program that costs less to start: relative relocations packed, and the
//! unwinder within instead of in a library of its own.
//!
//! Both depend on the linker, the C library and the loader, so each is tried on an empty program
//! first and told to Cargo only if that starts. Where it does not, the program is linked as usual.

#![expect(
    clippy::disallowed_methods,
    reason = "Cargo speaks to a build script through its environment"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    let at_home = env::var("HOST").ok() == env::var("TARGET").ok();
    let Some(out) = env::var_os("OUT_DIR").map(PathBuf::from) else {
        return;
    };
    if !(at_home && is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu")) {
        return;
    }
    let packed = "-Clink-arg=-Wl,-z,pack-relative-relocs";
    if starts(&out, &[packed]) {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    let scripts = out.join("unwinder");
    let search = format!("-Lnative={}", scripts.display());
    if lead_to_static_unwinder(&scripts).is_some() && starts(&out, &[&search]) {
        println!("cargo:rustc-link-search=native={}", scripts.display());
    }
}

/// Puts a linker script where the shared unwinder, which std asks for by name, is looked for first.
fn lead_to_static_unwinder(dir: &Path) -> Option<()> {
    let asked = Command::new("cc")
        .arg("-print-file-name=libgcc_eh.a")
        .output()
        .ok()?;
    let archive = PathBuf::from(String::from_utf8(asked.stdout).ok()?.trim());
    if !(archive.is_absolute() && archive.is_file()) {
        return None;
    }
    fs::create_dir_all(dir).ok()?;
    let script = format!("INPUT(\"{}\" -lgcc)\n", archive.display());
    fs::write(dir.join("libgcc_s.so"), script).ok()
}

/// Whether an empty program starts that is built as this one will be, with these arguments more.
fn starts(out: &Path, arguments: &[&str]) -> bool {
    let (source, program) = (out.join("empty.rs"), out.join("empty"));
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--edition=2024", "--crate-name=empty"]);
    rustc.args(flags.split('\x1f').filter(|flag| !flag.is_empty()));
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        let mut named = std::ffi::OsString::from("-Clinker=");
        named.push(linker);
        rustc.arg(named);
    }
    rustc.args(arguments).arg("-o").arg(&program).arg(&source);
    let quietly = |command: &mut Command| {
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    fs::write(&source, "fn main() {}\n").is_ok()
        && quietly(&mut rustc)
        && quietly(&mut Command::new(&program))
}
