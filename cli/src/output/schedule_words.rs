//! The words of schedules, in English and Chinese.

use linkbeat_shared::Lang;
use linkbeat_store::ScheduleState;

/// The words of one language.
pub(super) struct Words {
    pub(super) when: &'static str,
    pub(super) links: &'static str,
    pub(super) rules: &'static str,
    pub(super) last: &'static str,
    pub(super) counts: &'static str,
    pub(super) next: &'static str,
    pub(super) note: &'static str,
    pub(super) none_yet: &'static str,
    pub(super) unreadable: &'static str,
    pub(super) overdue: &'static str,
    pub(super) no_schedules: &'static str,
    pub(super) asked: &'static str,
    pub(super) latest: &'static str,
    pub(super) all_links: &'static str,
    pub(super) of_a_list: &'static str,
    pub(super) group: &'static str,
    pub(super) tag: &'static str,
    pub(super) run: &'static str,
    pub(super) fired: &'static str,
    pub(super) by_hand: &'static str,
    pub(super) overlap: &'static str,
    pub(super) missed: &'static str,
    pub(super) paused_ticks: &'static str,
    pub(super) failed: &'static str,
    pub(super) failed_count: &'static str,
    pub(super) ticks_up_to: &'static str,
    pub(super) active: &'static str,
    pub(super) paused: &'static str,
    pub(super) ended: &'static str,
    pub(super) until: &'static str,
}

const ENGLISH: Words = Words {
    when: "when",
    links: "links",
    rules: "rules",
    last: "last",
    counts: "counts",
    next: "next",
    note: "note",
    none_yet: "none yet",
    unreadable: "cannot be read",
    overdue: "the next tick is overdue: is a producer or `linkbeat up` running?",
    no_schedules: "no schedules; `linkbeat schedule add` adds one",
    asked: "What is asked of the links:",
    latest: "Latest ticks:",
    all_links: "all stored active links",
    of_a_list: "of a list",
    group: "group",
    tag: "tag",
    run: "run",
    fired: "fired",
    by_hand: "by hand",
    overlap: "skipped: an earlier run went on",
    missed: "skipped: missed",
    paused_ticks: "skipped: paused",
    failed: "failed: the run could not be filed",
    failed_count: "failed",
    ticks_up_to: "ticks up to this one",
    active: "active",
    paused: "paused",
    ended: "ended",
    until: "until",
};

const CHINESE: Words = Words {
    when: "时间",
    links: "链接",
    rules: "规则",
    last: "上次",
    counts: "计数",
    next: "下次",
    note: "提示",
    none_yet: "尚无",
    unreadable: "无法读取",
    overdue: "下一次已过期：producer 或 `linkbeat up` 在运行吗？",
    no_schedules: "没有计划；可用 `linkbeat schedule add` 添加",
    asked: "对链接的要求：",
    latest: "最近的执行：",
    all_links: "所有已存储且启用的链接",
    of_a_list: "个，来自列表",
    group: "分组",
    tag: "标签",
    run: "任务",
    fired: "已执行",
    by_hand: "手动执行",
    overlap: "跳过：上次仍在进行",
    missed: "跳过：错过",
    paused_ticks: "跳过：已暂停",
    failed: "失败：无法新建任务",
    failed_count: "失败",
    ticks_up_to: "次，截至此次",
    active: "启用",
    paused: "已暂停",
    ended: "已结束",
    until: "至",
};

impl Words {
    /// Where a schedule stands.
    pub(super) fn state(&self, state: ScheduleState) -> &'static str {
        match state {
            ScheduleState::Active => self.active,
            ScheduleState::Paused => self.paused,
            ScheduleState::Ended => self.ended,
        }
    }
}

/// The words of a language.
pub(super) fn words(lang: Lang) -> &'static Words {
    match lang {
        Lang::En => &ENGLISH,
        Lang::Zh => &CHINESE,
    }
}
