//! Files a run as the settings say, for `check`, `run` and `demo`.

use linkbeat_shared::{LinkSelection, Request, RequestId};
use linkbeat_store::{Filed, SharedStore};

use crate::exit::Failure;
use crate::settings::Settings;

/// Files a run of these links, or of all stored ones.
pub(crate) async fn file(
    settings: &Settings,
    store: &SharedStore,
    links: LinkSelection,
) -> Result<Filed, Failure> {
    if matches!(links, LinkSelection::Stored) && store.links(None, 1).await?.is_empty() {
        return Err(Failure::usage("there are no stored links yet").advise(
            "name a list (`linkbeat check friends.csv`) or import one (`linkbeat links import friends.csv`)",
        ));
    }
    let request = Request::new(RequestId::new(), links, settings.check.clone(), None);
    Ok(linkbeat_producer::file(store, request).await?)
}
