//! Starts the command line, nothing else.

fn main() -> std::process::ExitCode {
    uketsuke::cli::main()
}
