//! The groups that the filter offers.

use crate::pages::answer::Problem;
use crate::serve::App;

/// Groups that are offered.
const MOST: usize = 200;

/// The names of groups.
pub(super) async fn names(app: &App) -> Result<Vec<String>, Problem> {
    let groups = app.groups().await?;
    Ok(groups.iter().take(MOST).map(|(group, _)| group.to_string()).collect())
}
