//! `GET /usage`: all records, streamed as they come from the database, or the first ones.

use crate::json::Encoder;
use crate::pool::Pool;
use crate::{problem, success};
use futures_util::{pin_mut, TryStreamExt};
use hyper::body::Sender;
use hyper::{Body, Response, StatusCode};
use std::sync::Arc;
use tokio_postgres::types::{FromSql, Type};
use tokio_postgres::Error;

pub const PAGE: &str = r#"SELECT message_id, "timestamp", report_name, credit_hundredths
    FROM usage_record ORDER BY "timestamp", message_id LIMIT $1"#;

/// COPY costs less a row than a query does.
pub const ALL: &str = r#"COPY (SELECT message_id, "timestamp", report_name, credit_hundredths
    FROM usage_record ORDER BY "timestamp", message_id) TO STDOUT (FORMAT binary)"#;

/// A signature of 11 bytes, flags, and the length of an extension that nobody has made yet.
const COPY_HEADER: usize = 19;
const START: &[u8] = b"{\"usage\":[";
const CHUNK: usize = 64 * 1024;

/// A timestamp in microseconds since 2000, as PostgreSQL sends it.
struct Microseconds(i64);

impl<'a> FromSql<'a> for Microseconds {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        i64::from_sql(kind, raw).map(Self)
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::TIMESTAMPTZ
    }
}

impl Microseconds {
    fn since_1970(&self) -> i64 {
        self.0 + 946_684_800_000_000
    }
}

pub async fn usage(query: Option<&str>, pool: Arc<Pool>) -> Result<Response<Body>, Error> {
    let limit = query.unwrap_or("").strip_prefix("limit=").map(str::parse::<i64>);
    match limit {
        None => Ok(success(all(pool))),
        Some(Ok(limit)) if limit > 0 => Ok(success(page(limit, &pool).await?.into())),
        Some(_) => Ok(problem(StatusCode::BAD_REQUEST, "limit must be a positive number")),
    }
}

async fn page(limit: i64, pool: &Pool) -> Result<Vec<u8>, Error> {
    let connection = pool.get().await?;
    let rows = connection.client.query_raw(&connection.read_page, [limit]).await?;
    pin_mut!(rows);
    let mut encoder = Encoder::default();
    let mut out = Vec::with_capacity(CHUNK);
    let mut start: &[u8] = START;
    while let Some(row) = rows.try_next().await? {
        let time: Microseconds = row.get(1);
        out.extend_from_slice(std::mem::replace(&mut start, b","));
        encoder.record(&mut out, row.get(0), time.since_1970(), row.get(2), row.get(3));
    }
    end(&mut out, start);
    Ok(out)
}

fn all(pool: Arc<Pool>) -> Body {
    let (mut sender, body) = Body::channel();
    tokio::spawn(async move {
        if let Err(error) = send_all(&mut sender, &pool).await {
            eprintln!("{error}");
            sender.abort(); // A broken answer must not look like a whole one.
        }
    });
    body
}

async fn send_all(sender: &mut Sender, pool: &Pool) -> Result<(), Error> {
    let connection = pool.get().await?;
    let rows = connection.client.copy_out(&connection.read_all).await?;
    pin_mut!(rows);
    let mut encoder = Encoder::default();
    let mut out = Vec::with_capacity(CHUNK + 4096);
    let mut start: &[u8] = START;
    let mut header = COPY_HEADER;
    while let Some(row) = rows.try_next().await? {
        let mut fields = Fields(&row[std::mem::take(&mut header)..]);
        if fields.count() == -1 {
            continue; // The trailer; the stream's own end comes after it.
        }
        let (id, time) = (fields.integer(), Microseconds(fields.integer()));
        let name = fields.text();
        out.extend_from_slice(std::mem::replace(&mut start, b","));
        encoder.record(&mut out, id, time.since_1970(), name, fields.integer());
        if out.len() >= CHUNK {
            let chunk = std::mem::replace(&mut out, Vec::with_capacity(CHUNK + 4096));
            if sender.send_data(chunk.into()).await.is_err() {
                return Ok(()); // The client has gone.
            }
        }
    }
    end(&mut out, start);
    let _ = sender.send_data(out.into()).await;
    Ok(())
}

/// Ends an answer, which has begun unless its start is still to come.
fn end(out: &mut Vec<u8>, start: &[u8]) {
    if start == START {
        out.extend_from_slice(start);
    }
    out.extend_from_slice(b"]}");
}

/// The fields of a row of binary COPY.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take<const LENGTH: usize>(&mut self) -> [u8; LENGTH] {
        self.slice(LENGTH).try_into().expect("a slice of this length")
    }

    fn slice(&mut self, length: usize) -> &'a [u8] {
        let (head, tail) = self.0.split_at(length);
        self.0 = tail;
        head
    }

    fn count(&mut self) -> i16 {
        i16::from_be_bytes(self.take())
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = i32::from_be_bytes(self.take());
        (length >= 0).then(|| std::str::from_utf8(self.slice(length as usize)).expect("the database has UTF-8"))
    }

    fn integer(&mut self) -> i64 {
        self.slice(4);
        i64::from_be_bytes(self.take())
    }
}
