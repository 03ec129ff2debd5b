<?php
// POST /usage: a batch of messages in one statement.

declare(strict_types=1);

const NEXT_IDS = 'SELECT nextval(\'usage_record_message_id_seq\') FROM generate_series(1, $1::int)';

// In the order of ids, so that retries of one batch cannot wait for each other.
const INSERT = <<<'SQL'
    INSERT INTO usage_record
        (message_id, "timestamp", report_name, message_text, credit_hundredths, credit_rate_id)
    SELECT *, 1
    FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::text[], $5::bigint[])
    ORDER BY 1
    ON CONFLICT (message_id) DO NOTHING
    RETURNING message_id
    SQL;

function record_messages(): void
{
    $messages = json_decode(file_get_contents('php://input'), true);
    if (!is_array($messages) || !array_is_list($messages) || !all_valid($messages)) {
        problem(422, 'the body must be a JSON array of messages');
        return;
    }
    $connection = database();
    $ids = array_map(fn ($message) => $message['message_id'] ?? null, $messages);
    $missing = array_keys($ids, null, true);
    if ($missing) {
        $chosen = pg_fetch_all_columns(query($connection, NEXT_IDS, [count($missing)]));
        $ids = array_replace($ids, array_combine($missing, $chosen));
    }
    $now = gmdate('Y-m-d\TH:i:s\Z');
    $texts = array_column($messages, 'message_text');
    $credits = array_map(price(...), $texts);
    $result = query($connection, INSERT, [
        '{' . implode(',', $ids) . '}',
        quoted_array(array_map(fn ($message) => $message['timestamp'] ?? $now, $messages)),
        quoted_array(array_map(fn ($message) => $message['report_name'] ?? null, $messages)),
        quoted_array($texts),
        '{' . implode(',', $credits) . '}',
    ]);
    header('Content-Type: application/json');
    echo answer($ids, $credits, array_fill_keys(pg_fetch_all_columns($result), true));
}

function all_valid(array $messages): bool
{
    foreach ($messages as $message) {
        if (!is_array($message) || !is_string($message['message_text'] ?? null)
            || !is_int($message['message_id'] ?? 0) || !is_string($message['timestamp'] ?? '')
            || !is_string($message['report_name'] ?? '')) {
            return false;
        }
    }
    return true;
}

/** 40 credits for 100 tokens of 4 characters, in hundredths, and 1.00 at least. */
function price(string $text): int
{
    return max(100, intdiv(mb_strlen($text, 'UTF-8') * 4000 + 200, 400));
}

/** The array as PostgreSQL reads it. */
function quoted_array(array $values): string
{
    $quote = fn ($value) => $value === null ? 'NULL' : '"' . addcslashes($value, '"\\') . '"';
    return '{' . implode(',', array_map($quote, $values)) . '}';
}

function answer(array $ids, array $credits, array $created): string
{
    $count = count($created);
    $results = [];
    foreach ($ids as $index => $id) {
        $status = isset($created[$id]) ? 'created' : 'duplicate';
        unset($created[$id]); // The same id again is a duplicate.
        $hundredths = $credits[$index];
        $used = intdiv($hundredths, 100) . '.' . substr((string) (100 + $hundredths % 100), 1);
        $results[] = "{\"index\":$index,\"message_id\":$id,\"status\":\"$status\",\"credits_used\":$used}";
    }
    return "{\"created\":$count,\"results\":[" . implode(',', $results) . ']}';
}
