//! What PostgreSQL's error codes mean: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
//!
//! Codes are the same in every language, texts are not. A code that is not in the table is tried again, because only
//! what is known to be permanent may be given up.

use crate::meaning::{Meaning, Obstacle};

/// Codes and classes of codes. The first entry with which a code begins counts.
const TABLE: [(&str, Meaning); 17] = [
    // Serialization failures and deadlocks.
    ("40", Meaning::Conflict),
    ("25006", Meaning::Unavailable(Obstacle::ReadOnly)),
    ("28", Meaning::Unavailable(Obstacle::Login)),
    ("3D000", Meaning::Unavailable(Obstacle::NoDatabase)),
    ("42501", Meaning::Unavailable(Obstacle::Rights)),
    ("53100", Meaning::Unavailable(Obstacle::Room)),
    ("53300", Meaning::Unavailable(Obstacle::Crowded)),
    // More rows than one where one is wanted; values that do not fit; constraints.
    ("21", Meaning::Refused),
    ("22", Meaning::Refused),
    ("23", Meaning::Refused),
    ("44", Meaning::Refused),
    // Statements that the server does not understand, such as one about a table that is not there.
    ("42", Meaning::Refused),
    // A row or a statement that is too large.
    ("54", Meaning::Refused),
    // What an operator's own trigger refuses.
    ("P0", Meaning::Refused),
    // Damaged tables and indexes.
    ("XX001", Meaning::Corrupt),
    ("XX002", Meaning::Corrupt),
    ("", Meaning::Unavailable(Obstacle::Other)),
];

/// What a code means.
pub(super) fn meaning(code: &str) -> Meaning {
    let entry = TABLE.iter().find(|(begin, _)| code.starts_with(begin));
    entry.map_or(Meaning::Unavailable(Obstacle::Other), |(_, meaning)| *meaning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_to_be_permanent_is_given_up() {
        let other = Meaning::Unavailable(Obstacle::Other);
        for code in
            ["57014", "57P01", "57P03", "58030", "55P03", "08006", "53200", "0A000", "XX000", "99999", ""]
        {
            assert_eq!(meaning(code), other, "{code}");
        }
        for code in ["22021", "23505", "42P01", "42601", "54000", "P0001"] {
            assert_eq!(meaning(code), Meaning::Refused, "{code}");
        }
        assert_eq!(meaning("40P01"), Meaning::Conflict);
        assert_eq!(meaning("42501"), Meaning::Unavailable(Obstacle::Rights));
        assert_eq!(meaning("28P01"), Meaning::Unavailable(Obstacle::Login));
        assert_eq!(meaning("XX001"), Meaning::Corrupt);
    }

    #[test]
    fn each_cause_of_an_unusable_database_has_its_own_advice() {
        let advice = |code| match meaning(code) {
            Meaning::Unavailable(obstacle) => obstacle.advice(),
            other => panic!("{other:?}"),
        };
        assert!(advice("3D000").starts_with("create it"));
        assert!(advice("28P01").starts_with("check user"));
        assert!(advice("28000").starts_with("check user"));
        assert!(advice("42501").starts_with("grant"));
        assert!(advice("08001").starts_with("see that it runs"));
    }
}
