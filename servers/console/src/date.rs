//! Seconds since 1970 as a date.

use core::fmt;

const DAY: u64 = 86_400;

/// Seconds since 1970 began, shown as a date and a time of UTC.
pub struct Date(pub u64);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (day, second) = (self.0 / DAY, self.0 % DAY);
        let (year, month, day) = civil(day);
        let (hour, minute) = (second / 3600, second / 60 % 60);
        write!(
            f,
            "{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{:02}",
            second % 60
        )
    }
}

/// Year, month and day of a day counted from 1 January 1970. Years begin in March here, so that the leap day is a year's
/// last: Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
fn civil(day: u64) -> (u64, u64, u64) {
    const ERA: u64 = 146_097;
    let day = day + 719_468;
    let (era, day) = (day / ERA, day % ERA);
    let year = (day - day / 1460 + day / 36_524 - day / (ERA - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * day + 2) / 153;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = era * 400 + year + u64::from(month < 3);
    (year, month, day - (153 * from_march + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::Date;
    use alloc::string::ToString;

    #[test]
    fn seconds_become_dates() {
        for (seconds, date) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_399, "2000-02-28 23:59:59"),
            (951_868_799, "2000-02-29 23:59:59"),
            (951_868_800, "2000-03-01 00:00:00"),
            (1_735_689_599, "2024-12-31 23:59:59"),
            (4_107_542_400, "2100-03-01 00:00:00"),
        ] {
            assert_eq!(Date(seconds).to_string(), date);
        }
    }
}
