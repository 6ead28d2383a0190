//! `linkbeat runs repeat`

use linkbeat_producer::{CannotRepeat, repeat};
use linkbeat_shared::RequestId;
use serde_json::json;

use super::schedule::publish;
use super::servers;
use super::which_run::WhichRun;
use crate::args::GlobalArgs;
use crate::exit::{Failure, Status};
use crate::output::ListFormat;

/// Files a run that is asked the same as another one.
pub(super) async fn run(global: &GlobalArgs, run: &WhichRun, format: ListFormat) -> Result<Status, Failure> {
    let settings = global.plain_settings()?;
    let store = servers::store(&settings).await?;
    let repeated = async {
        let before = run.id(&store).await?;
        let filed = repeat(&store, before, RequestId::new()).await.map_err(refused)?;
        publish(&settings, &store, &filed).await?;
        Ok((before, filed.run))
    };
    let repeated: Result<_, Failure> = repeated.await;
    store.close().await;
    let (before, run) = repeated?;
    let (id, links) = (run.id, run.links);
    match format {
        ListFormat::Json => {
            anstream::println!("{}", json!({ "run_id": id, "links": links, "repeats": before }));
        }
        ListFormat::Table => {
            let links = if links == 1 { "1 link".to_owned() } else { format!("{links} links") };
            anstream::println!("run {id} filed: {links}; see `linkbeat runs show {id}`");
        }
    }
    Ok(Status::Passed)
}

fn refused(error: CannotRepeat) -> Failure {
    match error {
        CannotRepeat::Store(error) => error.into(),
        CannotRepeat::Unknown(_) => Failure::usage(error.to_string()).advise("see `linkbeat runs list`"),
        error => Failure::usage(error.to_string()).advise("file a new one: `linkbeat run`"),
    }
}
