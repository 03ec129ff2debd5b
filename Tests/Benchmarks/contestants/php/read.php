<?php
// GET /usage: all records through a cursor, a few thousand at a time, or the first ones.

declare(strict_types=1);

const RECORDS = 'SELECT message_id, "timestamp", report_name, credit_hundredths'
    . ' FROM usage_record ORDER BY "timestamp", message_id';

const FETCH = 'FETCH 2000 FROM records';

function read_records(): void
{
    $limit = $_GET['limit'] ?? null;
    if ($limit === null) {
        read_all(database());
    } elseif (is_string($limit) && ctype_digit($limit) && is_int($limit + 0) && $limit > 0) {
        $result = query(database(), RECORDS . ' LIMIT $1', [$limit]);
        header('Content-Type: application/json');
        echo '{"usage":[', encoded_records($result), ']}';
    } else {
        problem(400, 'limit must be a positive number');
    }
}

function read_all(PgSql\Connection $connection): void
{
    query($connection, 'BEGIN READ ONLY; SET LOCAL cursor_tuple_fraction = 1; '
        . 'DECLARE records NO SCROLL CURSOR FOR ' . RECORDS);
    try {
        header('Content-Type: application/json');
        echo '{"usage":[';
        $separator = '';
        pg_send_query($connection, FETCH);
        $result = fetched($connection);
        while (pg_num_rows($result) > 0) {
            // The next records come while these are written.
            pg_send_query($connection, FETCH);
            echo $separator, encoded_records($result);
            $separator = ',';
            $result = fetched($connection);
        }
        echo ']}';
    } finally {
        pg_query($connection, 'ROLLBACK');
    }
}

function fetched(PgSql\Connection $connection): PgSql\Result
{
    $result = pg_get_result($connection);
    if (!$result || pg_result_status($result) !== PGSQL_TUPLES_OK) {
        throw new DatabaseFault(pg_last_error($connection));
    }
    pg_get_result($connection); // There is no second one, and the connection is free again.
    return $result;
}

function encoded_records(PgSql\Result $result): string
{
    $json = '';
    $separator = '';
    while ([$id, $time, $name, $hundredths] = pg_fetch_row($result)) {
        // 2024-01-15 14:30:00+00, or 2024-01-15 14:30:00.25+00
        $time[10] = 'T';
        $time = strlen($time) === 22 ? substr($time, 0, 19) : str_pad(substr($time, 0, -3), 26, '0');
        $report = $name === null ? '' : ',"report_name":' . json_encode($name, JSON_UNESCAPED_UNICODE
            | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_LINE_TERMINATORS);
        $hundredths = str_pad($hundredths, 3, '0', STR_PAD_LEFT);
        $json .= "$separator{\"message_id\":$id,\"timestamp\":\"{$time}Z\"$report,\"credits_used\":"
            . substr($hundredths, 0, -2) . '.' . substr($hundredths, -2) . '}';
        $separator = ',';
    }
    return $json;
}
