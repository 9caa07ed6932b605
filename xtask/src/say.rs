//! What the user sees while things happen.

use std::process::Command;

/// Says what is done next, and why.
pub(crate) fn step(text: &str) {
    println!("==> {text}");
}

/// Says something about the present step.
pub(crate) fn note(text: &str) {
    println!("    {text}");
}

/// Shows the command that is about to run, so that it can be run by hand.
pub(crate) fn command(command: &Command) {
    let mut line = String::from("    $");
    for word in std::iter::once(command.get_program()).chain(command.get_args()) {
        let word = word.to_string_lossy();
        line.push(' ');
        if word.is_empty() || word.contains([' ', '\'', '"', '*', '$', '&', ';']) {
            line += "'";
            line += &word.replace('\'', r"'\''");
            line += "'";
        } else {
            line.push_str(&word);
        }
    }
    if let Some(dir) = command.get_current_dir() {
        line += "   (in ";
        line += &dir.to_string_lossy();
        line += ")";
    }
    println!("{line}");
}
