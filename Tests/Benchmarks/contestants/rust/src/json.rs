//! Appends records as JSON to a buffer.

use chrono::{Datelike, NaiveDate};

const DAY: i64 = 86_400_000_000;

/// Keeps the date of the last record, which most of the next share.
#[derive(Default)]
pub struct Encoder {
    day: Option<i64>,
    date: Vec<u8>,
}

impl Encoder {
    pub fn record(&mut self, out: &mut Vec<u8>, id: i64, time: i64, name: Option<&str>, hundredths: i64) {
        out.extend_from_slice(b"{\"message_id\":");
        integer(out, id);
        out.extend_from_slice(b",\"timestamp\":\"");
        self.time(out, time);
        out.push(b'"');
        if let Some(name) = name {
            out.extend_from_slice(b",\"report_name\":\"");
            escaped(out, name);
            out.push(b'"');
        }
        out.extend_from_slice(b",\"credits_used\":");
        credits(out, hundredths);
        out.push(b'}');
    }

    /// Microseconds since 1970 in UTC.
    pub fn time(&mut self, out: &mut Vec<u8>, time: i64) {
        let (day, rest) = (time.div_euclid(DAY), time.rem_euclid(DAY));
        if self.day != Some(day) {
            self.day = Some(day);
            let date = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap() + chrono::Duration::days(day);
            self.date = format!("{:04}-{:02}-{:02}T", date.year(), date.month(), date.day()).into();
        }
        out.extend_from_slice(&self.date);
        let (seconds, fraction) = (rest / 1_000_000, rest % 1_000_000);
        two(out, seconds / 3600);
        out.push(b':');
        two(out, seconds / 60 % 60);
        out.push(b':');
        two(out, seconds % 60);
        if fraction != 0 {
            out.push(b'.');
            two(out, fraction / 10_000);
            two(out, fraction / 100 % 100);
            two(out, fraction % 100);
        }
        out.push(b'Z');
    }
}

pub fn integer(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

pub fn credits(out: &mut Vec<u8>, hundredths: i64) {
    integer(out, hundredths / 100);
    out.push(b'.');
    two(out, hundredths % 100);
}

fn two(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(&[b'0' + (value / 10) as u8, b'0' + (value % 10) as u8]);
}

fn escaped(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let mut start = 0;
    for (index, &byte) in bytes.iter().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[start..index]);
        start = index + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            8 => out.extend_from_slice(b"\\b"),
            9 => out.extend_from_slice(b"\\t"),
            10 => out.extend_from_slice(b"\\n"),
            12 => out.extend_from_slice(b"\\f"),
            13 => out.extend_from_slice(b"\\r"),
            _ => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        }
    }
    out.extend_from_slice(&bytes[start..]);
}
