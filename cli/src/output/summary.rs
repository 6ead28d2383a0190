//! A run in one line of counts.

use linkbeat_shared::{Counts, Lang, RunState, RunSummary, Verdict};

use super::{Prose, words};

/// Links that are up and worth a remark in the summary.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Remarked {
    /// Their certificate ends within the days to warn of.
    pub(super) ending_certificates: u64,
    /// They led elsewhere.
    pub(super) redirected: u64,
}

/// Such as `24 checked: 20 up, 4 down · 1 hidden, 0 shown · 1 white-listed · 5.1 s`. It also counts the certificates
/// that end soon. Verdicts that no link got are left out; so is the time, while the run goes on. Of a run that is not
/// finished it begins with its state.
pub(super) fn summary(run: &RunSummary, remarked: Remarked, prose: Prose) -> String {
    let (counts, lang) = (&run.counts, prose.lang);
    let mut parts = vec![progress(run, lang)];
    parts.push(match lang {
        Lang::En => format!("{} hidden, {} shown", counts.to_not_show, counts.to_show),
        Lang::Zh => format!("隐藏 {}，恢复 {}", counts.to_not_show, counts.to_show),
    });
    if counts.would_hide + counts.would_show > 0 {
        parts.push(match lang {
            Lang::En => format!("if applied: {} hidden, {} shown", counts.would_hide, counts.would_show),
            Lang::Zh => format!("若应用：隐藏 {}，恢复 {}", counts.would_hide, counts.would_show),
        });
    }
    if let Some(held) = run.held_back.as_ref().filter(|_| run.state == RunState::HeldBack) {
        parts.push(held.seen(lang));
    }
    if counts.white_listed > 0 {
        parts.push(match lang {
            Lang::En => format!("{} white-listed", counts.white_listed),
            Lang::Zh => format!("白名单 {}", counts.white_listed),
        });
    }
    if counts.reused > 0 {
        parts.push(match lang {
            Lang::En => format!("{} taken over", counts.reused),
            Lang::Zh => format!("沿用 {}", counts.reused),
        });
    }
    parts.extend(without_result(run, lang));
    match remarked.redirected {
        0 => {}
        redirected => parts.push(match lang {
            Lang::En => format!("{redirected} redirected"),
            Lang::Zh => format!("重定向 {redirected}"),
        }),
    }
    match remarked.ending_certificates {
        0 => {}
        ending => parts.push(match (lang, ending) {
            (Lang::En, 1) => "1 certificate about to expire".to_owned(),
            (Lang::En, _) => format!("{ending} certificates about to expire"),
            (Lang::Zh, _) => format!("证书即将过期 {ending}"),
        }),
    }
    if run.finished_at.is_some() {
        let unit = if lang == Lang::Zh { "秒" } else { "s" };
        parts.push(format!("{:.1} {unit}", run.seconds()));
    }
    parts.join(" · ")
}

/// Links that have no result, as far as that is worth telling: their job is parked, or they wait for a second look.
fn without_result(run: &RunSummary, lang: Lang) -> impl Iterator<Item = String> {
    let missing = (run.missing > 0).then(|| match lang {
        Lang::En => format!("{} missing (parked)", run.missing),
        Lang::Zh => format!("缺失 {}（已搁置）", run.missing),
    });
    let to_recheck = (run.to_recheck > 0).then(|| match lang {
        Lang::En => format!("{} to be looked at again", run.to_recheck),
        Lang::Zh => format!("待复查 {}", run.to_recheck),
    });
    missing.into_iter().chain(to_recheck)
}

/// How far a run has come, such as `cancelled: 20 of 24 checked: 20 up`.
pub(super) fn progress(run: &RunSummary, lang: Lang) -> String {
    let checked = checked(&run.counts, lang);
    match (run.state, lang) {
        (RunState::Finished, _) => checked,
        (state, Lang::En) => format!("{}: {checked}", words::state(lang, state)),
        (state, Lang::Zh) => format!("{}：{checked}", words::state(lang, state)),
    }
}

fn checked(counts: &Counts, lang: Lang) -> String {
    let checked = if counts.checked == counts.active {
        counts.checked.to_string()
    } else {
        let of = if lang == Lang::Zh { "/" } else { " of " };
        format!("{}{of}{}", counts.checked, counts.active)
    };
    let verdicts = Verdict::ALL.map(|verdict| (counts.of(verdict), words::verdict(lang, verdict)));
    let given = verdicts.iter().filter(|(count, _)| *count > 0);
    let (head, colon, list) = match lang {
        Lang::En => {
            let list: Vec<_> = given.map(|(count, word)| format!("{count} {word}")).collect();
            (format!("{checked} checked"), ": ", list.join(", "))
        }
        Lang::Zh => {
            let list: Vec<_> = given.map(|(count, word)| format!("{word} {count}")).collect();
            (format!("检查 {checked} 个"), "：", list.join("，"))
        }
    };
    if list.is_empty() { head } else { head + colon + &list }
}
