//! Errors together with their causes, for the log and for messages.

use std::error::Error;

/// The error as a field of a log entry. The log shows its causes after it.
pub fn with_causes(error: &(impl Error + 'static)) -> &(dyn Error + 'static) {
    error
}

/// The error and its causes in one line: `the outermost: its cause: the cause of that`. Causes that
/// an error's own text ends with are not repeated.
pub fn one_line(error: &dyn Error) -> String {
    let chain = std::iter::successors(Some(error), |error| (**error).source());
    let mut line = String::new();
    for text in chain.map(ToString::to_string) {
        if line.is_empty() {
            line = text;
        } else if !line.ends_with(&text) {
            line = line + ": " + &text;
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the export failed")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn a_line_has_the_error_and_every_cause() {
        assert_eq!(one_line(&std::io::Error::other("disk full")), "disk full");
        assert_eq!(one_line(&Outer(std::io::Error::other("disk full"))), "the export failed: disk full");
        let telling = sqlx::migrate::MigrateError::ExecuteMigration(sqlx::Error::PoolClosed, 7);
        assert_eq!(one_line(&telling).matches("closed pool").count(), 1, "{}", one_line(&telling));
    }
}
