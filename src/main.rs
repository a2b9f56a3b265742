//! The `agent` program.

use std::process::ExitCode;

/// What the C library's `libm` is asked for, in Rust: a library less to load at every start.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod math {
    macro_rules! own {
        ($($name:ident)*) => { $(
            #[unsafe(no_mangle)]
            #[expect(unsafe_code, reason = "the C library's name, with the C library's meaning")]
            extern "C" fn $name(x: f64) -> f64 {
                libm::$name(x)
            }
        )* };
    }

    own!(exp2 log log10 log2);
}

fn main() -> ExitCode {
    agent::cli::run()
}
