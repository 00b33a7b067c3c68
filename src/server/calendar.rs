//! The time of day as HTTP and access logs write it.

use std::time::{SystemTime, UNIX_EPOCH};

/// A second of the calendar, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Second {
    year: i64,
    month: usize,
    day: u32,
    weekday: usize,
    hour: u32,
    minute: u32,
    second: u32,
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

impl Second {
    pub(super) fn now() -> Second {
        // A clock before 1970 is not set; any date will do then.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Second::at(since.as_secs())
    }

    /// The second this many after the beginning of 1970.
    fn at(unix: u64) -> Second {
        let days = (unix / 86_400) as i64;
        let clock = (unix % 86_400) as u32;
        // Years are counted from March, so that the day that comes and goes is the last one; 400
        // of them always have the same length.
        let shifted = days + 719_468;
        let era = shifted / 146_097;
        let day_of_era = shifted % 146_097;
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let day = (day_of_year - (153 * march_month + 2) / 5 + 1) as u32;
        let month = (march_month as usize + 2) % 12;
        let year = year_of_era + era * 400 + i64::from(month < 2);
        Second {
            year,
            month,
            day,
            weekday: ((days + 4) % 7) as usize,
            hour: clock / 3600,
            minute: clock / 60 % 60,
            second: clock % 60,
        }
    }

    /// As the field `Date` has it.
    pub(super) fn http(self) -> String {
        format!(
            "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
            WEEKDAYS[self.weekday],
            self.day,
            MONTHS[self.month],
            self.year,
            self.hour,
            self.minute,
            self.second
        )
    }

    /// As the common log format has it.
    pub(super) fn log(self) -> String {
        format!(
            "{:02}/{}/{:04}:{:02}:{:02}:{:02} +0000",
            self.day, MONTHS[self.month], self.year, self.hour, self.minute, self.second
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_seconds_are_written_as_rfc_9110_has_them() {
        for (unix, text) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        ] {
            assert_eq!(Second::at(unix).http(), text);
        }
    }

    #[test]
    fn a_log_has_the_day_first() {
        assert_eq!(Second::at(971_211_336).log(), "10/Oct/2000:20:55:36 +0000");
    }
}
