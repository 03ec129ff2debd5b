//! `POST /usage`: records a batch of messages in one statement.

use crate::json;
use crate::pool::Pool;
use crate::{problem, success};
use chrono::{DateTime, FixedOffset};
use hyper::body::HttpBody;
use hyper::{Body, Response, StatusCode};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::SystemTime;

pub const NEXT_IDS: &str = "SELECT nextval('usage_record_message_id_seq') FROM generate_series(1, $1::bigint)";

/// In the order of ids, so that retries of one batch cannot wait for each other.
pub const INSERT: &str = r#"
    INSERT INTO usage_record
        (message_id, "timestamp", report_name, message_text, credit_hundredths, credit_rate_id)
    SELECT *, 1
    FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::text[], $5::bigint[])
    ORDER BY 1
    ON CONFLICT (message_id) DO NOTHING
    RETURNING message_id"#;

const BODY_LIMIT: usize = 8 << 20;

#[derive(Deserialize)]
struct Message<'a> {
    message_id: Option<i64>,
    timestamp: Option<DateTime<FixedOffset>>,
    #[serde(borrow)]
    report_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    message_text: Cow<'a, str>,
}

pub async fn usage(body: Body, pool: Arc<Pool>) -> Result<Response<Body>, tokio_postgres::Error> {
    let body = match whole(body).await {
        Some(body) => body,
        None => return Ok(problem(StatusCode::PAYLOAD_TOO_LARGE, "the body is too long")),
    };
    let messages: Vec<Message> = match serde_json::from_slice(&body) {
        Ok(messages) => messages,
        Err(_) => {
            let text = "the body must be a JSON array of messages";
            return Ok(problem(StatusCode::UNPROCESSABLE_ENTITY, text));
        }
    };
    let connection = pool.get().await?;
    let missing = messages.iter().filter(|message| message.message_id.is_none()).count() as i64;
    let mut chosen = Vec::new();
    if missing > 0 {
        chosen = connection.client.query(&connection.next_ids, &[&missing]).await?;
    }
    let mut chosen = chosen.iter().map(|row| row.get::<_, i64>(0));
    let now = SystemTime::now();
    let ids: Vec<i64> = messages.iter().filter_map(|message| message.message_id.or_else(|| chosen.next())).collect();
    let times: Vec<SystemTime> =
        messages.iter().map(|message| message.timestamp.map_or(now, SystemTime::from)).collect();
    let names: Vec<Option<&str>> = messages.iter().map(|message| message.report_name.as_deref()).collect();
    let texts: Vec<&str> = messages.iter().map(|message| &*message.message_text).collect();
    let prices: Vec<i64> = texts.iter().map(|text| price(text)).collect();
    let rows = connection.client.query(&connection.insert, &[&ids, &times, &names, &texts, &prices]).await?;
    Ok(success(answer(&ids, &prices, rows.iter().map(|row| row.get(0)).collect()).into()))
}

async fn whole(mut body: Body) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(body.size_hint().lower().min(BODY_LIMIT as u64) as usize);
    while let Some(chunk) = body.data().await {
        bytes.extend_from_slice(&chunk.ok()?);
        if bytes.len() > BODY_LIMIT {
            return None;
        }
    }
    Some(bytes)
}

/// 40 credits for 100 tokens of 4 characters, in hundredths, and 1.00 at least.
fn price(text: &str) -> i64 {
    ((text.chars().count() as i64 * 4000 + 200) / 400).max(100)
}

fn answer(ids: &[i64], prices: &[i64], mut created: HashSet<i64>) -> Vec<u8> {
    let mut out = Vec::with_capacity(32 + 96 * ids.len());
    out.extend_from_slice(b"{\"created\":");
    json::integer(&mut out, created.len() as i64);
    out.extend_from_slice(b",\"results\":[");
    for (index, (id, price)) in ids.iter().zip(prices).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"index\":");
        json::integer(&mut out, index as i64);
        out.extend_from_slice(b",\"message_id\":");
        json::integer(&mut out, *id);
        // The same id again is a duplicate.
        let status = if created.remove(id) { "created" } else { "duplicate" };
        out.extend_from_slice(b",\"status\":\"");
        out.extend_from_slice(status.as_bytes());
        out.extend_from_slice(b"\",\"credits_used\":");
        json::credits(&mut out, *price);
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
    out
}
