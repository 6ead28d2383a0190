//! Files a run as the settings say, for `check`, `run` and `demo`.

use linkbeat_shared::{LinkSelection, Request, RequestId};
use linkbeat_store::{Filed, SharedStore};

use crate::exit::Failure;
use crate::logging::print_note;
use crate::settings::Settings;

/// Names of the white list that are told.
const TOLD: usize = 20;

/// Tells of names of the white list that no stored link has: they do nothing.
pub(crate) async fn tell_of_white_list(settings: &Settings, store: &SharedStore) -> Result<(), Failure> {
    for name in settings.check.white_list.iter().take(TOLD) {
        let found = store.find_links(name).await?;
        if !found.iter().any(|link| link.name.as_str() == name) {
            print_note(format_args!(
                "note: no link has the name `{name}` of the white list; see `linkbeat links list` for their exact names"
            ));
        }
    }
    Ok(())
}

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
