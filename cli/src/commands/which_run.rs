//! Which run a command means.

use std::str::FromStr;

use linkbeat_shared::RunId;
use linkbeat_store::SharedStore;

use crate::args::parse_run_id;
use crate::exit::Failure;

/// A shorter beginning of an id names too many.
const SHORTEST: usize = 4;
/// Among so many of the latest runs the beginning of an id is looked for.
const LOOKED_AT: u32 = 10_000;

/// A run, as a person names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WhichRun {
    Latest,
    Id(RunId),
    /// It begins so.
    Beginning(String),
}

impl FromStr for WhichRun {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_beginning = text.len() >= SHORTEST && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
        match parse_run_id(text) {
            _ if text == "latest" => Ok(Self::Latest),
            Ok(id) => Ok(Self::Id(id)),
            Err(_) if is_beginning => Ok(Self::Beginning(text.to_lowercase())),
            Err(problem) => Err(format!("{problem}, nor how one begins, nor `latest`")),
        }
    }
}

impl WhichRun {
    /// The id of the run.
    pub(super) async fn id(&self, store: &SharedStore) -> Result<RunId, Failure> {
        let runs = match self {
            Self::Id(id) => return Ok(*id),
            Self::Latest => store.runs(1).await?,
            Self::Beginning(_) => store.runs(LOOKED_AT).await?,
        };
        let beginning = if let Self::Beginning(text) = self { text.as_str() } else { "" };
        let mut found = runs.iter().map(|run| run.id).filter(|id| id.to_string().starts_with(beginning));
        match (found.next(), found.next()) {
            (Some(id), None) => Ok(id),
            (Some(_), Some(_)) => {
                let problem = format!("several runs begin with {beginning}");
                Err(Failure::usage(problem).advise("write more of the id"))
            }
            (None, _) => Err(self.missing().advise("see `linkbeat runs list`")),
        }
    }

    fn missing(&self) -> Failure {
        match self {
            Self::Beginning(text) => Failure::usage(format!("no run begins with {text}")),
            Self::Latest | Self::Id(_) => Failure::usage("there is no run yet"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_named_by_its_id_its_beginning_or_as_the_latest() {
        let id = "0198c5f0-7d2c-7cc1-a9f5-5f2c6c1b7e11";
        assert_eq!("latest".parse(), Ok(WhichRun::Latest));
        assert_eq!(id.parse(), Ok(WhichRun::Id(id.parse().unwrap())));
        assert_eq!("0198C5F0-7d".parse(), Ok(WhichRun::Beginning("0198c5f0-7d".to_owned())));
        for wrong in ["", "019", "last", "0198c5f0 "] {
            assert!(wrong.parse::<WhichRun>().is_err(), "{wrong}");
        }
    }
}
