//! `GET /usage`: all records, or the first ones, streamed as they come from the database.

use crate::json::Encoder;
use crate::pool::{Lease, Pool};
use crate::{problem, success};
use futures_util::TryStreamExt;
use hyper::body::Sender;
use hyper::{Body, Response, StatusCode};
use std::error::Error;
use std::sync::Arc;
use tokio_postgres::types::{FromSql, ToSql, Type};

pub const ALL: &str = r#"SELECT message_id, "timestamp", report_name, credit_hundredths
    FROM usage_record ORDER BY "timestamp", message_id"#;
pub const PAGE: &str = r#"SELECT message_id, "timestamp", report_name, credit_hundredths
    FROM usage_record ORDER BY "timestamp", message_id LIMIT $1"#;

const CHUNK: usize = 64 * 1024;

/// A timestamp in microseconds since 1970, straight from the wire.
struct Microseconds(i64);

impl<'a> FromSql<'a> for Microseconds {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(i64::from_sql(kind, raw)? + 946_684_800_000_000))
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::TIMESTAMPTZ
    }
}

pub async fn usage(query: Option<&str>, pool: Arc<Pool>) -> Result<Response<Body>, tokio_postgres::Error> {
    let limit = match query.unwrap_or("").strip_prefix("limit=").map(str::parse::<i64>) {
        None => None,
        Some(Ok(limit)) if limit > 0 => Some(limit),
        Some(_) => return Ok(problem(StatusCode::BAD_REQUEST, "limit must be a positive number")),
    };
    if let Some(limit) = limit.filter(|limit| *limit <= 1000) {
        let connection = pool.get().await?;
        let mut body = Vec::with_capacity(128 * limit as usize);
        write(&connection, Some(limit), &mut body, None).await?;
        return Ok(success(body.into()));
    }
    let (mut sender, body) = Body::channel();
    tokio::spawn(async move {
        let mut buffer = Vec::with_capacity(CHUNK + 4096);
        let written = match pool.get().await {
            Ok(connection) => write(&connection, limit, &mut buffer, Some(&mut sender)).await,
            Err(error) => Err(error),
        };
        match written {
            Ok(()) => drop(sender.send_data(buffer.into()).await),
            Err(error) => {
                eprintln!("{error}");
                sender.abort(); // A broken answer must not look like a whole one.
            }
        }
    });
    Ok(success(body))
}

/// Appends the answer to the buffer; with a sender, full chunks of it go there.
async fn write(
    connection: &Lease<'_>, limit: Option<i64>, out: &mut Vec<u8>, mut sender: Option<&mut Sender>,
) -> Result<(), tokio_postgres::Error> {
    let rows = match &limit {
        None => connection.client.query_raw(&connection.read_all, std::iter::empty::<&dyn ToSql>()).await?,
        Some(limit) => connection.client.query_raw(&connection.read_page, [limit]).await?,
    };
    futures_util::pin_mut!(rows);
    let mut encoder = Encoder::default();
    out.extend_from_slice(b"{\"usage\":[");
    let mut is_first = true;
    while let Some(row) = rows.try_next().await? {
        if !is_first {
            out.push(b',');
        }
        is_first = false;
        let time: Microseconds = row.get(1);
        encoder.record(out, row.get(0), time.0, row.get(2), row.get(3));
        if let Some(sender) = sender.as_mut().filter(|_| out.len() >= CHUNK) {
            let chunk = std::mem::replace(out, Vec::with_capacity(CHUNK + 4096));
            if sender.send_data(chunk.into()).await.is_err() {
                return Ok(()); // The client has gone.
            }
        }
    }
    out.extend_from_slice(b"]}");
    Ok(())
}
