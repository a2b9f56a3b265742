//! Links the unwinder into the program where that can be done, so that starting it costs less.
//!
//! For Linux with glibc, built for the machine it is built on; elsewhere nothing is changed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    let at_home = env::var("HOST").ok() == env::var("TARGET").ok();
    if !(at_home && is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu")) {
        return;
    }
    if let (Some(unwinder), Some(out)) = (static_unwinder(), env::var_os("OUT_DIR")) {
        link_unwinder(&unwinder, Path::new(&out));
    }
}

/// The compiler's unwinder as an archive, where it has one.
fn static_unwinder() -> Option<PathBuf> {
    let asked = Command::new("cc")
        .arg("-print-file-name=libgcc_eh.a")
        .output()
        .ok()?;
    let path = PathBuf::from(String::from_utf8(asked.stdout).ok()?.trim());
    (path.is_absolute() && path.is_file()).then_some(path)
}

/// Puts a linker script before the shared unwinder, which std asks for by name: one library less
/// to be loaded at every start.
fn link_unwinder(archive: &Path, out: &Path) {
    let script = format!("INPUT(\"{}\" -lgcc)\n", archive.display());
    if fs::write(out.join("libgcc_s.so"), script).is_ok() {
        println!("cargo:rustc-link-search=native={}", out.display());
    }
}
