//! The groups that the filter offers. To find them takes a look at all links, so they are remembered for a while.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::pages::answer::Problem;
use crate::serve::App;

/// How long they are remembered.
const FOR: Duration = Duration::from_secs(60);
/// Groups that are offered.
const MOST: u32 = 200;

/// Groups as they were a while ago.
#[derive(Debug, Default)]
pub(crate) struct Groups(Mutex<Option<(Instant, Arc<Vec<String>>)>>);

/// The names of groups.
pub(super) async fn names(app: &App) -> Result<Arc<Vec<String>>, Problem> {
    let remembered = app.groups.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some((_, names)) = remembered.filter(|(at, _)| at.elapsed() < FOR) {
        return Ok(names);
    }
    let groups = app.ports.store.link_groups(MOST).await?;
    let names: Arc<Vec<String>> = Arc::new(groups.into_iter().map(|(group, _)| group.to_string()).collect());
    *app.groups.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), Arc::clone(&names)));
    Ok(names)
}
