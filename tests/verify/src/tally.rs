//! Counting: what cargo's and node's own test reports say, summed. Touches nothing but text.
//!
//! Sources: libtest's summary line (`test result: ok. 3 passed; 0 failed; 1 ignored; …`), one for every test binary; TAP's closing
//! comments as node's `tap` reporter writes them (`# pass 3`), once for a whole run.

use std::fmt;

/// Tests and checks that passed, failed, or were skipped on purpose by their own suite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Tests that passed; a check that is not a test suite counts one.
    pub passed: u64,
    /// Tests that failed, and everything that could not run.
    pub failed: u64,
    /// Tests that their suite ignored: said on a line of their own, never counted as passed.
    pub ignored: u64,
}

impl Tally {
    /// One check that passed.
    pub fn success() -> Self {
        Self {
            passed: 1,
            ..Self::default()
        }
    }

    /// One check that failed or could not run.
    pub fn failure() -> Self {
        Self {
            failed: 1,
            ..Self::default()
        }
    }

    /// One check, by its verdict.
    pub fn of(success: bool) -> Self {
        if success {
            Self::success()
        } else {
            Self::failure()
        }
    }

    /// Takes another count into this one.
    pub fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }

    /// Never lets a broken run look like a good one: a program that failed without naming a failed test (it did not compile, it
    /// crashed) and a suite in which nothing ran are one failure each.
    pub fn checked(mut self, success: bool) -> Self {
        if (!success && self.failed == 0) || (success && self.passed + self.failed == 0) {
            self.failed += 1;
        }
        self
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// Sums the summary lines of every test binary in the output of `cargo test`.
pub fn cargo_tests(output: &str) -> Tally {
    let mut tally = Tally::default();
    for line in output
        .lines()
        .filter(|line| line.starts_with("test result: "))
    {
        tally.passed += before(line, " passed;");
        tally.failed += before(line, " failed;");
        tally.ignored += before(line, " ignored;");
    }
    tally
}

/// Reads the closing counts of one `node --test --test-reporter=tap` run. The last mention wins: what a test printed comes before it.
pub fn node_tests(output: &str) -> Tally {
    let closing = |label: &str| {
        let count = |line: &str| line.strip_prefix(label)?.trim().parse::<u64>().ok();
        output.lines().rev().find_map(count).unwrap_or(0)
    };
    Tally {
        passed: closing("# pass "),
        failed: closing("# fail ") + closing("# cancelled "),
        ignored: closing("# skipped ") + closing("# todo "),
    }
}

/// The number that stands right before `label`, 0 when there is none.
fn before(line: &str, label: &str) -> u64 {
    let number = || line.split_once(label)?.0.rsplit(' ').next()?.parse().ok();
    number().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARGO: &str = "\
running 2 tests
test a ... ok

test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.00s

     Running tests/flow.rs
test result: FAILED. 40 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s
";

    const NODE: &str = "\
# pass 99 said a test of itself
# tests 7
# suites 0
# pass 4
# fail 1
# cancelled 1
# skipped 1
# todo 0
# duration_ms 61.2
";

    #[test]
    fn every_cargo_suite_is_summed() {
        assert_eq!(
            cargo_tests(CARGO),
            Tally {
                passed: 42,
                failed: 2,
                ignored: 1
            }
        );
    }

    #[test]
    fn text_that_only_mentions_a_result_counts_nothing() {
        assert_eq!(
            cargo_tests("say: test result: ok. 9 passed; 0 failed;"),
            Tally::default()
        );
    }

    #[test]
    fn node_counts_come_from_the_closing_lines_and_cancelled_tests_failed() {
        assert_eq!(
            node_tests(NODE),
            Tally {
                passed: 4,
                failed: 2,
                ignored: 1
            }
        );
    }

    #[test]
    fn a_run_that_did_not_compile_is_one_failure() {
        assert_eq!(
            cargo_tests("error: could not compile").checked(false),
            Tally::failure()
        );
    }

    #[test]
    fn failed_tests_are_not_counted_twice() {
        assert_eq!(cargo_tests(CARGO).checked(false).failed, 2);
    }

    #[test]
    fn a_suite_in_which_nothing_ran_is_a_failure() {
        assert_eq!(cargo_tests("").checked(true), Tally::failure());
    }

    #[test]
    fn the_verdict_is_what_passed_and_what_failed() {
        assert_eq!(
            Tally {
                passed: 3,
                failed: 1,
                ignored: 2
            }
            .to_string(),
            "3 passed, 1 failed"
        );
    }
}
