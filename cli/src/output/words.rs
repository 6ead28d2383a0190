//! The words of tables, in English and Chinese.

use linkbeat_shared::{Change, Lang, RunState, Verdict};

/// Headings and cells of one language.
pub(super) struct Words {
    pub(super) change: &'static str,
    pub(super) name: &'static str,
    pub(super) url: &'static str,
    pub(super) verdict: &'static str,
    pub(super) reason: &'static str,
    pub(super) milliseconds: &'static str,
    pub(super) certificate_until: &'static str,
    pub(super) active: &'static str,
    pub(super) shown: &'static str,
    pub(super) last_checked: &'static str,
    pub(super) checked: &'static str,
    pub(super) pinned: &'static str,
    pub(super) paused_until: &'static str,
    pub(super) yes: &'static str,
    pub(super) no: &'static str,
    pub(super) never: &'static str,
    pub(super) white_listed: &'static str,
    pub(super) all_is_well: &'static str,
    pub(super) no_links: &'static str,
    pub(super) run: &'static str,
    pub(super) state: &'static str,
    pub(super) links: &'static str,
    pub(super) done: &'static str,
    pub(super) missing: &'static str,
    pub(super) begun: &'static str,
    pub(super) seconds: &'static str,
}

const ENGLISH: Words = Words {
    change: "change",
    name: "name",
    url: "url",
    verdict: "verdict",
    reason: "reason",
    milliseconds: "ms",
    certificate_until: "certificate until",
    active: "active",
    shown: "shown",
    last_checked: "last checked (UTC)",
    checked: "checked",
    pinned: "pinned",
    paused_until: "paused until (UTC)",
    yes: "yes",
    no: "no",
    never: "never",
    white_listed: "white-listed",
    all_is_well: "All is well",
    no_links: "No links",
    run: "run",
    state: "state",
    links: "links",
    done: "done",
    missing: "missing",
    begun: "begun (UTC)",
    seconds: "s",
};

const CHINESE: Words = Words {
    change: "变化",
    name: "名称",
    url: "网址",
    verdict: "结果",
    reason: "原因",
    milliseconds: "毫秒",
    certificate_until: "证书有效期至",
    active: "启用",
    shown: "显示",
    last_checked: "上次检查 (UTC)",
    checked: "检查日期",
    pinned: "已固定",
    paused_until: "暂停至 (UTC)",
    yes: "是",
    no: "否",
    never: "从未",
    white_listed: "白名单",
    all_is_well: "一切正常",
    no_links: "没有链接",
    run: "任务",
    state: "状态",
    links: "链接",
    done: "已完成",
    missing: "缺失",
    begun: "开始 (UTC)",
    seconds: "秒",
};

/// The words of a language.
pub(super) fn words(lang: Lang) -> &'static Words {
    match lang {
        Lang::En => &ENGLISH,
        Lang::Zh => &CHINESE,
    }
}

/// A verdict as people say it.
pub(super) fn verdict(lang: Lang, verdict: Verdict) -> &'static str {
    match (lang, verdict) {
        (Lang::En, Verdict::NoBacklink) => "no backlink",
        (Lang::En, verdict) => verdict.as_str(),
        (Lang::Zh, Verdict::Up) => "正常",
        (Lang::Zh, Verdict::Down) => "失效",
        (Lang::Zh, Verdict::NoBacklink) => "未回链",
        (Lang::Zh, Verdict::Blocked) => "被拦截",
        (Lang::Zh, Verdict::Refused) => "未访问",
    }
}

/// A change as people say it.
pub(super) fn change(lang: Lang, change: Change) -> &'static str {
    match (lang, change) {
        (Lang::En, change) => change.as_str(),
        (Lang::Zh, Change::Hidden) => "隐藏",
        (Lang::Zh, Change::Shown) => "恢复",
    }
}

/// A change that is not decided yet.
pub(super) fn proposed(lang: Lang, change: Change) -> &'static str {
    match (lang, change) {
        (Lang::En, Change::Hidden) => "hidden?",
        (Lang::En, Change::Shown) => "shown?",
        (Lang::Zh, Change::Hidden) => "隐藏？",
        (Lang::Zh, Change::Shown) => "恢复？",
    }
}

/// A run's state as people say it.
pub(super) fn state(lang: Lang, state: RunState) -> &'static str {
    match (lang, state) {
        (Lang::En, RunState::HeldBack) => "held back",
        (Lang::En, state) => state.as_str(),
        (Lang::Zh, RunState::Running) => "进行中",
        (Lang::Zh, RunState::Finished) => "已结束",
        (Lang::Zh, RunState::Incomplete) => "未完成",
        (Lang::Zh, RunState::HeldBack) => "待确认",
        (Lang::Zh, RunState::Discarded) => "已放弃",
        (Lang::Zh, RunState::Cancelled) => "已取消",
    }
}

/// What stands in place of rows that are not listed.
pub(super) fn and_more(lang: Lang, rows: u64) -> String {
    match lang {
        Lang::En => format!("and {rows} more"),
        Lang::Zh => format!("另有 {rows} 个"),
    }
}
