//! Cron patterns in Chinese words.

use croner::describe::Language;

/// Chinese. What comes first is said first: the hour before the minute cannot be, as the order is croner's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chinese;

impl Language for Chinese {
    fn every_minute(&self) -> &'static str {
        "每分钟"
    }

    fn every_second_phrase(&self) -> &'static str {
        "每秒"
    }

    fn every_x_minutes(&self, step: u16) -> String {
        format!("每 {step} 分钟")
    }

    fn every_x_seconds(&self, step: u16) -> String {
        format!("每 {step} 秒")
    }

    fn every_x_hours(&self, step: u16) -> String {
        format!("每 {step} 小时")
    }

    fn every_minute_of_every_x_hours(&self, step: u16) -> String {
        format!("每 {step} 小时内的每分钟")
    }

    fn at_time(&self, time: &str) -> String {
        time.to_owned()
    }

    fn at_time_and_every_x_seconds(&self, time: &str, step: u16) -> String {
        format!("{time}，每 {step} 秒")
    }

    fn at_time_at_second(&self, time: &str, second: &str) -> String {
        format!("{time}，第 {second} 秒")
    }

    fn at_phrase(&self, phrase: &str) -> String {
        phrase.to_owned()
    }

    fn on_phrase(&self, phrase: &str) -> String {
        phrase.to_owned()
    }

    fn in_phrase(&self, phrase: &str) -> String {
        phrase.to_owned()
    }

    fn second_phrase(&self, seconds: &str) -> String {
        format!("第 {seconds} 秒")
    }

    fn minute_phrase(&self, minutes: &str) -> String {
        format!("第 {minutes} 分")
    }

    fn minute_past_every_hour_phrase(&self, minutes: &str) -> String {
        format!("每小时{minutes}")
    }

    fn hour_phrase(&self, hours: &str) -> String {
        format!("{hours} 点")
    }

    fn year_phrase(&self, years: &str) -> String {
        format!("{years} 年")
    }

    fn day_phrase(&self, days: &str) -> String {
        format!("每月 {days} 日")
    }

    fn the_last_day_of_the_month(&self) -> &'static str {
        "每月最后一天"
    }

    fn the_weekday_nearest_day(&self, day: &str) -> String {
        format!("离 {day} 日最近的工作日")
    }

    fn the_last_weekday_of_the_month(&self, day: &str) -> String {
        format!("每月最后一个{day}")
    }

    fn the_nth_weekday_of_the_month(&self, n: u8, day: &str) -> String {
        format!("每月第 {n} 个{day}")
    }

    fn dom_and_dow_if_also(&self, day: &str) -> String {
        format!("（且为{day}）")
    }

    fn dom_and_dow_if_also_one_of(&self, days: &str) -> String {
        format!("（且为其中之一：{days}）")
    }

    fn list_conjunction_and(&self) -> &'static str {
        "和"
    }

    fn list_conjunction_or(&self) -> &'static str {
        "或"
    }

    fn list_conjunction_and_comma(&self) -> &'static str {
        "和"
    }

    fn day_of_week_names(&self) -> [&'static str; 7] {
        ["星期日", "星期一", "星期二", "星期三", "星期四", "星期五", "星期六"]
    }

    fn month_names(&self) -> [&'static str; 12] {
        ["一月", "二月", "三月", "四月", "五月", "六月", "七月", "八月", "九月", "十月", "十一月", "十二月"]
    }

    fn every_past_phrase(&self, every: &str, hours: &str) -> String {
        format!("{hours}内{every}")
    }

    fn past_hour_phrase(&self, hours: &str) -> String {
        format!("{hours} 点")
    }

    fn every_x_months(&self, step: u16) -> String {
        format!("每 {step} 个月")
    }
}
