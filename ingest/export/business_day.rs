//! Days on which banks carry out transfers: no weekend, no public holiday, not the turn of the year.

use chrono::{Datelike, NaiveDate, Weekday};

/// Whether banks work on that day. Holidays are those of the law as it stands since 2020, with the days
/// that were moved for the games of 2020 and 2021; equinoxes by the formula that holds from 1980 to
/// 2099.
pub fn is_business_day(date: NaiveDate) -> bool {
    let is_weekend = matches!(date.weekday(), Weekday::Sat | Weekday::Sun);
    let turn_of_the_year = matches!((date.month(), date.day()), (12, 31) | (1, 1..=3));
    !is_weekend && !turn_of_the_year && !is_holiday(date)
}

/// A public holiday, or the day that is free in its stead.
fn is_holiday(date: NaiveDate) -> bool {
    is_named_holiday(date) || is_substitute(date) || is_between_holidays(date)
}

/// A holiday on a Sunday is moved to the next day that is none.
fn is_substitute(date: NaiveDate) -> bool {
    let mut day = date;
    while let Some(before) = day.pred_opt() {
        if !is_named_holiday(before) {
            return false;
        }
        if before.weekday() == Weekday::Sun {
            return true;
        }
        day = before;
    }
    false
}

/// A day between two holidays is one.
fn is_between_holidays(date: NaiveDate) -> bool {
    let holiday = |day: Option<NaiveDate>| day.is_some_and(is_named_holiday);
    holiday(date.pred_opt()) && holiday(date.succ_opt())
}

fn is_named_holiday(date: NaiveDate) -> bool {
    let (year, month, day) = (date.year(), date.month(), date.day());
    let monday = |week: u32| date.weekday() == Weekday::Mon && (day - 1) / 7 + 1 == week;
    let moved = match year {
        2020 => Some([(7, 23), (7, 24), (8, 10)]),
        2021 => Some([(7, 22), (7, 23), (8, 8)]),
        _ => None,
    };
    match month {
        1 => day == 1 || monday(2),
        2 => day == 11 || day == 23,
        3 => day == equinox(year, 20.8431),
        4 => day == 29,
        5 => matches!(day, 3..=5),
        7 | 8 | 10 if moved.is_some() => moved.is_some_and(|days| days.contains(&(month, day))),
        7 => monday(3),
        8 => day == 11,
        9 => monday(3) || day == equinox(year, 23.2488),
        10 => monday(2),
        11 => day == 3 || day == 23,
        _ => false,
    }
}

/// The day of an equinox; `base` is that of 1980, in days of the month.
fn equinox(year: i32, base: f64) -> u32 {
    let years = f64::from(year - 1980);
    (base + 0.242_194 * years - (years / 4.0).floor()).max(0.0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holidays_on_weekdays(year: i32) -> Vec<(u32, u32)> {
        NaiveDate::from_ymd_opt(year, 1, 1)
            .expect("a date")
            .iter_days()
            .take_while(|day| day.year() == year)
            .filter(|&day| !matches!(day.weekday(), Weekday::Sat | Weekday::Sun) && !is_business_day(day))
            .map(|day| (day.month(), day.day()))
            .collect()
    }

    /// The cabinet office's list (内閣府「国民の祝日について」), without what falls on weekends.
    #[test]
    fn the_days_without_transfers_are_those_of_the_cabinet_office() {
        assert_eq!(
            holidays_on_weekdays(2020),
            [
                (1, 1),
                (1, 2),
                (1, 3),
                (1, 13),
                (2, 11),
                (2, 24),
                (3, 20),
                (4, 29),
                (5, 4),
                (5, 5),
                (5, 6),
                (7, 23),
                (7, 24),
                (8, 10),
                (9, 21),
                (9, 22),
                (11, 3),
                (11, 23),
                (12, 31)
            ]
        );
        assert_eq!(
            holidays_on_weekdays(2021),
            [
                (1, 1),
                (1, 11),
                (2, 11),
                (2, 23),
                (4, 29),
                (5, 3),
                (5, 4),
                (5, 5),
                (7, 22),
                (7, 23),
                (8, 9),
                (9, 20),
                (9, 23),
                (11, 3),
                (11, 23),
                (12, 31)
            ]
        );
        // 22 September lies between two holidays.
        assert_eq!(
            holidays_on_weekdays(2026),
            [
                (1, 1),
                (1, 2),
                (1, 12),
                (2, 11),
                (2, 23),
                (3, 20),
                (4, 29),
                (5, 4),
                (5, 5),
                (5, 6),
                (7, 20),
                (8, 11),
                (9, 21),
                (9, 22),
                (9, 23),
                (10, 12),
                (11, 3),
                (11, 23),
                (12, 31)
            ]
        );
    }
}
